// How a cluster stands: can it be recovered, to when, how fast, and when was that last shown.
//
//   missed    it cannot be recovered; more than the RPO would be lost now; or a recovery, as measured, would take longer
//             than the RTO
//   at-risk   half of the RPO, four fifths of the RTO, a guess beyond it, or a finding that leads there
//   met       everything else. A guess within the objective keeps nothing from being met, and is called unproven
//
// Silence is not health: what could not be looked at is told, and an age that nobody can explain counts as it stands. Pure.

import type { RecoveryWindow, StatusDocument } from '@spillway/contract';
import {
  type BackupSummary,
  type CanaryRecord,
  type CanaryState,
  parseLsn,
  silentAfterMs,
  type SourceFacts,
} from '@spillway/engine';
import { type DurableAt, liveRpo, rpoOfPlaces, type Standing, standingOf } from './live-rpo.ts';
import { type EvidenceSeen, type Scenario, samplesOf, scenarios } from './rto.ts';

const RPO_WARN = 0.5;
const SLOT_WARN = 0.5;
const SLOT_FAIL = 0.2;
const PROOF_DAYS = 35;
const DAY_MS = 86_400_000;

export interface PlaceSeen {
  readonly name: string;
  readonly required: boolean;
  readonly durable: DurableAt | undefined;
  /** Why it could not be looked at. */
  readonly problem: string | null;
}

export interface StatusGiven {
  readonly cluster: string;
  readonly now: Date;
  readonly objectives: { readonly rpoSeconds: number; readonly rtoSeconds: number };
  readonly copyPolicy: 'all' | 'quorum' | 'best-effort';
  readonly window: RecoveryWindow;
  /** Oldest first. */
  readonly backups: readonly BackupSummary[];
  /** The first place first. */
  readonly places: readonly PlaceSeen[];
  readonly source: SourceFacts | undefined;
  readonly sourceProblem: string | null;
  readonly slot: string;
  readonly canaryIntervalSeconds: number | null;
  readonly state: CanaryState | undefined;
  readonly record: CanaryRecord | undefined;
  readonly evidence: readonly EvidenceSeen[];
}

type Finding = StatusDocument['findings'][number];

export function judgeStatus(given: StatusGiven): StatusDocument {
  const { cluster, now, objectives, window, source, places } = given;
  const clock = source?.clock === null || source?.clock === undefined ? now : new Date(source.clock);
  const told = places.map((place) => describePlace(place, clock, given));
  const seconds = rpoOfPlaces(given.copyPolicy, told);
  const rpoState = standingOf(seconds, objectives.rpoSeconds, RPO_WARN);
  const rto = judgeRto(given);
  const recoverable = window.latest_lsn !== null;
  const findings = findingsOf(given, clock, recoverable, rto.scenarios);
  const failed = findings.some(({ severity }) => severity === 'failed');
  const verdict = worst([recoverable ? 'met' : 'missed', rpoState, rto.state, failed ? 'at-risk' : 'met']);
  return {
    cluster,
    at: now.toISOString(),
    verdict,
    recoverable_to: recoverable ? (told[0]?.durable_at ?? window.latest_at) : null,
    recovery_window: window,
    rpo: { objective_seconds: objectives.rpoSeconds, seconds, state: rpoState, places: told },
    canary: newestCanary(given),
    source: source === undefined ? null : describeSource(source, given.slot),
    rto,
    findings,
  };
}

function describePlace(place: PlaceSeen, clock: Date, given: StatusGiven): StatusDocument['rpo']['places'][number] {
  const { source, state, record, objectives } = given;
  const durable = place.durable ?? { lsn: null, timeline: null, at: null };
  const marks = state?.acknowledged ?? (record === undefined ? [] : [record.acknowledged]);
  const primary =
    source !== undefined && source.flushedLsn !== null && source.timeline !== null
      ? { timeline: source.timeline, flushedLsn: source.flushedLsn }
      : undefined;
  const rpo = liveRpo({
    now: clock,
    durable,
    source: primary,
    canaries: marks,
    quietUntil: state?.quiet_until ?? null,
  });
  return {
    place: place.name,
    required: place.required,
    durable_lsn: durable.lsn,
    timeline: durable.timeline,
    ...rpo,
    state: standingOf(rpo.seconds, objectives.rpoSeconds, RPO_WARN),
    problem: place.problem,
  };
}

