// All rules over all readings, in the order of each sensor's time. Pure but for what it remembers, and that changes only
// when it is told that the changes are in the database.
//
// 1. A rule turns a reading into one number, its measure: the value itself, its change a minute, the seconds of silence,
//    the share that a zone loses. One hysteresis decides for all (hysteresis.ts).
// 2. `evaluate` works on a draft above the memory and returns what is to be raised and cleared. `keep` makes the draft the
//    memory; a draft that is dropped (the transaction failed) leaves no trace.
// 3. Readings that are bad, older than the sensor's newest, or of a sensor out of service are not measured.

import { type Balance, emptyBalance, weigh } from './balance.ts';
import { calm, type Limits, type Standing, step } from './hysteresis.ts';
import type { Reading, Rule, WatchedSensor, Zone } from './rule.ts';

/** Beyond this gap a difference is no rate of change. */
const RATE_GAP_MS_MAX = 15 * 60_000;
const RATE_GAP_MS_MIN = 1000;
const MINUTE_MS = 60_000;

export interface Change {
  readonly kind: 'raise' | 'clear';
  readonly rule: Rule;
  readonly sensorId: number | null;
  readonly zoneId: number | null;
  readonly value: number;
  readonly at: number;
}

export interface Evaluation {
  readonly changes: readonly Change[];
  /** To be called when the changes are durable. */
  readonly keep: () => void;
}

/** What the database tells at the start. */
export interface Remembered {
  readonly rules: readonly Rule[];
  readonly sensors: readonly WatchedSensor[];
  readonly zones: readonly Zone[];
  readonly standing: readonly {
    readonly ruleId: string;
    readonly sensorId: number | null;
    readonly zoneId: number | null;
  }[];
  readonly newest: readonly { readonly sensorId: number; readonly at: number; readonly value: number }[];
}

interface Newest {
  readonly at: number;
  readonly value: number;
  /** When it came, by our clock. */
  readonly arrivedAt: number;
}

export class RuleEngine {
  readonly #sensors: ReadonlyMap<number, WatchedSensor>;
  readonly #zones: ReadonlyMap<number, Zone>;
  readonly #zonesOf: ReadonlyMap<number, readonly Zone[]>;
  readonly #byKind: ReadonlyMap<string, readonly Rule[]>;
  readonly #balanceRules: readonly Rule[];
  readonly #missingRules: readonly Rule[];
  readonly #silenceRules: readonly Rule[];
  readonly #standing: Map<string, Standing>;
  readonly #newest: Map<number, Newest>;
  readonly #balances: Map<number, Balance>;
  #lastArrival: number;

  /** `now` starts the clock of silence: nothing is missed before there was a chance to send it. `before` is who knew until now. */
  constructor({ rules, sensors, zones, standing, newest }: Remembered, now: number, before?: RuleEngine) {
    this.#sensors = new Map(sensors.map((sensor) => [sensor.id, sensor]));
    this.#zones = new Map(zones.map((zone) => [zone.id, zone]));
    const zonesOf = new Map<number, Zone[]>();
    for (const zone of zones) {
      for (const { sensorId } of zone.meters) zonesOf.set(sensorId, [...(zonesOf.get(sensorId) ?? []), zone]);
    }
    this.#zonesOf = zonesOf;
    const measured = rules.filter(({ kind }) => kind === 'above' || kind === 'below' || kind === 'rate');
    this.#byKind = Map.groupBy(measured, ({ sensorKind }) => sensorKind ?? '');
    this.#balanceRules = rules.filter(({ kind }) => kind === 'balance');
    this.#missingRules = rules.filter(({ kind }) => kind === 'missing');
    this.#silenceRules = rules.filter(({ kind }) => kind === 'silence');
    this.#standing = new Map(before?.withoutRaised());
    for (const { ruleId, sensorId, zoneId } of standing) {
      this.#standing.set(keyOf(ruleId, sensorId, zoneId), { raised: true, beyond: 0 });
    }
    this.#newest = new Map(newest.map(({ sensorId, at, value }) => [sensorId, { at, value, arrivedAt: now }]));
    for (const [id, { arrivedAt }] of before?.newestReadings ?? []) {
      const known = this.#newest.get(id);
      if (known !== undefined) this.#newest.set(id, { ...known, arrivedAt });
    }
    this.#balances = new Map(before?.balances);
    this.#lastArrival = before?.lastArrival ?? now;
  }

  get newestReadings(): ReadonlyMap<number, Newest> {
    return this.#newest;
  }

