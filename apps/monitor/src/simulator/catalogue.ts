// The network file as the document that the monitor's database is loaded with.
//
// Pumps stand at the site they deliver to; between it and the site they draw from runs a suction main, so that the map
// holds together. What is normal for a sensor is its mean over a simulated day.

import type { NetworkDocument } from '../network/document.ts';
import { Hydraulics, type Node } from './hydraulics.ts';
import { instrumentsOf, readInstrument } from './instruments.ts';
import { seededRandom } from './random.ts';

const DAY_MS = 86_400_000;
const SAMPLE_MS = 15 * 60_000;
const SUCTION_DIAMETER_MM = 1200;
const SUCTION_LENGTH_M = 120;

interface Town {
  readonly code: string;
  readonly name: string;
  readonly province: string;
  readonly population: number;
}

/** All invented. */
const towns: readonly Town[] = [
  { code: 'THA10', name: 'Thabaneng', province: 'Central Plateau', population: 182_000 },
  { code: 'DOR11', name: 'Doringvlei', province: 'Central Plateau', population: 96_000 },
  { code: 'ROO12', name: 'Rooirand', province: 'Northern Highlands', population: 71_000 },
  { code: 'LAN13', name: 'Langdrift', province: 'Central Plateau', population: 58_000 },
  { code: 'KWA14', name: 'Kwasekani', province: 'Central Plateau', population: 44_000 },
  { code: 'SWA15', name: 'Swartrand', province: 'Northern Highlands', population: 35_000 },
  { code: 'MOR16', name: 'Moriboni', province: 'Eastern Escarpment', population: 62_000 },
  { code: 'KLI17', name: 'Klipdal', province: 'Eastern Escarpment', population: 51_000 },
  { code: 'VAA18', name: 'Vaalboskrans', province: 'Eastern Escarpment', population: 33_000 },
];

/** Chambers between meters, with no demand of their own: what goes in must come out. */
const zones: readonly { readonly name: string; readonly nodes: readonly string[] }[] = [
  { name: 'Silwerdam high lift', nodes: ['HL1'] },
  { name: 'Wilgerivier high lift', nodes: ['HL2'] },
  { name: 'Kameelkop and Doringvlei trunk', nodes: ['J10', 'J11'] },
  { name: 'Rooirand and Langdrift trunk', nodes: ['J12', 'J13'] },
  { name: 'Klipdal and Groenspruit trunk', nodes: ['J20', 'J21'] },
  { name: 'Vaalboskrans link', nodes: ['J22'] },
  { name: 'Bloukloof', nodes: ['J30'] },
  { name: 'Swartrand', nodes: ['J15', 'J40'] },
];

export async function makeCatalogue(): Promise<NetworkDocument> {
  const noon = Date.parse('2026-01-01T00:00:00Z');
  const model = await Hydraulics.open(noon);
  const municipality = towns.map((town, index) => ({
    id: index + 1,
    ...town,
    position: centre(model.nodes, town.code),
  }));
  const townIds = new Map(municipality.map(({ code, id }) => [code, id]));
  const site = model.nodes.map((node, index) => {
    const [name, town] = nameOf(node.comment);
    return {
      id: index + 1,
      code: node.id,
      kind: kindOf(node),
      name,
      municipality_id: town === undefined ? null : (townIds.get(town) ?? null),
      capacity_ml: node.levels === undefined ? null : Math.round(node.levels.capacityMl * 10) / 10,
      position: { type: 'Point' as const, coordinates: [...node.position] as [number, number] },
    };
  });
  const sites = new Map(site.map((one) => [one.code, one]));
  const idOf = (code: string): number => sites.get(code)?.id ?? 0;
  const pipeline = mainsOf(model).map(({ id: code, comment, from, to, diameterMm, lengthM, line }, index) => ({
    id: index + 1,
    code,
    name: comment,
    municipality_id: sites.get(to)?.municipality_id ?? null,
    from_site_id: idOf(from),
    to_site_id: idOf(to),
    material: diameterMm >= 800 ? 'steel' : diameterMm >= 500 ? 'ductile iron' : 'HDPE',
    diameter_mm: diameterMm,
    length_m: lengthM,
    commissioned: `${1968 + ((index * 7) % 50)}-0${1 + (index % 9)}-15`,
    geometry: { type: 'LineString' as const, coordinates: line.map((point) => [...point] as [number, number]) },
  }));
  const pipelines = new Map(pipeline.map((one) => [one.code, one]));
  const pumpSites = new Map(model.links.filter(({ kind }) => kind === 'pump').map(({ id, to }) => [id, to]));
  const instruments = instrumentsOf(model);
  const normal = normalDay(model, noon);
  const sensor = instruments.map(({ id, code, kind, unit, at }) => {
    const main = pipelines.get(at);
    const place = main === undefined ? sites.get(pumpSites.get(at) ?? at) : undefined;
    const { mean, swing } = normal.get(id) ?? { mean: 0, swing: 0 };
    return {
      id,
      code,
      kind,
      unit,
      municipality_id: main?.municipality_id ?? place?.municipality_id ?? null,
      pipeline_id: main?.id ?? null,
      site_id: place?.id ?? null,
      nominal_value: mean,
      daily_swing: swing,
      installed_on: `20${10 + (id % 14)}-0${1 + (id % 9)}-01`,
    };
  });
  const meters = new Map(instruments.filter(({ kind }) => kind === 'flow').map(({ at, id }) => [at, id]));
  return {
    municipality,
    site,
    pipeline,
    sensor,
    metering_zone: zones.map(({ name }, index) => ({ id: index + 1, name })),
    zone_meter: zones.flatMap(({ nodes }, index) =>
      model.links.flatMap(({ id, from, to }) => {
        const direction = Number(nodes.includes(to)) - Number(nodes.includes(from));
        const meter = meters.get(id);
        if (meter === undefined || (direction !== 1 && direction !== -1)) return [];
        return [{ zone_id: index + 1, sensor_id: meter, direction }];
      }),
    ),
  };
}

