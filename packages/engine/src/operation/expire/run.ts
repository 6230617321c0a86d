// `expire`: lets go of what no rule keeps, and collects the space.
//
//   1  take the repository's lock `collect`; plan (`plan.ts`)
//   2  put on record what goes, then remove the manifests of expired backups and dumps, each durably: from here on they are gone
//   3  plan again from what is there now, look once more who reads what, write down up to where WAL goes, remove it
//   4  collect packs (`repository/collect.ts`) and what killed writers left of files
//
// Invariant: nothing is removed that something listed still needs; broken off anywhere, the next run goes on.

import { isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import { dumpName, manifestName, packName } from '../../format/names.ts';
import { writeEvidence } from '../../repository/evidence.ts';
import { COLLECT_LOCK, type Collected, collect } from '../../repository/collect.ts';
import { heldBackups } from '../../repository/hold.ts';
import { readIndex } from '../../repository/index-store.ts';
import { type Lock, LOCK_WAIT_MS, takeLock } from '../../repository/lock.ts';
import { listNeeds, mark } from '../../repository/mark.ts';
import type { Repository } from '../../repository/repository.ts';
import { extendLocks, lastingNames } from '../../repository/retention.ts';
import { removeRemains } from '../../storage/remains.ts';
import { type ExpiryOptions, type ExpiryPlan, planExpiry, whyWalInUse } from './plan.ts';
import { isPolicy } from './policy.ts';
import { writeExpired } from './record.ts';
import { removeSuperseded } from './superseded.ts';

const REMOVED_BETWEEN_LOOKS = 256;
const DAY_MS = 86_400_000;

export interface ExpireOptions extends Omit<ExpiryOptions, 'now' | 'estimate'> {
  readonly now?: () => Date;
  /** Only these may go: what a person saw and agreed to. */
  readonly agreed?: ReadonlySet<string>;
  /** Removes what was named though it is the newest, the last proven one, or needed for the point-in-time window. */
  readonly force?: boolean;
  readonly graceMs: number;
  readonly repackBelow: number;
  readonly repackBytesMax: number;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface ExpireSummary {
  readonly plan: ExpiryPlan;
  readonly removed_backups: readonly string[];
  readonly removed_dumps: readonly string[];
  readonly removed_wal_objects: number;
  readonly removed_wal_bytes: number;
  readonly removed_remains: number;
  /** What nothing keeps any more but a lock of the store: later runs remove it. */
  readonly retained_backups: readonly string[];
  readonly retained_wal_objects: number;
  /** When the last of these locks ends. */
  readonly retained_until: string | null;
  /** Null where nothing was collected: see `not_collected`. */
  readonly collected: Collected | null;
  readonly not_collected: string | null;
}

export async function expire(options: ExpireOptions): Promise<ExpireSummary> {
  const { repository, cluster, report } = options;
  const now = options.now ?? (() => new Date());
  await using lock = await takeLock(repository, COLLECT_LOCK, {
    holder: `expiry of cluster ${cluster}`,
    waitMs: options.lockWaitMs ?? LOCK_WAIT_MS,
    signal: options.signal,
    onWait: (why) =>
      report({ type: 'notice', level: 'info', message: `Waiting to see whether the holder lives: ${why}.` }),
  });
  const signal = AbortSignal.any([options.signal, lock.lost]);
  report({ type: 'progress', phase: 'looking at what is kept', done_bytes: 0 });
  const { plan } = await planExpiry({ ...options, now: now(), signal });
  const gone = namesGone(plan);
  refuse(plan, options);
  await recordExpiry(options, gone, now(), signal);
  const retained = new Map<string, Date>();
  for (const { name, id } of gone) {
    // Each time: somebody who slept must not go on with a plan that is old.
    await lock.assertHeld();
    const until = await removeUnlessLocked(repository, name, signal);
    if (until !== undefined) retained.set(id, until);
    else report({ type: 'notice', level: 'info', message: `Removed ${id}.` });
  }
  await removeSuperseded(repository, cluster, signal);
  const wal = await expireWal(options, lock, plan, now(), signal);
  const packs = await collectPacks(options, lock, now, signal);
  await lockWhatStays(repository, now(), signal);
  const removed = gone.filter(({ id }) => !retained.has(id));
  const lastLock = Math.max(0, wal.retainedUntil, ...[...retained.values()].map((until) => until.getTime()));
  return {
    plan,
    removed_backups: removed.filter(({ kind }) => kind === 'backup').map(({ id }) => id),
    removed_dumps: removed.filter(({ kind }) => kind === 'dump').map(({ id }) => id),
    retained_backups: [...retained.keys()],
    retained_wal_objects: wal.retained,
    retained_until: lastLock === 0 ? null : new Date(lastLock).toISOString(),
    removed_wal_objects: wal.objects,
    removed_wal_bytes: wal.bytes,
    removed_remains: await removeRemains(repository.location, DAY_MS),
    ...packs,
  };
}

/** Before anything goes: a backup that is gone and stands in no such record was lost (`verify/lost.ts`). */
async function recordExpiry(
  { repository, cluster, named }: ExpireOptions,
  gone: ReturnType<typeof namesGone>,
  now: Date,
  signal: AbortSignal,
): Promise<void> {
  if (gone.length === 0) return;
  const at = now.toISOString();
  const details = { expired: [...new Set(gone.map(({ id }) => id))], by: named === undefined ? 'policy' : 'name' };
  await writeEvidence(
    repository,
    {
      kind: 'expiry',
      cluster,
      backup: null,
      level: 'structure',
      result: 'passed',
      started_at: at,
      finished_at: at,
      details,
    },
    signal,
  );
}

/** Until when it is locked; undefined where it is gone. */
async function removeUnlessLocked(
  { storage }: Repository,
  name: string,
  signal: AbortSignal,
): Promise<Date | undefined> {
  const until = await storage.lock?.until(name, { signal });
  if (until === undefined) await storage.remove(name, { signal });
  return until;
}

/** In a store that locks: what is left now is needed, packs by what is listed. */
async function lockWhatStays(repository: Repository, now: Date, signal: AbortSignal): Promise<void> {
  if (repository.storage.lock === undefined) return;
  const needs = await listNeeds(repository, signal);
  const index = await readIndex(repository, { signal });
  const { liveChunks } = await mark(repository, needs, index, signal);
  const packs = index.packs.filter((_, at) => (liveChunks[at] ?? 0) > 0).map(({ packId }) => packName(packId));
  const others = (await lastingNames(repository, '', signal)).filter((name) => !name.startsWith('packs/'));
  await extendLocks(repository, [...packs, ...others], { now, signal });
}

/** What the plan lets go, as objects. */
export function namesGone(
  plan: ExpiryPlan,
): readonly { readonly id: string; readonly name: string; readonly kind: 'backup' | 'dump' }[] {
  const { cluster, backups, dumps, unreadable } = plan;
  const of = (kind: 'backup' | 'dump', id: string) => ({
    id,
    kind,
    name: kind === 'backup' ? manifestName(cluster, id) : dumpName(cluster, id),
  });
  return [
    ...backups.filter(({ keep }) => !keep).map(({ id }) => of('backup', id)),
    ...dumps.filter(({ keep }) => !keep).map(({ id }) => of('dump', id)),
    // Which it was is not known any more; ids are never shared.
    ...unreadable.filter(({ keep }) => !keep).flatMap(({ id }) => [of('backup', id), of('dump', id)]),
  ];
}

function refuse(plan: ExpiryPlan, { named, force, agreed, cluster }: ExpireOptions): void {
  const { backups } = plan;
  const going = backups.filter(({ keep }) => !keep);
  const held = going.find(({ reasons }) => reasons.some((why) => why.startsWith('though in use')));
  const needed = going.find(({ reasons }) => reasons.some((why) => why.startsWith('though')));
  const stranger = namesGone(plan).find(({ id }) => agreed?.has(id) === false);
  const say = (id: string, why: string, hint: string, kind = 'backup'): SpillwayError =>
    new SpillwayError('SPW_BACKUP_NEEDED', `${kind} ${id} of cluster ${cluster} was not removed`, { why, hint });
  if (held !== undefined) throw say(held.id, reasonsOf(held.reasons), 'wait until the restore is done');
  if (needed !== undefined && named !== undefined && force !== true) {
    throw say(needed.id, reasonsOf(needed.reasons), 'confirm it by name to remove it all the same');
  }
  if (stranger !== undefined) {
    const why = 'it has expired since the plan was shown';
    throw say(stranger.id, why, 'run the command again to see the new plan', stranger.kind);
  }
  if (named === undefined && backups.length > 0 && going.length === backups.length) {
    throw new SpillwayError('SPW_INTERNAL', `no backup of cluster ${cluster} would be left`);
  }
}

/** `named, though newest, though last proven` as people say it. */
const reasonsOf = (reasons: readonly string[]): string =>
  `it is ${reasons
    .filter((why) => why.startsWith('though '))
    .map((why) => why.slice('though '.length))
    .join(', ')}`;

/** From what is there now: a restore may have begun, and a backup may have ended, since the first plan. */
async function expireWal(
  options: ExpireOptions,
  lock: Lock,
  first: ExpiryPlan,
  now: Date,
  signal: AbortSignal,
): Promise<{
  readonly objects: number;
  readonly bytes: number;
  readonly retained: number;
  /** Milliseconds; 0 for none. */
  readonly retainedUntil: number;
}> {
  const { repository, report } = options;
  let [objects, bytes, retained, retainedUntil] = [0, 0, 0, 0];
  if (!isPolicy(options.policy)) return { objects, bytes, retained, retainedUntil };
  const { named: _, ...policyOnly } = options;
  const { plan: later, wal, held } = await planExpiry({ ...policyOnly, keepAll: true, now, signal });
  const going = wal.filter(({ plan, beside }) => plan.expired.length > 0 || beside.length > 0);
  const notice = (message: string): void => report({ type: 'notice', level: 'warning', message });
  for (const note of later.notes) {
    if (note.startsWith('All WAL is kept this time') && !first.notes.includes(note)) notice(note);
  }
  for (const { wal: system, plan } of going) {
    await lock.assertHeld();
    await writeExpired(repository, options.cluster, system.archive.systemIdentifier, plan.upTo, signal);
  }
  // Who comes from here on finds what was written down; who came before is seen now.
  const why = going.length === 0 ? undefined : await whyNotNow({ ...options, signal }, held);
  if (why !== undefined) {
    notice(why);
    return { objects, bytes, retained, retainedUntil };
  }
  for (const { plan, beside } of going) {
    // What tells of WAL goes after it.
    for (const { name, storedBytes } of [...plan.expired, ...beside]) {
      if (objects % REMOVED_BETWEEN_LOOKS === 0) {
        await lock.assertHeld();
        report({ type: 'progress', phase: 'removing WAL', done_bytes: bytes });
      }
      const until = await removeUnlessLocked(repository, name, signal);
      if (until === undefined) {
        objects += 1;
        bytes += storedBytes;
      } else {
        retained += 1;
        retainedUntil = Math.max(retainedUntil, until.getTime());
      }
    }
  }
  return { objects, bytes, retained, retainedUntil };
}

/** What began since the plan, in a sentence. */
async function whyNotNow(options: ExpireOptions, before: ReadonlyMap<string, string>): Promise<string | undefined> {
  for (const [id, host] of await heldBackups(options.repository, options.cluster, options)) {
    if (!before.has(id)) return `All WAL is kept this time: a restore of backup ${id} began on ${host} meanwhile.`;
  }
  return whyWalInUse(options);
}

/** What cannot be read keeps all packs, and is told; what has expired by then has expired. */
async function collectPacks(
  options: ExpireOptions,
  lock: Lock,
  now: () => Date,
  signal: AbortSignal,
): Promise<Pick<ExpireSummary, 'collected' | 'not_collected'>> {
  try {
    return { collected: await collect({ ...options, lock, now, signal }), not_collected: null };
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING', 'SPW_REPOSITORY_NEWER', 'SPW_KEY_ROTATED'))
      throw error;
    options.report({
      type: 'notice',
      level: 'warning',
      message: `No packs were collected: ${error.why ?? error.message}.${error.hint === undefined ? '' : ` Next: ${error.hint}.`}`,
    });
    return { collected: null, not_collected: error.why ?? error.message };
  }
}
