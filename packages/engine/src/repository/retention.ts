// Keeping what is needed locked, in a store that locks its objects.
//
// 1. New objects are locked when they are put. What is needed longer than that has its lock extended: by each backup for the
//    packs that it builds upon, by each expiry for all that stays.
// 2. A lock is given for longer than is promised, and extended only when less than the promise is left: so an object costs
//    one request in a quarter of that time, and not one with every backup.
// 3. Until when each is locked is noted in one object of the place (`retained/`), so that the store need not be asked.
//    Without it, or where it cannot be read, the store is asked again: it is a memory, and nothing rests on it.

import { isSpillwayError } from '@spillway/contract';
import { isLasting, RETAINED, retainedName } from '../format/names.ts';
import { removeIfPermitted } from '../storage/permitted.ts';
import type { ObjectName } from '../storage/port.ts';
import type { Repository } from './repository.ts';

const REQUESTS_AT_ONCE = 8;

export interface Extended {
  /** Objects that are to stay locked. */
  readonly needed: number;
  /** Of these, those of which the store was asked. */
  readonly asked: number;
  readonly extended: number;
}

/** Nothing where the store locks nothing. `fresh`: names that were put since `now`. */
export async function extendLocks(
  repository: Repository,
  names: Iterable<ObjectName>,
  options: { readonly now: Date; readonly fresh?: ReadonlySet<ObjectName>; readonly signal?: AbortSignal },
): Promise<Extended> {
  const { lock } = repository.storage;
  if (lock === undefined) return { needed: 0, asked: 0, extended: 0 };
  const { now, fresh = new Set(), signal } = options;
  const noted = await readNoted(repository, signal);
  const promised = now.getTime() + lock.forMs;
  const granted = now.getTime() + lock.putForMs;
  const until = new Map<ObjectName, number>();
  const due: ObjectName[] = [];
  let needed = 0;
  for (const name of new Set(names)) {
    if (!isLasting(name)) continue;
    needed += 1;
    const known = fresh.has(name) ? granted : (noted.until.get(name) ?? 0);
    until.set(name, known);
    if (known < promised) due.push(name);
  }
  let extended = 0;
  const queue = due[Symbol.iterator]();
  const some = async (): Promise<void> => {
    for (const name of queue) {
      const there = (await lock.until(name, signal && { signal }))?.getTime() ?? 0;
      until.set(name, there);
      if (there >= promised) continue;
      try {
        await lock.extend(name, new Date(granted), signal && { signal });
      } catch (error) {
        // Removed since it was listed.
        if (!isSpillwayError(error, 'SPW_OBJECT_MISSING')) throw error;
        until.delete(name);
        continue;
      }
      until.set(name, granted);
      extended += 1;
    }
  };
  await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, some));
  if (due.length > 0) await note(repository, noted, until, now, signal);
  return { needed, asked: due.length, extended };
}

/** What everybody needs who opens the repository or finds a cluster in it, beside packs. */
export async function lastingNames(
  repository: Repository,
  prefix: string,
  signal?: AbortSignal,
): Promise<ObjectName[]> {
  const names: ObjectName[] = [];
  for await (const { name } of repository.storage.list(prefix, signal && { signal })) {
    if (isLasting(name)) names.push(name);
  }
  return names;
}

interface Noted {
  readonly until: ReadonlyMap<ObjectName, number>;
  readonly objects: readonly ObjectName[];
  readonly next: number;
}

async function readNoted(repository: Repository, signal: AbortSignal | undefined): Promise<Noted> {
  const objects: ObjectName[] = [];
  for await (const { name } of repository.storage.list(RETAINED, signal && { signal })) objects.push(name);
  const newest = objects.at(-1);
  const next = Number(newest?.slice(RETAINED.length) ?? 0) + 1;
  if (newest === undefined) return { until: new Map(), objects, next };
  try {
    const [frame] = await repository.read('retained', newest, signal);
    const entries = JSON.parse(Buffer.from(frame ?? []).toString('utf8')) as Readonly<Record<ObjectName, number>>;
    return { until: new Map(Object.entries(entries)), objects, next };
  } catch (error) {
    if (
      !isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING', 'SPW_REPOSITORY_NEWER', 'SPW_KEY_ROTATED')
    ) {
      throw error;
    }
    return { until: new Map(), objects, next };
  }
}

/** The new note is there before the old ones go. Of two writers at once one wins, and the other's is asked for again. */
async function note(
  repository: Repository,
  before: Noted,
  until: ReadonlyMap<ObjectName, number>,
  now: Date,
  signal: AbortSignal | undefined,
): Promise<void> {
  const merged = Object.fromEntries([...before.until, ...until].filter(([, at]) => at > now.getTime()));
  const bytes = Buffer.from(JSON.stringify(merged));
  const { outcome } = await repository.write('retained', retainedName(before.next), [bytes], signal && { signal });
  if (outcome === 'exists') return;
  for (const name of before.objects) await removeIfPermitted(repository.storage, name, signal && { signal });
}