/** An offtake's comment begins with the code of its municipality. */
function nameOf(comment: string): readonly [name: string, town?: string] {
  const [, town, name] = /^([A-Z]{3}\d{2}) (.+)$/.exec(comment) ?? [];
  return name === undefined || town === undefined ? [comment] : [name, town];
}

function kindOf({ id, kind, baseDemand }: Node): NetworkDocument['site'][number]['kind'] {
  if (kind === 'source') return 'source';
  if (kind === 'tank') return id.startsWith('CW') ? 'works' : 'reservoir';
  if (baseDemand > 0) return 'offtake';
  return /^(?:RW|HL)\d$|^J15$/.test(id) ? 'pump station' : 'chamber';
}

function centre(nodes: readonly Node[], town: string): NetworkDocument['municipality'][number]['position'] {
  const own = nodes.filter(({ comment }) => comment.startsWith(`${town} `));
  const mean = (axis: 0 | 1): number =>
    Math.round((own.reduce((sum, { position }) => sum + position[axis], 0) / own.length) * 1e5) / 1e5;
  return { type: 'Point', coordinates: [mean(0), mean(1)] };
}

/** The pipes, and one suction main for the pumps between two sites. */
function mainsOf({ links }: Hydraulics) {
  const suctions = new Map(
    links.filter(({ kind }) => kind === 'pump').map((pump) => [`${pump.from} ${pump.to}`, pump]),
  );
  return [
    ...links.filter(({ kind }) => kind === 'pipe'),
    ...[...suctions.values()].map((pump) => ({
      ...pump,
      id: `S-${pump.to}`,
      comment: `${pump.comment.replace(/ pump.*$/, '')} pump station`,
      diameterMm: SUCTION_DIAMETER_MM,
      lengthM: SUCTION_LENGTH_M,
    })),
  ];
}

function normalDay(model: Hydraulics, start: number) {
  const instruments = instrumentsOf(model);
  const random = seededRandom(1);
  const seen = new Map(instruments.map(({ id }) => [id, { sum: 0, least: Infinity, most: -Infinity, count: 0 }]));
  // The first day settles what the file begins with.
  model.advanceTo(start + DAY_MS);
  for (let at = start + DAY_MS; at < start + 2 * DAY_MS; at += SAMPLE_MS) {
    model.advanceTo(at);
    for (const instrument of instruments) {
      const of = seen.get(instrument.id);
      if (of === undefined) continue;
      const value = readInstrument(instrument, model, random);
      of.sum += value;
      of.count += 1;
      of.least = Math.min(of.least, value);
      of.most = Math.max(of.most, value);
    }
  }
  const rounded = (value: number): number => Number(value.toPrecision(4));
  return new Map(
    [...seen].map(([id, { sum, least, most, count }]) => {
      const mean = sum / count;
      return [id, { mean: rounded(mean), swing: rounded(mean === 0 ? 0 : (most - least) / 2 / Math.abs(mean)) }];
    }),
  );
}
