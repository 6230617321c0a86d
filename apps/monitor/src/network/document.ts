// A network as a document, to be loaded into an empty or older database: municipalities, sites, mains, sensors, zones.

import { z } from 'zod';
import { sensorKinds } from '../rules/rule.ts';

const id = z.int32().min(1);
const longitude = z.number().min(-180).max(180);
const latitude = z.number().min(-90).max(90);
const position = z.tuple([longitude, latitude]);
const point = z.strictObject({ type: z.literal('Point'), coordinates: position });
const line = z.strictObject({ type: z.literal('LineString'), coordinates: z.array(position).min(2) });

export const networkSchema = z.strictObject({
  municipality: z.array(
    z.strictObject({
      id,
      code: z.string(),
      name: z.string(),
      province: z.string(),
      population: z.int().min(1),
      position: point,
    }),
  ),
  site: z.array(
    z.strictObject({
      id,
      code: z.string(),
      kind: z.enum(['source', 'works', 'pump station', 'reservoir', 'chamber', 'offtake']),
      name: z.string(),
      municipality_id: id.nullable(),
      capacity_ml: z.number().positive().nullable(),
      position: point,
    }),
  ),
  pipeline: z.array(
    z.strictObject({
      id,
      code: z.string(),
      name: z.string(),
      municipality_id: id.nullable(),
      from_site_id: id,
      to_site_id: id,
      material: z.string(),
      diameter_mm: z.int(),
      length_m: z.int(),
      commissioned: z.iso.date(),
      geometry: line,
    }),
  ),
  sensor: z.array(
    z.strictObject({
      id,
      code: z.string(),
      kind: z.enum(sensorKinds),
      unit: z.string(),
      municipality_id: id.nullable(),
      pipeline_id: id.nullable(),
      site_id: id.nullable(),
      nominal_value: z.number(),
      daily_swing: z.number(),
      installed_on: z.iso.date(),
    }),
  ),
  metering_zone: z.array(z.strictObject({ id, name: z.string() })),
  zone_meter: z.array(
    z.strictObject({ zone_id: id, sensor_id: id, direction: z.union([z.literal(1), z.literal(-1)]) }),
  ),
});

export type NetworkDocument = z.output<typeof networkSchema>;