function judgeRto(given: StatusGiven): StatusDocument['rto'] {
  const { backups, window, evidence, objectives } = given;
  const newest = backups.at(-1);
  const walBytes = newest === undefined ? 0 : between(newest.start_lsn, window.latest_lsn);
  const { whole, table } = samplesOf(evidence);
  const all = scenarios({
    samples: whole,
    tableSamples: table,
    bytes: newest?.bytes ?? 0,
    walBytes,
    walBytesMost: mostBetween(backups),
    readBytesPerSecond: readRate(backups),
    objectiveSeconds: objectives.rtoSeconds,
  });
  return {
    objective_seconds: objectives.rtoSeconds,
    state: worst(all.map(({ state }) => (state === 'unproven' ? 'met' : state))),
    newest_backup_bytes: newest?.bytes ?? 0,
    wal_since_bytes: walBytes,
    scenarios: [...all],
  };
}

/** WAL between two backups that follow one another is what a recovery to the worst moment replays. */
export function mostBetween(
  backups: readonly Pick<BackupSummary, 'system_identifier' | 'timeline' | 'start_lsn' | 'stop_lsn'>[],
): number {
  let most = 0;
  for (const [at, backup] of backups.entries()) {
    const next = backups[at + 1];
    if (next === undefined || next.system_identifier !== backup.system_identifier || next.timeline !== backup.timeline)
      continue;
    most = Math.max(most, between(backup.start_lsn, next.stop_lsn));
  }
  return most;
}

const between = (from: string, to: string | null): number => {
  const [begin, end] = [parseLsn(from), parseLsn(to ?? '')];
  return begin === undefined || end === undefined || end < begin ? 0 : Number(end - begin);
};

/** Of the newest backup that read much; undefined where none did. */
function readRate(backups: readonly BackupSummary[]): number | undefined {
  const large = backups.findLast(({ read_bytes: read, duration_seconds: took }) => read >= 64 * 2 ** 20 && took > 0);
  return large && large.read_bytes / large.duration_seconds;
}

function newestCanary({ source, state, record, canaryIntervalSeconds }: StatusGiven): StatusDocument['canary'] {
  const known = [
    { by: 'source', row: source?.canary },
    { by: 'state-file', row: state?.acknowledged.at(-1) },
    { by: 'repository', row: record?.acknowledged },
  ] as const;
  const found = known.find(({ row }) => row !== undefined);
  return {
    configured: canaryIntervalSeconds !== null,
    newest: found?.row === undefined ? null : { sequence: found.row.sequence, written_at: found.row.written_at },
    known_by: found?.by ?? null,
    quiet_until: state?.quiet_until ?? null,
  };
}

function describeSource(source: SourceFacts, slot: string): NonNullable<StatusDocument['source']> {
  return {
    in_recovery: source.inRecovery,
    flushed_lsn: source.flushedLsn,
    timeline: source.timeline,
    slot:
      source.slot === undefined
        ? null
        : {
            name: slot,
            wal_status: source.slot.walStatus,
            held_bytes: Math.max(0, source.slot.heldBytes),
            safe_bytes: source.slot.safeBytes ?? null,
            limit_bytes: source.slot.limitBytes ?? null,
          },
    replication: [...source.replication],
    archive: source.archive,
  };
}

