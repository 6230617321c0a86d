// Does a secret that lies in a safe still open the repository? Shown by doing it, and recorded as signed evidence.
//
// 1. The secret is tried on the slots as at any opening, from nothing but what lies in the store.
// 2. With each data key that it leads to an object is opened: data key n - 1 sealed `ring/<n>`, and for the newest one
//    the first objects of each kind are looked through, so many at most.
// 3. What was found is written as evidence with the keys of the repository that is open already, also where the secret
//    failed: then it is a failure that is on record.

import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { currentKeyNumber, type KeyRing, type KeySlot, type Secret } from '../codec/keys.ts';
import { INDEX, LOCKS, ringName } from '../format/names.ts';
import { HEAD_BYTES, type ObjectKind, objectKinds, parseHead } from '../format/object.ts';
import type { ObjectStat } from '../storage/port.ts';
import { type EvidenceRecord, writeEvidence } from './evidence.ts';
import { readFirstFrame } from './first-frame.ts';
import { openSlot, readKeySlots, Repository } from './repository.ts';
import { isBeginningOf } from './ring.ts';

const LOOKS_PER_PREFIX = 100;
const PLACES = [INDEX, 'clusters/', 'packs/', LOCKS];
/** Objects that are read whole; packs are not. */
const OBJECT_BYTES_MAX = 64 * 1024 * 1024;

export interface KeyCheck {
  readonly slot: string;
  readonly slot_kind: Secret['kind'];
  readonly label: string | null;
  /** Each with an object that was opened with it; null where nothing that it sealed was found. */
  readonly data_keys: readonly { readonly number: number; readonly object: string | null }[];
}

interface KeyCheckOptions {
  /** Open, with whatever secret: it signs. */
  readonly repository: Repository;
  /** The one to be checked. */
  readonly secret: Secret;
  /** Under which names it is recorded. */
  readonly clusters: readonly string[];
  readonly now?: () => Date;
  readonly signal?: AbortSignal;
}

/** Throws as an opening with that secret does, once that is recorded. */
export async function checkKey(
  options: KeyCheckOptions,
): Promise<{ readonly check: KeyCheck; readonly evidence: readonly EvidenceRecord[] }> {
  const { repository, secret, now = () => new Date(), signal } = options;
  const startedAt = now().toISOString();
  const record = async (result: 'passed' | 'failed', details: Readonly<Record<string, unknown>>) => {
    const told = { kind: 'key-check', level: 'keys', backup: null, result, details } as const;
    const records: EvidenceRecord[] = [];
    for (const cluster of options.clusters) {
      const times = { started_at: startedAt, finished_at: now().toISOString() };
      records.push(await writeEvidence(repository, { ...told, cluster, ...times }, signal));
    }
    return records;
  };
  let check: KeyCheck;
  try {
    check = await prove(repository, secret, signal);
  } catch (error) {
    if (isSpillwayError(error, 'SPW_KEY_WRONG', 'SPW_KEY_ROTATED', 'SPW_OBJECT_DAMAGED')) {
      await record('failed', { slot_kind: secret.kind, error: error.code, why: error.why ?? error.message });
    }
    throw error;
  }
  return { check, evidence: await record('passed', { ...check }) };
}

/** When a secret of that kind was last shown to open the repository; undefined where that is not on record. */
export const lastKeyCheck = (records: readonly EvidenceRecord[], kind: Secret['kind']): Date | undefined => {
  const passed = records.filter(
    (each) => each.kind === 'key-check' && each.result === 'passed' && each.details['slot_kind'] === kind,
  );
  const times = passed.map(({ finished_at: at }) => Date.parse(at));
  return times.length === 0 ? undefined : new Date(Math.max(...times));
};

