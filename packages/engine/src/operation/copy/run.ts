// `copy`: brings another place of the repository up to date with this one. It needs neither the cluster nor its server.
//
//   1  make the place where it is empty, or see that it is one of this repository (`repository/place.ts`)
//   2  for each cluster: take the place's lock, hold what is read at the source against expiry, plan (`plan.ts`)
//   3  packs, then an index of the place's own that names them (`packs.ts`); WAL (`wal.ts`), and the newest canary beside it
//   4  manifests and dumps of which everything is at the place by now, the oldest first; evidence, appended to the place's chain
//   5  key slots that were added since
//
// Invariant: every object is authenticated before it is put, and nothing is overwritten; a manifest comes after all it
// needs. So broken off anywhere the place is whole as far as it goes, and the next run goes on.
// What is damaged at the source is not copied, and what is damaged at the place is left: both are told, and the rest goes on.

import { isSpillwayError, type Report, type SpillwayError } from '@spillway/contract';
import { authenticate } from '../../codec/authenticate.ts';
import { dumpName, legalHoldName, manifestName, systemName } from '../../format/names.ts';
import type { ObjectKind } from '../../format/object.ts';
import { confirmWhole } from '../../repository/confirm-whole.ts';
import { readDump } from '../../repository/dump-store.ts';
import { copyEvidence } from '../../repository/evidence.ts';
import { copyLock, holdForCopy } from '../../repository/hold.ts';
import { readIndex } from '../../repository/index-store.ts';
import { type Lock, LOCK_WAIT_MS, takeLock } from '../../repository/lock.ts';
import { readManifest } from '../../repository/manifest-store.ts';
import { addNewSlots, preparePlace, type SlotChanges } from '../../repository/place.ts';
import type { Repository } from '../../repository/repository.ts';
import type { StorageLocation } from '../../storage/port.ts';
import { wayFrom } from '../backups.ts';
import { copyCanaryRecord } from '../canary/record.ts';
import { damageIn } from '../damage.ts';
import type { RetentionPolicy } from '../expire/policy.ts';
import type { CopyDamage } from './damage.ts';
import { copyPacks, packsFor } from './packs.ts';
import { type CopyPlan, planCopy } from './plan.ts';
import { copyWal } from './wal.ts';