  /** Time of the newest reading of all. */
  get lastReadingAt(): number | undefined {
    let newest: number | undefined;
    for (const { at } of this.#newest.values()) if (newest === undefined || at > newest) newest = at;
    return newest;
  }

  get lastArrival(): number {
    return this.#lastArrival;
  }

  get balances(): ReadonlyMap<number, Balance> {
    return this.#balances;
  }

  /** Counts of measures beyond a limit; what is raised the database knows better. */
  withoutRaised(): readonly (readonly [string, Standing])[] {
    return [...this.#standing].filter(([, { raised }]) => !raised);
  }

  evaluate(readings: readonly Reading[], now: number): Evaluation {
    const draft = new Draft(this.#standing);
    const newest = new Map<number, Newest>();
    const balances = new Map<number, Balance>();
    for (const reading of readings) {
      const sensor = this.#sensors.get(reading.sensorId);
      if (sensor === undefined) continue;
      // A sensor that only sends bad readings is missed like one that sends none.
      if (reading.quality === 2) continue;
      const before = newest.get(sensor.id) ?? this.#newest.get(sensor.id);
      if (before !== undefined && reading.at <= before.at) continue;
      newest.set(sensor.id, { at: reading.at, value: reading.value, arrivedAt: now });
      for (const rule of this.#missingRules) draft.measure(rule, sensor.id, null, 0, reading.at, reading.value);
      if (!sensor.inService) continue;
      for (const rule of this.#byKind.get(sensor.kind) ?? []) {
        const measure = measureOf(rule, sensor, reading, before);
        if (measure !== undefined) draft.measure(rule, sensor.id, null, measure, reading.at, reading.value);
      }
      for (const zone of this.#balanceRules.length === 0 ? [] : (this.#zonesOf.get(sensor.id) ?? [])) {
        const balance = balances.get(zone.id) ?? this.#balances.get(zone.id) ?? emptyBalance;
        const { after, closed } = weigh(balance, zone, sensor.id, reading.at, reading.value);
        balances.set(zone.id, after);
        for (const { at, lost } of closed) {
          for (const rule of this.#balanceRules) draft.measure(rule, null, zone.id, lost, at, lost);
        }
      }
    }
    if (readings.length > 0) for (const rule of this.#silenceRules) draft.measure(rule, null, null, 0, now, 0);
    return {
      changes: draft.changes,
      keep: () => {
        draft.keep();
        for (const [id, reading] of newest) this.#newest.set(id, reading);
        for (const [id, balance] of balances) if (this.#zones.has(id)) this.#balances.set(id, balance);
        if (readings.length > 0) this.#lastArrival = now;
      },
    };
  }

  /** Looks for what did not come. While nothing comes at all, that is told once, not once a sensor. */
  tick(now: number): Evaluation {
    const draft = new Draft(this.#standing);
    const silence = (now - this.#lastArrival) / 1000;
    for (const rule of this.#silenceRules) draft.measure(rule, null, null, silence, now, silence);
    const isSilent = this.#silenceRules.some((rule) => silence > rule.raisesAt);
    for (const rule of isSilent ? [] : this.#missingRules) {
      for (const [id, { arrivedAt, at }] of this.#newest) {
        if (this.#sensors.get(id)?.inService !== true) continue;
        const seconds = (now - arrivedAt) / 1000;
        // Told as of the last reading: an alert's time is that of the network.
        draft.measure(rule, id, null, seconds, Math.max(at, now - seconds * 1000), seconds);
      }
    }
    return { changes: draft.changes, keep: () => draft.keep() };
  }
}

/** Standings above those of the memory, and what changed on the way. */
class Draft {
  readonly changes: Change[] = [];
  readonly #memory: Map<string, Standing>;
  readonly #own = new Map<string, Standing>();

  constructor(memory: Map<string, Standing>) {
    this.#memory = memory;
  }

  measure(
    rule: Rule,
    sensorId: number | null,
    zoneId: number | null,
    measure: number,
    at: number,
    value: number,
  ): void {
    const key = keyOf(rule.id, sensorId, zoneId);
    const before = this.#own.get(key) ?? this.#memory.get(key) ?? calm;
    const after = step(before, measure, limitsOf(rule));
    if (after === before) return;
    this.#own.set(key, after);
    if (after.raised === before.raised) return;
    this.changes.push({ kind: after.raised ? 'raise' : 'clear', rule, sensorId, zoneId, value, at });
  }

  keep(): void {
    for (const [key, standing] of this.#own) {
      if (standing === calm) this.#memory.delete(key);
      else this.#memory.set(key, standing);
    }
  }
}

/** Undefined where a reading says nothing to the rule. */
export function measureOf(
  { kind, relative }: Pick<Rule, 'kind' | 'relative'>,
  { nominalValue }: Pick<WatchedSensor, 'nominalValue'>,
  { at, value }: Pick<Reading, 'at' | 'value'>,
  before: Pick<Reading, 'at' | 'value'> | undefined,
): number | undefined {
  const unit = relative ? nominalValue : 1;
  if (unit === 0) return undefined;
  if (kind === 'above' || kind === 'below') return value / unit;
  if (kind !== 'rate' || before === undefined) return undefined;
  const elapsed = at - before.at;
  if (elapsed < RATE_GAP_MS_MIN || elapsed > RATE_GAP_MS_MAX) return undefined;
  return Math.abs(value - before.value) / unit / (elapsed / MINUTE_MS);
}

const limitsOf = ({ raisesAt, clearsAt, count, kind }: Rule): Limits => ({
  raisesAt,
  clearsAt,
  count,
  isBelow: kind === 'below',
});

const keyOf = (rule: string, sensor: number | null, zone: number | null): string =>
  `${rule}/${sensor ?? ''}/${zone ?? ''}`;
