// Shapes that several routes share: pages, times, and what is answered where something fails.

import { z } from 'zod';

export const instant = z.iso.datetime({ offset: true });

export const problemSchema = z
  .object({ status: z.int(), code: z.string(), title: z.string(), detail: z.string() })
  .meta({ id: 'Problem' });

/** For the OpenAPI document; problems are written past the serializer. */
export const problems = {
  '4xx': problemSchema.describe('The request cannot be answered'),
  503: problemSchema.describe('Not now; Retry-After says when to try again'),
};

export const secured = [{ token: [] }];

const PAGE_MAX = 500;
const PAGE_DEFAULT = 100;

export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(PAGE_DEFAULT),
  cursor: z.string().max(200).optional().describe('next_cursor of the page before'),
};

export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable().describe('null on the last page') });

export const idParameter = z.object({ id: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) });

const position = z.tuple([z.number(), z.number()]);

export const pointSchema = z.object({ type: z.literal('Point'), coordinates: position });
export const lineSchema = z.object({ type: z.literal('LineString'), coordinates: z.array(position) });

/** GeoJSON, RFC 7946. */
export const collectionOf = <Geometry extends z.ZodType, Properties extends z.ZodType>(
  geometry: Geometry,
  properties: Properties,
) =>
  z.object({
    type: z.literal('FeatureCollection'),
    features: z.array(z.object({ type: z.literal('Feature'), id: z.int(), geometry, properties })),
  });