function findingsOf(given: StatusGiven, clock: Date, recoverable: boolean, all: readonly Scenario[]): Finding[] {
  const { window, places, source, sourceProblem } = given;
  const findings: Finding[] = [];
  const say = (severity: Finding['severity'], message: string, hint: string | null): void =>
    void findings.push({ severity, message, hint });
  if (!recoverable) say('failed', 'it cannot be recovered: no backup has the WAL it needs', 'spillway backup');
  if (window.gaps.length > 0) {
    say('failed', `WAL is missing in ${window.gaps.length} places of the recovery window`, 'spillway wal check');
  }
  for (const { name, required, problem } of places) {
    if (problem !== null) say(required ? 'failed' : 'warning', `the place ${name} was not looked at: ${problem}`, null);
  }
  if (sourceProblem !== null) say('warning', `the source was not asked: ${sourceProblem}`, 'spillway check');
  if (source !== undefined) findings.push(...findingsOfSource(given, source, clock));
  const open = given.evidence
    .filter(({ kind }) => kind === 'anomaly')
    .toSorted((a, b) => (a.finished_at < b.finished_at ? 1 : -1))[0];
  if (open?.result === 'failed') say('failed', `signs of destruction were found (${open.id})`, 'spillway anomalies');
  const proof = all.find(({ name }) => name === 'whole cluster lost')?.proof ?? null;
  const old = proof !== null && clock.getTime() - Date.parse(proof.at) > PROOF_DAYS * DAY_MS;
  if (recoverable && proof === null)
    say('warning', 'no recovery was ever measured', 'spillway restore --start, or a drill');
  if (old)
    say(
      'warning',
      `the last recovery was measured more than ${PROOF_DAYS} days ago`,
      'spillway restore --start, or a drill',
    );
  return findings.toSorted((a, b) => Number(b.severity === 'failed') - Number(a.severity === 'failed'));
}

function findingsOfSource(given: StatusGiven, source: SourceFacts, clock: Date): readonly Finding[] {
  const { slot, archive, replication } = source;
  const { objectives, canaryIntervalSeconds, state } = given;
  const findings: Finding[] = [];
  if (slot !== undefined) {
    const { walStatus, safeBytes, limitBytes } = slot;
    const left = safeBytes === undefined || limitBytes === undefined || limitBytes === 0 ? 1 : safeBytes / limitBytes;
    const lost = walStatus === 'lost' || walStatus === 'unreserved';
    if (lost || left < SLOT_WARN) {
      findings.push({
        severity: lost || left < SLOT_FAIL ? 'failed' : 'warning',
        message:
          walStatus === 'lost'
            ? `the slot ${given.slot} is lost`
            : `the slot ${given.slot} has ${Math.max(0, Math.round(left * 100))} % of max_slot_wal_keep_size left`,
        hint: 'see that spillway wal receive runs and keeps up',
      });
    }
  } else if (archive.mode === 'off' && !source.inRecovery) {
    findings.push({
      severity: 'failed',
      message: `nobody takes WAL: there is no slot ${given.slot}, and archive_mode is off`,
      hint: 'spillway wal receive',
    });
  }
  const { last_failed_at: failedAt, last_archived_at: archivedAt } = archive;
  if (archive.mode !== 'off' && failedAt !== null && (archivedAt === null || failedAt > archivedAt)) {
    findings.push({
      severity: 'failed',
      message: 'the last file of WAL was not archived',
      hint: "read the server's log",
    });
  }
  for (const { name, behind_seconds: behind, behind_bytes: bytes } of replication) {
    if (behind !== null && bytes !== null && bytes > 0 && behind > objectives.rpoSeconds * RPO_WARN) {
      findings.push({ severity: 'warning', message: `${name} is ${Math.round(behind)} s behind`, hint: null });
    }
  }
  if (canaryIntervalSeconds !== null && !source.inRecovery) {
    const seen = [source.canary?.written_at, state?.quiet_until].flatMap((at) =>
      at === null || at === undefined ? [] : [Date.parse(at)],
    );
    const newest = Math.max(...seen);
    const silent = clock.getTime() - newest > silentAfterMs(canaryIntervalSeconds * 1000);
    if (seen.length === 0 || silent) {
      findings.push({
        severity: 'warning',
        message: seen.length === 0 ? 'no canary was ever written' : 'the canary is silent',
        hint: 'see what spillway wal receive says of it, or run spillway canary',
      });
    }
  }
  return findings;
}

const ORDER: readonly Standing[] = ['met', 'at-risk', 'missed'];
const worst = (all: readonly Standing[]): Standing =>
  ORDER[Math.max(0, ...all.map((each) => ORDER.indexOf(each)))] ?? 'missed';
