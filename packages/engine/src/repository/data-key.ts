// Rotation of the data key: what is written from then on is sealed by a new one, what is there stays readable.
//
// 1. Under the lock `keys`: the slots of the secrets at hand are made anew with the larger ring, not yet stored.
// 2. One conditional create of `ring/<n>` (`ring.ts`) is the rotation: before it nothing changed, after it the new key
//    is every reader's. Of two rotations at once one makes the key, and the other finds it.
// 3. Then the new slots are stored and read back, and only after that the ones they replace are removed.
// 4. Broken off after 2, it is finished by the next call, which then makes no further key.
// Linked, the slots of other secrets stay and lead to the new key. Cut, they go, each having been named before.

import { SpillwayError } from '@spillway/contract';
import { currentKeyNumber, type KeyRing, type KeySlot, newDataKey, type Secret, wrapKeyRing } from '../codec/keys.ts';
import { sealObject } from '../codec/seal.ts';
import { keySlotName, ringName } from '../format/names.ts';
import { type Lock, LOCK_WAIT_MS, takeLock } from './lock.ts';
import { encodeJson, openSlot, readKeySlots, type Repository } from './repository.ts';
import { DATA_KEY_NUMBER_MAX, isBeginningOf, readRingStep, type RingStep } from './ring.ts';

interface OfRotation {
  readonly repository: Repository;
  /** All that are at hand; the first is the one that the repository was opened with. */
  readonly secrets: readonly Secret[];
  readonly signal?: AbortSignal;
}

