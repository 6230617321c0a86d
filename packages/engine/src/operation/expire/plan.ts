// What `expire` will do: reads what there is, lets the policy judge (`policy.ts`, `window.ts`, `wal.ts`), changes nothing.

import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { dumpName, manifestName } from '../../format/names.ts';
import { chooseDump, listDumps } from '../../repository/dump-store.ts';
import { listEvidence, verdicts } from '../../repository/evidence.ts';
import { clusterRead, copyLock, heldBackups } from '../../repository/hold.ts';
import { isAtWork } from '../../repository/holder.ts';
import { readIndex } from '../../repository/index-store.ts';
import { listHolders } from '../../repository/lock.ts';
import { heldByLaw } from '../../repository/legal-hold.ts';
import { chooseById, listManifests } from '../../repository/manifest-store.ts';
import { listNeeds, mark } from '../../repository/mark.ts';
import type { Repository } from '../../repository/repository.ts';
import type { SystemWal } from '../backups.ts';
import type { StoredObject } from '../wal/archive.ts';
import { findBases, type Placed, placed, planBeside, planLineage, readLineages } from './lineages.ts';
import { isPolicy, type Judgement, judgeBackups, judgeDumps, type RetentionPolicy } from './policy.ts';
import { NOTHING_EXPIRES, type WalPlan, type WalRange } from './wal.ts';

export interface ExpiryOptions {
  readonly repository: Repository;
  readonly cluster: string;
  readonly policy: RetentionPolicy;
  /** Instead of what the policy judges: these backups and dumps, by id or the beginning of it. */
  readonly named?: readonly string[];
  readonly now: Date;
  /** Every backup that is there is kept, as when the others have just been removed. */
  readonly keepAll?: boolean;
  /** Reckon what goes of the packs: every manifest is read for it. */
  readonly estimate?: boolean;
  /** Packs of which less than this part is needed are rewritten; 0 for none. */
  readonly repackBelow?: number;
  /** How long to wait to see whether somebody lives. */
  readonly lockWaitMs?: number;
  readonly signal?: AbortSignal;
}

export interface ExpiryPlan {
  readonly cluster: string;
  /** Oldest first. */
  readonly backups: readonly (Judgement & { readonly finished_at: string; readonly bytes: number })[];
  readonly unreadable: readonly { readonly id: string; readonly keep: boolean; readonly why: string }[];
  readonly dumps: readonly (Judgement & { readonly source: string; readonly finished_at: string })[];
  readonly wal: readonly (WalRange & { readonly system_identifier: string })[];
  readonly wal_bytes: number;
  /** Of packs, once they are collected; null where it was not reckoned, or it cannot be known what is needed. */
  readonly pack_bytes: number | null;
  readonly notes: readonly string[];
}

/** A plan with what carrying it out needs. */
export interface PlannedExpiry {
  readonly plan: ExpiryPlan;
  readonly wal: readonly {
    readonly wal: SystemWal;
    readonly plan: WalPlan;
    /** `.backup`, `.partial` and `.gap` files that go with the WAL. */
    readonly beside: readonly StoredObject[];
  }[];
  /** Backups that were read when the plan began. */
  readonly held: ReadonlyMap<string, string>;
}

