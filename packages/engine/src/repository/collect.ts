// Collection: removing packs that nothing needs, beside running backups and other hosts.
//
//   1  ripe are condemned packs whose grace has passed, and whose holders (`condemned.ts`) have all ended by now
//   2  mark what is needed (`mark.ts`), now that no manifest that builds on ripe packs can come any more
//   3  sweep the ripe packs that are still not needed: index objects without them, the old ones away, then the packs
//   4  forget the lists of which nothing is left; packs that are needed again are left out of their lists
//   5  repack packs of which little is needed (`repack.ts`)
//   6  condemn what nothing needs, what was repacked, and, while nobody is at work, packs that no index names
// Where the grace is nothing and nobody is at work the whole is done twice, so that all goes in one run.
//
// Invariant: a pack is removed only when it was condemned while nothing needed it, everybody who may have known it then
// has ended, and nothing needs it now. A step that was broken off is seen by the next run in the same places.

import { type Report, SpillwayError } from '@spillway/contract';
import { INDEX, packName } from '../format/names.ts';
import { type Condemned, concernedHolders, condemn, forget, holdersSince, listCondemned } from './condemned.ts';
import { readIndex, readIndexObject, type RepositoryIndex, writeIndex } from './index-store.ts';
import { isAtWork } from './holder.ts';
import type { Lock } from './lock.ts';
import { listNeeds, type Marked, mark } from './mark.ts';
import { repack } from './repack.ts';
import type { Repository } from './repository.ts';

export const COLLECT_LOCK = 'collect';
const REMOVED_BETWEEN_LOOKS = 64;