export interface CopyOptions {
  readonly source: Repository;
  readonly target: StorageLocation;
  /** With the retention of the target. */
  readonly clusters: readonly { readonly name: string; readonly policy: RetentionPolicy }[];
  readonly named?: readonly string[];
  readonly dryRun?: boolean;
  /**
   * Whether slots that were added at the source are added at the place. A place that is brought up to date from a copy of
   * it must not get back what was revoked there: then they are only named.
   */
  readonly keySlots?: 'add' | 'name';
  readonly workers: number;
  readonly lockWaitMs?: number;
  readonly now?: () => Date;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface CopiedItem {
  readonly id: string;
  /** `copied`: would be, with --dry-run. `failed`: something that it needs is damaged; see `damage`. */
  readonly outcome: 'copied' | 'there' | 'left' | 'failed';
  readonly reasons: readonly string[];
}

export interface CopiedCluster {
  readonly cluster: string;
  readonly backups: readonly CopiedItem[];
  readonly dumps: readonly CopiedItem[];
  readonly packs: number;
  readonly pack_bytes: number;
  /** That lay at the place already, though no index named them. */
  readonly packs_there: number;
  readonly wal_objects: number;
  readonly wal_bytes: number;
  readonly evidence: number;
  readonly damage: readonly CopyDamage[];
}

export interface CopySummary {
  readonly source: string;
  readonly target: string;
  /** Whether there was nothing at the place before. */
  readonly made: boolean;
  readonly dry_run: boolean;
  readonly clusters: readonly CopiedCluster[];
  readonly key_slots: SlotChanges;
  readonly started_at: string;
  readonly finished_at: string;
  readonly duration_seconds: number;
}

export async function copy(options: CopyOptions): Promise<CopySummary> {
  const { source, signal, report } = options;
  const only = options.dryRun === true ? ({ only: 'look' } as const) : {};
  const startedAt = new Date();
  const place = await preparePlace(source, options.target, { ...only, signal });
  const target = place.repository;
  if (place.made) {
    report({
      type: 'notice',
      level: 'info',
      message: `Made a copy of the repository at ${target.storage.description}.`,
    });
  }
  const clusters: CopiedCluster[] = [];
  for (const { name, policy } of options.clusters) clusters.push(await copyCluster(options, target, name, policy));
  const slots = await addNewSlots(source, target, {
    signal,
    ...only,
    ...(options.keySlots && { slots: options.keySlots }),
  });
  const finishedAt = new Date();
  return {
    source: source.storage.description,
    target: target.storage.description,
    made: place.made || !place.isThere,
    dry_run: options.dryRun === true,
    clusters,
    key_slots: slots,
    started_at: startedAt.toISOString(),
    finished_at: finishedAt.toISOString(),
    duration_seconds: (finishedAt.getTime() - startedAt.getTime()) / 1000,
  };
}

/** Clusters of which the repository holds anything. */
export async function listClusters(repository: Repository, signal?: AbortSignal): Promise<readonly string[]> {
  const names = new Set<string>();
  for await (const { name } of repository.storage.list('clusters/', signal && { signal })) {
    names.add(name.split('/')[1] ?? '');
  }
  return [...names];
}

async function copyCluster(
  options: CopyOptions,
  target: Repository,
  cluster: string,
  policy: RetentionPolicy,
): Promise<CopiedCluster> {
  const { source, report } = options;
  const now = options.now ?? (() => new Date());
  if (options.dryRun === true) {
    return workOn({ ...options, target, cluster }, undefined, await planFor(options.signal));
  }
  await using lock = await takeLock(target, copyLock(cluster), {
    holder: `copy of cluster ${cluster}`,
    waitMs: options.lockWaitMs ?? LOCK_WAIT_MS,
    signal: options.signal,
    onWait: (why) =>
      report({ type: 'notice', level: 'info', message: `Waiting to see whether the holder lives: ${why}.` }),
  });
  await using hold = await holdForCopy({ repository: source, cluster, signal: options.signal, report });
  const signal = AbortSignal.any([options.signal, lock.lost, ...(hold.lost === undefined ? [] : [hold.lost])]);
  return await workOn({ ...options, target, cluster, signal }, lock, await planFor(signal));

  function planFor(aborted: AbortSignal): Promise<CopyPlan> {
    const { named } = options;
    return planCopy({ source, target, cluster, policy, ...(named && { named }), now: now(), signal: aborted });
  }
}

interface Working extends Omit<CopyOptions, 'target'> {
  readonly target: Repository;
  readonly cluster: string;
}

/** Without a lock nothing is written, and what would be is reckoned. */
async function workOn(options: Working, lock: Lock | undefined, plan: CopyPlan): Promise<CopiedCluster> {
  const { source, target, cluster, signal, report } = options;
  const damage: CopyDamage[] = [...plan.damage];
  const tell = (place: CopyDamage['place'], object: string, problem: string): void =>
    void damage.push({ place, object, problem });
  const wanted: Wanted[] = [];
  report({ type: 'progress', phase: 'looking at what is missing', done_bytes: 0 });
  const sourceIndex = await readIndex(source, { signal });
  const targetIndex = await readIndex(target, { newChunks: 0, signal });
  const chosen = [
    ...plan.backups.map((each) => ({ ...each, kind: 'manifest' as const, object: manifestName(cluster, each.id) })),
    ...plan.dumps.map((each) => ({ ...each, kind: 'dump' as const, object: dumpName(cluster, each.id) })),
  ].filter(({ action }) => action === 'copy');
  for (const { id, kind, object } of chosen) {
    try {
      const { chunkIds } = await (kind === 'dump' ? readDump : readManifest)(source, cluster, id, signal);
      const { packs, missing } = packsFor(chunkIds, targetIndex, sourceIndex);
      if (missing > 0) tell('source', object, `${missing} chunks that it needs are missing or damaged`);
      wanted.push({ id, kind, object, packs, failed: missing > 0 });
    } catch (error) {
      // Expired since it was listed: it is not to be copied any more.
      if (isSpillwayError(error, 'SPW_OBJECT_MISSING')) continue;
      tell('source', object, damageIn(error));
      wanted.push({ id, kind, object, packs: new Set(), failed: true });
    }
  }
  const packs = new Set(wanted.filter(({ failed }) => !failed).flatMap((each) => [...each.packs]));
  const copied =
    lock === undefined
      ? {
          copied: packs.size,
          bytes: [...packs].reduce((sum, number) => sum + (sourceIndex.packs[number]?.packBytes ?? 0), 0),
          there: 0,
          failed: new Set<number>(),
          damage: [],
        }
      : await copyPacks({ ...options, sourceIndex, packs, lock });
  damage.push(...copied.damage);

  await copySystems(options, lock, tell);
  await copyLegalHolds(options, lock);
  const [wal, unreachable] = await copyAllWal(options, lock, plan, damage);
  await copyCanary(options, lock);
  const failed = new Set([
    ...unreachable,
    ...wanted
      .filter((each) => each.failed || [...each.packs].some((pack) => copied.failed.has(pack)))
      .map(({ id }) => id),
  ]);
  const done = new Set<string>();
  for (const { id, kind, object } of wanted) {
    if (failed.has(id)) continue;
    if (lock !== undefined) {
      await lock.assertHeld();
      const outcome = await copyObject(options, kind, object, tell);
      if (outcome !== 'copied') {
        if (outcome === 'failed') failed.add(id);
        continue;
      }
      const { chunkIds } = await (kind === 'dump' ? readDump : readManifest)(target, cluster, id, signal);
      const what = `${kind === 'dump' ? 'dump' : 'backup'} ${id} of cluster ${cluster}`;
      await confirmWhole({ repository: target, lock, name: object, what, chunkIds, signal, report });
      report({ type: 'notice', level: 'info', message: `Copied ${what}.` });
    }
    done.add(id);
  }
  const evidence = await copyRecords(options, lock, plan, tell);
  const item = ({ id, action, reasons }: CopyPlan['dumps'][number]): CopiedItem[] => {
    if (action !== 'copy') return [{ id, outcome: action, reasons }];
    if (failed.has(id)) return [{ id, outcome: 'failed', reasons }];
    return done.has(id) ? [{ id, outcome: 'copied', reasons }] : [];
  };
  return {
    cluster,
    backups: plan.backups.flatMap(item),
    dumps: plan.dumps.flatMap(item),
    packs: copied.copied,
    pack_bytes: copied.bytes,
    packs_there: copied.there,
    wal_objects: wal.objects,
    wal_bytes: wal.bytes,
    evidence,
    damage,
  };
}

interface Wanted {
  readonly id: string;
  readonly kind: 'manifest' | 'dump';
  readonly object: string;
  readonly packs: ReadonlySet<number>;
  readonly failed: boolean;
}

type Tell = (place: CopyDamage['place'], object: string, problem: string) => void;

async function copySystems(options: Working, lock: Lock | undefined, tell: Tell): Promise<void> {
  const { source, cluster, signal } = options;
  if (lock === undefined) return;
  for await (const { name } of source.storage.list(systemName(cluster, ''), { signal })) {
    await copyObject(options, 'system', name, tell);
  }
}

/** Those that cannot be read are told by the plan. */
async function copyLegalHolds(options: Working, lock: Lock | undefined): Promise<void> {
  const { source, cluster, signal } = options;
  if (lock === undefined) return;
  for await (const { name } of source.storage.list(legalHoldName(cluster, ''), { signal })) {
    await copyObject(options, 'legalHold', name, () => undefined);
  }
}

/** What a restore from the place measures its loss by. One that is damaged is replaced within the minute, and is no harm. */
async function copyCanary(options: Working, lock: Lock | undefined): Promise<void> {
  if (lock === undefined) return;
  const { source, target, cluster, signal } = options;
  const put = async (name: string): Promise<boolean> =>
    ['copied', 'there'].includes(await copyObject(options, 'canary', name, () => undefined));
  await copyCanaryRecord(source, target, cluster, put, signal);
}

/** One after the other: each has the hash of the one before. */
async function copyRecords(
  options: Working,
  lock: Lock | undefined,
  { evidence }: CopyPlan,
  tell: Tell,
): Promise<number> {
  if (lock === undefined) return evidence.length;
  const { source, target, signal } = options;
  const onUnreadable = (name: string, error: SpillwayError): void => tell('source', name, damageIn(error));
  return copyEvidence(source, target, evidence, { onUnreadable, signal });
}

/** Gives the backups that are whole at the source and whose WAL is not at the target all the same. */
async function copyAllWal(
  options: Working,
  lock: Lock | undefined,
  plan: CopyPlan,
  damage: CopyDamage[],
): Promise<[wal: { readonly objects: number; readonly bytes: number }, unreachable: readonly string[]]> {
  let [objects, bytes] = [0, 0];
  const unreachable: string[] = [];
  for (const planned of plan.wal) {
    const copied = await copyWal({ ...options, dryRun: lock === undefined }, planned);
    objects += copied.objects;
    bytes += copied.bytes;
    damage.push(...copied.damage);
    if (lock === undefined) continue;
    for (const { id, action, summary, restorable } of plan.backups) {
      if (action !== 'copy' || !restorable) continue;
      if (summary.system_identifier !== planned.wal.archive.systemIdentifier) continue;
      const ways = [...copied.target.ways.keys()];
      if (ways.some((to) => wayFrom(copied.target, summary, to) !== undefined)) continue;
      unreachable.push(id);
    }
  }
  return [{ objects, bytes }, unreachable];
}

/** A small object: one read, one put. `gone`: it is not at the source any more. */
async function copyObject(
  { source, target, signal }: Working,
  kind: ObjectKind,
  name: string,
  tell: Tell,
): Promise<'copied' | 'there' | 'gone' | 'failed'> {
  let bytes: Uint8Array;
  try {
    bytes = await source.storage.get(name, { signal });
    authenticate(await source.keysFor(name, bytes, signal), kind, name, bytes);
  } catch (error) {
    if (isSpillwayError(error, 'SPW_OBJECT_MISSING')) return 'gone';
    tell('source', name, damageIn(error));
    return 'failed';
  }
  if ((await target.storage.put(name, [bytes], { signal })) === 'created') return 'copied';
  try {
    const there = await target.storage.get(name, { signal });
    authenticate(await target.keysFor(name, there, signal), kind, name, there);
    return 'there';
  } catch (error) {
    tell('target', name, damageIn(error));
    return 'failed';
  }
}
