// Legal holds: a backup or dump that must stay whatever the retention says, until somebody lets it go again.
//
// 1. A hold is an object that is written once. Letting go is another, which names the holds that end with it: so who held
//    what, when and why stays on record, and clocks that differ between hosts decide nothing.
// 2. Both are sealed like every object: without the key ring nobody makes or alters one.
// 3. An object that cannot be read may be a hold. Whoever would remove a backup must not go on then (`heldByLaw`).

import { randomBytes } from 'node:crypto';
import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { damaged } from '../codec/seal.ts';
import { dumpName, legalHoldName, manifestName } from '../format/names.ts';
import { COLLECT_LOCK } from './collect.ts';
import { LOCK_WAIT_MS, takeLock } from './lock.ts';
import type { Repository } from './repository.ts';

export interface LegalHold {
  /** `20261123T181500123Z-1a2b3c4d`: when, to the millisecond, and eight random hexadecimal digits. */
  readonly id: string;
  readonly action: 'hold' | 'release';
  readonly cluster: string;
  /** The backup or dump. */
  readonly backup: string;
  readonly reason: string;
  /** `user@host`, as the one who wrote it said. */
  readonly by: string;
  readonly at: string;
  /** Ids of the holds that end; of a release alone. */
  readonly ends?: readonly string[];
}

export interface LegalHolds {
  /** Oldest first: all that was ever held and let go. */
  readonly records: readonly LegalHold[];
  /** By backup or dump: holds that nothing has ended. */
  readonly active: ReadonlyMap<string, readonly LegalHold[]>;
  readonly unreadable: readonly { readonly name: string; readonly why: string }[];
}

type Told = Pick<LegalHold, 'cluster' | 'backup' | 'reason' | 'by'>;

/**
 * Durable when it returns. No expiry runs meanwhile, and so the backup is there, and stays: one that planned without this
 * hold has ended before. Throws SPW_BACKUP_UNKNOWN where it took the backup along.
 */
export async function placeLegalHold(
  repository: Repository,
  told: Told,
  options: { readonly now?: Date; readonly signal?: AbortSignal; readonly onWait?: (why: string) => void } = {},
): Promise<LegalHold> {
  const { signal, onWait } = options;
  const { cluster, backup } = told;
  await using lock = await takeLock(repository, COLLECT_LOCK, {
    holder: `legal hold on ${backup}`,
    waitMs: LOCK_WAIT_MS,
    // An expiry ends by itself, however long it takes.
    passing: () => true,
    ...(onWait && { onWait }),
    ...(signal && { signal }),
  });
  const names = [manifestName(cluster, backup), dumpName(cluster, backup)];
  const found = await Promise.all(names.map((name) => repository.storage.stat(name, signal && { signal })));
  if (found.every((each) => each === undefined)) {
    throw new SpillwayError('SPW_BACKUP_UNKNOWN', `backup ${backup} of cluster ${cluster} is not on hold`, {
      why: 'it was removed meanwhile',
    });
  }
  const hold = await write(repository, { ...told, action: 'hold' }, options);
  // Where the lock was lost an expiry may have begun without it.
  await lock.assertHeld();
  return hold;
}

/** Ends all holds on the backup that are there now. Throws SPW_USAGE where there is none. */
export async function releaseLegalHold(
  repository: Repository,
  told: Told,
  options: { readonly now?: Date; readonly signal?: AbortSignal } = {},
): Promise<LegalHold> {
  const { active, unreadable } = await listLegalHolds(repository, told.cluster, options.signal);
  const ends = active.get(told.backup)?.map(({ id }) => id) ?? [];
  if (ends.length === 0) {
    const [broken] = unreadable;
    throw new SpillwayError('SPW_USAGE', `backup ${told.backup} of cluster ${told.cluster} is not on hold`, {
      why:
        broken === undefined ? 'nothing holds it' : `no hold on it can be read; ${broken.name} cannot: ${broken.why}`,
      hint: 'spillway hold list',
    });
  }
  return write(repository, { ...told, action: 'release', ends }, options);
}

export async function listLegalHolds(
  repository: Repository,
  cluster: string,
  signal?: AbortSignal,
): Promise<LegalHolds> {
  const records: LegalHold[] = [];
  const unreadable: { readonly name: string; readonly why: string }[] = [];
  for await (const { name } of repository.storage.list(legalHoldName(cluster, ''), signal && { signal })) {
    try {
      records.push(await read(repository, cluster, name, signal));
    } catch (error) {
      // Gone since it was listed is no better than damaged: nothing ever removes one.
      if (
        !isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING', 'SPW_REPOSITORY_NEWER', 'SPW_KEY_ROTATED')
      ) {
        throw error;
      }
      unreadable.push({ name, why: error.why ?? error.message });
    }
  }
  return { records, active: activeHolds(records), unreadable };
}

/** Pure. By backup: the holds that no release names. */
export function activeHolds(records: readonly LegalHold[]): ReadonlyMap<string, readonly LegalHold[]> {
  const ended = new Set(records.flatMap(({ ends = [] }) => ends));
  return Map.groupBy(
    records.filter(({ id, action }) => action === 'hold' && !ended.has(id)),
    ({ backup }) => backup,
  );
}

/** By backup or dump: why it is held, in a phrase. Throws SPW_OBJECT_DAMAGED where a hold cannot be read. */
export async function heldByLaw(
  repository: Repository,
  cluster: string,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const { active, unreadable } = await listLegalHolds(repository, cluster, signal);
  const [broken] = unreadable;
  if (broken !== undefined) {
    throw new SpillwayError('SPW_OBJECT_DAMAGED', `nothing of cluster ${cluster} may be removed`, {
      why: `${broken.name} cannot be read, and may hold any backup: ${broken.why}`,
      hint: `spillway repair ${broken.name} brings it back from a copy`,
    });
  }
  return new Map([...active].map(([backup, holds]) => [backup, holds.map(({ reason }) => reason).join('; ')]));
}

async function write(
  repository: Repository,
  told: Omit<LegalHold, 'id' | 'at'>,
  { now = new Date(), signal }: { readonly now?: Date; readonly signal?: AbortSignal },
): Promise<LegalHold> {
  const at = now.toISOString();
  const hold: LegalHold = { ...told, id: `${at.replaceAll(/[-:.]/g, '')}-${randomBytes(4).toString('hex')}`, at };
  const name = legalHoldName(hold.cluster, hold.id);
  const { outcome } = await repository.write(
    'legalHold',
    name,
    [Buffer.from(JSON.stringify(hold))],
    signal && { signal },
  );
  if (outcome === 'exists') throw new SpillwayError('SPW_OBJECT_EXISTS', `${name} was not written`);
  return hold;
}

async function read(
  repository: Repository,
  cluster: string,
  name: string,
  signal: AbortSignal | undefined,
): Promise<LegalHold> {
  const [frame] = await repository.read('legalHold', name, signal);
  const hold = JSON.parse(Buffer.from(frame ?? []).toString('utf8')) as LegalHold;
  if (legalHoldName(cluster, hold.id) !== name || hold.cluster !== cluster) {
    throw damaged(name, 'it is not the hold of that name');
  }
  return hold;
}
