// Brings the schema up to what this version wants, by the SQL files in migrations/, all in one transaction and under a lock.
// A schema that is newer than this program (its last migration is not among our files) is refused.

import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import type pg from 'pg';

const folder = fileURLToPath(new URL('../../migrations', import.meta.url));

/** Returns the names of the migrations that were done now. */
export async function migrate(client: pg.Client): Promise<readonly string[]> {
  const done = await runner({
    dbClient: client,
    dir: folder,
    direction: 'up',
    migrationsTable: 'schema_migration',
    singleTransaction: true,
    advisoryLockMode: 'wait',
    checkOrder: false,
    log: () => undefined,
  });
  const known = new Set((await readdir(folder)).map((name) => name.replace(/\.sql$/, '')));
  const { rows } = await client.query<{ name: string }>('SELECT name FROM schema_migration ORDER BY id');
  const foreign = rows.filter(({ name }) => !known.has(name)).map(({ name }) => name);
  if (foreign.length > 0) {
    throw new Error(
      `the database has migrations that this version does not know: ${foreign.join(', ')}; run a newer one`,
    );
  }
  return done.map(({ name }) => name);
}
