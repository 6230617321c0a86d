// The network as it stands in the database: municipalities, sites and mains as GeoJSON, sensors with their state.

import { z } from 'zod';
import type { DatabaseLink } from '../database/link.ts';
import { Problem } from '../problem.ts';
import { sensorKinds } from '../rules/rule.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import type { Api } from './http.ts';
import {
  collectionOf,
  idParameter,
  instant,
  lineSchema,
  pageOf,
  pageQuery,
  pointSchema,
  problems,
  secured,
} from './shapes.ts';

export const sensorStates = ['normal', 'information', 'warning', 'critical', 'missing', 'out of service'] as const;

const sensorSchema = z
  .object({
    id: z.int(),
    code: z.string(),
    kind: z.enum(sensorKinds),
    unit: z.string(),
    place: z.string().describe('name of the main or site it is at'),
    municipality_id: z.int().nullable(),
    pipeline_id: z.int().nullable(),
    site_id: z.int().nullable(),
    nominal_value: z.number(),
    status: z.string(),
    state: z.enum(sensorStates),
    reading: z.object({ at: instant, value: z.number(), quality: z.int() }).nullable().describe('the newest'),
  })
  .meta({ id: 'Sensor' });

const sensorSelect = `
  SELECT sensor.id, sensor.code, sensor.kind, sensor.unit, coalesce(pipeline.name, site.name) AS place,
         sensor.municipality_id, sensor.pipeline_id, sensor.site_id, sensor.nominal_value, sensor.status,
         sensor_state.state, newest.at, newest.value, newest.quality
    FROM sensor
    JOIN sensor_state ON sensor_state.id = sensor.id
    LEFT JOIN pipeline ON pipeline.id = sensor.pipeline_id
    LEFT JOIN site ON site.id = sensor.site_id
    LEFT JOIN LATERAL (
      SELECT at, value, quality FROM reading WHERE sensor_id = sensor.id ORDER BY at DESC LIMIT 1) AS newest ON true`;

type SensorRow = Omit<z.output<typeof sensorSchema>, 'reading'> & {
  readonly at: string | null;
  readonly value: number | null;
  readonly quality: number | null;
};

