// Batches into the database: a group of them in one transaction, a few statements whatever their number.
//
// 1. Their keys go into ingest_batch; those that are there already are duplicates, and stay out of the rest. One whose
//    digest is another is a conflict.
// 2. The readings of the new ones go into `reading` as one statement over arrays. A reading that is there (the same sensor
//    and time) stays as it is.
// 3. What the rules make of them is raised and cleared in the same transaction, so that alerts never tell of readings
//    that are not there.
// Invariant: when `storeGroup` returns, the transaction is committed; when it throws, nobody may say so.

import type pg from 'pg';
import { DAY_MS, dayName, dayOf } from '../database/retention.ts';
import type { Change, RuleEngine } from '../rules/engine.ts';
import type { Reading } from '../rules/rule.ts';
import type { Batch } from './batch.ts';

export type Outcome = 'stored' | 'duplicate' | 'conflict';

/** Days whose partition is known to be there, on the server that is connected now. */
export type KnownDays = Set<number>;

export async function storeGroup(
  client: pg.Client,
  batches: readonly Batch[],
  rules: RuleEngine,
  days: KnownDays,
  now: number,
): Promise<readonly Outcome[]> {
  await client.query('BEGIN');
  const made = await makeMissingDays(client, batches, days);
  const outcomes = await claimKeys(client, batches);
  const readings = batches.flatMap(({ readings: own }, index) => (outcomes[index] === 'stored' ? own : []));
  if (readings.length > 0) await insertReadings(client, readings);
  const { changes, keep } = rules.evaluate(readings, now);
  await applyChanges(client, changes);
  await client.query('COMMIT');
  keep();
  for (const day of made) days.add(day);
  return outcomes;
}

/** Raises and clears what time alone brought about. */
export async function storeTick(client: pg.Client, rules: RuleEngine, now: number): Promise<number> {
  const { changes, keep } = rules.tick(now);
  if (changes.length > 0) {
    await client.query('BEGIN');
    await applyChanges(client, changes);
    await client.query('COMMIT');
  }
  keep();
  return changes.length;
}

async function makeMissingDays(
  client: pg.Client,
  batches: readonly Batch[],
  days: KnownDays,
): Promise<readonly number[]> {
  const missing = new Set<number>();
  for (const { readings } of batches) {
    for (const { at } of readings) {
      const day = dayOf(at);
      if (!days.has(day)) missing.add(day);
    }
  }
  // One by one: a sender with one old reading must not make a partition for each day since.
  for (const day of missing) await client.query('SELECT make_reading_partitions($1, $1)', [dayName(day)]);
  return [...missing];
}

async function claimKeys(client: pg.Client, batches: readonly Batch[]): Promise<readonly Outcome[]> {
  const sources = batches.map(({ source }) => source);
  const keys = batches.map(({ key }) => key);
  const { rows: claimed } = await client.query<{ source: string; batch: string }>({
    name: 'claim',
    text: `INSERT INTO ingest_batch (source, batch, readings, digest)
           SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bytea[])
               ON CONFLICT DO NOTHING RETURNING source, batch`,
    values: [sources, keys, batches.map(({ readings }) => readings.length), batches.map(({ digest }) => digest)],
  });
  const unclaimed = new Set(claimed.map(({ source, batch }) => `${source}\n${batch}`));
  // Of two in one group the first has claimed the key.
  const isNew = batches.map(({ source, key }) => unclaimed.delete(`${source}\n${key}`));
  if (isNew.every(Boolean)) return batches.map(() => 'stored');
  const { rows: known } = await client.query<{ source: string; batch: string; digest: Buffer | null }>(
    `SELECT source, batch, digest FROM ingest_batch
      WHERE (source, batch) IN (SELECT * FROM unnest($1::text[], $2::text[]))`,
    [sources, keys],
  );
  const digests = new Map(known.map(({ source, batch, digest }) => [`${source}\n${batch}`, digest]));
  return batches.map(({ source, key, digest }, index) => {
    if (isNew[index] === true) return 'stored';
    const stored = digests.get(`${source}\n${key}`);
    return stored === null || stored?.equals(digest) === true ? 'duplicate' : 'conflict';
  });
}

/** Array literals made by hand: numbers need no quoting, and a general serialiser takes several times as long. */
async function insertReadings(client: pg.Client, readings: readonly Reading[]): Promise<void> {
  const columns: [string[], string[], string[], string[]] = [[], [], [], []];
  for (const { sensorId, at, value, quality } of readings) {
    columns[0].push(String(sensorId));
    columns[1].push(String(at / 1000));
    columns[2].push(String(value));
    columns[3].push(String(quality));
  }
  await client.query({
    name: 'readings',
    text: `INSERT INTO reading (sensor_id, at, value, quality)
           SELECT sensor_id, to_timestamp(seconds), value, quality
             FROM unnest($1::int[], $2::float8[], $3::real[], $4::smallint[]) AS given (sensor_id, seconds, value, quality)
               ON CONFLICT DO NOTHING`,
    values: columns.map((column) => `{${column.join(',')}}`),
  });
}

async function applyChanges(client: pg.Client, changes: readonly Change[]): Promise<void> {
  // One by one and in order, since one may clear what another raised; they are few.
  for (const { kind, rule, sensorId, zoneId, value, at } of changes) {
    if (kind === 'raise') {
      await client.query(
        `INSERT INTO alert (rule_id, sensor_id, zone_id, severity, message, value, raised_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
        [rule.id, sensorId, zoneId, rule.severity, rule.message, value, new Date(at)],
      );
    } else {
      await client.query(
        `UPDATE alert SET cleared_at = greatest($4, raised_at)
          WHERE rule_id = $1 AND sensor_id IS NOT DISTINCT FROM $2 AND zone_id IS NOT DISTINCT FROM $3 AND cleared_at IS NULL`,
        [rule.id, sensorId, zoneId, new Date(at)],
      );
    }
  }
}

/** The partitions of the last days and the next, which the server was just made ready with. */
export const daysAround = (now: number, ahead: number): KnownDays =>
  new Set(Array.from({ length: ahead + 1 }, (_, index) => dayOf(now) + index * DAY_MS));
