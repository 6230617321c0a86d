// A believable national bulk-water network, from a seed: municipalities with their reservoirs, mains between the
// reservoirs of neighbours, and sensors on both. All places are invented.
//
// 1. Municipalities lie scattered over the map, grouped into provinces by place.
// 2. Each has two or three reservoirs; a main runs from each reservoir to the next of its municipality, and from each
//    municipality to its nearest neighbours.
// 3. Sensors are dealt out in turn to mains (pressure, flow) and reservoirs (level, chlorine, pH, turbidity).
// The rows are those of the monitor's tables (apps/monitor/migrations).
// Invariant: one seed and size make one network, row for row.

import { type Random, seededRandom } from '@spillway/lab';

export interface NetworkSize {
  readonly municipalities: number;
  readonly sensors: number;
}

export interface Point {
  readonly type: 'Point';
  /** Longitude, latitude. */
  readonly coordinates: readonly [number, number];
}

export interface Municipality {
  readonly id: number;
  readonly code: string;
  readonly name: string;
  readonly province: string;
  readonly population: number;
  readonly position: Point;
}

export interface Reservoir {
  readonly id: number;
  readonly code: string;
  readonly kind: 'reservoir';
  readonly municipality_id: number;
  readonly name: string;
  readonly capacity_ml: number;
  readonly position: Point;
}

export interface Pipeline {
  readonly id: number;
  readonly code: string;
  readonly name: string;
  readonly municipality_id: number;
  readonly from_site_id: number;
  readonly to_site_id: number;
  readonly material: string;
  readonly diameter_mm: number;
  readonly length_m: number;
  readonly commissioned: string;
  readonly geometry: { readonly type: 'LineString'; readonly coordinates: readonly (readonly [number, number])[] };
}

export type SensorKind = 'pressure' | 'flow' | 'level' | 'ph' | 'turbidity' | 'chlorine';

export interface Sensor {
  readonly id: number;
  readonly code: string;
  readonly kind: SensorKind;
  readonly unit: string;
  readonly municipality_id: number;
  readonly pipeline_id: number | null;
  readonly site_id: number | null;
  readonly nominal_value: number;
  readonly daily_swing: number;
  readonly status: string;
  readonly installed_on: string;
}

export interface Network {
  readonly municipalities: readonly Municipality[];
  readonly reservoirs: readonly Reservoir[];
  readonly pipelines: readonly Pipeline[];
  readonly sensors: readonly Sensor[];
}

export function makeNetwork(seed: number, size: NetworkSize): Network {
  const random = seededRandom(seed);
  const municipalities = makeMunicipalities(random, size.municipalities);
  const reservoirs = makeReservoirs(random, municipalities);
  const pipelines = makePipelines(random, municipalities, reservoirs);
  const sensors = makeSensors(random, reservoirs, pipelines, size.sensors);
  return { municipalities, reservoirs, pipelines, sensors };
}

const WEST = 18.2;
const EAST = 31.8;
const SOUTH = -33.6;
const NORTH = -23.2;
const PROVINCES = ['Northern Highlands', 'Eastern Escarpment', 'Central Plateau', 'Western Karoo', 'Southern Coast'];
const FIRST = 'Klip Doring Blou Wilge Rooi Silwer Aalwyn Kameel Swart Vaalbos Tambotie Koperwater Lang Groen'.split(
  ' ',
);
const SECOND = 'kloof spruit vlei rand drift poort dal krans laagte rivier'.split(' ');
const HEADS = 'Tha Mo Le Kwa Um Ma Nya Se Bo Di Tsho Lu'.split(' ');
const MIDDLES = 'bane lapo tsatsi zimbe nomo ribo kgeti seka hlaba longwe ndeni pulo'.split(' ');
const TAILS = 'ng ni lo la ne'.split(' ');

