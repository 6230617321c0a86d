// What a policy judges by: a cluster's backups with their place in its WAL, the WAL of each system, and which of it stays.

import { isSpillwayError } from '@spillway/contract';
import type { BackupSummary } from '../../format/manifest.ts';
import { timelineId } from '../../postgres/lsn.ts';
import type { Verdict } from '../../repository/evidence.ts';
import { type ClusterInRepository, readSystemWal, type SystemWal, wayFrom } from '../backups.ts';
import { listSystems } from '../system.ts';
import type { StoredObject } from '../wal/archive.ts';
import type { BackupFacts, RetentionPolicy } from './policy.ts';
import { NOTHING_EXPIRES, planWal, type WalPlan } from './wal.ts';
import { besideExpired, type StoredBeside } from './wal-beside.ts';
import { type Lineage, windowBases } from './window.ts';

const DAY_MS = 86_400_000;

export interface Placed extends BackupFacts {
  readonly summary: BackupSummary;
  /** Its own WAL is there, whatever the evidence says of its data. */
  readonly restorable: boolean;
}

export interface LineageWal {
  readonly wal: SystemWal;
  readonly lineage: Lineage;
}

export function placed(
  summary: BackupSummary,
  lineages: readonly LineageWal[],
  proof: Verdict | undefined,
  heldBy: string | undefined,
  legalHold: string | undefined,
): Placed {
  const wal = lineages.find(({ lineage }) => lineage.systemIdentifier === summary.system_identifier);
  const restorable =
    wal !== undefined && [...wal.wal.ways.keys()].some((to) => wayFrom(wal.wal, summary, to) !== undefined);
  return {
    summary,
    restorable,
    usable: restorable && proof?.result !== 'failed',
    proven: proof !== undefined && proof.provenAt !== null,
    heldBy,
    legalHold,
  };
}

/** Oldest system first. */
export async function readLineages(
  options: ClusterInRepository & { readonly now: Date },
): Promise<readonly LineageWal[]> {
  const { repository, cluster, signal } = options;
  const found: LineageWal[] = [];
  for (const system of await listSystems(repository, cluster, signal)) {
    const wal = await readSystemWal(options, system);
    const lastAt = new Map<ReturnType<typeof timelineId>, Date>();
    for (const [timeline, objects] of wal.catalog.objects) {
      const last = objects.reduce((latest, object) => (object.end > latest.end ? object : latest));
      // A receiver may replace the last piece while it is read: then there is newer WAL than can be told here.
      const at = await wal.archive.readStamp(last, signal).then(
        ({ sent_at: sent }) => new Date(sent),
        (error: unknown) => {
          if (!isSpillwayError(error, 'SPW_OBJECT_MISSING', 'SPW_OBJECT_DAMAGED')) throw error;
          return options.now;
        },
      );
      lastAt.set(timeline, at);
    }
    const lineage: Lineage = {
      systemIdentifier: system.system_identifier,
      segmentSize: wal.archive.segmentSize,
      catalog: wal.catalog,
      ways: wal.ways,
      lastAt,
    };
    found.push({ wal, lineage });
  }
  return found;
}

/** Also those that the evidence calls damaged: they might be all there is for a moment. */
export function findBases(
  lineages: readonly LineageWal[],
  backups: readonly Placed[],
  policy: RetentionPolicy,
  now: Date,
): ReadonlySet<string> {
  const begin = new Date(now.getTime() - (policy.pointInTimeMs ?? 0));
  const bases = new Set<string>();
  for (const { lineage } of lineages) {
    const own = backups.filter(
      ({ summary, restorable }) => restorable && summary.system_identifier === lineage.systemIdentifier,
    );
    for (const some of [own, own.filter(({ usable }) => usable)]) {
      for (const id of windowBases(
        lineage,
        some.map(({ summary }) => summary),
        begin,
      ))
        bases.add(id);
    }
  }
  return bases;
}

export function planLineage(
  lineage: Lineage,
  backups: readonly Placed[],
  kept: readonly Placed[],
  bases: ReadonlySet<string>,
  policy: RetentionPolicy,
  now: Date,
): WalPlan {
  const own = kept.filter(({ summary }) => summary.system_identifier === lineage.systemIdentifier);
  if (own.length === 0) {
    const current = backups.at(-1)?.summary.system_identifier;
    const days = policy.keepDays;
    if (current === undefined || current === lineage.systemIdentifier || days === undefined) return NOTHING_EXPIRES;
    const begin = now.getTime() - Math.max(days * DAY_MS, policy.pointInTimeMs ?? 0);
    const over = [...lineage.lastAt.values()].every((at) => at.getTime() < begin);
    return over ? planWal(lineage, [], []) : NOTHING_EXPIRES;
  }
  const begin = policy.pointInTimeMs === undefined ? Number.NEGATIVE_INFINITY : now.getTime() - policy.pointInTimeMs;
  const newest = own.findLast(({ usable }) => usable) ?? own.at(-1);
  const isOnward = (each: Placed): boolean =>
    bases.has(each.summary.id) ||
    each.heldBy !== undefined ||
    each === newest ||
    each === own.at(-1) ||
    Date.parse(each.summary.finished_at) > begin;
  const summaries = (some: readonly Placed[]): readonly BackupSummary[] => some.map(({ summary }) => summary);
  return planWal(lineage, summaries(own.filter(isOnward)), summaries(own.filter((each) => !isOnward(each))));
}

export async function planBeside(
  { archive, catalog, expired }: SystemWal,
  plan: WalPlan,
  signal: AbortSignal | undefined,
): Promise<readonly StoredObject[]> {
  if (plan === NOTHING_EXPIRES) return [];
  const files: StoredBeside[] = [];
  for await (const file of archive.listBeside(signal)) if (file.kind !== 'walHistory') files.push(file);
  const going = new Set(plan.expired);
  const kept = [...catalog.objects.values()].flat().filter((object) => !going.has(object));
  return besideExpired(files, kept, [plan.upTo, expired], archive.segmentSize);
}
