// Roles and tablespaces of a dump, run with psql.
//
// pg_dumpall writes plain SQL, a statement a line. CREATE ROLE and CREATE TABLESPACE of what is there already are left
// out, so that a restore into a server in use changes no more than it must; the ALTER ROLE of a role that is there is left out
// too, or a restore would bring back an old password. psql runs the rest with ON_ERROR_STOP and no ~/.psqlrc.

import { join } from 'node:path';
import { runClient } from '../../postgres/client-process.ts';
import type { ClientPrograms } from '../../postgres/client-programs.ts';
import type { Session } from '../../postgres/connection.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import { connectionString } from './dump.ts';
import { type ReadOptions, readStream } from './read.ts';

export interface GlobalsRestore {
  readonly reading: ReadOptions;
  readonly tools: ClientPrograms;
  readonly target: ConnectionSettings;
  readonly session: Session;
  readonly warn: (message: string) => void;
  readonly signal: AbortSignal;
}

export interface RestoredGlobals {
  /** Roles and tablespaces that were made. */
  readonly restored: number;
  /** Those that were there. */
  readonly skipped: readonly string[];
}

export async function restoreGlobals(options: GlobalsRestore): Promise<RestoredGlobals> {
  const { reading, tools, target, session, warn, signal } = options;
  const number = reading.manifest.head.streams.findIndex(({ kind }) => kind === 'globals');
  const parts: Uint8Array[] = [];
  // Small beside any database: a line a role.
  for await (const bytes of readStream(reading, number)) parts.push(bytes);
  const rows = await session.query<{ name: string }>(
    'SELECT rolname AS name FROM pg_catalog.pg_roles UNION SELECT spcname FROM pg_catalog.pg_tablespace',
    [],
    { signal },
  );
  const { sql, restored, skipped } = withoutKnown(
    Buffer.concat(parts).toString('utf8'),
    new Set(rows.map(({ name }) => name)),
  );
  const { warnings } = await runClient({
    program: join(tools.binDirectory, 'psql'),
    arguments: [
      '--no-psqlrc',
      '--quiet',
      '--no-password',
      '--set=ON_ERROR_STOP=1',
      `--dbname=${connectionString(target.database ?? 'postgres')}`,
    ],
    connection: target,
    environment: { PGCLIENTENCODING: 'UTF8' },
    input: (async function* () {
      yield Buffer.from(sql);
    })(),
    failure: 'SPW_RESTORE_FAILED',
    what: 'roles and tablespaces were not restored',
    signal,
  });
  for (const message of warnings) warn(message);
  return { restored, skipped };
}

const QUOTED = String.raw`("(?:[^"]|"")+"|[^\s";]+)`;
const making = new RegExp(`^CREATE (ROLE|TABLESPACE) ${QUOTED}`);
const changing = new RegExp(`^ALTER (ROLE|TABLESPACE) ${QUOTED}`);

/** The SQL without what makes or changes a role or tablespace that is `known`. */
export function withoutKnown(
  sql: string,
  known: ReadonlySet<string>,
): { readonly sql: string; readonly restored: number; readonly skipped: readonly string[] } {
  const skipped: string[] = [];
  let restored = 0;
  const kept = sql.split('\n').filter((line) => {
    const made = making.exec(line);
    const name = nameOf(made ?? changing.exec(line));
    if (name === undefined || !known.has(name)) {
      if (made !== null) restored++;
      return true;
    }
    if (made !== null) skipped.push(name);
    return false;
  });
  return { sql: kept.join('\n'), restored, skipped };
}

function nameOf(match: RegExpExecArray | null): string | undefined {
  const name = match?.[2];
  return name?.startsWith('"') === true ? name.slice(1, -1).replaceAll('""', '"') : name;
}
