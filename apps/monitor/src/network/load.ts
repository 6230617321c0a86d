// Loads a network into the database, all of it or nothing: rows that are there are brought to what the document says, new
// ones are added, none is removed, since readings and alerts refer to them.

import type pg from 'pg';
import type { NetworkDocument } from './document.ts';

/** In the order in which they refer to one another, with their keys. */
const tables = [
  ['municipality', 'id'],
  ['site', 'id'],
  ['pipeline', 'id'],
  ['sensor', 'id'],
  ['metering_zone', 'id'],
  ['zone_meter', 'zone_id, sensor_id'],
] as const satisfies readonly (readonly [keyof NetworkDocument, string])[];

/** Returns how many rows each table was given. */
export async function loadNetwork(
  client: pg.Client,
  network: NetworkDocument,
): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  await client.query('BEGIN');
  for (const [table, key] of tables) {
    const rows = network[table];
    counts[table] = rows.length;
    if (rows.length === 0) continue;
    const columns = Object.keys(rows[0] ?? {});
    const list = columns.join(', ');
    const updates = columns.map((column) => `${column} = excluded.${column}`).join(', ');
    await client.query(
      `INSERT INTO ${table} (${list}) SELECT ${list} FROM jsonb_populate_recordset(NULL::${table}, $1::jsonb)
           ON CONFLICT (${key}) DO UPDATE SET ${updates}`,
      [JSON.stringify(rows)],
    );
  }
  await client.query('COMMIT');
  return counts;
}