export async function planExpiry(options: ExpiryOptions): Promise<PlannedExpiry> {
  const { repository, cluster, policy, now, signal } = options;
  const notes: string[] = [];
  const held = await heldBackups(repository, cluster, options);
  // Before anything is listed: a backup that ends in between is in no list, and is at work no more.
  const inUse = await whyWalInUse(options);
  const lineages = await readLineages(options);
  const { heads, unreadable } = await listManifests(repository, cluster, signal);
  const evidence = await listEvidence(repository, cluster, signal);
  const proofs = verdicts(evidence.records);
  for (const { name, why } of evidence.unreadable) notes.push(`${name} proves nothing: ${why}.`);
  const legal = await heldByLaw(repository, cluster, signal);
  const backups = heads.map(({ summary }) =>
    placed(summary, lineages, proofs.get(summary.id), held.get(summary.id), legal.get(summary.id)),
  );
  const dumps = await listDumps(repository, cluster, signal);
  const bases = policy.pointInTimeMs === undefined ? new Set<string>() : findBases(lineages, backups, policy, now);
  const judgedBackups = judgeBackups(backups, policy, bases, now);
  const judgedDumps = judgeDumps(
    dumps.heads.map(({ summary }) => summary),
    policy,
    now,
    legal,
  );
  const named = options.named && new Set(options.named.map((id) => fullId(id, options, backups, dumps, unreadable)));
  refuseLegalHold(cluster, named ?? new Set(), legal);
  // What cannot be read may be what proved the last good backup.
  const proven = backups.filter((each) => each.proven && each.usable).length;
  const unproven = evidence.unreadable.length > 0 && proven < Math.max(1, policy.minimumProven);
  const cautious = (each: Judgement): Judgement =>
    !unproven || each.keep || !backups.some(({ summary }) => summary.id === each.id)
      ? each
      : { ...each, keep: true, reasons: ['evidence cannot be read, and too few backups are proven without it'] };
  const decide = (each: Judgement): Judgement => {
    if (options.keepAll === true) return { ...each, keep: true };
    if (named === undefined) return each;
    const reasons = named.has(each.id)
      ? ['named', ...(each.keep ? each.reasons.map((why) => `though ${why}`) : [])]
      : [];
    return { id: each.id, keep: !named.has(each.id), reasons: named.has(each.id) ? reasons : ['not named'] };
  };
  const decided = judgedBackups.map(cautious).map(decide);
  const decidedDumps = judgedDumps.map(decide);
  if (!isPolicy(policy) && named === undefined) {
    notes.push(`No retention is configured for ${cluster}: everything is kept.`);
  }

  const kept = backups.filter((_, at) => decided[at]?.keep === true);
  const unlisted = [...held].find(([id]) => !backups.some(({ summary }) => summary.id === id));
  const allWal = whyAllWal(policy, unreadable.length, unlisted) ?? inUse;
  if (allWal !== undefined) notes.push(allWal);
  const wal: PlannedExpiry['wal'][number][] = [];
  for (const { wal: system, lineage } of lineages) {
    const walPlan = allWal === undefined ? planLineage(lineage, backups, kept, bases, policy, now) : NOTHING_EXPIRES;
    wal.push({ wal: system, plan: walPlan, beside: await planBeside(system, walPlan, signal) });
  }
  const gone = new Set([
    ...decided.filter(({ keep }) => !keep).map(({ id }) => manifestName(cluster, id)),
    ...decidedDumps.filter(({ keep }) => !keep).map(({ id }) => dumpName(cluster, id)),
    ...(named === undefined ? [] : [...named].map((id) => manifestName(cluster, id))),
  ]);
  return {
    wal,
    held,
    plan: {
      cluster,
      backups: decided.map((each, at) => ({
        ...each,
        finished_at: heads[at]?.summary.finished_at ?? '',
        bytes: heads[at]?.summary.bytes ?? 0,
      })),
      unreadable: [...unreadable, ...dumps.unreadable].map(({ id, error }) => ({
        id,
        keep: named?.has(id) !== true,
        why: error.why ?? error.message,
      })),
      dumps: decidedDumps.map((each, at) => ({
        ...each,
        source: dumps.heads[at]?.summary.source ?? '',
        finished_at: dumps.heads[at]?.summary.finished_at ?? '',
      })),
      wal: wal.flatMap(({ wal: system, plan }) =>
        plan.ranges.map((range) => ({ system_identifier: system.archive.systemIdentifier, ...range })),
      ),
      wal_bytes: wal
        .flatMap(({ plan, beside }) => [...plan.expired, ...beside])
        .reduce((sum, { storedBytes }) => sum + storedBytes, 0),
      pack_bytes: options.estimate === true ? await bytesOfPacks(options, gone, notes) : null,
      notes,
    },
  };
}