export function networkRoutes(app: Api, link: DatabaseLink): void {
  const reads = { role: 'read' as const };
  const ofMunicipality = z.object({ municipality_id: z.coerce.number().int().optional() });

  app.get(
    '/api/v1/municipalities',
    {
      config: reads,
      schema: {
        summary: 'Municipalities that are supplied',
        tags: ['network'],
        security: secured,
        response: {
          200: z.object({
            items: z.array(municipalitySchema),
          }),
          ...problems,
        },
      },
    },
    async () => ({
      items: await link.read<z.output<typeof municipalitySchema>>(
        `SELECT id, code, municipality.name, municipality.province, population, position,
                sensors, sensors_out_of_service, standing_alerts
           FROM municipality JOIN municipality_state USING (id) ORDER BY municipality.name`,
      ),
    }),
  );

  app.get(
    '/api/v1/sites',
    {
      config: reads,
      schema: {
        summary: 'Sources, works, pump stations, reservoirs and chambers, as GeoJSON',
        tags: ['network'],
        security: secured,
        querystring: ofMunicipality,
        response: { 200: collectionOf(pointSchema, siteProperties), ...problems },
      },
    },
    async ({ query }) =>
      collect<z.output<typeof pointSchema>, z.output<typeof siteProperties>>(
        await link.read(
          `SELECT id, position AS geometry,
                  jsonb_build_object('code', code, 'name', name, 'kind', kind, 'municipality_id', municipality_id,
                                     'capacity_ml', capacity_ml) AS properties
             FROM site WHERE $1::int IS NULL OR municipality_id = $1 ORDER BY id`,
          [query.municipality_id ?? null],
        ),
      ),
  );

  app.get(
    '/api/v1/pipelines',
    {
      config: reads,
      schema: {
        summary: 'Mains, as GeoJSON',
        tags: ['network'],
        security: secured,
        querystring: ofMunicipality,
        response: { 200: collectionOf(lineSchema, pipelineProperties), ...problems },
      },
    },
    async ({ query }) =>
      collect<z.output<typeof lineSchema>, z.output<typeof pipelineProperties>>(
        await link.read(
          `SELECT id, geometry,
                  jsonb_build_object('code', code, 'name', name, 'municipality_id', municipality_id, 'material', material,
                                     'diameter_mm', diameter_mm, 'length_m', length_m, 'commissioned', commissioned,
                                     'from_site_id', from_site_id, 'to_site_id', to_site_id) AS properties
             FROM pipeline WHERE $1::int IS NULL OR municipality_id = $1 ORDER BY id`,
          [query.municipality_id ?? null],
        ),
      ),
  );

  app.get(
    '/api/v1/sensors',
    {
      config: reads,
      schema: {
        summary: 'Sensors with their state and newest reading',
        tags: ['network'],
        security: secured,
        querystring: ofMunicipality.extend({
          kind: z.enum(sensorKinds).optional(),
          state: z.enum(sensorStates).optional(),
          ...pageQuery,
        }),
        response: { 200: pageOf(sensorSchema), ...problems },
      },
    },
    async ({ query: { limit, cursor, ...question } }) => {
      const [after] = decodeCursor(question, 1, cursor) ?? [0];
      const rows = await link.read<SensorRow>(
        `${sensorSelect}
          WHERE sensor.id > $1 AND ($2::int IS NULL OR sensor.municipality_id = $2)
            AND ($3::sensor_kind IS NULL OR sensor.kind = $3) AND ($4::text IS NULL OR sensor_state.state = $4)
          ORDER BY sensor.id LIMIT $5`,
        [after, question.municipality_id ?? null, question.kind ?? null, question.state ?? null, limit + 1],
      );
      const items = rows.slice(0, limit).map(sensorOf);
      const last = items.at(-1);
      const isMore = rows.length > limit && last !== undefined;
      return { items, next_cursor: isMore ? encodeCursor(question, [last.id]) : null };
    },
  );

  app.get(
    '/api/v1/sensors/:id',
    {
      config: reads,
      schema: {
        summary: 'One sensor',
        tags: ['network'],
        security: secured,
        params: idParameter,
        response: { 200: sensorSchema, ...problems },
      },
    },
    async ({ params: { id } }) => {
      const [row] = await link.read<SensorRow>(`${sensorSelect} WHERE sensor.id = $1`, [id]);
      if (row === undefined) throw new Problem('not_found', `there is no sensor ${id}`);
      return sensorOf(row);
    },
  );
}

function sensorOf({ at, value, quality, ...sensor }: SensorRow): z.output<typeof sensorSchema> {
  return { ...sensor, reading: at === null || value === null || quality === null ? null : { at, value, quality } };
}

const municipalitySchema = z
  .object({
    id: z.int(),
    code: z.string(),
    name: z.string(),
    province: z.string(),
    population: z.int(),
    position: pointSchema,
    sensors: z.int(),
    sensors_out_of_service: z.int(),
    standing_alerts: z.int(),
  })
  .meta({ id: 'Municipality' });

const siteProperties = z.object({
  code: z.string(),
  name: z.string(),
  kind: z.string(),
  municipality_id: z.int().nullable(),
  capacity_ml: z.number().nullable(),
});

const pipelineProperties = z.object({
  code: z.string(),
  name: z.string(),
  municipality_id: z.int().nullable(),
  material: z.string(),
  diameter_mm: z.int(),
  length_m: z.int(),
  commissioned: z.iso.date(),
  from_site_id: z.int(),
  to_site_id: z.int(),
});

function collect<Geometry, Properties>(
  rows: readonly { readonly id: number; readonly geometry: Geometry; readonly properties: Properties }[],
) {
  return {
    type: 'FeatureCollection' as const,
    features: rows.map((row) => ({ type: 'Feature' as const, ...row })),
  };
}