export interface CollectOptions {
  readonly repository: Repository;
  /** The lock `collect`, held. */
  readonly lock: Lock;
  readonly now: () => Date;
  /** How long packs stay condemned at least. */
  readonly graceMs: number;
  /** Packs of which less than this part is needed are repacked; 0 for none. */
  readonly repackBelow: number;
  /** At most so many bytes of old packs in one run. */
  readonly repackBytesMax: number;
  /** How long to wait to see whether somebody lives. */
  readonly lockWaitMs?: number;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface Collected {
  readonly packs_removed: number;
  readonly bytes_removed: number;
  readonly packs_rescued: number;
  readonly packs_repacked: number;
  /** Condemned and not removed yet. */
  readonly packs_waiting: number;
  readonly bytes_waiting: number;
  /** Why they wait, in phrases. */
  readonly waiting_for: readonly string[];
  /** Of those that wait: what the store has locked. */
  readonly packs_retained: number;
  /** When the last of these locks ends. */
  readonly retained_until: string | null;
}

/** Throws, having removed nothing, where it cannot be known what is needed. */
export async function collect(options: CollectOptions): Promise<Collected> {
  const first = await pass(options, options.repackBytesMax);
  if (first.packs_waiting === 0 || options.graceMs > 0) return first;
  const second = await pass(options, 0);
  return {
    ...second,
    packs_removed: first.packs_removed + second.packs_removed,
    bytes_removed: first.bytes_removed + second.bytes_removed,
    packs_rescued: first.packs_rescued + second.packs_rescued,
    packs_repacked: first.packs_repacked,
  };
}

async function pass(options: CollectOptions, repackBytesMax: number): Promise<Collected> {
  const { repository, lock, signal, report } = options;
  const { condemned, unreadable } = await listCondemned(repository, signal);
  const [broken] = unreadable;
  if (broken !== undefined) {
    throw new SpillwayError(broken.code, 'no packs were collected', {
      why: broken.why ?? broken.message,
      hint:
        broken.code === 'SPW_KEY_ROTATED'
          ? broken.hint
          : 'remove that object: it only lists packs to be removed, and those that nothing needs are listed again',
      cause: broken,
    });
  }
  const waits = new Set<string>();
  const ripe = new Set<string>();
  for (const each of condemned) {
    const why = await whyNotRipe(options, each);
    if (why === undefined) for (const packId of each.packIds) ripe.add(packId);
    else waits.add(why);
  }

  report({ type: 'progress', phase: 'looking at what is needed', done_bytes: 0 });
  const needs = await listNeeds(repository, signal);
  const index = await readIndex(repository, { signal });
  refuseDamage(index);
  const marked = await mark(repository, needs, index, signal);
  const sizes = new Map([
    ...index.packs.map(({ packId, packBytes }): [string, number] => [packId, packBytes]),
    ...index.unnamedPacks.map(({ packId, bytes }): [string, number] => [packId, bytes]),
  ]);
  const needed = new Set(
    index.packs.filter((_, number) => (marked.liveChunks[number] ?? 0) > 0).map(({ packId }) => packId),
  );

  const dying = [...ripe].filter((packId) => !needed.has(packId) && sizes.has(packId));
  const retained = await retainedAmong(repository, dying, signal);
  for (const packId of retained.keys()) ripe.delete(packId);
  const lastLock = [...retained.values()].reduce((last, at) => (at > last ? at : last), '');
  if (retained.size > 0) waits.add(`locks on ${retained.size} packs, the last until ${lastLock}`);
  const swept = dying.filter((packId) => !retained.has(packId));
  await sweep(options, new Set(swept));
  const next = await settleLists(options, condemned, needed, new Set([...sizes.keys()].filter((id) => !ripe.has(id))));

  const listed = new Set(condemned.flatMap(({ packIds }) => packIds));
  const dead = index.packs.map(({ packId }) => packId).filter((id) => !needed.has(id) && !listed.has(id));
  const moved = await repackSome(options, index, marked, listed, repackBytesMax);
  const unnamed = index.unnamedPacks.map(({ packId }) => packId).filter((packId) => !listed.has(packId));
  // Those of a running backup would only have to be rescued.
  const idle = unnamed.length > 0 && (await concernedHolders(repository, signal)).length === 0;
  const news = [...dead, ...moved, ...(idle ? unnamed : [])];
  if (news.length > 0) {
    await lock.assertHeld();
    await condemn(repository, next, news, options.now().toISOString(), signal);
    for (const each of (await listCondemned(repository, signal)).condemned.filter(({ number }) => number >= next)) {
      const why = await whyNotRipe(options, each);
      if (why !== undefined) waits.add(why);
    }
  }
  const waiting = [...listed, ...news].filter(
    (id) => sizes.has(id) && !ripe.has(id) && !(listed.has(id) && needed.has(id)),
  );
  return {
    packs_removed: swept.length,
    bytes_removed: sum(swept, sizes),
    packs_rescued: [...listed].filter((packId) => needed.has(packId)).length,
    packs_repacked: moved.length,
    packs_waiting: waiting.length,
    bytes_waiting: sum(waiting, sizes),
    waiting_for: waiting.length === 0 ? [] : [...waits],
    packs_retained: retained.size,
    retained_until: lastLock === '' ? null : lastLock,
  };
}

/** Until when each of them is locked; those that may be removed are not in it. */
async function retainedAmong(
  { storage }: Repository,
  packIds: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const retained = new Map<string, string>();
  if (storage.lock === undefined) return retained;
  for (const packId of packIds) {
    const until = await storage.lock.until(packName(packId), { signal });
    if (until !== undefined) retained.set(packId, until.toISOString());
  }
  return retained;
}

/** Damage can look like something that nobody needs. */
function refuseDamage(index: RepositoryIndex): void {
  const [name] = [...index.damagedIndexes, ...index.damagedPacks.map(packName)];
  if (name === undefined) return;
  throw new SpillwayError('SPW_OBJECT_DAMAGED', 'no packs were collected', {
    why: `${name} is missing or damaged, and what it held may be needed`,
    hint: 'run spillway check, and mend the repository first',
  });
}

/** Undefined where they may be removed if nothing needs them; else what that waits for, in a phrase. */
async function whyNotRipe(options: CollectOptions, condemned: Condemned): Promise<string | undefined> {
  const { repository, signal } = options;
  const holders = await holdersSince(repository, condemned, signal);
  const until = Date.parse(condemned.at) + options.graceMs;
  if (options.now().getTime() < until) return `the grace period, which ends ${new Date(until).toISOString()}`;
  for (const holder of holders) {
    if (await isAtWork(repository, holder, options)) {
      return `the ${holder.holder} on ${holder.host}, which was running already`;
    }
  }
  return undefined;
}

/** Removes packs, and before that whatever names them, so that no reader is ever sent to a pack that is gone. */
async function sweep(
  { repository, lock, signal, report }: CollectOptions,
  packIds: ReadonlySet<string>,
): Promise<void> {
  if (packIds.size === 0) return;
  const replaced: string[] = [];
  const kept = new Map<string, Awaited<ReturnType<typeof readIndexObject>>[number]>();
  for await (const { name } of repository.storage.list(INDEX, { signal })) {
    const directories = await readIndexObject(repository, name, signal);
    if (!directories.some(({ packId }) => packIds.has(packId))) continue;
    replaced.push(name);
    for (const directory of directories) if (!packIds.has(directory.packId)) kept.set(directory.packId, directory);
  }
  await lock.assertHeld();
  await writeIndex(repository, [...kept.values()], signal);
  for (const name of replaced) await repository.storage.remove(name, { signal });
  let removed = 0;
  for (const packId of packIds) {
    if (removed % REMOVED_BETWEEN_LOOKS === 0) {
      await lock.assertHeld();
      report({
        type: 'progress',
        phase: 'removing packs',
        done_bytes: removed,
        detail: `${removed} of ${packIds.size}`,
      });
    }
    await repository.storage.remove(packName(packId), { signal });
    removed += 1;
  }
}

/** Leaves in the lists what still waits; gives the next free number. What takes a list's place is there before it goes. */
async function settleLists(
  { repository, lock, signal }: CollectOptions,
  condemned: readonly Condemned[],
  needed: ReadonlySet<string>,
  there: ReadonlySet<string>,
): Promise<number> {
  let next = (condemned.at(-1)?.number ?? 0) + 1;
  for (const each of condemned) {
    const left = each.packIds.filter((packId) => there.has(packId) && !needed.has(packId));
    if (left.length === each.packIds.length) continue;
    await lock.assertHeld();
    next = await condemn(repository, next, left, each.at, signal);
    await forget(repository, each, signal);
  }
  return next;
}

/** Those of which the smallest part is needed first, as far as the bound goes. */
async function repackSome(
  options: CollectOptions,
  index: RepositoryIndex,
  marked: Marked,
  listed: ReadonlySet<string>,
  bytesMax: number,
): Promise<readonly string[]> {
  const { repository, repackBelow, signal, report } = options;
  const part = (number: number): number => (marked.liveBytes[number] ?? 0) / (index.packs[number]?.packBytes ?? 1);
  const keyNumber = (number: number): number => index.packs[number]?.dataKeyNumber ?? 0;
  const sparse = [...index.packs.keys()]
    .filter((number) => part(number) > 0 && part(number) < repackBelow)
    .filter((number) => !listed.has(index.packs[number]?.packId ?? ''))
    // Where all is to be rewritten it is for the sake of the key, and a bound must not keep the oldest ones for ever.
    .toSorted((a, b) => (repackBelow < 1 ? 0 : keyNumber(a) - keyNumber(b)) || part(a) - part(b));
  let left = bytesMax;
  const chosen: number[] = [];
  for (const number of sparse) {
    left -= index.packs[number]?.packBytes ?? 0;
    if (left < 0) break;
    chosen.push(number);
  }
  if (chosen.length === 0) return [];
  await options.lock.assertHeld();
  report({ type: 'progress', phase: 'repacking', done_bytes: 0, detail: `${chosen.length} packs` });
  return (await repack(repository, index, marked, chosen, signal)).packIds;
}

const sum = (packIds: readonly string[], sizes: ReadonlyMap<string, number>): number =>
  packIds.reduce((total, packId) => total + (sizes.get(packId) ?? 0), 0);
