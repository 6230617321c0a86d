// `storage tier`: moves packs to a class for what is seldom read, some days after they were stored, where that pays.
//
// S3's own rules move nothing to STANDARD_IA before thirty days, and know nothing of what is needed. Here:
//
//   1  of each cluster the newest backup says what will be needed for as long as backups are kept: `keep_days` more at least.
//      What only older ones need goes sooner, and stays where it is
//   2  of these packs, those that are old enough and pay (`pays.ts`) are moved: the server copies each onto itself
//   3  under the lock `collect`, so that no pack comes back that is removed meanwhile

import { type Report, SpillwayError } from '@spillway/contract';
import { packName } from '../../format/names.ts';
import { COLLECT_LOCK } from '../../repository/collect.ts';
import { readIndex } from '../../repository/index-store.ts';
import { LOCK_WAIT_MS, takeLock } from '../../repository/lock.ts';
import { listNeeds, mark } from '../../repository/mark.ts';
import type { Repository } from '../../repository/repository.ts';
import { type TierPrices, tierCost } from './pays.ts';

const DAY_MS = 86_400_000;
const MOVED_BETWEEN_LOOKS = 64;

export interface TierOptions {
  readonly repository: Repository;
  /** By cluster: for how many days a backup is kept at least. */
  readonly keepDays: ReadonlyMap<string, number>;
  readonly afterMs: number;
  readonly storageClass: string;
  readonly readsPerMonth: number;
  readonly prices: TierPrices;
  readonly dryRun: boolean;
  readonly now: Date;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export const tierGroups = ['moved', 'there', 'young', 'passing', 'does-not-pay'] as const;
/**
 * `moved`: would be, with --dry-run. `there`: in that class, or another that was chosen. `young`: not old enough.
 * `passing`: the newest backups do not need it.
 */
export type TierGroup = (typeof tierGroups)[number];

export interface TierSummary {
  readonly place: string;
  readonly dry_run: boolean;
  readonly storage_class: string;
  readonly groups: readonly {
    readonly group: TierGroup;
    readonly packs: number;
    readonly bytes: number;
    /** Where they are, and where they would be moved, for as long as it is sure that they are needed. */
    readonly stay_usd: number;
    readonly move_usd: number;
  }[];
  readonly duration_seconds: number;
}

/** Throws SPW_USAGE where the store has no classes, or an object lock would keep what was moved where it was, too. */
export async function tier(options: TierOptions): Promise<TierSummary> {
  const began = performance.now();
  const { repository, storageClass, dryRun, signal, report } = options;
  const { classes } = repository.storage;
  if (classes === undefined) {
    throw new SpillwayError('SPW_USAGE', `nothing is moved at ${repository.storage.description}`, {
      why: 'it is no bucket, or its objects are locked: what is moved would be paid twice until its lock ends',
      hint: 'set repository.s3.storage_class.packs, so that new packs are put where they should be at once',
    });
  }
  await using lock = dryRun
    ? undefined
    : await takeLock(repository, COLLECT_LOCK, {
        holder: 'move of packs to another storage class',
        waitMs: LOCK_WAIT_MS,
        passing: () => true,
        signal,
      });
  const days = await daysNeeded(options);
  const totals = new Map(tierGroups.map((group) => [group, { packs: 0, bytes: 0, stay_usd: 0, move_usd: 0 }]));
  let moved = 0;
  for await (const { name, bytes, at, storageClass: now } of classes.list('packs/', { signal })) {
    const stay = { bytes, days: days.get(name) ?? 0, readsPerMonth: options.readsPerMonth };
    const { stayUsd, moveUsd } = tierCost(stay, options.prices);
    const group = ((): TierGroup => {
      if (now !== 'STANDARD') return 'there';
      if (options.now.getTime() - at.getTime() < options.afterMs) return 'young';
      if (stay.days === 0) return 'passing';
      return moveUsd < stayUsd ? 'moved' : 'does-not-pay';
    })();
    if (group === 'moved' && !dryRun) {
      if (moved % MOVED_BETWEEN_LOOKS === 0) await lock?.assertHeld();
      report({ type: 'progress', phase: 'moving packs', done_bytes: totals.get('moved')?.bytes ?? 0 });
      await classes.move(name, storageClass, { signal });
      moved += 1;
    }
    const total = totals.get(group);
    if (total === undefined) continue;
    total.packs += 1;
    total.bytes += bytes;
    total.stay_usd += stayUsd;
    total.move_usd += moveUsd;
  }
  return {
    place: repository.storage.description,
    dry_run: dryRun,
    storage_class: storageClass,
    groups: [...totals].map(([group, total]) => ({ group, ...total })),
    duration_seconds: (performance.now() - began) / 1000,
  };
}

/** By name of a pack that the newest backup of a cluster needs. */
async function daysNeeded({ repository, keepDays, signal }: TierOptions): Promise<ReadonlyMap<string, number>> {
  const needs = await listNeeds(repository, signal);
  const index = await readIndex(repository, { signal });
  const days = new Map<string, number>();
  for (const [cluster, kept] of keepDays) {
    // Ids begin with the time.
    const newest = needs
      .filter((each) => each.cluster === cluster && each.kind === 'backup')
      .reduce<(typeof needs)[number] | undefined>((last, each) => (last && last.id > each.id ? last : each), undefined);
    if (newest === undefined) continue;
    const { liveChunks } = await mark(repository, [newest], index, signal);
    for (const [number, { packId }] of index.packs.entries()) {
      if ((liveChunks[number] ?? 0) === 0) continue;
      const name = packName(packId);
      days.set(name, Math.max(days.get(name) ?? 0, kept));
    }
  }
  return days;
}

export const TIER_AFTER_MS = 7 * DAY_MS;