async function prove(repository: Repository, secret: Secret, signal: AbortSignal | undefined): Promise<KeyCheck> {
  await repository.refreshKeys(signal, secret);
  const { slot, ring } = await openingSlot(repository, secret, signal);
  const unlocked = new Repository({ ...repository.handle, keys: ring });
  const wanted = new Map<number, string | null>(ring.dataKeys.map(({ number }) => [number, null]));
  for (const { number } of ring.dataKeys) {
    const name = ringName(number + 1);
    const link = await repository.storage.stat(name, signal && { signal });
    if (link !== undefined && (await opensWith(unlocked, link, signal)) === number) wanted.set(number, name);
  }
  for (const prefix of PLACES) {
    let looks = 0;
    for await (const object of repository.storage.list(prefix, signal && { signal })) {
      if (![...wanted.values()].includes(null) || ++looks > LOOKS_PER_PREFIX) break;
      const number = await keyNumberOf(unlocked, object, signal);
      if (number === undefined || wanted.get(number) !== null) continue;
      if ((await opensWith(unlocked, object, signal)) === number) wanted.set(number, object.name);
    }
  }
  return {
    slot: slot.slot,
    slot_kind: slot.kind,
    label: slot.label ?? null,
    data_keys: [...wanted].map(([number, object]) => ({ number, object })),
  };
}

/** The slot that the secret opens, and the ring to which it leads: all keys of the repository, or an error. */
async function openingSlot(
  repository: Repository,
  secret: Secret,
  signal: AbortSignal | undefined,
): Promise<{ readonly slot: KeySlot; readonly ring: KeyRing }> {
  let slots = 0;
  let less: SpillwayError | undefined;
  for await (const { slot } of readKeySlots(repository.storage, repository.id, signal)) {
    slots += 1;
    if (typeof slot === 'string') continue;
    const opened = await openSlot(repository.storage, slot, secret, signal);
    if (opened === undefined) continue;
    if (opened.stop === undefined && isBeginningOf(repository.keys, opened.ring)) return { slot, ring: opened.ring };
    less = new SpillwayError('SPW_KEY_ROTATED', `the key slot ${slot.slot} does not lead to all data keys`, {
      why: `it ends at data key ${currentKeyNumber(opened.ring)}${opened.stop?.cause === undefined ? '' : `: ${opened.stop.cause.message}`}`,
      hint: 'make a slot that holds all keys with spillway key add, and remove this one',
    });
  }
  throw (
    less ??
    new SpillwayError('SPW_KEY_WRONG', 'the secret that was to be checked opens nothing', {
      why: `it fits none of the ${slots} key slots of the repository`,
      hint: 'spillway key list shows the slots; make a new recovery key with: spillway key add --recovery-key',
    })
  );
}

async function keyNumberOf(
  { storage }: Repository,
  { name }: ObjectStat,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  try {
    const range = { offset: 0, bytes: HEAD_BYTES };
    const head = parseHead(await storage.get(name, { range, ...(signal && { signal }) }));
    return typeof head === 'string' ? undefined : head.dataKeyNumber;
  } catch (error) {
    // Removed since it was listed, as locks are all the time.
    if (isSpillwayError(error, 'SPW_OBJECT_MISSING')) return undefined;
    throw error;
  }
}

/** The number of the key that opened it; undefined where it did not open: another object may. */
async function opensWith(
  repository: Repository,
  object: ObjectStat,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  try {
    const range = { offset: 0, bytes: HEAD_BYTES };
    const head = parseHead(await repository.storage.get(object.name, { range, ...(signal && { signal }) }));
    if (typeof head === 'string') return undefined;
    const kind = (Object.keys(objectKinds) as ObjectKind[]).find((each) => objectKinds[each] === head.kind);
    if (kind === undefined) return undefined;
    if (kind === 'pack') await readFirstFrame(repository, kind, object, signal);
    else if (object.bytes > OBJECT_BYTES_MAX) return undefined;
    else await repository.read(kind, object.name, signal);
    return head.dataKeyNumber;
  } catch (error) {
    if (
      !isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING', 'SPW_REPOSITORY_NEWER', 'SPW_KEY_ROTATED')
    ) {
      throw error;
    }
    return undefined;
  }
}
