// How the key ring grows: one object for each data key after the first, by which every older ring finds the newer keys.
//
//   ring/<n>   sealed by data key n - 1; a conditional create, so of two rotations at once one makes key n
//
// 1. Linked: it holds data key n itself. Whoever opens any slot reads on from there to the newest key.
// 2. Cut: it does not, but the slots with the larger ring, for the secrets that were at hand. Other secrets end here.
// 3. Either way it is the whole rotation in one object: the slots to be written and those to be removed are named in
//    it, so what was broken off afterwards can be finished by anybody who reads it.
// It must be sealed by key n - 1 and no older one: else whoever learnt an old key could name the next one.

import { isSpillwayError, SpillwayError } from '@spillway/contract';
import {
  currentKeyNumber,
  DATA_KEY_BYTES,
  type KeyRing,
  type KeySlot,
  parseKeySlot,
  type Secret,
  unwrapKeyRing,
} from '../codec/keys.ts';
import { damaged, openObject } from '../codec/seal.ts';
import { RING, ringName } from '../format/names.ts';
import { parseHead } from '../format/object.ts';
import type { Storage } from '../storage/port.ts';

/** Numbers are u16 in every object's head. */
export const DATA_KEY_NUMBER_MAX = 65_535;

export interface RingStep {
  readonly number: number;
  readonly at: string;
  /** Base64; absent where the ring was cut. */
  readonly key?: string;
  /** Slots that hold the ring up to this key. */
  readonly slots: readonly KeySlot[];
  /** Ids of the slots that are to go, once `slots` stand under `keys/`. */
  readonly replaced: readonly string[];
}

export interface ExtendedRing {
  readonly ring: KeyRing;
  /** Why it does not reach the newest key: rotated without the secret at hand, or what names the next key is damaged. */
  readonly stop?: { readonly number: number; readonly why: 'cut-off' | 'damaged'; readonly cause?: SpillwayError };
}

/** The ring with every data key that was made since; `secret` is needed only where the ring was cut. */
export async function extendRing(
  storage: Storage,
  repository: string,
  ring: KeyRing,
  secret: Secret | undefined,
  signal?: AbortSignal,
): Promise<ExtendedRing> {
  let grown = ring;
  for (let number = currentKeyNumber(ring) + 1; number <= DATA_KEY_NUMBER_MAX; number++) {
    let step: RingStep | undefined;
    try {
      step = await readRingStep(storage, repository, grown, number, signal);
    } catch (error) {
      if (!isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_REPOSITORY_NEWER', 'SPW_KEY_ROTATED')) throw error;
      return { ring: grown, stop: { number, why: 'damaged', cause: error } };
    }
    if (step === undefined) break;
    const next = step.key === undefined ? await ringInSlots(step.slots, grown, secret) : linked(grown, step);
    if (next === undefined) return { ring: grown, stop: { number, why: 'cut-off' } };
    grown = next;
  }
  return { ring: grown };
}

/** Undefined where there is no data key of that number; `ring` has all before it. */
export async function readRingStep(
  storage: Storage,
  repository: string,
  ring: KeyRing,
  number: number,
  signal?: AbortSignal,
): Promise<RingStep | undefined> {
  const name = ringName(number);
  let bytes: Uint8Array;
  try {
    bytes = await storage.get(name, signal && { signal });
  } catch (error) {
    if (isSpillwayError(error, 'SPW_OBJECT_MISSING')) return undefined;
    throw error;
  }
  const head = parseHead(bytes);
  if (typeof head !== 'string' && head.dataKeyNumber !== number - 1) {
    throw damaged(name, `it was sealed by data key ${head.dataKeyNumber}, not by the one before`);
  }
  const [frame] = openObject(ring, 'keyRing', name, bytes);
  const step = JSON.parse(Buffer.from(frame ?? []).toString('utf8')) as RingStep;
  const known = step.slots.filter((slot) => typeof parseKeySlot(slot) !== 'string' && slot.repository === repository);
  if (step.number !== number || (step.key !== undefined && keyOf(step).length !== DATA_KEY_BYTES)) {
    throw damaged(name, 'it names no data key of its number');
  }
  return { ...step, slots: known };
}

/** Whether two rings have the same keys, as far as the shorter one goes. */
export const isBeginningOf = (start: KeyRing, ring: KeyRing): boolean =>
  start.dataKeys.length <= ring.dataKeys.length &&
  start.dataKeys.every(({ number, key }, i) => {
    const other = ring.dataKeys[i];
    return other?.number === number && Buffer.from(key).equals(other.key);
  });

/**
 * Gives another place of the same repository the ring objects that it lacks, lowest first, byte for byte. To be done before
 * anything that a later data key sealed is put there: its slots may know the first one alone. Throws SPW_OBJECT_EXISTS
 * where the two made different keys of one number; as each is sealed by the one before, the newest that both have tells.
 */
export async function copyRing(from: Storage, to: Storage, signal?: AbortSignal): Promise<readonly string[]> {
  const there = new Set(await namesOf(to, signal));
  const own = await namesOf(from, signal);
  const both = own.findLast((name) => there.has(name));
  const copied: string[] = [];
  for (const name of own.filter((each) => each === both || !there.has(each))) {
    const object = await from.get(name, signal && { signal });
    if (name !== both && (await to.put(name, [object], signal && { signal })) === 'created') copied.push(name);
    else if (!Buffer.from(object).equals(await to.get(name, signal && { signal }))) {
      throw new SpillwayError(
        'SPW_OBJECT_EXISTS',
        `${name} differs between ${from.description} and ${to.description}`,
        {
          why: 'the data key was rotated at both, or one of the two is damaged',
          hint: 'spillway repair mends what is damaged; where both were rotated, what the other place sealed since can be read there alone',
        },
      );
    }
  }
  return copied;
}

async function namesOf(storage: Storage, signal: AbortSignal | undefined): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { name } of storage.list(RING, signal && { signal })) names.push(name);
  return names;
}

const keyOf = ({ key = '' }: RingStep): Uint8Array => new Uint8Array(Buffer.from(key, 'base64'));

const linked = (ring: KeyRing, step: RingStep): KeyRing => ({
  dataKeys: [...ring.dataKeys, { number: step.number, key: keyOf(step) }],
});

async function ringInSlots(
  slots: readonly KeySlot[],
  ring: KeyRing,
  secret: Secret | undefined,
): Promise<KeyRing | undefined> {
  if (secret === undefined) return undefined;
  for (const slot of slots) {
    const unwrapped = await unwrapKeyRing(slot, secret);
    if (unwrapped !== undefined && isBeginningOf(ring, unwrapped)) return unwrapped;
  }
  return undefined;
}
