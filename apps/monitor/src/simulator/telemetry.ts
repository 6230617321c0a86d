// The utility's telemetry at a moment: what every instrument sends, broken ones included.

import { Hydraulics } from './hydraulics.ts';
import { type Instrument, instrumentsOf, readInstrument } from './instruments.ts';
import type { Failure, Intervention } from './intervention.ts';
import type { Random } from './random.ts';

const DAY_MS = 86_400_000;
const DRIFT_PER_HOUR = 0.4;

export interface SentReading {
  readonly sensor_id: number;
  readonly at: string;
  readonly value: number;
  readonly quality: number;
}

interface Broken {
  readonly failure: Failure;
  readonly since: number;
  readonly value: number;
}

export class Telemetry {
  readonly #model: Hydraulics;
  readonly #random: Random;
  readonly #instruments: readonly Instrument[];
  readonly #broken = new Map<number, Broken>();

  private constructor(model: Hydraulics, random: Random) {
    this.#model = model;
    this.#random = random;
    this.#instruments = instrumentsOf(model);
  }

  /** The network has run for a day when the first readings are taken, so that it has settled. */
  static async begin(at: number, random: Random): Promise<Telemetry> {
    const model = await Hydraulics.open(at - DAY_MS);
    model.advanceTo(at);
    return new Telemetry(model, random);
  }

  /** Readings of all instruments at that moment, to whole seconds. */
  sample(time: number): readonly SentReading[] {
    this.#model.advanceTo(time);
    const at = new Date(this.#model.now).toISOString();
    return this.#instruments.flatMap((instrument) => {
      const value = readInstrument(instrument, this.#model, this.#random);
      const sent = distort(value, this.#broken.get(instrument.id), this.#model.now);
      if (sent === undefined) return [];
      return [{ sensor_id: instrument.id, at, value: Number(sent.value.toPrecision(6)), quality: sent.quality }];
    });
  }

  /** Throws a RangeError where there is no such thing. */
  intervene(intervention: Intervention): void {
    const { kind, at } = intervention;
    const instrument = this.#instruments.find(({ code }) => code === at);
    const link = this.#model.links.find(({ id }) => id === at);
    const isNode = this.#model.nodes.some(({ id, kind: of }) => id === at && of === 'junction');
    if (kind === 'leak' && isNode) this.#model.leak(at, intervention.litresPerSecond);
    else if (kind === 'trip' && link?.kind === 'pump') this.#model.trip(at, true);
    else if (kind === 'fail' && instrument !== undefined) {
      const value = readInstrument(instrument, this.#model, this.#random);
      this.#broken.set(instrument.id, { failure: intervention.failure, since: this.#model.now, value });
    } else if (kind === 'mend' && instrument !== undefined) this.#broken.delete(instrument.id);
    else if (kind === 'mend' && link?.kind === 'pump') this.#model.trip(at, false);
    else if (kind === 'mend' && isNode) this.#model.leak(at, 0);
    else throw new RangeError(`there is no ${at} to ${kind}`);
  }
}

function distort(
  value: number,
  broken: Broken | undefined,
  now: number,
): { readonly value: number; readonly quality: number } | undefined {
  if (broken === undefined) return { value, quality: 0 };
  if (broken.failure === 'silent') return undefined;
  if (broken.failure === 'bad') return { value: 0, quality: 2 };
  if (broken.failure === 'stuck') return { value: broken.value, quality: 0 };
  return { value: value * (1 + (DRIFT_PER_HOUR * (now - broken.since)) / 3_600_000), quality: 0 };
}
