// What a copy of a cluster will bring to its place: reads both places, judges by the place's retention, changes nothing.
//
// The source's manifests are listed before its WAL is: so all WAL that a listed backup needs was durable by then.

import type { SpillwayError } from '@spillway/contract';
import type { BackupSummary } from '../../format/manifest.ts';
import { dumpName, manifestName } from '../../format/names.ts';
import { chooseDump, listDumps } from '../../repository/dump-store.ts';
import { type EvidenceRecord, listEvidence, verdicts } from '../../repository/evidence.ts';
import { activeHolds, listLegalHolds } from '../../repository/legal-hold.ts';
import { chooseById, listManifests } from '../../repository/manifest-store.ts';
import type { Repository } from '../../repository/repository.ts';
import type { SystemWal } from '../backups.ts';
import { findBases, placed, planBeside, planLineage, readLineages } from '../expire/lineages.ts';
import { isPolicy, judgeBackups, judgeDumps, type RetentionPolicy } from '../expire/policy.ts';
import { NOTHING_EXPIRES } from '../expire/wal.ts';
import { ownWal } from '../verify/wal-objects.ts';
import { type Choice, choose } from './choose.ts';
import type { CopyDamage } from './damage.ts';
import { evidenceToCopy } from './evidence.ts';

export interface CopyPlanOptions {
  readonly source: Repository;
  readonly target: Repository;
  readonly cluster: string;
  /** Of the target. */
  readonly policy: RetentionPolicy;
  /** These backups and dumps alone, by id or the beginning of it. */
  readonly named?: readonly string[];
  readonly now: Date;
  readonly signal: AbortSignal;
}

export interface PlannedWal {
  readonly wal: SystemWal;
  /** Names of objects that the target does not want. */
  readonly left: ReadonlySet<string>;
}

export interface CopyPlan {
  /** Oldest first. `restorable`: its own WAL is whole at the source. */
  readonly backups: readonly (Choice & { readonly summary: BackupSummary; readonly restorable: boolean })[];
  readonly dumps: readonly Choice[];
  readonly wal: readonly PlannedWal[];
  readonly evidence: readonly EvidenceRecord[];
  readonly damage: readonly CopyDamage[];
}