function makeMunicipalities(random: Random, count: number): readonly Municipality[] {
  const names = new Set<string>();
  while (names.size < count) {
    const african = random.next() < 0.55;
    names.add(
      african
        ? `${random.pick(HEADS)}${random.pick(MIDDLES)}${random.pick(TAILS)}`
        : `${random.pick(FIRST)}${random.pick(SECOND)}`,
    );
  }
  return [...names].map((name, index) => {
    const position = pointAt(within(random, WEST, EAST), within(random, SOUTH, NORTH));
    return {
      id: index + 1,
      code: `${name.slice(0, 3).toUpperCase()}${String((index % 90) + 10)}`,
      name,
      province: provinceOf(position),
      // A few cities, many towns.
      population: Math.round(12_000 + 900_000 * random.next() ** 4),
      position,
    };
  });
}

function provinceOf({ coordinates: [longitude, latitude] }: Point): string {
  const east = (longitude - WEST) / (EAST - WEST);
  const north = (latitude - SOUTH) / (NORTH - SOUTH);
  const index = north > 0.72 ? 0 : north < 0.25 ? 4 : east > 0.66 ? 1 : east > 0.33 ? 2 : 3;
  return PROVINCES[index] ?? '';
}

function makeReservoirs(random: Random, municipalities: readonly Municipality[]): readonly Reservoir[] {
  const kinds = ['High Level', 'Low Level', 'Balancing'];
  const made: Reservoir[] = [];
  for (const { id, name, position } of municipalities) {
    for (const kind of kinds.slice(0, random.between(2, 3))) {
      made.push({
        id: made.length + 1,
        code: `R-${String(made.length + 1).padStart(4, '0')}`,
        kind: 'reservoir',
        municipality_id: id,
        name: `${name} ${kind} Reservoir`,
        capacity_ml: random.between(20, 2000) / 2,
        position: near(random, position, 0.08),
      });
    }
  }
  return made;
}

function makePipelines(
  random: Random,
  municipalities: readonly Municipality[],
  reservoirs: readonly Reservoir[],
): readonly Pipeline[] {
  const of = new Map(municipalities.map(({ id }) => [id, reservoirs.filter((one) => one.municipality_id === id)]));
  const ways: (readonly [Reservoir, Reservoir])[] = [];
  for (const municipality of municipalities) {
    const own = of.get(municipality.id) ?? [];
    for (const [index, from] of own.entries()) {
      const to = own[index + 1];
      if (to !== undefined) ways.push([from, to]);
    }
    const neighbours = municipalities
      .filter(({ id }) => id !== municipality.id)
      .toSorted(
        (a, b) => kilometres(municipality.position, a.position) - kilometres(municipality.position, b.position),
      );
    for (const neighbour of neighbours.slice(0, random.between(2, 4))) {
      ways.push([random.pick(own), random.pick(of.get(neighbour.id) ?? [])]);
    }
  }
  return ways.map(([from, to], index) => {
    const geometry = lineBetween(random, from.position, to.position);
    return {
      id: index + 1,
      code: `M-${String(index + 1).padStart(4, '0')}`,
      name: `${from.name} to ${to.name}`,
      municipality_id: from.municipality_id,
      from_site_id: from.id,
      to_site_id: to.id,
      material: random.pick(['steel', 'ductile iron', 'prestressed concrete', 'HDPE']),
      diameter_mm: random.pick([300, 450, 600, 800, 1000, 1400, 2100]),
      length_m: Math.max(200, Math.round(kilometres(from.position, to.position) * 1000 * 1.12)),
      commissioned: dateBetween(random, 1962, 2024),
      geometry,
    };
  });
}

interface KindModel {
  readonly kind: SensorKind;
  readonly prefix: string;
  readonly unit: string;
  readonly low: number;
  readonly high: number;
  readonly swing: number;
}

