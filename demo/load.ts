// Fills an empty cluster with the monitor's schema, the network and its history.
//
// 1. The monitor's own migrations (apps/monitor/migrations), the keys of the large tables last; the network in one
//    statement a table (rows travel as one JSON document).
// 2. Partitions of `reading`, loaded by the server itself, a connection a core: each value follows the daily
//    demand (a morning and an evening peak) as far as its sensor's swing says, with noise hashed from sensor, time and
//    seed. Then keys and indexes.
// Nothing is switched off for speed: the loading is in the WAL like any other work.

import { readdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { LabCluster } from '@spillway/lab';
import type pg from 'pg';
import type { Network } from './network.ts';
import type { Scale } from './scale.ts';

const DAY_MS = 86_400_000;
/** Partitions that are there before they are needed. */
const DAYS_AHEAD = 3;
/** Made after the history is loaded. */
const KEYS = '0002_keys.sql';
const migrations = new URL('../apps/monitor/migrations/', import.meta.url);

export interface LoadOptions {
  readonly database: string;
  readonly network: Network;
  readonly scale: Scale;
  readonly seed: number;
  /** The history ends here. */
  readonly until: Date;
}

export async function loadNetwork(cluster: LabCluster, options: LoadOptions): Promise<{ readonly readings: number }> {
  const { database, network, scale, seed, until } = options;
  await cluster.query(`CREATE DATABASE ${database}`);
  for (const name of (await readdir(migrations)).toSorted()) {
    if (name !== KEYS) await cluster.query(await migration(name), [], database);
  }
  const client = await cluster.connect(database);
  try {
    await insertAll(client, 'municipality', network.municipalities);
    await insertAll(client, 'site', network.reservoirs);
    await insertAll(client, 'pipeline', network.pipelines);
    await insertAll(client, 'sensor', network.sensors);
    await client.query(alertHistory, [scale.alerts, seed, until, scale.historyDays, scale.sensors]);
  } finally {
    await client.end();
  }
  const readings = await loadReadings(cluster, options);
  await cluster.query(await migration(KEYS), [], database);
  await cluster.query('ANALYZE', [], database);
  await cluster.query('CHECKPOINT', [], database);
  return { readings };
}

const migration = (name: string): Promise<string> => readFile(new URL(name, migrations), 'utf8');

async function insertAll(client: pg.Client, table: string, rows: readonly object[]): Promise<void> {
  const columns = Object.keys(rows[0] ?? {}).join(', ');
  await client.query(
    `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM jsonb_populate_recordset(NULL::${table}, $1::jsonb)`,
    [JSON.stringify(rows)],
  );
}

async function loadReadings(cluster: LabCluster, options: LoadOptions): Promise<number> {
  const { database, scale, seed, until } = options;
  const [first, last] = [until.getTime() - scale.historyDays * DAY_MS, until.getTime() + DAYS_AHEAD * DAY_MS];
  const day = (at: number): string => new Date(at).toISOString().slice(0, 10);
  await cluster.query('SELECT make_reading_partitions($1, $2)', [day(first), day(last)], database);
  // A day a piece, so that the connections share the work evenly.
  const end = until.getTime();
  const pieces = Array.from({ length: scale.historyDays }, (_, index) => ({
    from: new Date(end - (index + 1) * DAY_MS),
    to: new Date(end - index * DAY_MS),
  }));
  let loaded = 0;
  const work = async (): Promise<void> => {
    const client = await cluster.connect(database);
    try {
      for (let piece = pieces.pop(); piece !== undefined; piece = pieces.pop()) {
        const { rowCount } = await client.query(readingHistory, [piece.from, piece.to, scale.intervalMinutes, seed]);
        loaded += rowCount ?? 0;
      }
    } finally {
      await client.end();
    }
  };
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, work));
  return loaded;
}

// $1 from, $2 to (not included), $3 minutes, $4 seed. The slots are materialised, else their curve would be computed
// again for every row.
const readingHistory = `
  WITH slot AS MATERIALIZED (
    SELECT at, second,
           (-0.35 + 0.75 * exp(-(((hour - 7) / 1.8) ^ 2)) + 0.85 * exp(-(((hour - 18.5) / 2.2) ^ 2)))::real AS demand
      FROM generate_series($1::timestamptz, $2::timestamptz - interval '1 microsecond', $3 * interval '1 minute') AS at,
           LATERAL (SELECT extract(epoch FROM at)::bigint AS second) AS epoch,
           LATERAL (SELECT (second % 86400 / 3600.0)::float8 AS hour) AS clock)
  INSERT INTO reading (at, sensor_id, value, quality)
  SELECT slot.at, sensor.id,
         sensor.nominal_value * (1::real + sensor.daily_swing * slot.demand + (noise & 1023)::real / 25600 - 0.02::real),
         CASE WHEN noise >> 20 & 1023 = 0 THEN 2 WHEN noise >> 20 & 1023 < 6 THEN 1 ELSE 0 END
    FROM slot
   CROSS JOIN sensor
   CROSS JOIN LATERAL (SELECT hashint8extended(sensor.id * 10000000000 + slot.second, $4) AS noise OFFSET 0) AS thrown`;

// $1 how many, $2 seed, $3 until, $4 days, $5 sensors. Each sensor has one rule it breaks; only its last alert may stand.
const alertHistory = `
  INSERT INTO alert (rule_id, sensor_id, severity, message, raised_at, acknowledged_at, acknowledged_by, cleared_at)
  SELECT rule.id, sensor.id, rule.severity, rule.message, raised_at,
         CASE WHEN dice >> 16 & 31 > 0 THEN raised_at + (dice >> 24 & 1023) * interval '5 seconds' END,
         CASE WHEN dice >> 16 & 31 > 0 THEN 'operator ' || (1 + (dice >> 40 & 7)) END,
         CASE WHEN dice >> 50 & 7 > 0 OR row_number() OVER (PARTITION BY sensor.id ORDER BY raised_at DESC) > 1
              THEN raised_at + (dice >> 30 & 1023) * interval '7 seconds' END
    FROM (SELECT hashint8extended(n, $2) AS dice,
                 $3::timestamptz - (hashint8extended(n, $2 + 1) & 1048575) / 1048576.0 * $4 * interval '1 day'
                   - interval '3 hours' AS raised_at
            FROM generate_series(1, $1::int) AS n) AS thrown
    JOIN sensor ON sensor.id = 1 + (dice >> 44 & 65535) % $5
    JOIN LATERAL (
      SELECT id, severity, message FROM alert_rule WHERE sensor_kind = sensor.kind ORDER BY id LIMIT 1) AS rule ON true
   ORDER BY raised_at`;