export async function planCopy(options: CopyPlanOptions): Promise<CopyPlan> {
  const { source, target, cluster, policy, now, signal } = options;
  const here = await listManifests(source, cluster, signal);
  const there = await listManifests(target, cluster, signal);
  const dumpsHere = await listDumps(source, cluster, signal);
  const dumpsThere = await listDumps(target, cluster, signal);
  const evidenceHere = await listEvidence(source, cluster, signal);
  const evidenceThere = await listEvidence(target, cluster, signal);
  const lineages = await readLineages({ repository: source, cluster, now, signal });
  const legalHere = await listLegalHolds(source, cluster, signal);
  const legalThere = await listLegalHolds(target, cluster, signal);
  const legal = new Map(
    [...activeHolds([...legalHere.records, ...legalThere.records])].map(([id, holds]) => [
      id,
      holds.map(({ reason }) => reason).join('; '),
    ]),
  );

  const proofs = verdicts([...evidenceHere.records, ...evidenceThere.records]);
  const own = new Set(here.heads.map(({ summary }) => summary.id));
  const foreign = there.heads.filter(({ summary }) => !own.has(summary.id));
  const all = [
    ...here.heads.map(({ summary }) =>
      placed(summary, lineages, proofs.get(summary.id), undefined, legal.get(summary.id)),
    ),
    // Of what the target alone has nothing is copied; it only counts.
    ...foreign.map(({ summary }) => ({
      ...placed(summary, lineages, proofs.get(summary.id), undefined, legal.get(summary.id)),
      restorable: true,
      usable: proofs.get(summary.id)?.result !== 'failed',
    })),
  ].toSorted((a, b) => a.summary.started_at.localeCompare(b.summary.started_at));
  const named = options.named && namedOf(options.named, cluster, here.heads, dumpsHere.heads);
  const bases = policy.pointInTimeMs === undefined ? new Set<string>() : findBases(lineages, all, policy, now);
  const judged = judgeBackups(all, policy, bases, now);
  const choices = choose(judged, own, idsOf(there), named);
  const dumps = [
    ...new Map([...dumpsHere.heads, ...dumpsThere.heads].map(({ summary }) => [summary.id, summary])).values(),
  ];
  dumps.sort((a, b) => a.started_at.localeCompare(b.started_at));
  const dumpChoices = choose(
    judgeDumps(dumps, policy, now, legal),
    new Set(dumpsHere.heads.map(({ summary }) => summary.id)),
    idsOf(dumpsThere),
    named,
  );

  const kept = all.filter((_, at) => judged[at]?.keep === true);
  const copied = all.filter(({ summary }) => named?.has(summary.id) === true);
  const certain = here.unreadable.length === 0 && isPolicy(policy);
  const wal: PlannedWal[] = [];
  for (const { wal: system, lineage } of lineages) {
    const objects = [...system.catalog.objects.values()].flat();
    if (named !== undefined) {
      const wanted = new Set(
        copied
          .filter(({ summary }) => summary.system_identifier === lineage.systemIdentifier)
          .flatMap(({ summary }) => {
            const needed = ownWal(system, summary);
            return typeof needed === 'string' ? [] : needed.map(({ name }) => name);
          }),
      );
      wal.push({ wal: system, left: new Set(objects.map(({ name }) => name).filter((name) => !wanted.has(name))) });
      continue;
    }
    const plan = certain ? planLineage(lineage, all, kept, bases, policy, now) : NOTHING_EXPIRES;
    const beside = await planBeside(system, plan, signal);
    wal.push({ wal: system, left: new Set([...plan.expired, ...beside].map(({ name }) => name)) });
  }
  return {
    backups: choices.flatMap((choice) => {
      const of = all.find(({ summary }) => summary.id === choice.id);
      return of === undefined ? [] : [{ ...choice, summary: of.summary, restorable: of.restorable }];
    }),
    dumps: dumpChoices,
    wal,
    evidence: evidenceToCopy(evidenceHere.records, evidenceThere.records).filter(
      ({ backup }) => named === undefined || (backup !== null && named.has(backup)),
    ),
    damage: [
      ...here.unreadable.map(({ id, error }) => damageOf('source', manifestName(cluster, id), error)),
      ...there.unreadable.map(({ id, error }) => damageOf('target', manifestName(cluster, id), error)),
      ...dumpsHere.unreadable.map(({ id, error }) => damageOf('source', dumpName(cluster, id), error)),
      ...dumpsThere.unreadable.map(({ id, error }) => damageOf('target', dumpName(cluster, id), error)),
      ...legalHere.unreadable.map(({ name, why }): CopyDamage => ({ place: 'source', object: name, problem: why })),
      ...legalThere.unreadable.map(({ name, why }): CopyDamage => ({ place: 'target', object: name, problem: why })),
      ...evidenceHere.unreadable.map(({ name, why }): CopyDamage => ({ place: 'source', object: name, problem: why })),
      ...evidenceThere.unreadable.map(({ name, why }): CopyDamage => ({ place: 'target', object: name, problem: why })),
    ],
  };
}

/** What cannot be read is there all the same: its name is taken. */
const idsOf = (list: {
  readonly heads: readonly { readonly summary: { readonly id: string } }[];
  readonly unreadable: readonly { readonly id: string }[];
}): ReadonlySet<string> =>
  new Set([...list.heads.map(({ summary }) => summary.id), ...list.unreadable.map(({ id }) => id)]);

const damageOf = (place: CopyDamage['place'], object: string, error: SpillwayError): CopyDamage => ({
  place,
  object,
  problem: error.why ?? error.message,
});

function namedOf(
  named: readonly string[],
  cluster: string,
  backups: Awaited<ReturnType<typeof listManifests>>['heads'],
  dumps: Awaited<ReturnType<typeof listDumps>>['heads'],
): ReadonlySet<string> {
  const isDump = (id: string): boolean => dumps.some(({ summary }) => summary.id.startsWith(id));
  return new Set(
    named.map((id) =>
      isDump(id)
        ? chooseDump(
            dumps.map(({ summary }) => summary),
            cluster,
            id,
          ).id
        : chooseById(
            backups.map(({ summary }) => summary),
            cluster,
            id,
          ).id,
    ),
  );
}
