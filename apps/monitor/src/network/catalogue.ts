// What the service knows of the network while it runs: sensors, rules, zones; read from the database, and the sensors kept
// on disk, so that readings can be checked before the database was seen.

import { join } from 'node:path';
import type pg from 'pg';
import { z } from 'zod';
import { readIfThere, writeDurably } from '../durable-file.ts';
import type { Remembered } from '../rules/engine.ts';
import type { Rule, WatchedSensor, Zone } from '../rules/rule.ts';

export interface Catalogue extends Remembered {
  readonly rules: readonly Rule[];
  readonly sensors: readonly WatchedSensor[];
  readonly zones: readonly Zone[];
}

export async function readCatalogue(client: pg.Client): Promise<Catalogue> {
  const { rows: rules } = await client.query<Rule>(
    `SELECT id, kind, sensor_kind AS "sensorKind", severity, message, raises_at AS "raisesAt", clears_at AS "clearsAt",
            count, relative FROM alert_rule WHERE enabled ORDER BY id`,
  );
  const { rows: sensors } = await client.query<WatchedSensor>(
    `SELECT id, kind, nominal_value AS "nominalValue", status = 'in service' AS "inService" FROM sensor ORDER BY id`,
  );
  const { rows: zones } = await client.query<Zone>(
    `SELECT zone_id AS id, json_agg(json_build_object('sensorId', sensor_id, 'direction', direction)) AS meters
       FROM zone_meter GROUP BY zone_id ORDER BY zone_id`,
  );
  const { rows: standing } = await client.query<Remembered['standing'][number]>(
    'SELECT rule_id AS "ruleId", sensor_id AS "sensorId", zone_id AS "zoneId" FROM alert WHERE cleared_at IS NULL',
  );
  const { rows: newest } = await client.query<Remembered['newest'][number]>(
    `SELECT sensor.id AS "sensorId", (extract(epoch FROM last.at) * 1000)::float8 AS at, last.value
       FROM sensor CROSS JOIN LATERAL (
         SELECT at, value FROM reading WHERE sensor_id = sensor.id AND quality < 2 ORDER BY at DESC LIMIT 1) AS last`,
  );
  return { rules, sensors, zones, standing, newest };
}

/** The sensors known, also over a restart without a database. */
export class SensorMemory {
  readonly #file: string;
  #ids: ReadonlySet<number> | undefined;

  private constructor(file: string, ids: ReadonlySet<number> | undefined) {
    this.#file = file;
    this.#ids = ids;
  }

  static async open(folder: string): Promise<SensorMemory> {
    const file = join(folder, 'sensors.json');
    const text = await readIfThere(file);
    return new SensorMemory(file, text === undefined ? undefined : new Set(z.array(z.int()).parse(JSON.parse(text))));
  }

  /** Undefined where the database was never seen. */
  get ids(): ReadonlySet<number> | undefined {
    return this.#ids;
  }

  async remember(sensors: readonly WatchedSensor[]): Promise<void> {
    const ids = new Set(sensors.map(({ id }) => id));
    if (this.#ids?.symmetricDifference(ids).size === 0) return;
    await writeDurably(this.#file, JSON.stringify([...ids]));
    this.#ids = ids;
  }
}