const mainKinds: readonly KindModel[] = [
  { kind: 'pressure', prefix: 'P', unit: 'kPa', low: 350, high: 1600, swing: -0.35 },
  { kind: 'flow', prefix: 'F', unit: 'l/s', low: 20, high: 2400, swing: 0.9 },
  { kind: 'pressure', prefix: 'P', unit: 'kPa', low: 350, high: 1600, swing: -0.35 },
  { kind: 'flow', prefix: 'F', unit: 'l/s', low: 20, high: 2400, swing: 0.9 },
];
const reservoirKinds: readonly KindModel[] = [
  { kind: 'level', prefix: 'L', unit: '%', low: 55, high: 85, swing: -0.3 },
  { kind: 'chlorine', prefix: 'C', unit: 'mg/l', low: 0.4, high: 1.1, swing: -0.15 },
  { kind: 'ph', prefix: 'H', unit: 'pH', low: 7.4, high: 8.3, swing: 0.01 },
  { kind: 'turbidity', prefix: 'T', unit: 'NTU', low: 0.2, high: 0.6, swing: 0.2 },
];

function makeSensors(
  random: Random,
  reservoirs: readonly Reservoir[],
  pipelines: readonly Pipeline[],
  count: number,
): readonly Sensor[] {
  return Array.from({ length: count }, (_, index) => {
    const onMain = index % 4 !== 3;
    const turn = Math.floor(index / 4);
    const pipeline = onMain ? pipelines[(turn * 3 + (index % 4)) % pipelines.length] : undefined;
    const reservoir = onMain ? undefined : reservoirs[turn % reservoirs.length];
    const models = onMain ? mainKinds : reservoirKinds;
    const round = Math.floor(onMain ? (turn * 3 + (index % 4)) / pipelines.length : turn / reservoirs.length);
    const model = models[round % models.length] ?? random.pick(models);
    const state = random.next();
    return {
      id: index + 1,
      code: `${model.prefix}-${String(index + 1).padStart(5, '0')}`,
      kind: model.kind,
      unit: model.unit,
      municipality_id: pipeline?.municipality_id ?? reservoir?.municipality_id ?? 1,
      pipeline_id: pipeline?.id ?? null,
      site_id: reservoir?.id ?? null,
      nominal_value: Math.round(within(random, model.low, model.high) * 100) / 100,
      daily_swing: Math.round(model.swing * within(random, 0.7, 1.3) * 1000) / 1000,
      status: state < 0.97 ? 'in service' : state < 0.99 ? 'maintenance' : 'faulty',
      installed_on: dateBetween(random, 2008, 2025),
    };
  });
}

const within = (random: Random, low: number, high: number): number => low + random.next() * (high - low);

const rounded = (degrees: number): number => Math.round(degrees * 1e5) / 1e5;

function pointAt(longitude: number, latitude: number): Point {
  return { type: 'Point', coordinates: [rounded(longitude), rounded(latitude)] };
}

function near(random: Random, { coordinates: [longitude, latitude] }: Point, reach: number): Point {
  return pointAt(longitude + within(random, -reach, reach), latitude + within(random, -reach, reach));
}

/** A main follows the land: a few bends off the straight line. */
function lineBetween(random: Random, from: Point, to: Point): Pipeline['geometry'] {
  const [x0, y0] = from.coordinates;
  const [x1, y1] = to.coordinates;
  const bends = random.between(3, 12);
  const middle = Array.from({ length: bends }, (_, index) => {
    const share = (index + 1) / (bends + 1);
    return near(random, pointAt(x0 + (x1 - x0) * share, y0 + (y1 - y0) * share), 0.02).coordinates;
  });
  return { type: 'LineString', coordinates: [from.coordinates, ...middle, to.coordinates] };
}

/** Good enough for a map of one country: degrees as on a plane. */
function kilometres(from: Point, to: Point): number {
  const [x0, y0] = from.coordinates;
  const [x1, y1] = to.coordinates;
  return Math.hypot((x1 - x0) * 97, (y1 - y0) * 111);
}

function dateBetween(random: Random, first: number, last: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${random.between(first, last)}-${two(random.between(1, 12))}-${two(random.between(1, 28))}`;
}
