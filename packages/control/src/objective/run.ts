// Gathers what `judgeStatus` judges: every place, the source, the state file, the evidence. Nothing is changed.
//
// A part that is down is told and hides none of the others; only where no place of the repository opens there is nothing to
// say.

import { isSpillwayError, type RecoveryWindow, type SpillwayError, type StatusDocument } from '@spillway/contract';
import {
  type BackupSummary,
  type CanaryRecord,
  type CanaryState,
  type ConnectionSettings,
  listBackups,
  listEvidence,
  readCanaryAt,
  readCanaryRecord,
  readSource,
  readStateFile,
  recoveryWindow,
  type Repository,
  type SourceFacts,
} from '@spillway/engine';
import type { Witness } from './loss.ts';
import type { DurableAt } from './live-rpo.ts';
import { judgeStatus, type PlaceSeen } from './status.ts';

export interface PlaceToAsk {
  readonly name: string;
  readonly required: boolean;
  readonly open: () => Promise<Repository>;
}

export interface StatusOptions {
  readonly cluster: string;
  /** The first place first. */
  readonly places: readonly [PlaceToAsk, ...PlaceToAsk[]];
  readonly source: { readonly connection: ConnectionSettings; readonly slot: string } | undefined;
  /** Of a repository, as several may be on one machine. */
  readonly stateFile: (repositoryId: string) => string;
  readonly objectives: { readonly rpoSeconds: number; readonly rtoSeconds: number };
  readonly copyPolicy: 'all' | 'quorum' | 'best-effort';
  readonly canaryIntervalSeconds: number | null;
  readonly now: () => Date;
  readonly signal: AbortSignal;
}

interface PlaceRead {
  readonly repository: Repository;
  readonly window: RecoveryWindow;
  readonly backups: readonly BackupSummary[];
}

export async function readStatus(options: StatusOptions): Promise<StatusDocument> {
  const { cluster, places, source, signal } = options;
  // The source is asked last: what it has flushed by then the places may have or not, but never the other way round.
  const looked = await Promise.all(places.map((place) => attempt(() => lookAt(place, options))));
  const read = looked.flatMap((each) => ('value' in each ? [each.value] : []));
  const [first] = read;
  if (first === undefined) throw looked.flatMap((each) => ('error' in each ? [each.error] : []))[0];
  const [evidence, record, state, asked] = await Promise.all([
    listEvidence(first.repository, cluster, signal),
    readCanaryRecord(first.repository, cluster, signal),
    attempt(() => readStateFile(options.stateFile(first.repository.id))),
    source === undefined ? undefined : attempt(() => readSource(source.connection, source.slot, signal)),
  ]);
  const seen: PlaceSeen[] = looked.map((each, at) => ({
    name: places[at]?.name ?? '',
    required: places[at]?.required ?? false,
    durable: 'value' in each ? durableOf(each.value.window) : undefined,
    problem: 'error' in each ? told(each.error) : null,
  }));
  return judgeStatus({
    cluster,
    now: options.now(),
    objectives: options.objectives,
    copyPolicy: options.copyPolicy,
    window: first.window,
    backups: first.backups,
    places: seen,
    source: valueOf<SourceFacts>(asked),
    sourceProblem: asked !== undefined && 'error' in asked ? told(asked.error) : null,
    slot: source?.slot ?? '',
    canaryIntervalSeconds: options.canaryIntervalSeconds,
    state: valueOf<CanaryState | undefined>(state),
    record,
    evidence: evidence.records,
  });
}

/** Everybody who may know what was acknowledged. Those that do not answer are left out, with why. */
export async function gatherWitnesses(options: {
  readonly repository: Repository;
  readonly cluster: string;
  readonly source: ConnectionSettings | undefined;
  readonly stateFile: string | undefined;
  readonly signal: AbortSignal;
}): Promise<readonly Witness[]> {
  const { repository, cluster, source, stateFile, signal } = options;
  const [live, state, record] = await Promise.all([
    source === undefined ? undefined : attempt(() => readCanaryAt(source, signal)),
    stateFile === undefined ? undefined : attempt(() => readStateFile(stateFile)),
    attempt(() => readCanaryRecord(repository, cluster, signal)),
  ]);
  const row = valueOf(live);
  const noted = valueOf<CanaryState | undefined>(state);
  const kept = valueOf<CanaryRecord | undefined>(record);
  const newest = noted?.cluster === cluster ? noted.acknowledged.at(-1) : undefined;
  return [
    ...(row === undefined
      ? []
      : [{ ...row, by: 'source' as const, lsn: null, withinSeconds: secondsBehind(row, noted) }]),
    ...(noted === undefined || newest === undefined
      ? []
      : [{ ...newest, by: 'state-file' as const, withinSeconds: secondsUnseen(noted) }]),
    ...(kept === undefined ? [] : [{ ...kept.acknowledged, by: 'repository' as const, withinSeconds: null }]),
  ];
}

/** What was committed behind the row is younger than it, and than the moment until when it was quiet behind it. */
function secondsBehind(
  {
    sequence,
    clock,
    written_at: at,
  }: { readonly sequence: number; readonly clock: string; readonly written_at: string },
  noted: CanaryState | undefined,
): number {
  const quiet = noted?.acknowledged.at(-1)?.sequence === sequence ? noted.quiet_until : null;
  return Math.max(0, Date.parse(clock) - Math.max(Date.parse(at), quiet === null ? 0 : Date.parse(quiet))) / 1000;
}

/** From the last moment up to which all commits are known until the source was found gone; null where that was not seen. */
function secondsUnseen({ acknowledged, quiet_until: quiet, seen_at: seen, lost_at: lost }: CanaryState): number | null {
  const newest = acknowledged.at(-1);
  if (lost === null || newest === undefined) return null;
  const known = quiet !== null && seen !== null ? seen : newest.acknowledged_at;
  return Math.max(0, Date.parse(lost) - Date.parse(known)) / 1000;
}

async function lookAt(place: PlaceToAsk, { cluster, signal }: StatusOptions): Promise<PlaceRead> {
  const repository = await place.open();
  const asked = { repository, cluster, signal };
  const backups = await listBackups(asked);
  return { repository, backups, window: await recoveryWindow({ ...asked, backups }) };
}

const durableOf = (window: RecoveryWindow): DurableAt => ({
  lsn: window.latest_lsn,
  timeline: window.latest_timeline,
  at: window.latest_at,
});

type Attempt<Value> = { readonly value: Value } | { readonly error: SpillwayError };

async function attempt<Value>(act: () => Promise<Value>): Promise<Attempt<Value>> {
  try {
    return { value: await act() };
  } catch (error) {
    if (!isSpillwayError(error) || error.code === 'SPW_INTERRUPTED') throw error;
    return { error };
  }
}

const valueOf = <Value>(attempted: Attempt<Value> | undefined): Value | undefined =>
  attempted !== undefined && 'value' in attempted ? attempted.value : undefined;

const told = (error: SpillwayError): string => `${error.message}${error.why === undefined ? '' : `: ${error.why}`}`;
