// Alerts: what stands, what nobody has looked at yet, and the acknowledgement of an operator.

import type pg from 'pg';
import { z } from 'zod';
import type { DatabaseLink } from '../database/link.ts';
import { Problem } from '../problem.ts';
import { ruleKinds, severities } from '../rules/rule.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import type { Api } from './http.ts';
import { idParameter, instant, pageOf, pageQuery, problems, secured } from './shapes.ts';

const alertSchema = z
  .object({
    id: z.int(),
    rule: z.string(),
    kind: z.enum(ruleKinds),
    severity: z.enum(severities),
    message: z.string(),
    value: z.number().nullable().describe('what was measured when it was raised'),
    sensor_id: z.int().nullable(),
    sensor: z.string().nullable(),
    zone: z.string().nullable(),
    zone_sensor_ids: z.array(z.int()).describe('meters of the zone'),
    place: z.string().nullable(),
    municipality: z.string().nullable(),
    raised_at: instant,
    acknowledged_at: instant.nullable(),
    acknowledged_by: z.string().nullable(),
    cleared_at: instant.nullable(),
  })
  .meta({ id: 'Alert' });

type Alert = z.output<typeof alertSchema>;

const alertSelect = `
  SELECT alert.id, alert.rule_id AS rule, alert_rule.kind, alert.severity, alert.message, alert.value, alert.sensor_id,
         sensor.code AS sensor, metering_zone.name AS zone,
         ARRAY(SELECT sensor_id FROM zone_meter WHERE zone_id = alert.zone_id ORDER BY sensor_id) AS zone_sensor_ids,
         coalesce(pipeline.name, site.name) AS place,
         municipality.name AS municipality, alert.raised_at, alert.acknowledged_at, alert.acknowledged_by, alert.cleared_at
    FROM alert
    JOIN alert_rule ON alert_rule.id = alert.rule_id
    LEFT JOIN sensor ON sensor.id = alert.sensor_id
    LEFT JOIN pipeline ON pipeline.id = sensor.pipeline_id
    LEFT JOIN site ON site.id = sensor.site_id
    LEFT JOIN municipality ON municipality.id = sensor.municipality_id
    LEFT JOIN metering_zone ON metering_zone.id = alert.zone_id`;

const filters = {
  standing: 'alert.cleared_at IS NULL',
  unacknowledged: 'alert.acknowledged_at IS NULL',
  open: '(alert.cleared_at IS NULL OR alert.acknowledged_at IS NULL)',
  all: 'true',
} as const;

export function alertRoutes(app: Api, link: DatabaseLink): void {
  app.get(
    '/api/v1/alerts',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Alerts, the newest first',
        description:
          'standing: not cleared; unacknowledged: seen by nobody; open (the default): either of these; all: every one.',
        tags: ['alerts'],
        security: secured,
        querystring: z.object({
          state: z.enum(['open', 'standing', 'unacknowledged', 'all']).default('open'),
          severity: z.enum(severities).optional(),
          ...pageQuery,
        }),
        response: { 200: pageOf(alertSchema), ...problems },
      },
    },
    async ({ query: { limit, cursor, ...question } }) => {
      const [before] = decodeCursor(question, 1, cursor) ?? [Number.MAX_SAFE_INTEGER];
      const rows = await link.read<Alert>(
        `${alertSelect}
          WHERE ${filters[question.state]} AND alert.id < $1 AND ($2::alert_severity IS NULL OR alert.severity = $2)
          ORDER BY alert.id DESC LIMIT $3`,
        [before, question.severity ?? null, limit + 1],
      );
      const items = rows.slice(0, limit);
      const last = items.at(-1);
      const isMore = rows.length > limit && last !== undefined;
      return { items, next_cursor: isMore ? encodeCursor(question, [last.id]) : null };
    },
  );

  app.post(
    '/api/v1/alerts/:id/acknowledge',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Say that somebody takes care of it',
        description: 'Done again, it changes nothing: the first acknowledgement stands.',
        tags: ['alerts'],
        security: secured,
        params: idParameter,
        response: { 200: alertSchema, ...problems },
      },
    },
    async ({ params: { id }, caller }) => {
      const alert = await link.write((client) => acknowledge(client, id, caller?.name ?? ''));
      if (alert === undefined) throw new Problem('not_found', `there is no alert ${id}`);
      return alert;
    },
  );
}

async function acknowledge(client: pg.Client, id: number, by: string): Promise<Alert | undefined> {
  await client.query(
    `UPDATE alert SET acknowledged_at = greatest(clock_timestamp(), raised_at), acknowledged_by = $2
      WHERE id = $1 AND acknowledged_at IS NULL`,
    [id, by],
  );
  return (await client.query<Alert>(`${alertSelect} WHERE alert.id = $1`, [id])).rows[0];
}