export interface DataKeyRotation {
  /** `finished`: one that was broken off; `found`: another process made the key at the same moment. */
  readonly outcome: 'made' | 'finished' | 'found';
  /** The number of the key that seals from now on. */
  readonly number: number;
  readonly cut: boolean;
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** Ids of the slots whose secrets are at hand, and of those that a cut would remove. */
export async function planDataKeyRotation({ repository, secrets, signal }: OfRotation): Promise<{
  readonly proven: readonly string[];
  readonly others: readonly string[];
}> {
  const { proven, others } = await sortSlots({ repository, secrets, ...(signal && { signal }) });
  return { proven: proven.map(({ slot }) => slot.slot), others };
}

/** `cutOff`: the ids that a person agreed to lose; without it the new key is linked to the one before. */
export async function rotateDataKey(
  options: OfRotation & { readonly cutOff?: readonly string[]; readonly now?: () => Date },
): Promise<DataKeyRotation> {
  const { repository, secrets, cutOff, signal } = options;
  await using lock = await takeKeysLock(repository, 'rotation of the data key', signal);
  await takeUpKeys(repository, secrets[0], signal);
  const current = currentKeyNumber(repository.keys);
  const last = await readRingStep(repository.storage, repository.id, repository.keys, current, signal);
  if (last !== undefined && (await unfinished(repository, last, signal))) {
    return { outcome: 'finished', ...(await finish(repository, lock, last, signal)) };
  }
  const number = current + 1;
  if (number > DATA_KEY_NUMBER_MAX) {
    throw new SpillwayError('SPW_USAGE', `there is no data key after ${current}`, {
      hint: 'make a new repository with: spillway init',
    });
  }
  const step = await makeStep(options, number);
  const { grown } = step;
  const object = await sealObject(repository.keys, 'keyRing', ringName(number), [
    Buffer.from(JSON.stringify(step.step)),
  ]);
  await lock.assertHeld();
  await repository.storage.put(ringName(number), [object], signal && { signal });
  // Read back, and believed in place of what was meant to be written.
  const there = await readRingStep(repository.storage, repository.id, repository.keys, number, signal);
  await takeUpKeys(repository, secrets[0], signal);
  if (there !== undefined && isBeginningOf(grown, repository.keys)) {
    return { outcome: 'made', ...(await finish(repository, lock, there, signal)) };
  }
  if (cutOff === undefined && there?.key !== undefined) {
    return { outcome: 'found', number, cut: false, added: [], removed: [] };
  }
  throw new SpillwayError('SPW_LOCK_LOST', 'the data key was not rotated', {
    why: `another process made data key ${number} at the same moment`,
  });
}

/** One at a time changes who can open the repository. */
export const takeKeysLock = (repository: Repository, holder: string, signal?: AbortSignal): Promise<Lock> =>
  takeLock(repository, 'keys', { holder, waitMs: LOCK_WAIT_MS, passing: () => true, ...(signal && { signal }) });

/** The newest ring; throws where it cannot be had, so that nothing is made that holds less than all keys. */
export async function takeUpKeys(repository: Repository, secret?: Secret, signal?: AbortSignal): Promise<void> {
  const { stop } = await repository.refreshKeys(signal, secret);
  if (stop === undefined) return;
  if (stop.cause !== undefined) throw stop.cause;
  throw new SpillwayError('SPW_KEY_ROTATED', 'the key slots were not changed', {
    why: `data key ${stop.number} was made meanwhile, without the secret in use`,
  });
}

/** Whether the repository shows traces of a rotation that was broken off. */
export async function rotationUnfinished(repository: Repository, signal?: AbortSignal): Promise<boolean> {
  const number = currentKeyNumber(repository.keys);
  const last = await readRingStep(repository.storage, repository.id, repository.keys, number, signal);
  return last !== undefined && unfinished(repository, last, signal);
}

async function makeStep(
  options: Parameters<typeof rotateDataKey>[0],
  number: number,
): Promise<{ readonly step: RingStep; readonly grown: KeyRing }> {
  const { repository, cutOff, now = () => new Date() } = options;
  const { proven, others } = await sortSlots(options);
  const added = others.filter((id) => cutOff !== undefined && !cutOff.includes(id));
  if (added.length > 0) {
    throw new SpillwayError('SPW_CONFIRMATION_NEEDED', 'the data key was not rotated', {
      why: `it would cut off key slots of which nobody was asked: ${added.join(', ')}`,
      hint: 'run it again',
    });
  }
  if (cutOff !== undefined && proven.length === 0) {
    throw new SpillwayError('SPW_KEY_SLOT_NEEDED', 'the data key was not rotated', {
      why: 'no secret that was given opens a key slot',
    });
  }
  const key = newDataKey();
  const grown: KeyRing = { dataKeys: [...repository.keys.dataKeys, { number, key }] };
  const at = now().toISOString();
  const slots: KeySlot[] = [];
  for (const { slot, secret } of proven) slots.push(await wrapKeyRing(grown, repository.id, secret, at, slot.label));
  const step: RingStep = {
    number,
    at,
    ...(cutOff === undefined && { key: Buffer.from(key).toString('base64') }),
    slots,
    replaced: [...proven.map(({ slot }) => slot.slot), ...(cutOff === undefined ? [] : others)],
  };
  return { step, grown };
}

async function sortSlots({ repository, secrets, signal }: OfRotation): Promise<{
  readonly proven: readonly { readonly slot: KeySlot; readonly secret: Secret }[];
  readonly others: readonly string[];
}> {
  const proven: { slot: KeySlot; secret: Secret }[] = [];
  const others: string[] = [];
  for await (const { name, slot } of readKeySlots(repository.storage, repository.id, signal)) {
    const secret = typeof slot === 'string' ? undefined : await whichOpens(repository, slot, secrets, signal);
    if (typeof slot === 'string' || secret === undefined) others.push(name.slice(name.lastIndexOf('/') + 1));
    else proven.push({ slot, secret });
  }
  return { proven, others };
}

async function whichOpens(
  { storage, keys }: Repository,
  slot: KeySlot,
  secrets: readonly Secret[],
  signal?: AbortSignal,
): Promise<Secret | undefined> {
  for (const secret of secrets) {
    const opened = await openSlot(storage, slot, secret, signal);
    if (opened !== undefined && isBeginningOf(keys, opened.ring)) return secret;
  }
  return undefined;
}

async function unfinished(repository: Repository, step: RingStep, signal?: AbortSignal): Promise<boolean> {
  for (const id of step.replaced) {
    if ((await repository.storage.stat(keySlotName(id), signal && { signal })) !== undefined) return true;
  }
  return false;
}

async function finish(
  { storage, id: repository }: Repository,
  lock: Lock,
  step: RingStep,
  signal?: AbortSignal,
): Promise<Omit<DataKeyRotation, 'outcome'>> {
  for (const slot of step.slots) {
    await storage.put(keySlotName(slot.slot), [encodeJson(slot)], signal && { signal });
  }
  const there = new Map<string, KeySlot | string>();
  for await (const { name, slot } of readKeySlots(storage, repository, signal)) there.set(name, slot);
  for (const slot of step.slots) {
    const read = there.get(keySlotName(slot.slot));
    if (typeof read === 'object' && read.wrapped === slot.wrapped) continue;
    throw new SpillwayError('SPW_OBJECT_DAMAGED', `the key slot ${slot.slot} was added and is not what was written`, {
      why: typeof read === 'string' ? read : 'what was read back from the repository is something else',
      hint: 'the slots from before are still there; mend the storage, then run spillway key rotate-data again',
    });
  }
  const removed = step.replaced.filter((id) => there.has(keySlotName(id)));
  await lock.assertHeld();
  for (const id of removed) await storage.remove(keySlotName(id), { hide: true, ...(signal && { signal }) });
  return {
    number: step.number,
    cut: step.key === undefined,
    added: step.slots.map(({ slot }) => slot),
    removed,
  };
}
