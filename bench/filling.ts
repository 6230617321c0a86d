// What the source cluster is filled with: pgbench's tables, or the water network of the demo.
//
// Rows of the large table have numbers, from 1 on, by which scenarios choose what they update.

import { join } from 'node:path';
import type { LabCluster } from '@spillway/lab';
import { loadNetwork } from '../demo/load.ts';
import { makeNetwork } from '../demo/network.ts';
import { scales } from '../demo/scale.ts';
import { perform } from './measure.ts';

export interface Filling {
  /** For the printed result. */
  readonly told: string;
  /** Where the tables are. */
  readonly database: string;
  /** Of the large table. */
  readonly rows: number;
  readonly fill: (cluster: LabCluster, signal: AbortSignal) => Promise<void>;
  readonly update: (cluster: LabCluster, rows: readonly number[]) => Promise<void>;
}

export type FillingName = 'pgbench' | 'water';
export const FILLING_NAMES: readonly FillingName[] = ['pgbench', 'water'];

/** `programs` is the folder with pgbench. */
export const fillingOf = (name: FillingName, scale: number, programs: string): Filling =>
  name === 'water' ? water(scale) : pgbench(scale, programs);

const ROWS_PER_SCALE = 100_000;

function pgbench(scale: number, programs: string): Filling {
  return {
    told: `pgbench scale ${scale}`,
    database: 'postgres',
    rows: scale * ROWS_PER_SCALE,
    fill: async ({ connection }, signal) => {
      const { host, port, user, password, database } = connection;
      const words = ['-i', '-q', '-s', String(scale), '-h', host, '-p', String(port), '-U', user, database];
      await perform({ program: join(programs, 'pgbench'), words, environment: { PGPASSWORD: password } }, signal);
    },
    update: async (cluster, rows) => {
      const sql = 'UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = ANY ($1::int[])';
      await cluster.query(sql, [rows]);
    },
  };
}

const SEED = 736_090;
/** A fixed end, so that every run has the same rows. */
const UNTIL = new Date('2026-11-23T00:00:00Z');
const MINUTES_PER_DAY = 1440;
const MINUTE_MS = 60_000;

/** The scale is the days of history: 100 make about as many bytes as pgbench's scale 100. */
function water(days: number): Filling {
  const scale = scales['full'];
  if (scale === undefined) throw new Error('the demo has no scale named full');
  const { sensors, municipalities, intervalMinutes } = scale;
  const database = 'water';
  const from = UNTIL.getTime() - days * MINUTES_PER_DAY * MINUTE_MS;
  return {
    told: `water network, ${days} days of ${sensors} sensors`,
    database,
    rows: days * (MINUTES_PER_DAY / intervalMinutes) * sensors,
    fill: async (cluster) => {
      const network = makeNetwork(SEED, { municipalities, sensors });
      await loadNetwork(cluster, {
        database,
        network,
        scale: { ...scale, historyDays: days },
        seed: SEED,
        until: UNTIL,
      });
    },
    update: async (cluster, rows) => {
      const places = rows.map((row) => {
        const slot = Math.floor((row - 1) / sensors);
        return { sensor: ((row - 1) % sensors) + 1, at: new Date(from + slot * intervalMinutes * MINUTE_MS) };
      });
      const changed = await cluster.query(
        `UPDATE reading SET value = reading.value + 1
           FROM unnest($1::int[], $2::timestamptz[]) AS chosen (sensor_id, at)
          WHERE reading.sensor_id = chosen.sensor_id AND reading.at = chosen.at
      RETURNING 1`,
        [places.map(({ sensor }) => sensor), places.map(({ at }) => at)],
        database,
      );
      if (changed.length !== rows.length) throw new Error(`${changed.length} readings of ${rows.length} were found`);
    },
  };
}
