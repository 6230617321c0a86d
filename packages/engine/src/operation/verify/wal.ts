// The level of WAL: that from each backup to now it leads on without a gap, and that all of it can be read.
//
//   1  the way of each backup to the newest timeline it leads to: a break in it is a finding, with its cause
//   2  every object on these ways is decrypted, its segment's head and pages must fit, and every record its checksum
//   3  what is bad hurts each backup whose way goes over it: all of the backup where its own recovery needs it, else the
//      moments behind it
// Behind WAL that was expired on purpose a long-term backup leads no further than to its own end: that is no gap.

import { isSpillwayError, SpillwayError } from '@spillway/contract';
import type { BackupSummary } from '../../format/manifest.ts';
import { dumpName } from '../../format/names.ts';
import { formatLsn, type Lsn, parseLsn, segmentName, segmentStart, type TimelineId } from '../../postgres/lsn.ts';
import { holdCluster } from '../../repository/hold.ts';
import { leadsOn, readSystemWal, sentAt, type SystemWal, wayFrom } from '../backups.ts';
import { listSystems } from '../system.ts';
import type { WalCatalog, WalObject } from '../wal/archive.ts';
import { checkWalData, type WalDataReport } from '../wal/check-data.ts';
import { explainGap } from '../wal/gap-cause.ts';
import { readGapRecords } from '../wal/gap-record.ts';
import { conclude, type VerifyBase, type VerifySummary } from './conclude.ts';
import { Findings, wholly } from './findings.ts';
import type { WalProof } from './proof.ts';
import { chooseSubjects } from './subjects.ts';
import { ownWal } from './wal-objects.ts';

export interface VerifyWalOptions extends VerifyBase {
  /** Beginnings of ids; with none, the newest backup. */
  readonly ids?: readonly string[];
  /** Every backup, and all WAL, whether a backup leads over it or not. */
  readonly all?: boolean;
}

type Chain = WalProof['chains'][number];

interface Led {
  readonly backup: BackupSummary;
  readonly wal: SystemWal;
  readonly chain: Chain;
  /** Names of segments, and whether the backup's own recovery needs each. */
  readonly segments: ReadonlyMap<string, boolean>;
}

