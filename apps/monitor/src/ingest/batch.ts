// A batch of readings as a sender gives it, checked; and as it lies in the spool.
//
// The sender's key makes it known when it comes again: the same key with the same readings is stored once, with other
// readings it is refused. Digests are made of the readings as they are meant, not of the bytes that were sent.

import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Reading } from '../rules/rule.ts';

export const READINGS_MAX = 5000;

const largestReal = 3.4e38;

export const batchSchema = z
  .strictObject({
    batch: z
      .string()
      .regex(/^[\w.:/-]{1,64}$/)
      .describe('Key of the batch, the sender’s own. Sent again, it is stored once.'),
    readings: z
      .array(
        z.strictObject({
          sensor_id: z.int32().min(1),
          at: z.iso.datetime({ offset: true }).describe('When it was measured, RFC 3339'),
          value: z.number().min(-largestReal).max(largestReal),
          quality: z.int().min(0).max(2).default(0).describe('0 good, 1 uncertain, 2 bad'),
        }),
      )
      .min(1)
      .max(READINGS_MAX),
  })
  .meta({ id: 'Batch' });

export interface Batch {
  /** Who sent it: the name of the token. Keys are the sender's own. */
  readonly source: string;
  readonly key: string;
  readonly readings: readonly Reading[];
  /** SHA-256 of the readings. */
  readonly digest: Buffer;
}

export function batchOf(source: string, body: z.output<typeof batchSchema>): Batch {
  return makeBatch(
    source,
    body.batch,
    body.readings.map(({ sensor_id, at, value, quality }) => ({
      sensorId: sensor_id,
      at: Date.parse(at),
      value: Math.fround(value),
      quality,
    })),
  );
}

const BYTES_A_READING = 24;

function makeBatch(source: string, key: string, readings: readonly Reading[]): Batch {
  const bytes = Buffer.allocUnsafe(readings.length * BYTES_A_READING);
  let offset = 0;
  for (const { sensorId, at, value, quality } of readings) {
    bytes.writeInt32LE(sensorId, offset);
    bytes.writeInt32LE(quality, offset + 4);
    bytes.writeDoubleLE(at, offset + 8);
    bytes.writeDoubleLE(value, offset + 16);
    offset += BYTES_A_READING;
  }
  return { source, key, readings, digest: createHash('sha256').update(bytes).digest() };
}

/** A line of JSON: what lies in the spool can be read without this program. */
export function encodeBatch({ source, key, readings }: Batch): Buffer {
  const rows = readings.map(({ sensorId, at, value, quality }) => [sensorId, at, value, quality]);
  return Buffer.from(JSON.stringify({ source, batch: key, readings: rows }));
}

const spooled = z.object({
  source: z.string(),
  batch: z.string(),
  readings: z.array(z.tuple([z.number(), z.number(), z.number(), z.number()])),
});

/** What lies in the spool was checked by its CRC; this only fails on a spool of another version. */
export function decodeBatch(payload: Buffer): Batch {
  const { source, batch, readings } = spooled.parse(JSON.parse(payload.toString('utf8')));
  return makeBatch(
    source,
    batch,
    readings.map(([sensorId, at, value, quality]) => ({ sensorId, at, value, quality })),
  );
}
