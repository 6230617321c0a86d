// A copy of a repository is the same repository in another place: the same head, the same keys. Here such a place is made,
// and recognised.
//
// 1. A place is made as a repository is: key slots first, the head last, both byte for byte those of the source. What lies
//    at a new place may only be slots of this repository, which an interrupted copy left.
// 2. A place with the head of another repository is refused, before anything is written.
// 3. The ring objects that the place lacks are brought each time, before anything that a later data key sealed (`ring.ts`).
// 4. Slots that were added at the source since are added later (`slot-difference.ts`); none is ever removed here.
// No secret is needed: the head tells the repository's id and evidence key, and the source's key ring opens all else.

import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { HEAD_NAME, keySlotName, RING } from '../format/names.ts';
import type { Storage, StorageLocation } from '../storage/port.ts';
import { readHead, readKeySlots, Repository } from './repository.ts';
import { copyRing } from './ring.ts';
import { differenceOfSlots } from './slot-difference.ts';

export interface Place {
  readonly repository: Repository;
  /** False where it was to be looked at only, and there is none yet. */
  readonly isThere: boolean;
  readonly made: boolean;
}

/** Throws SPW_REPOSITORY_EXISTS where something else lies there. `only: 'look'` writes nothing. */
export async function preparePlace(
  source: Repository,
  location: StorageLocation,
  options: { readonly only?: 'look'; readonly signal?: AbortSignal } = {},
): Promise<Place> {
  const { signal } = options;
  const own = await readHead(source.storage, signal);
  const repository = new Repository({ id: source.id, location, keys: source.keys });
  const { storage } = repository;
  const refuse = (why: string): never => {
    throw new SpillwayError(
      'SPW_REPOSITORY_EXISTS',
      `${storage.description} is no copy of ${source.storage.description}`,
      {
        why,
        hint: 'name the place of a copy, or an empty one',
      },
    );
  };
  const there = await headOf(storage, signal);
  if (there !== undefined) {
    if (there.repository !== own.repository) refuse(`it holds the repository ${there.repository}`);
    if (there.evidence_public_key !== own.evidence_public_key) refuse('its evidence key is another one');
    if (options.only !== 'look') await copyRing(source.storage, storage, signal);
    return { repository, isThere: true, made: false };
  }
  for await (const { name } of storage.list('', signal && { signal })) {
    if (!name.startsWith('keys/') && !name.startsWith(RING))
      refuse(`it has no ${HEAD_NAME}, and ${name} lies there already`);
  }
  for await (const { name, slot } of readKeySlots(storage, source.id, signal)) {
    if (typeof slot === 'string') refuse(`it has no ${HEAD_NAME}, and ${name} lies there: ${slot}`);
  }
  if (options.only === 'look') return { repository, isThere: false, made: false };
  let slots = 0;
  for await (const { name, slot } of readKeySlots(source.storage, source.id, signal)) {
    if (typeof slot === 'string') continue;
    await storage.put(name, [await source.storage.get(name, signal && { signal })], signal && { signal });
    slots += 1;
  }
  if (slots === 0) {
    throw new SpillwayError('SPW_OBJECT_DAMAGED', `no copy was made at ${storage.description}`, {
      why: `none of the key slots at ${source.storage.description} can be read, and without one nobody could open it`,
    });
  }
  await copyRing(source.storage, storage, signal);
  const head = await source.storage.get(HEAD_NAME, signal && { signal });
  if ((await storage.put(HEAD_NAME, [head], signal && { signal })) === 'exists') {
    return await preparePlace(source, location, options);
  }
  return { repository, isThere: true, made: true };
}

export interface SlotChanges {
  readonly added: readonly string[];
  /** At the source alone, and older than the newest one at the place, or not to be added: revoked there, perhaps. */
  readonly left: readonly string[];
  /** At the place alone: revoked at the source, or added at the place. */
  readonly foreign: readonly string[];
}

/** Adds the slots that came since, or only names them. */
export async function addNewSlots(
  source: Repository,
  target: Repository,
  options: { readonly only?: 'look'; readonly slots?: 'add' | 'name'; readonly signal?: AbortSignal } = {},
): Promise<SlotChanges> {
  const { signal, slots = 'add' } = options;
  const slotsOf = async ({ storage }: Repository): Promise<{ readonly id: string; readonly createdAt: string }[]> => {
    const dated = [];
    for await (const { slot } of readKeySlots(storage, source.id, signal)) {
      if (typeof slot !== 'string') dated.push({ id: slot.slot, createdAt: slot.created_at });
    }
    return dated;
  };
  const changes = differenceOfSlots(await slotsOf(source), await slotsOf(target));
  if (slots === 'name') return { ...changes, added: [], left: [...changes.left, ...changes.added] };
  if (options.only === 'look') return changes;
  for (const id of changes.added) {
    const bytes = await source.storage.get(keySlotName(id), signal && { signal });
    await target.storage.put(keySlotName(id), [bytes], signal && { signal });
  }
  return changes;
}

async function headOf(storage: Storage, signal: AbortSignal | undefined): ReturnType<typeof tryHead> {
  try {
    return await tryHead(storage, signal);
  } catch (error) {
    if (isSpillwayError(error, 'SPW_REPOSITORY_MISSING')) return undefined;
    throw error;
  }
}

const tryHead = async (
  storage: Storage,
  signal: AbortSignal | undefined,
): Promise<Awaited<ReturnType<typeof readHead>> | undefined> => readHead(storage, signal);
