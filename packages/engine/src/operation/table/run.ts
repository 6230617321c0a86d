// `restore --table`: tables as they were at a moment, from a scratch cluster of that moment into the live database or a file.
//
//   1  look at the live database: what can be refused is refused before anything is fetched
//   2  the scratch cluster recovers to the moment; one session reads there, in one snapshot
//   3  find the tables in both, and decide what is done with each (`plan.ts`)
//   4  beside (`beside.ts`), swap (`swap.ts`), file (`file.ts`), or, with `isDryRun`, only the difference
//   5  a signed record of what was done, or of what failed once the moment was reached
// Nothing is left behind but what was asked for: stages are temporary, the scratch cluster goes when this returns.

import { isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import type { Session } from '../../postgres/connection.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import { writeEvidence } from '../../repository/evidence.ts';
import type { Repository } from '../../repository/repository.ts';
import { describeTarget, type RecoveryTarget, targetValue } from '../restore/target.ts';
import type { TableWork } from './act.ts';
import { putBeside } from './beside.ts';
import { findDump } from './define.ts';
import type { TableDifference } from './difference.ts';
import { type FileFormat, fileFormat, refuseExisting, writeTables } from './file.ts';
import { findTable, type FoundTable } from './find.ts';
import { examineLive, inTransaction, listPublications, listTaken, type LiveFacts } from './live.ts';
import { type AskedTable, parseTableName, quoteIdentifier, showIdentifier, showName, type TableName } from './name.ts';
import { type TablePhase, Phases } from './phases.ts';
import { type How, planTables, type TablePlan, type Way } from './plan.ts';
import {
  type Dependent,
  findNamed,
  type FoundName,
  listRelations,
  openTableSession,
  readRelation,
  type Relation,
} from './relation.ts';
import { rowsOf } from './statements.ts';
import { compareTables, type ShownDifferences, stageTables, swapTables } from './swap.ts';

const LOCK_TIMEOUT_MS = 10_000;

/** A server of the moment, that nobody else uses. */
export interface MomentServer extends AsyncDisposable {
  readonly connection: ConnectionSettings;
  readonly plan: { readonly backup: { readonly id: string; readonly postgres_version: number } };
  readonly recovery: { readonly recovered_to_lsn: string | null; readonly recovered_to_time: string | null };
  readonly phases: readonly Omit<TablePhase, 'rows'>[];
}

export interface TableRestoreOptions {
  readonly repository: Repository;
  readonly cluster: string;
  /** As somebody wrote them. */
  readonly tables: readonly string[];
  readonly database: string;
  readonly target: RecoveryTarget;
  readonly how: How;
  /** Absolute, for a file. */
  readonly file?: string;
  /** The name of the table beside. */
  readonly as?: string;
  /** Beside: no indexes and no constraints. */
  readonly isBare?: boolean;
  /** New tables are UNLOGGED. */
  readonly isUnlogged?: boolean;
  /** Swap: writers wait from before the comparison. */
  readonly isLocked?: boolean;
  /** How long writers are waited for; 10 s by default. */
  readonly lockTimeoutMs?: number;
  /** Only finds out what differs. */
  readonly isDryRun?: boolean;
  /** The live server, its database left open. */
  readonly live: ConnectionSettings;
  /** Called once the live database was looked at, and only then. */
  readonly openMoment: () => Promise<MomentServer>;
  /** Before a swap; throws where it is not wanted. */
  readonly confirm: (tables: readonly RestoredTable[]) => Promise<void>;
  /** Where pg_dump is looked for. */
  readonly binDirectory?: string;
  readonly searchPath?: readonly string[];
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface RestoredTable {
  readonly schema: string;
  readonly name: string;
  /** As SQL writes it. */
  readonly shown: string;
  readonly way: Way;
  /** Whether it is in the live database; null where that was not asked. */
  readonly is_live: boolean | null;
  /** Of the moment; null where they were not counted. */
  readonly rows: number | null;
  readonly format: 'binary' | 'text' | null;
  readonly into: TableName | null;
  readonly kept: (TableName & { readonly rows: number }) | null;
  readonly difference: TableDifference | null;
  /** What stands or falls with it. */
  readonly depends: readonly {
    readonly kind: Dependent['kind'];
    readonly name: string;
    readonly definition: string | null;
  }[];
  readonly notes: readonly string[];
}

export interface TableRestoreSummary {
  readonly cluster: string;
  readonly database: string;
  readonly how: How;
  readonly dry_run: boolean;
  readonly target: { readonly kind: RecoveryTarget['kind']; readonly value: string | null };
  readonly recovered_to_lsn: string | null;
  readonly recovered_to_time: string | null;
  readonly backup: string;
  /** In the order in which they were done. */
  readonly tables: readonly RestoredTable[];
  readonly file: { readonly path: string; readonly format: FileFormat; readonly bytes: number } | null;
  readonly phases: readonly TablePhase[];
  readonly total_seconds: number;
  /** The id of its record; null where none was left. */
  readonly evidence: string | null;
}

export async function restoreTables(options: TableRestoreOptions): Promise<TableRestoreSummary> {
  const { signal, report, how } = options;
  const startedAt = new Date();
  const began = performance.now();
  const asked = options.tables.map(parseTableName);
  const format = how === 'file' ? fileFormat(options.file ?? '', asked.length) : undefined;
  if (options.file !== undefined) await refuseExisting(options.file);
  const phases = new Phases(report);
  const liveConnection = { ...options.live, database: options.database, applicationName: 'spillway restore --table' };
  await using live = how === 'file' ? undefined : await openTableSession(liveConnection, signal);
  const facts = live === undefined ? undefined : await examineLive(live, options);
  const dumpOf =
    (major: number): (() => Promise<string>) =>
    () =>
      findDump(major, { ...options, signal });
  if (live !== undefined && facts !== undefined && options.isDryRun !== true) {
    await warnOfMissingDump(asked, await listRelations(live, signal), dumpOf(facts.major), report);
  }

  await using server = await options.openMoment();
  for (const phase of server.phases) phases.done.push({ ...phase, rows: null });
  const connection = { ...server.connection, database: options.database };
  const told = describeTarget(options.target);
  let summary: Omit<TableRestoreSummary, 'evidence' | 'total_seconds' | 'phases'> | undefined;
  try {
    await using moment = await openTableSession(connection, signal);
    await moment.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', [], { signal });
    const names = live === undefined ? undefined : await listRelations(live, signal);
    const found = await findTables(asked, { moment, live: names, database: options.database, told, signal });
    const plans = await makePlans(options, { found, moment, live, facts, server });
    const findDumpProgram = dumpOf(majorOf(server));
    const common = {
      cluster: options.cluster,
      database: options.database,
      how,
      dry_run: options.isDryRun === true,
      target: { kind: options.target.kind, value: targetValue(options.target) },
      recovered_to_lsn: server.recovery.recovered_to_lsn,
      recovered_to_time: server.recovery.recovered_to_time,
      backup: server.plan.backup.id,
    };
    if (live === undefined || facts === undefined) {
      const rows = await countRows(moment, plans, phases, signal);
      const tables = plans.map((plan) => describe(plan, { rows: rows.get(plan.moment.oid) ?? null }));
      const path = options.file ?? '';
      const bytes =
        format === undefined || options.isDryRun === true
          ? 0
          : await phases.run('file', () =>
              writeTables({
                path,
                format,
                moment,
                connection,
                tables: plans.map((plan) => plan.moment),
                findDump: findDumpProgram,
                signal,
                report,
              }),
            );
      summary = { ...common, tables, file: format === undefined ? null : { path, format, bytes } };
    } else {
      const work: TableWork = {
        moment,
        live,
        facts,
        scratch: { connection },
        plans,
        isSameMajor: facts.major === majorOf(server),
        isBare: options.isBare === true,
        isUnlogged: options.isUnlogged === true,
        told,
        findDump: findDumpProgram,
        phases,
        signal,
        report,
      };
      summary = { ...common, tables: await act(options, work), file: null };
    }
  } catch (error) {
    const isRefused = isSpillwayError(error, 'SPW_CONFIRMATION_NEEDED');
    if (options.isDryRun !== true && !isRefused && !signal.aborted)
      await record(options, { startedAt, server, phases, error });
    throw error;
  }
  const evidence =
    options.isDryRun === true ? null : await record(options, { startedAt, server, phases, tables: summary.tables });
  return {
    ...summary,
    phases: phases.done,
    total_seconds: Math.round(performance.now() - began) / 1000,
    evidence,
  };
}

/**
 * A table that has no such name now may be gone, and then pg_dump is needed. That it is not here is said now, and not when a
 * scratch cluster has been recovered for it; it is no error yet, as the table may only have another name.
 */
async function warnOfMissingDump(
  asked: readonly AskedTable[],
  names: readonly FoundName[],
  find: () => Promise<string>,
  report: Report,
): Promise<void> {
  const missing = asked.filter((table) => findNamed(names, table) === undefined);
  if (missing.length === 0) return;
  try {
    await find();
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_POSTGRES_PROGRAM')) throw error;
    report({
      type: 'notice',
      level: 'warning',
      message: `${missing.map(({ text }) => text).join(', ')} is not in the live database. If it was dropped, pg_dump is needed to make it again: ${error.message}, ${error.why ?? ''}; ${error.hint}.`,
    });
  }
}

async function act(options: TableRestoreOptions, work: TableWork): Promise<readonly RestoredTable[]> {
  const { plans, live, signal } = work;
  if (options.isDryRun === true) {
    const staged = await stageTables(work);
    const shown = await inTransaction(live, 'ISOLATION LEVEL REPEATABLE READ', signal, () =>
      compareTables(work, staged),
    );
    const rows = await countRows(
      work.moment,
      plans.filter(({ moment }) => !shown.has(moment.oid)),
      work.phases,
      signal,
    );
    return plans.map((plan) => {
      const difference = shown.get(plan.moment.oid)?.told ?? null;
      return describe(plan, { rows: difference?.moment ?? rows.get(plan.moment.oid) ?? null, difference });
    });
  }
  if (options.how === 'beside') {
    const put = await putBeside(work);
    return plans.map((plan) => describe(plan, { ...put.get(plan.moment.oid) }));
  }
  const swapped = await swapTables(work, {
    isLocked: options.isLocked === true,
    lockTimeoutMs: options.lockTimeoutMs ?? LOCK_TIMEOUT_MS,
    confirm: (shown) => options.confirm(plans.map((plan) => describe(plan, before(plan, shown)))),
  });
  return plans.map((plan) =>
    describe(plan, {
      ...swapped.put.get(plan.moment.oid),
      difference: swapped.shown.get(plan.moment.oid)?.told ?? null,
      kept: swapped.kept.get(plan.moment.oid),
    }),
  );
}

const before = (plan: TablePlan, shown: ShownDifferences): Outcome => {
  const difference = shown.get(plan.moment.oid)?.told ?? null;
  return { rows: difference?.moment ?? null, difference };
};

const majorOf = (server: MomentServer): number => Math.trunc(server.plan.backup.postgres_version / 10_000);

async function findTables(
  asked: readonly AskedTable[],
  around: {
    readonly moment: Session;
    readonly live: readonly FoundName[] | undefined;
    readonly database: string;
    readonly told: string;
    readonly signal: AbortSignal;
  },
): Promise<readonly FoundTable[]> {
  const moment = await listRelations(around.moment, around.signal);
  return asked.map((each) => findTable(each, { ...around, moment }));
}

async function makePlans(
  options: TableRestoreOptions,
  of: {
    readonly found: readonly FoundTable[];
    readonly moment: Session;
    readonly live: Session | undefined;
    readonly facts: LiveFacts | undefined;
    readonly server: MomentServer;
  },
): Promise<readonly TablePlan[]> {
  const { found, moment, live, facts, server } = of;
  const { signal } = options;
  const tables: {
    readonly asked: FoundTable['asked'];
    readonly moment: Relation;
    readonly live: Relation | undefined;
  }[] = [];
  for (const each of found) {
    tables.push({
      asked: each.asked,
      moment: await readRelation(moment, each.moment.oid, signal),
      live: live === undefined || each.live === undefined ? undefined : await readRelation(live, each.live.oid, signal),
    });
  }
  const schemas = [
    ...new Set(tables.flatMap((table) => [table.moment.schema, table.live?.schema ?? table.moment.schema])),
  ];
  return planTables({
    how: options.how,
    tables,
    target: options.target,
    reachedAt: reachedAt(options, server),
    now: new Date(),
    isSameMajor: facts?.major === majorOf(server),
    taken: live === undefined ? [] : await listTaken(live, schemas, signal),
    as: options.as,
    isUnlogged: options.isUnlogged === true,
    publications: live === undefined ? [] : await listPublications(live, signal),
  });
}

function reachedAt({ target }: TableRestoreOptions, { recovery }: MomentServer): Date {
  if (target.kind === 'time') return target.at;
  const reached = new Date(recovery.recovered_to_time ?? Number.NaN);
  return Number.isNaN(reached.getTime()) ? new Date() : reached;
}

async function countRows(
  moment: Session,
  plans: readonly TablePlan[],
  phases: Phases,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const plan of plans) {
    const rows = await phases.run(
      `count ${showName(plan.moment)}`,
      async () => {
        const [row] = await moment.query<{ rows: string }>(
          `SELECT pg_catalog.count(*)::text AS rows FROM ${rowsOf(plan.moment)}`,
          [],
          { signal },
        );
        return Number(row?.rows ?? 0);
      },
      (count) => count,
    );
    counts.set(plan.moment.oid, rows);
  }
  return counts;
}

interface Outcome {
  readonly rows?: number | null;
  readonly format?: 'binary' | 'text';
  readonly notes?: readonly string[];
  readonly difference?: TableDifference | null;
  readonly kept?: number | undefined;
}

function describe(plan: TablePlan, outcome: Outcome): RestoredTable {
  const { moment, live, way, into, kept } = plan;
  const { schema, name } = live ?? moment;
  return {
    schema,
    name,
    shown: showName({ schema, name }),
    way,
    is_live: way === 'file' ? null : live !== undefined,
    rows: outcome.rows ?? null,
    format: outcome.format ?? null,
    into,
    kept: kept === null || outcome.kept === undefined ? null : { ...kept, rows: outcome.kept },
    difference: outcome.difference ?? null,
    depends: dependsOn(live ?? moment),
    notes: [...plan.notes, ...(outcome.notes ?? [])],
  };
}

function dependsOn(relation: Relation): RestoredTable['depends'] {
  const own = `${quoteIdentifier(relation.schema)}.${quoteIdentifier(relation.name)}`;
  return [
    ...relation.foreign_keys.map((key) => ({
      kind: 'foreign key' as const,
      name:
        key.from_oid === relation.oid
          ? `${showIdentifier(key.name)} to ${showName(key.to)}`
          : `${showIdentifier(key.name)} from ${showName(key.from)}`,
      definition: key.definition,
    })),
    ...relation.sequences.map((sequence) => ({
      kind: 'sequence' as const,
      name: `${showName(sequence)} of ${showIdentifier(sequence.column)}`,
      definition: null,
    })),
    ...relation.triggers
      .filter(
        (trigger) => `${quoteIdentifier(trigger.relation.schema)}.${quoteIdentifier(trigger.relation.name)}` === own,
      )
      .map((trigger) => ({ kind: 'trigger' as const, name: showIdentifier(trigger.name), definition: null })),
    ...relation.dependents.map(({ kind, name }) => ({ kind, name, definition: null })),
  ];
}

/** It is done, or has failed, by now: without a record it is no less so. */
async function record(
  options: TableRestoreOptions,
  of: {
    readonly startedAt: Date;
    readonly server: MomentServer;
    readonly phases: Phases;
    readonly tables?: readonly RestoredTable[];
    readonly error?: unknown;
  },
): Promise<string | null> {
  const { repository, cluster, target, how, database, signal, report } = options;
  const { tables, error } = of;
  const sum = (kind: 'added' | 'changed' | 'missing'): number | null =>
    tables === undefined || how !== 'swap'
      ? null
      : tables.reduce((total, { difference }) => total + (difference?.[kind] ?? 0), 0);
  try {
    const written = await writeEvidence(
      repository,
      {
        kind: 'table-restore',
        cluster,
        // Of one backup no more was read than these tables need: that proves nothing of the rest.
        backup: null,
        level: 'restore',
        result: error === undefined ? 'passed' : 'failed',
        started_at: of.startedAt.toISOString(),
        finished_at: new Date().toISOString(),
        details: {
          backup: of.server.plan.backup.id,
          database,
          tables: tables?.map(({ shown }) => shown) ?? options.tables,
          target: { kind: target.kind, value: targetValue(target) },
          recovered_to_lsn: of.server.recovery.recovered_to_lsn,
          how,
          rows: {
            restored: tables === undefined ? null : tables.reduce((total, { rows }) => total + (rows ?? 0), 0),
            added: sum('added'),
            changed: sum('changed'),
            missing: sum('missing'),
          },
          phases: of.phases.done,
          error: error === undefined ? null : errorText(error),
        },
      },
      signal,
    );
    return written.id;
  } catch (failure) {
    if (!isSpillwayError(failure)) throw failure;
    report({ type: 'notice', level: 'warning', message: `No evidence was left: ${failure.message}.` });
    return null;
  }
}

const errorText = (error: unknown): string =>
  error instanceof SpillwayError
    ? [error.message, error.why].filter((part) => part !== undefined).join(': ')
    : String(error);
