// One drill, from the choice of the backup to the signed record.
//
//   1  a mark that it runs, and what killed drills left is put on record
//   2  source: the queries that the source is held against, and the position that shows the same (`source.ts`)
//   3  choose: the backup and the moment (`choice.ts`)
//   4  plan, lay, start-and-recover: a scratch cluster beside production
//   5  check: what the file asks, its objects, every page and the structure of tables and indexes
//   6  clean-up: server and files go, whatever happened
//   7  the record; then the mark goes
// The clock of RTO runs from the beginning of step 1 to the first successful check of health: by HTTP where the file has such
// a check, else of the database. So asking the source and waiting for its WAL count too. A drill that breaks off is on record
// as failed with the sentence that it broke off with; only where nothing can be put on record does this throw.

import { hostname } from 'node:os';
import { type Drill, isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import {
  connect,
  type ConnectionSettings,
  type EvidenceRecord,
  listBackups,
  type RecoveryTarget,
  recoveryWindow,
  type Repository,
  type Scratch,
  seenTooEarly,
  writeEvidence,
} from '@spillway/engine';
import { askCheck, askObjects, type AskPlace, timed } from './ask.ts';
import type { CheckOutcome } from './checklist.ts';
import { chooseBackup, leadingTo, randomMoment } from './choice.ts';
import { recordKilled } from './killed.ts';
import { markDrill, newRun } from './mark.ts';
import { checkPages, checkStructure } from './pages.ts';
import { type DrillDetails, type DrillPhase, evidenceOf, type Told } from './record.ts';
import { askSource, type SourceAnswers } from './source.ts';

/** To write the record once the drill itself was interrupted. */
const RECORD_WITHIN_MS = 30_000;

export interface DrillOptions {
  readonly repository: Repository;
  readonly cluster: string;
  /** A sentence where the file could not be read: that is put on record. */
  readonly drill: Drill | { readonly name: string; readonly unreadable: string };
  /** To the source. */
  readonly connection: ConnectionSettings;
  /** In which scratch clusters lie. */
  readonly folder: string;
  readonly openScratch: (wish: {
    readonly target: RecoveryTarget;
    readonly backupId: string;
    readonly timeline?: number;
    readonly databases?: readonly string[];
  }) => Promise<Scratch>;
  /** A time as the drill file writes it. */
  readonly parseTime: (text: string) => RecoveryTarget;
  readonly walTimeoutMs: number;
  /** For the commands of the drill file. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly directory: string;
  /** From 0 to 1, 1 excluded. */
  readonly random: () => number;
  readonly versions: { readonly spillway: string; readonly node: string };
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface DrillRun {
  readonly record: EvidenceRecord;
  readonly details: DrillDetails;
  /** Records of drills that were killed before. */
  readonly killed: readonly EvidenceRecord[];
}

export async function runDrill(options: DrillOptions): Promise<DrillRun> {
  const { repository, cluster, drill, folder, signal } = options;
  const began = performance.now();
  const startedAt = new Date();
  const killed = await recordKilled(options);
  const ledger = new Ledger(began);
  const run = newRun();
  const marking = { drill: drill.name, cluster, repository: repository.id, startedAt };
  // A folder that cannot be used is on record too.
  const mark = await markDrill(folder, run, marking).catch((error: unknown) => ledger.fail(error, signal));
  if ('unreadable' in drill) ledger.error = { phase: 'read', message: drill.unreadable, atFault: false };
  else if (mark !== undefined) await perform(drill, options, { run, folder: mark.folder, ledger });
  const told: Told = {
    ...ledger.told(),
    run,
    drill: drill.name,
    cluster,
    rtoObjectiveSeconds: 'unreadable' in drill ? null : inSeconds(drill.objectives.rto),
    rpoObjectiveSeconds: 'unreadable' in drill ? null : inSeconds(drill.objectives.rpo),
    startedAt,
    finishedAt: new Date(),
    host: hostname(),
    versions: { ...options.versions, postgres: ledger.postgres },
  };
  const evidence = evidenceOf(told);
  // What was interrupted is on record too.
  const record = await writeEvidence(repository, evidence, AbortSignal.timeout(RECORD_WITHIN_MS));
  await mark?.remove();
  signal.throwIfAborted();
  if (ledger.unforeseen !== undefined) throw ledger.unforeseen;
  return { record, details: evidence.details, killed };
}

/** Everything that can break off; what it breaks off with is kept. */
async function perform(
  drill: Drill,
  options: DrillOptions,
  { run, folder, ledger }: { readonly run: string; readonly folder: string; readonly ledger: Ledger },
): Promise<void> {
  let scratch: Scratch | undefined;
  try {
    const source = await ledger.phase('source', () => askSource(drill, options));
    ledger.rpoSeconds = source.moment?.lossSeconds ?? null;
    const { backup, target } = await ledger.phase('choose', () => choose(drill, options, source));
    ledger.backup = backup;
    ledger.now = 'plan';
    scratch = await options.openScratch({
      target,
      backupId: backup,
      ...(source.moment === null ? {} : { timeline: source.moment.timeline }),
      ...(drill.databases === undefined ? {} : { databases: drill.databases }),
    });
    ledger.take(scratch);
    const opened = scratch;
    await ledger.phase('check', () => check(drill, options, { run, folder, ledger, scratch: opened, source }));
  } catch (error) {
    ledger.fail(error, options.signal);
  } finally {
    const { now } = ledger;
    if (scratch !== undefined) {
      const opened = scratch;
      await ledger
        .phase('clean-up', () => opened[Symbol.asyncDispose]())
        .catch((error: unknown) => {
          ledger.fail(error, options.signal);
        });
    }
    ledger.now = now;
  }
}

async function choose(
  drill: Drill,
  { repository, cluster, parseTime, random, signal }: DrillOptions,
  source: SourceAnswers,
): Promise<{ readonly backup: string; readonly target: RecoveryTarget }> {
  const all = await listBackups({ repository, cluster, signal });
  const backups = source.moment === null ? all : leadingTo(all, source.moment.lsn);
  const asked = drill.target === 'latest' || drill.target === 'random' ? undefined : parseTime(drill.target);
  const before = asked?.kind === 'time' ? asked.at : undefined;
  const { id, ...backup } = chooseBackup(backups, drill.backup, before, random());
  if (source.moment !== null) return { backup: id, target: { kind: 'lsn', lsn: source.moment.lsn } };
  if (asked !== undefined) return { backup: id, target: asked };
  if (drill.target === 'latest') return { backup: id, target: { kind: 'latest' } };
  const { latest_at: latestAt } = await recoveryWindow({ repository, cluster, backups, signal });
  return { backup: id, target: randomMoment({ id, ...backup }, latestAt, random()) };
}

async function check(
  drill: Drill,
  options: DrillOptions,
  {
    run,
    folder,
    ledger,
    scratch,
    source,
  }: {
    readonly run: string;
    readonly folder: string;
    readonly ledger: Ledger;
    readonly scratch: Scratch;
    readonly source: SourceAnswers;
  },
): Promise<void> {
  const { signal, report } = options;
  const { connection } = scratch;
  await using session = await connect(connection, { signal });
  const place: AskPlace = {
    // What names no database asks that of the cluster's connection, there and here.
    drill: { ...drill, database: drill.database ?? options.connection.database },
    connection,
    overTcp: scratch.overTcp,
    source,
    inexact: await seenTooEarly(session, source.moment?.running ?? []),
    commands: {
      id: run,
      environment: options.environment,
      directory: options.directory,
      folder,
    },
    signal,
  };
  const health: readonly CheckOutcome['kind'][] = drill.checks.some(({ kind }) => kind === 'http')
    ? ['http']
    : ['sql', 'objects'];
  for (const each of drill.checks) {
    report({ type: 'progress', phase: 'checking', done_bytes: 0, detail: each.name });
    ledger.add(await askCheck(each, place), health);
  }
  for (const database of Object.keys(drill.objects)) {
    for (const outcome of await askObjects(database, place)) ledger.add(outcome, health);
  }
  const pages = await timedOrNone({ name: 'pages', kind: 'pages', about: null }, () =>
    checkPages(session, scratch.directory, { signal, report }),
  );
  if (pages !== undefined) ledger.add(pages, []);
  const databases = await session.query<{ name: string }>(
    'SELECT datname AS name FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname',
  );
  const restored = databases.map(({ name }) => name).filter((name) => isRestored(name, scratch));
  const structure = await timedOrNone({ name: 'structure', kind: 'structure', about: null }, () =>
    checkStructure(connection, restored, { signal, report }),
  );
  if (structure !== undefined) ledger.add(structure, []);
}

const isRestored = (name: string, { plan }: Scratch): boolean => plan.databases?.left_empty.includes(name) !== true;

async function timedOrNone(
  told: Pick<CheckOutcome, 'name' | 'kind' | 'about'>,
  ask: () => Promise<Omit<CheckOutcome, 'seconds' | 'name' | 'kind' | 'about'> | undefined>,
): Promise<CheckOutcome | undefined> {
  let measured = true;
  const outcome = await timed(told, async () => {
    const verdict = await ask();
    measured = verdict !== undefined;
    return verdict ?? { result: 'passed', expected: '', found: '' };
  });
  return measured ? outcome : undefined;
}

/** What was measured so far. */
class Ledger {
  readonly #began: number;
  readonly #phases: DrillPhase[] = [];
  readonly #checks: CheckOutcome[] = [];
  #scratch: Scratch | undefined;
  #rtoSeconds: number | null = null;
  /** The phase that is under way. */
  now = 'source';
  backup: string | null = null;
  rpoSeconds: number | null = null;
  error: Told['error'] = null;
  /** On record as well, and thrown once it is. */
  unforeseen: unknown;

  constructor(began: number) {
    this.#began = began;
  }

  get postgres(): string | null {
    const version = this.#scratch?.plan.backup.postgres_version;
    return version === undefined ? null : `${Math.trunc(version / 10_000)}.${version % 10_000}`;
  }

  async phase<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const startedAt = new Date();
    const began = performance.now();
    this.now = name;
    try {
      return await work();
    } finally {
      this.#phases.push({
        name,
        started_at: startedAt.toISOString(),
        finished_at: new Date().toISOString(),
        seconds: Math.round(performance.now() - began) / 1000,
        bytes: null,
      });
    }
  }

  take(scratch: Scratch): void {
    this.#scratch = scratch;
    this.#phases.push(...scratch.phases);
  }

  add(outcome: CheckOutcome, health: readonly CheckOutcome['kind'][]): void {
    this.#checks.push(outcome);
    if (this.#rtoSeconds !== null || outcome.result !== 'passed' || !health.includes(outcome.kind)) return;
    this.#rtoSeconds = Math.round(performance.now() - this.#began) / 1000;
  }

  /** The first stands; what follows from it is only its consequence. */
  fail(error: unknown, signal: AbortSignal): void {
    if (this.error !== null) return;
    if (signal.aborted) {
      this.error = { phase: this.now, message: 'it was interrupted', atFault: false };
      return;
    }
    if (!(error instanceof SpillwayError)) {
      this.unforeseen = error;
      const message = `something happened that was not foreseen: ${error instanceof Error ? error.message : String(error)}`;
      this.error = { phase: this.now, message, atFault: false };
      return;
    }
    const phase = this.now === 'plan' ? phaseOf(error) : this.now;
    const why = error.why === undefined ? '' : `: ${error.why}`;
    this.error = { phase, message: `${error.message}${why}`, atFault: isSpillwayError(error, ...AT_FAULT) };
  }

  told(): Omit<
    Told,
    | 'run'
    | 'drill'
    | 'cluster'
    | 'rtoObjectiveSeconds'
    | 'rpoObjectiveSeconds'
    | 'startedAt'
    | 'finishedAt'
    | 'host'
    | 'versions'
  > {
    const scratch = this.#scratch;
    const { restored, recovery } = scratch ?? {};
    return {
      backup: this.backup,
      target: scratch?.plan.target ?? null,
      recoveredToTime: recovery?.recovered_to_time ?? null,
      download:
        restored === undefined
          ? null
          : { files: restored.files, bytes: restored.fetched_bytes, seconds: restored.duration_seconds },
      recovery: recovery === undefined ? null : { lsn: recovery.recovered_to_lsn, seconds: recovery.recovery_seconds },
      phases: this.#phases,
      checks: this.#checks,
      rtoSeconds: this.#rtoSeconds,
      rpoSeconds: this.rpoSeconds,
      error: this.error,
    };
  }
}

/** What says something of the backup or its WAL, and not of this machine. */
const AT_FAULT = [
  'SPW_OBJECT_DAMAGED',
  'SPW_OBJECT_MISSING',
  'SPW_RECOVERY_FAILED',
  'SPW_WAL_INVALID',
  'SPW_WAL_GAP',
] as const;

/** A scratch cluster is opened in one go: which part of it broke off is told by the error. */
function phaseOf(error: SpillwayError): string {
  if (isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING', 'SPW_RESTORE_FAILED')) return 'lay';
  return isSpillwayError(error, 'SPW_RECOVERY_FAILED', 'SPW_POSTGRES_UNREACHABLE', 'SPW_POSTGRES_DENIED')
    ? 'start-and-recover'
    : 'plan';
}

const inSeconds = (value: number | undefined): number | null => (value === undefined ? null : value / 1000);
