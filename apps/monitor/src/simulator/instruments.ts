// Where the utility has instruments, what each is called, and what it reads: the model's value, and its own noise.
//
// Every main and pump has a flow meter, every chamber a pressure gauge, every tank a level; works, reservoirs and the first
// offtake of each municipality have chlorine, pH and turbidity. EPANET computes all but the last two, which are drawn
// around plausible values and follow the flow a little.

import type { Random } from './random.ts';
import type { Hydraulics } from './hydraulics.ts';

export type InstrumentKind = 'pressure' | 'flow' | 'level' | 'ph' | 'turbidity' | 'chlorine';

export interface Instrument {
  readonly id: number;
  readonly code: string;
  readonly kind: InstrumentKind;
  readonly unit: string;
  /** The node or link it is at. */
  readonly at: string;
}

const units: Readonly<Record<InstrumentKind, string>> = {
  pressure: 'kPa',
  flow: 'l/s',
  level: '%',
  ph: 'pH',
  turbidity: 'NTU',
  chlorine: 'mg/l',
};

const letters: Readonly<Record<InstrumentKind, string>> = {
  pressure: 'P',
  flow: 'F',
  level: 'L',
  ph: 'H',
  turbidity: 'T',
  chlorine: 'C',
};

export function instrumentsOf({ nodes, links }: Pick<Hydraulics, 'nodes' | 'links'>): readonly Instrument[] {
  const places: (readonly [InstrumentKind, string])[] = [];
  for (const { id } of links) places.push(['flow', id]);
  for (const { id, kind } of nodes) {
    if (kind === 'junction') places.push(['pressure', id]);
    if (kind === 'tank') places.push(['level', id]);
  }
  for (const { id, kind } of nodes) {
    const isFirstOfftake = /^[A-Z]1$/.test(id);
    const leavesWorks = /^HL\d$/.test(id);
    const isReservoir = kind === 'tank' && id.startsWith('RES');
    if (isFirstOfftake || leavesWorks || isReservoir) places.push(['chlorine', id], ['ph', id], ['turbidity', id]);
  }
  return places.map(([kind, at], index) => ({
    id: index + 1,
    code: `${letters[kind]}-${at}`,
    kind,
    unit: units[kind],
    at,
  }));
}

/** What the instrument reads now. */
export function readInstrument({ kind, at, id }: Instrument, model: Hydraulics, random: Random): number {
  const noise = (share: number): number => 1 + share * random.spread();
  const hours = model.now / 3_600_000;
  if (kind === 'flow') return model.flow(at) * noise(0.004);
  if (kind === 'pressure') return model.pressure(at) * noise(0.003);
  if (kind === 'level') return model.level(at) * 100 + 0.05 * random.spread();
  if (kind === 'chlorine') return Math.max(0, model.chlorine(at) * noise(0.01));
  if (kind === 'ph') return 8.05 + 0.12 * Math.sin(hours / 5 + id) + 0.02 * random.spread();
  return Math.max(0.05, 0.32 + 0.08 * Math.sin(hours / 7 + id * 2) + 0.02 * random.spread());
}