export async function verifyWal(options: VerifyWalOptions): Promise<VerifySummary> {
  const { repository, cluster, all = false, signal, report } = options;
  const startedAt = new Date();
  const findings = new Findings();
  const notices: string[] = [];
  await using _ = await holdCluster(options);
  const { subjects, newestFirst } = await chooseSubjects(options);
  const systems = new Map<string, SystemWal>();
  for (const system of await listSystems(repository, cluster, signal)) {
    systems.set(system.system_identifier, await readSystemWal(options, system));
  }
  const led: Led[] = [];
  const judged: { readonly id: string; readonly backup: BackupSummary | undefined }[] = [];
  for (const { id, object, backup, read } of subjects) {
    if (backup !== undefined) {
      judged.push({ id, backup });
      const wal = systems.get(backup.system_identifier);
      const one = wal === undefined ? undefined : await follow(wal, backup, findings, notices, signal);
      if (one === undefined) tellNoWay(cluster, wal, backup, findings);
      else led.push(one);
      continue;
    }
    if (object === dumpName(cluster, id)) {
      if (all) continue;
      throw new SpillwayError('SPW_USAGE', `${id} is a dump, which needs no WAL`, {
        hint: `look at it with: spillway verify --level dump ${id}`,
      });
    }
    judged.push({ id, backup });
    await read().catch((error: unknown) => {
      if (!isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_REPOSITORY_NEWER', 'SPW_KEY_ROTATED')) throw error;
      findings.add({ kind: 'manifest', object, chunk: null, problem: error.why ?? error.message }, wholly(id));
    });
  }
  const sum = { objects: 0, bytes: 0, records: 0 };
  for (const wal of systems.values()) {
    const own = led.filter((each) => each.wal === wal);
    if (own.length === 0 && !all) continue;
    const read = await checkWalData(wal.archive, all ? wal.catalog : along(wal, own), { report, signal });
    sum.objects += read.objects;
    sum.bytes += read.bytes;
    sum.records += read.records;
    trace(read.damaged, own, findings);
  }
  const chains = new Map(led.map(({ backup, chain }) => [backup.id, chain]));
  return conclude(options, {
    level: 'wal',
    startedAt,
    findings,
    notices,
    newestFirst,
    subjects: judged.map(({ id }) => {
      const { backup: _id, ...chain } = chains.get(id) ?? { backup: id };
      return { id, files: 0, bytes: 0, details: { chain, hurts_itself: findings.isWhollyHurt(id) } };
    }),
    counted: { wal_objects: sum.objects, bytes: sum.bytes },
    proof: { wal: { chains: [...chains.values()], ...sum } },
  });
}

/** Undefined where the WAL that the backup itself needs is not complete. */
async function follow(
  wal: SystemWal,
  backup: BackupSummary,
  findings: Findings,
  notices: string[],
  signal: AbortSignal,
): Promise<Led | undefined> {
  const { archive } = wal;
  const timelines = [...wal.ways.keys()].toSorted((a, b) => b - a);
  const timeline = timelines.find((each) => wayFrom(wal, backup, each) !== undefined);
  const way = timeline && wayFrom(wal, backup, timeline);
  if (timeline === undefined || way === undefined) return undefined;
  const stop = parseLsn(backup.stop_lsn) ?? way.end;
  const goesOn = leadsOn(wal, backup, timeline);
  if (!goesOn) {
    notices.push(`Behind backup ${backup.id} WAL was expired on purpose: it leads no further than to its own end.`);
  } else if (way.resumesAt !== undefined) {
    const [gap, ways] = [
      { timeline, from_lsn: formatLsn(way.end), to_lsn: formatLsn(way.resumesAt) },
      wal.ways.get(timeline) ?? [],
    ];
    const { details } = explainGap(gap, ways, archive.segmentSize, await readGapRecords(archive, signal));
    const object = segmentName(timeline, segmentStart(way.end, archive.segmentSize), archive.segmentSize);
    const problem = `WAL is missing from ${gap.from_lsn} to ${gap.to_lsn}: ${details}`;
    findings.add({ kind: 'wal', object, chunk: null, problem }, behind(backup.id, object));
  }
  const steps = way.steps.filter(({ start }) => goesOn || start < stop);
  const last = steps.at(-1);
  return {
    backup,
    wal,
    chain: {
      backup: backup.id,
      timeline,
      from_lsn: backup.start_lsn,
      to_lsn: formatLsn(goesOn ? way.end : stop),
      segments: steps.length,
      sent_at: last === undefined ? null : await sentAt(wal, { ...way, steps: [last] }, signal),
    },
    segments: new Map(
      steps.map((step) => [segmentName(step.timeline, step.start, archive.segmentSize), step.start < stop]),
    ),
  };
}

function tellNoWay(cluster: string, wal: SystemWal | undefined, backup: BackupSummary, findings: Findings): void {
  const why = wal === undefined ? 'no WAL of its system is in the repository' : ownWal(wal, backup);
  const problem = typeof why === 'string' ? why : 'its WAL leads to no timeline of which the history is there';
  const object = `clusters/${cluster}/wal/${backup.system_identifier}/`;
  findings.add({ kind: 'wal', object, chunk: null, problem: `${backup.id}: ${problem}` }, wholly(backup.id));
}

/** Of all objects those that lie on a way. */
function along(wal: SystemWal, led: readonly Led[]): WalCatalog {
  const { segmentSize } = wal.archive;
  const isOn = (timeline: TimelineId, start: Lsn): boolean => {
    const name = segmentName(timeline, segmentStart(start, segmentSize), segmentSize);
    return led.some(({ segments }) => segments.has(name));
  };
  const objects = new Map<TimelineId, readonly WalObject[]>();
  for (const [timeline, all] of wal.catalog.objects) {
    const own = all.filter(({ start }) => isOn(timeline, start));
    if (own.length > 0) objects.set(timeline, own);
  }
  return { ...wal.catalog, objects };
}

function trace(damaged: WalDataReport['damaged'], led: readonly Led[], findings: Findings): void {
  for (const { object, why } of damaged) {
    const fault = { kind: 'wal', object, chunk: null, problem: why } as const;
    const hurt = led.flatMap(({ backup, segments }) => {
      const own = segments.get(object);
      return own === undefined ? [] : [own ? wholly(backup.id) : behind(backup.id, object)];
    });
    if (hurt.length === 0) findings.add(fault);
    for (const each of hurt) findings.add(fault, each);
  }
}

/** Every moment behind it; the backup itself is good. */
const behind = (backup: string, segment: string): ReturnType<typeof wholly> => ({
  ...wholly(backup),
  file: `moments from pg_wal/${segment} on`,
});
