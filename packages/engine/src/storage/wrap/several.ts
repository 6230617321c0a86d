// One store over several places that hold the same objects, for readers: what the first place cannot give another does.
//
// 1. Whatever is asked goes to the first place. Only it is written to, and it alone tells what there is; but of packs, whose
//    names are given once for all places, those are listed too that it lacks or holds too short.
// 2. A pack that the first place lacks, and whatever it cannot be asked for, is looked for at the others, in order. A place that does not answer is asked no
//    more; where the first did not answer and the others lack the object, that is no missing object: nobody knows.
// 3. Damage is seen by whoever opens an object. It says so (`avoid`), and is given the object from the next place.
// Invariant: every read that was not from the first place is told, once for each object (`takeDetours`).

import { isSpillwayError, type SpillwayError } from '@spillway/contract';
import { isOfOnePlace } from '../../format/names.ts';
import type { ByteRange, ObjectHistory, ObjectName, ObjectStat, Storage } from '../port.ts';

const EVERYWHERE = 'packs/';

/** An object that was read elsewhere. */
export interface Detour {
  readonly object: ObjectName;
  readonly problem: 'missing' | 'damaged' | 'unreachable';
  /** The place that could not give it, and the one that did, by their descriptions. */
  readonly place: string;
  readonly instead: string;
}

export class SeveralStorage implements Storage {
  readonly description: string;
  readonly #places: readonly Storage[];
  /** Places that did not answer, by number, with why. */
  readonly #silent = new Map<number, SpillwayError>();
  /** By object: numbers of places where it is damaged. */
  readonly #damaged = new Map<ObjectName, Set<number>>();
  readonly #servedBy = new Map<ObjectName, number>();
  readonly #detours = new Map<ObjectName, Detour>();
  readonly #told = new Set<ObjectName>();

  constructor(places: readonly [Storage, ...Storage[]]) {
    this.#places = places;
    this.description = places[0].description;
  }

  /** What was read elsewhere since this was asked last. */
  takeDetours(): readonly Detour[] {
    const taken = [...this.#detours.values()];
    for (const { object } of taken) this.#told.add(object);
    this.#detours.clear();
    return taken;
  }

  /** What was last read of the object is damaged. False where no other place is left to have it from. */
  avoid(name: ObjectName): boolean {
    if (isOfOnePlace(name)) return false;
    const damaged = this.#damaged.get(name) ?? new Set<number>();
    damaged.add(this.#servedBy.get(name) ?? 0);
    this.#damaged.set(name, damaged);
    return this.#places.some((_, at) => !damaged.has(at) && !this.#silent.has(at));
  }

  get(name: ObjectName, options: { range?: ByteRange; signal?: AbortSignal } = {}): Promise<Uint8Array> {
    if (isOfOnePlace(name)) return this.#first.get(name, options);
    return this.#fromAny(name, (place) => place.get(name, options));
  }

  async stat(name: ObjectName, options: { signal?: AbortSignal } = {}): Promise<ObjectStat | undefined> {
    const own = this.#damaged.get(name);
    if (own === undefined) return this.#first.stat(name, options);
    for (const [at, place] of this.#places.entries()) {
      if (own.has(at) || this.#silent.has(at)) continue;
      const found = await this.#ask(at, () => place.stat(name, options));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async *list(prefix: string, options: { signal?: AbortSignal } = {}): AsyncIterable<ObjectStat> {
    if (!prefix.startsWith(EVERYWHERE)) {
      yield* this.#first.list(prefix, options);
      return;
    }
    const longest = new Map<ObjectName, number>();
    for (const [at, place] of this.#places.entries()) {
      if (this.#silent.has(at)) continue;
      const listed = await this.#ask(at, async () => Array.fromAsync(place.list(prefix, options)));
      for (const { name, bytes } of listed ?? []) {
        const known = longest.get(name);
        // One that is too short where it is read first is read from where it is whole.
        if (known !== undefined && known < bytes) this.#markShort(name, at);
        longest.set(name, Math.max(known ?? 0, bytes));
      }
    }
    for (const name of [...longest.keys()].toSorted()) yield { name, bytes: longest.get(name) ?? 0 };
  }

  put(
    name: ObjectName,
    parts: readonly Uint8Array[],
    options: { signal?: AbortSignal } = {},
  ): ReturnType<Storage['put']> {
    return this.#first.put(name, parts, options);
  }

  remove(name: ObjectName, options: { signal?: AbortSignal; hide?: boolean; soon?: boolean } = {}): Promise<void> {
    return this.#first.remove(name, options);
  }

  get history(): ObjectHistory | undefined {
    return this.#first.history;
  }

  get #first(): Storage {
    const [first] = this.#places;
    if (first === undefined) throw new RangeError('a store over several places has none');
    return first;
  }

  /** All places before `at` hold less of it. */
  #markShort(name: ObjectName, at: number): void {
    const damaged = this.#damaged.get(name) ?? new Set<number>();
    for (let before = 0; before < at; before++) damaged.add(before);
    this.#damaged.set(name, damaged);
  }

  async #fromAny<T>(name: ObjectName, read: (place: Storage) => Promise<T>): Promise<T> {
    let first: SpillwayError | undefined;
    let problem: Detour['problem'] = 'damaged';
    for (const [at, place] of this.#places.entries()) {
      const silent = this.#silent.get(at);
      if (silent !== undefined) {
        first ??= silent;
        if (at === 0) problem = 'unreachable';
        continue;
      }
      if (this.#damaged.get(name)?.has(at) === true) continue;
      try {
        const given = await read(place);
        this.#servedBy.set(name, at);
        if (at > 0) this.#tell({ object: name, problem, place: this.description, instead: place.description });
        return given;
      } catch (error) {
        if (!isSpillwayError(error, 'SPW_OBJECT_MISSING', 'SPW_STORAGE_UNREACHABLE')) throw error;
        // What takes the place of a piece of WAL, say, is found by another look at the first place.
        if (at === 0 && error.code === 'SPW_OBJECT_MISSING' && !name.startsWith(EVERYWHERE)) throw error;
        if (error.code === 'SPW_STORAGE_UNREACHABLE') this.#silent.set(at, error);
        if (at === 0) problem = error.code === 'SPW_OBJECT_MISSING' ? 'missing' : 'unreachable';
        first ??= error;
      }
    }
    // All that is left were places where it is damaged, or that do not answer: the first knows best.
    if (first === undefined) return await read(this.#first);
    throw first;
  }

  /** Undefined where a place other than the first does not answer: then it is asked no more. */
  async #ask<T>(at: number, act: () => Promise<T>): Promise<T | undefined> {
    try {
      return await act();
    } catch (error) {
      if (at === 0 || !isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE')) throw error;
      this.#silent.set(at, error);
      return undefined;
    }
  }

  #tell(detour: Detour): void {
    if (!this.#told.has(detour.object)) this.#detours.set(detour.object, detour);
  }
}
