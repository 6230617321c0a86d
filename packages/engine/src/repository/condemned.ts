// Packs that nothing needs any more are condemned long before they are removed, so that whoever is at work can finish.
//
//   condemned/<n>           packs, and since when; n only rises
//   condemned/<n>.holders   who held a lock at a moment when <n> was durable already
//
// 1. A writer takes its lock, then reads the list, and builds on no condemned pack: it stores such chunks again.
// 2. The holders are looked up after the list is durable. So a writer that may build on a condemned pack is among them,
//    and once they have all ended nobody ever will.
// 3. Readers find chunks of condemned packs as before, until the packs are gone.
// Only who holds the lock `collect` writes here.

import { isSpillwayError, type SpillwayError } from '@spillway/contract';
import { CONDEMNED, condemnedHoldersName, condemnedName } from '../format/names.ts';
import { type Holder, listHolders } from './lock.ts';
import type { Repository } from './repository.ts';

/** So many ids take 2 MiB. */
const PACKS_PER_OBJECT_MAX = 50_000;
const READS_MAX = 20;
/** Who holds one of these neither builds on packs nor reads them. */
const UNCONCERNED = /^(collect$|keys$|wal-)/;

export interface Condemned {
  readonly number: number;
  /** By the clock of the host that condemned them. */
  readonly at: string;
  readonly packIds: readonly string[];
}

/**
 * All that is condemned, oldest first. What cannot be read is only named: as long as it is there nothing is removed, so
 * that it need not keep anybody from reading or writing.
 */
export async function listCondemned(
  repository: Repository,
  signal?: AbortSignal,
): Promise<{ readonly condemned: readonly Condemned[]; readonly unreadable: readonly SpillwayError[] }> {
  for (let reads = 1; ; reads++) {
    const condemned: Condemned[] = [];
    const unreadable: SpillwayError[] = [];
    try {
      for await (const { name } of repository.storage.list(CONDEMNED, signal && { signal })) {
        const number = Number(/^\d{12}$/.exec(name.slice(CONDEMNED.length))?.[0] ?? 0);
        if (number === 0) continue;
        try {
          const [frame] = await repository.read('condemned', name, signal);
          condemned.push({ ...(parse(frame) as Omit<Condemned, 'number'>), number });
        } catch (error) {
          if (!isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_REPOSITORY_NEWER', 'SPW_KEY_ROTATED')) throw error;
          unreadable.push(error);
        }
      }
      return { condemned, unreadable };
    } catch (error) {
      // Replaced between list and read: what took its place is found by another list.
      if (!isSpillwayError(error, 'SPW_OBJECT_MISSING') || reads === READS_MAX) throw error;
    }
  }
}

/** Durable when it returns. `number` is the first that may be used; gives the next free one. */
export async function condemn(
  repository: Repository,
  number: number,
  packIds: readonly string[],
  at: string,
  signal?: AbortSignal,
): Promise<number> {
  let next = number;
  for (let from = 0; from < packIds.length; from += PACKS_PER_OBJECT_MAX) {
    const words = { at, packIds: packIds.slice(from, from + PACKS_PER_OBJECT_MAX) };
    const frames = [Buffer.from(JSON.stringify(words))];
    while (
      (await repository.write('condemned', condemnedName(next), frames, signal && { signal })).outcome === 'exists'
    ) {
      next += 1;
    }
    next += 1;
  }
  return next;
}

/** Who was at work after `condemned` was durable: looked up now, where that was not done before. */
export async function holdersSince(
  repository: Repository,
  { number }: Condemned,
  signal?: AbortSignal,
): Promise<readonly Holder[]> {
  const name = condemnedHoldersName(number);
  if ((await repository.storage.stat(name, signal && { signal })) === undefined) {
    const words = Buffer.from(JSON.stringify(await concernedHolders(repository, signal)));
    await repository.write('condemnedHolders', name, [words], signal && { signal });
  }
  const [frame] = await repository.read('condemnedHolders', name, signal);
  return parse(frame) as readonly Holder[];
}

/** Who may write or read packs now. */
export async function concernedHolders(repository: Repository, signal?: AbortSignal): Promise<readonly Holder[]> {
  return (await listHolders(repository, signal)).filter(({ purpose }) => !UNCONCERNED.test(purpose));
}

/** The holders first: a number may be used again, and they must never be taken for those of another list. */
export async function forget(repository: Repository, { number }: Condemned, signal?: AbortSignal): Promise<void> {
  for (const name of [condemnedHoldersName(number), condemnedName(number)]) {
    await repository.storage.remove(name, signal && { signal });
  }
}

const parse = (frame: Uint8Array | undefined): unknown => JSON.parse(Buffer.from(frame ?? []).toString('utf8'));
