// The network drawn from its GeoJSON: mains as lines, sites as signs of their kind, sensors as dots beside them in the
// colour and sign of their state. One place at a time can be reached by Tab; arrow keys go to the nearest in their direction.

import type { Alert, Municipality, Pipelines, Position, Sensor, Sites, State } from './api.ts';
import { drawn, element } from './dom.ts';
import { plural, stateClass, worst } from './words.ts';

const WIDTH = 1000;
const MARGIN = 46;
const DOT = 9;

export interface Place {
  readonly key: string;
  readonly name: string;
}

interface Drawn extends Place {
  /** The name and what can be said of it in a few words. */
  readonly told: string;
  readonly group: SVGGElement;
  readonly dots: SVGGElement;
  readonly x: number;
  readonly y: number;
}

export const placeOf = ({ site_id: site, pipeline_id: pipeline }: Pick<Sensor, 'site_id' | 'pipeline_id'>): string =>
  site === null ? `pipeline-${pipeline}` : `site-${site}`;

export class NetworkMap {
  readonly #places: readonly Drawn[];
  readonly #onChoose: (place: Place) => void;
  #sensors: readonly Sensor[] = [];

  constructor(
    parent: HTMLElement,
    network: {
      readonly sites: Sites;
      readonly pipelines: Pipelines;
      readonly municipalities: readonly Municipality[];
    },
    onChoose: (place: Place) => void,
  ) {
    this.#onChoose = onChoose;
    const { project, height } = projection(network.pipelines.features.flatMap(({ geometry }) => geometry.coordinates));
    const mains = network.pipelines.features.map((feature) => drawMain(feature, project));
    const sites = network.sites.features.map((feature) => drawSite(feature, project));
    const named = [
      ...network.sites.features
        .filter(({ properties }) => ['source', 'works', 'reservoir'].includes(properties.kind))
        .map(({ geometry, properties }) => ({ text: properties.name, at: geometry.coordinates, kind: 'label' })),
      ...network.municipalities.map(({ name, position }) => ({ text: name, at: position.coordinates, kind: 'town' })),
    ];
    const names = labelled(
      named.map(({ at, text }) => ({ at: project(at), text })),
      [...mains, ...sites],
    ).map(([x, y], index) =>
      drawn('text', { class: named[index]?.kind, x, y, 'aria-hidden': 'true' }, named[index]?.text ?? ''),
    );
    this.#places = [...mains, ...sites];
    const svg = drawn(
      'svg',
      { viewBox: `0 0 ${WIDTH} ${height}`, role: 'group', 'aria-label': 'Map of the network' },
      drawn('g', {}, ...mains.map(({ group }) => group)),
      drawn('g', { class: 'names' }, ...names),
      drawn('g', {}, ...sites.map(({ group }) => group)),
    );
    for (const place of this.#places) {
      place.group.addEventListener('click', () => this.#choose(place));
      place.group.addEventListener('keydown', (event) => this.#onKey(event, place));
    }
    this.#places.find(({ key }) => key.startsWith('site-'))?.group.setAttribute('tabindex', '0');
    parent.replaceChildren(svg, tooltip(svg));
  }

  /** A standing alert of a zone colours the mains whose meters make its balance. */
  show(sensors: readonly Sensor[], standing: readonly Pick<Alert, 'severity' | 'zone_sensor_ids'>[]): void {
    this.#sensors = sensors;
    const byPlace = Map.groupBy(sensors, placeOf);
    const zoned = (id: number): readonly State[] =>
      standing.flatMap(({ severity, zone_sensor_ids: meters }) => (meters.includes(id) ? [severity] : []));
    for (const place of this.#places) {
      const own = byPlace.get(place.key) ?? [];
      const state = worst(own.flatMap((sensor) => [sensor.state, ...zoned(sensor.id)]));
      place.group.setAttribute('data-state', own.length === 0 ? 'none' : state);
      place.group.setAttribute(
        'aria-label',
        `${place.told}, ${own.length === 0 ? 'no sensors' : `${plural(own.length, 'sensor')}, ${state}`}`,
      );
      place.dots.replaceChildren(...own.map((sensor, index) => dot(sensor, index, own.length)));
    }
  }

  /** Marks the place as the one that is shown. */
  mark(key: string): void {
    for (const { group, key: own } of this.#places) group.classList.toggle('chosen', own === key);
  }

  nameOf(key: string): string {
    return this.#places.find((place) => place.key === key)?.name ?? '';
  }

  #choose(place: Drawn): void {
    this.#focus(place);
    this.#onChoose(place);
  }

  #focus(place: Drawn): void {
    for (const { group } of this.#places) group.removeAttribute('tabindex');
    place.group.setAttribute('tabindex', '0');
    place.group.focus();
  }

  #onKey(event: KeyboardEvent, place: Drawn): void {
    if (event.key === 'Enter' || event.key === ' ') this.#onChoose(place);
    else {
      const towards = directions[event.key];
      if (towards === undefined) return;
      const next = nearest(place, this.#places, towards, this.#sensors);
      if (next !== undefined) this.#focus(next);
    }
    event.preventDefault();
  }
}

/** Says what is under the pointer, or what has the focus. For eyes alone: names of places have it all in words. */
function tooltip(svg: SVGSVGElement): HTMLElement {
  const tip = element('div', { class: 'tip', 'aria-hidden': 'true', hidden: true });
  const hide = (): void => {
    tip.hidden = true;
  };
  const show = ({ target }: Event): void => {
    const of = target instanceof Element ? target.closest('[data-tip]') : null;
    if (of === null) {
      hide();
      return;
    }
    const { left, top, width } = of.getBoundingClientRect();
    const map = svg.getBoundingClientRect();
    tip.textContent = of.getAttribute('data-tip');
    tip.hidden = false;
    tip.style.left = `${Math.min(Math.max(left + width / 2 - map.left, 110), map.width - 110)}px`;
    tip.style.top = `${top - map.top}px`;
  };
  svg.addEventListener('pointerover', show);
  svg.addEventListener('pointerleave', hide);
  svg.addEventListener('focusin', show);
  svg.addEventListener('focusout', hide);
  return tip;
}

const directions: Readonly<Record<string, readonly [number, number]>> = {
  ArrowRight: [1, 0],
  ArrowLeft: [-1, 0],
  ArrowDown: [0, 1],
  ArrowUp: [0, -1],
};

/** The nearest place in the direction; being off to the side counts twice. Places without sensors are passed over. */
function nearest(
  from: Drawn,
  places: readonly Drawn[],
  [dx, dy]: readonly [number, number],
  sensors: readonly Sensor[],
): Drawn | undefined {
  const withSensors = new Set(sensors.map(placeOf));
  const distances = places.flatMap((place) => {
    const along = (place.x - from.x) * dx + (place.y - from.y) * dy;
    const aside = Math.abs((place.x - from.x) * dy + (place.y - from.y) * dx);
    return along > 1 && withSensors.has(place.key) ? [{ place, distance: along + 2 * aside }] : [];
  });
  return distances.toSorted((a, b) => a.distance - b.distance)[0]?.place;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const LETTER = 7.6;
const LETTER_HEIGHT = 17;

/** Where names stand: near what they name, and on as little else as can be. Each is placed in view of those before it. */
function labelled(
  names: readonly { readonly at: readonly [number, number]; readonly text: string }[],
  places: readonly Pick<Drawn, 'x' | 'y' | 'key'>[],
): readonly (readonly [number, number])[] {
  // A site has its sign and a row of dots below it, a main some dots at its middle.
  const taken: Box[] = places.map(({ x, y, key }) =>
    key.startsWith('site-') ? { x, y: y + 5, width: 34, height: 38 } : { x, y, width: 16, height: 14 },
  );
  return names.map(({ at: [x, y], text }) => {
    const size = { width: text.length * LETTER, height: LETTER_HEIGHT };
    const candidates = [24, 40, 58, 78].flatMap((distance) =>
      Array.from({ length: 12 }, (_, turn) => {
        const angle = -Math.PI / 2 + (turn * Math.PI) / 6;
        const reach = distance + (Math.abs(Math.cos(angle)) * size.width) / 2;
        const box = { x: x + Math.cos(angle) * reach, y: y + Math.sin(angle) * distance, ...size };
        const outside = Math.max(0, size.width / 2 - box.x) + Math.max(0, box.x + size.width / 2 - WIDTH);
        return { box, cost: distance + 6 * outside + taken.reduce((sum, each) => sum + overlap(box, each), 0) };
      }),
    );
    const [best] = candidates.toSorted((a, b) => a.cost - b.cost);
    const box = best?.box ?? { x, y, ...size };
    taken.push(box);
    return [Math.round(box.x), Math.round(box.y + LETTER_HEIGHT / 3)];
  });
}

function overlap(a: Box, b: Box): number {
  const width = (a.width + b.width) / 2 - Math.abs(a.x - b.x);
  const height = (a.height + b.height) / 2 - Math.abs(a.y - b.y);
  return width > 0 && height > 0 ? width * height : 0;
}

type Project = (position: Position) => readonly [number, number];

/** Degrees as on a plane, which does for one utility; north is up. */
function projection(all: readonly Position[]): { readonly project: Project; readonly height: number } {
  const longitudes = all.map(([longitude]) => longitude);
  const latitudes = all.map(([, latitude]) => latitude);
  const [west, east] = [Math.min(...longitudes), Math.max(...longitudes)];
  const [south, north] = [Math.min(...latitudes), Math.max(...latitudes)];
  const squeeze = Math.cos((((south + north) / 2) * Math.PI) / 180);
  const scale = (WIDTH - 2 * MARGIN) / ((east - west) * squeeze);
  return {
    project: ([longitude, latitude]) => [
      MARGIN + (longitude - west) * squeeze * scale,
      MARGIN + (north - latitude) * scale,
    ],
    height: Math.round(2 * MARGIN + (north - south) * scale),
  };
}

function drawMain({ id, geometry, properties }: Pipelines['features'][number], project: Project): Drawn {
  const points = geometry.coordinates.map(project);
  const [x, y] = middleOf(points);
  const path = points.map((point) => point.join(',')).join(' ');
  const dots = drawn('g', { class: 'dots', 'aria-hidden': 'true', transform: `translate(${x},${y})` });
  const told = `${properties.name}, main, ${properties.diameter_mm} mm, ${(properties.length_m / 1000).toFixed(1)} km`;
  const width = Math.max(1.6, properties.diameter_mm / 240);
  const group = drawn(
    'g',
    { class: 'place main', role: 'button', 'data-tip': told },
    drawn('polyline', { class: 'reach', points: path }),
    drawn('polyline', { class: 'pipe', points: path, 'stroke-width': width }),
    dots,
  );
  return { key: `pipeline-${id}`, name: properties.name, told, group, dots, x, y };
}

function drawSite({ id, geometry, properties }: Sites['features'][number], project: Project): Drawn {
  const [x, y] = project(geometry.coordinates);
  const { kind, name } = properties;
  const told = `${name}, ${kind}`;
  const dots = drawn('g', { class: 'dots', 'aria-hidden': 'true', transform: 'translate(0,15)' });
  const group = drawn(
    'g',
    {
      class: `place site ${kind.replaceAll(' ', '-')}`,
      role: 'button',
      transform: `translate(${x},${y})`,
      'data-tip': told,
    },
    drawn('circle', { class: 'reach', r: 15 }),
    signs[kind]?.() ?? drawn('circle', { class: 'sign', r: 4 }),
    dots,
  );
  return { key: `site-${id}`, name, told, group, dots, x, y };
}

const signs: Readonly<Record<string, () => SVGElement>> = {
  source: () => drawn('path', { class: 'sign', d: 'M-11,-3 q5.5,-6 11,0 t11,0 v9 h-22 z' }),
  works: () => drawn('path', { class: 'sign', d: 'M-9,-9 h18 v18 h-18 z M-9,0 h18 M0,-9 v18' }),
  reservoir: () => drawn('path', { class: 'sign', d: 'M-10,-7 h20 v10 a10,6 0 0 1 -20,0 z' }),
  'pump station': () => drawn('path', { class: 'sign', d: 'M0,-8 l7,12 h-14 z' }),
  chamber: () => drawn('circle', { class: 'sign', r: 5 }),
  offtake: () => drawn('path', { class: 'sign', d: 'M-5,-5 h10 v10 h-10 z' }),
};

/** The signs of states: whoever sees no colours sees shapes. */
function dot(sensor: Sensor, index: number, count: number): SVGElement {
  const x = (index - (count - 1) / 2) * (DOT + 1);
  const shape = shapes[sensor.state] ?? '';
  const reading = sensor.reading === null ? 'no reading' : `${sensor.reading.value} ${sensor.unit}`;
  return drawn('path', {
    class: `dot ${stateClass(sensor.state)}`,
    d: shape,
    transform: `translate(${x},0)`,
    'data-tip': `${sensor.code}: ${reading}, ${sensor.state}`,
  });
}

export const shapes: Readonly<Record<string, string>> = {
  normal: 'M-3.6,0 a3.6,3.6 0 1 0 7.2,0 a3.6,3.6 0 1 0 -7.2,0',
  information: 'M-3.6,-3.6 h7.2 v7.2 h-7.2 z',
  warning: 'M0,-5 L5,4 H-5 Z',
  critical: 'M0,-6 L6,0 L0,6 L-6,0 Z',
  missing: 'M-3.6,0 a3.6,3.6 0 1 0 7.2,0 a3.6,3.6 0 1 0 -7.2,0',
  'out of service': 'M-4,-4 L4,4 M-4,4 L4,-4',
};

/** Half way along the line. */
function middleOf(points: readonly (readonly [number, number])[]): readonly [number, number] {
  const lengths = points.slice(1).map(([x, y], index) => {
    const [x0, y0] = points[index] ?? [x, y];
    return Math.hypot(x - x0, y - y0);
  });
  let left = lengths.reduce((sum, length) => sum + length, 0) / 2;
  for (const [index, length] of lengths.entries()) {
    const [from, to] = [points[index], points[index + 1]];
    if (from === undefined || to === undefined) break;
    if (left <= length) {
      const share = length === 0 ? 0 : left / length;
      return [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share];
    }
    left -= length;
  }
  return points[0] ?? [0, 0];
}
