// Readings in: batches from the telemetry. Readings out: those of one sensor, thinned out for a chart.

import { z } from 'zod';
import { acceptedRange } from '../database/retention.ts';
import type { DatabaseLink } from '../database/link.ts';
import { type Batch, batchOf, batchSchema } from '../ingest/batch.ts';
import type { Intake } from '../ingest/intake.ts';
import type { SensorMemory } from '../network/catalogue.ts';
import { Problem } from '../problem.ts';
import { bucketWidth } from '../readings/buckets.ts';
import type { Api } from './http.ts';
import { idParameter, instant, problems, secured } from './shapes.ts';

const NAMED_MAX = 10;
const HOUR_MS = 3_600_000;
const POINTS_DEFAULT = 300;
const POINTS_MAX = 2000;

export interface ReadingRoutes {
  readonly intake: Intake;
  readonly sensors: SensorMemory;
  readonly link: DatabaseLink;
  readonly retentionDays: number;
  readonly now: () => number;
  readonly onBatch: (batch: Batch, milliseconds: number) => void;
}

export function readingRoutes(app: Api, parts: ReadingRoutes): void {
  app.post(
    '/api/v1/readings',
    {
      config: { role: 'ingest' },
      schema: {
        summary: 'Hand in a batch of readings',
        description:
          'Answered when the batch is durable, in the database or in the spool on disk. Sent again under its key, it is stored once.',
        tags: ['readings'],
        security: secured,
        body: batchSchema,
        response: {
          200: z.object({
            batch: z.string(),
            readings: z.int(),
            stored: z.enum(['database', 'spool']),
            duplicate: z.boolean().describe('It was stored before. Of what is in the spool this is not known yet.'),
          }),
          ...problems,
        },
      },
    },
    async (request) => {
      const began = performance.now();
      const batch = batchOf(request.caller?.name ?? '', request.body);
      checkReadings(batch, parts.sensors.ids, acceptedRange(parts.now(), parts.retentionDays));
      const receipt = await parts.intake.submit(batch);
      parts.onBatch(batch, performance.now() - began);
      return { batch: batch.key, readings: batch.readings.length, ...receipt };
    },
  );

  app.get(
    '/api/v1/sensors/:id/readings',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Readings of a sensor, thinned out',
        description:
          'By default those of the last hour. Each point has the least, mean and greatest value of its bucket.',
        tags: ['readings'],
        security: secured,
        params: idParameter,
        querystring: z.object({
          from: instant.optional(),
          to: instant.optional(),
          points: z.coerce.number().int().min(2).max(POINTS_MAX).default(POINTS_DEFAULT).describe('at most so many'),
        }),
        response: {
          200: z.object({
            sensor_id: z.int(),
            from: instant,
            to: instant,
            bucket_seconds: z.int(),
            points: z.array(
              z.object({ at: instant, min: z.number(), mean: z.number(), max: z.number(), readings: z.int() }),
            ),
          }),
          ...problems,
        },
      },
    },
    async ({ params: { id }, query }) => {
      const to = query.to === undefined ? parts.now() : Date.parse(query.to);
      const from = query.from === undefined ? to - HOUR_MS : Date.parse(query.from);
      if (from >= to) throw new Problem('invalid_request', 'the range ends before it begins');
      const width = bucketWidth(to - from, query.points);
      const range = [id, new Date(from), new Date(to)];
      const points = await parts.link.read<{ at: string; min: number; mean: number; max: number; readings: number }>(
        `SELECT date_bin($4 * interval '1 second', at, 'epoch') AS at, min(value), avg(value) AS mean, max(value),
                count(*)::int AS readings
           FROM reading WHERE sensor_id = $1 AND at >= $2 AND at < $3 AND quality < 2
          GROUP BY 1 ORDER BY 1`,
        [...range, width],
      );
      if (points.length === 0 && (await parts.link.read('SELECT FROM sensor WHERE id = $1', [id])).length === 0) {
        throw new Problem('not_found', `there is no sensor ${id}`);
      }
      return {
        sensor_id: id,
        from: new Date(from).toISOString(),
        to: new Date(to).toISOString(),
        bucket_seconds: width,
        points,
      };
    },
  );
}

/** Throws Problem `rejected_reading` for what the database would not take, so that a batch is whole or refused. */
export function checkReadings(
  { readings }: Pick<Batch, 'readings'>,
  sensors: ReadonlySet<number> | undefined,
  range: { readonly from: number; readonly to: number },
): void {
  if (sensors === undefined) {
    throw new Problem('database_away', 'the service has not seen its database yet, and knows no sensors');
  }
  const unknown = new Set<number>();
  for (const { sensorId, at } of readings) {
    if (!sensors.has(sensorId)) unknown.add(sensorId);
    if (at < range.from || at > range.to) {
      const [from, to] = [new Date(range.from).toISOString(), new Date(range.to).toISOString()];
      throw new Problem(
        'rejected_reading',
        `a reading of sensor ${sensorId} is of ${new Date(at).toISOString()}; taken are those from ${from} to ${to}`,
      );
    }
  }
  if (unknown.size > 0) {
    const named = [...unknown].slice(0, NAMED_MAX).join(', ');
    throw new Problem(
      'rejected_reading',
      `there is no sensor ${named}${unknown.size > NAMED_MAX ? ' and others' : ''}`,
    );
  }
}