/** No word of anybody removes what is on legal hold: it is let go first, which stays on record. */
function refuseLegalHold(cluster: string, named: ReadonlySet<string>, legal: ReadonlyMap<string, string>): void {
  const id = [...named].find((each) => legal.has(each));
  if (id === undefined) return;
  throw new SpillwayError('SPW_BACKUP_NEEDED', `backup ${id} of cluster ${cluster} was not removed`, {
    why: `it is on legal hold: ${legal.get(id)}`,
    hint: `let it go first: spillway hold remove ${id} --reason …`,
  });
}

/** Why no WAL goes, in a sentence, where it is not certain what is needed. */
function whyAllWal(
  policy: RetentionPolicy,
  unreadable: number,
  unlisted: readonly [id: string, host: string] | undefined,
): string | undefined {
  if (!isPolicy(policy)) return 'Without a policy all WAL is kept.';
  if (unreadable > 0) return 'All WAL is kept: a manifest cannot be read, so nobody knows which WAL its backup needs.';
  if (unlisted === undefined) return undefined;
  return `All WAL is kept this time: a restore on ${unlisted[1]} reads backup ${unlisted[0]}, which was removed meanwhile.`;
}

/** Who needs WAL that no listed backup tells of, in a sentence. */
export async function whyWalInUse(
  options: Pick<ExpiryOptions, 'repository' | 'cluster' | 'lockWaitMs' | 'signal'>,
): Promise<string | undefined> {
  const { repository, cluster, signal } = options;
  for (const holder of await listHolders(repository, signal)) {
    const backs = holder.purpose === `backup-${cluster}` || holder.purpose === copyLock(cluster);
    if (!backs && clusterRead(holder.purpose) !== cluster) continue;
    if (!(await isAtWork(repository, holder, options))) continue;
    return backs
      ? 'All WAL is kept this time: a backup is being made or copied, and its WAL is not known yet.'
      : `All WAL is kept this time: the ${holder.holder} on ${holder.host} reads it.`;
  }
  return undefined;
}

function fullId(
  id: string,
  { cluster }: ExpiryOptions,
  backups: readonly Placed[],
  dumps: Awaited<ReturnType<typeof listDumps>>,
  unreadable: readonly { readonly id: string }[],
): string {
  // What cannot be read must be named in full: nothing else is known of it.
  if ([...unreadable, ...dumps.unreadable].some((each) => each.id === id)) return id;
  try {
    return chooseById(
      backups.map(({ summary }) => summary),
      cluster,
      id,
    ).id;
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_BACKUP_UNKNOWN') || id === 'latest') throw error;
    try {
      return chooseDump(
        dumps.heads.map(({ summary }) => summary),
        cluster,
        id,
      ).id;
    } catch {
      throw error;
    }
  }
}

/** Of packs of which nothing or little is needed once these manifests are gone, and of those that wait already. */
async function bytesOfPacks(
  { repository, repackBelow, signal }: ExpiryOptions,
  gone: ReadonlySet<string>,
  notes: string[],
): Promise<number | null> {
  try {
    const needs = await listNeeds(repository, signal);
    const index = await readIndex(repository, signal && { signal });
    const marked = await mark(repository, needs, index, signal, gone);
    return index.packs.reduce((sum, { packBytes }, at) => {
      const live = marked.liveBytes[at] ?? 0;
      return sum + (live === 0 || live / packBytes < (repackBelow ?? 0) ? packBytes - live : 0);
    }, 0);
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING', 'SPW_REPOSITORY_NEWER', 'SPW_KEY_ROTATED'))
      throw error;
    notes.push(`No packs will be collected: ${error.why ?? error.message}.`);
    return null;
  }
}
