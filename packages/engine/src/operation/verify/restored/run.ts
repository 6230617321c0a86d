// The level of restore: the only proof that a backup is one.
//
//   1  the newest backup, or the one that was named, and a moment of its window: chosen at random, or the one asked for
//   2  restored into a scratch cluster, started and recovered to that moment (`scratch/open.ts`)
//   3  pg_amcheck over heaps and indexes, all rows counted, the user's own checks: SQL that must answer true
//   4  the server shut down, and the checksum of every page looked at
//   5  the scratch cluster is gone again, whatever happened
// What of this the machine has no program for is said, and the rest is done. Where the restore could not be tried at all, as where
// the folder is too small, that is on record as a failure about no backup: it says nothing of one.

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isSpillwayError, SpillwayError } from '@spillway/contract';
import type { BackupSummary } from '../../../format/manifest.ts';
import { timelineId } from '../../../postgres/lsn.ts';
import { findClientPrograms, type ClientProgram, type ClientPrograms } from '../../../postgres/client-programs.ts';
import { connect } from '../../../postgres/connection.ts';
import { parseControlFile } from '../../../postgres/control.ts';
import type { ConnectionSettings } from '../../../postgres/settings.ts';
import { findBackup, listBackups, readSystemWal, sentAt, wayFrom } from '../../backups.ts';
import { CONTROL_FILE } from '../../restore/chunks.ts';
import type { RecoveryTarget } from '../../restore/target.ts';
import { openScratch, type Scratch, type ScratchOptions } from '../../scratch/open.ts';
import { listSystems } from '../../system.ts';
import { conclude, leaveEvidence, type VerifySummary } from '../conclude.ts';
import { Findings, wholly } from '../findings.ts';
import type { RestoreProof } from '../proof.ts';
import { addCorruption, runAmcheck } from './amcheck.ts';
import { momentIn, type Window } from './moment.ts';
import { addWrongPage, readAllPages, runPgChecksums } from './pages.ts';
import { countRows } from './rows.ts';

const CHECK_WITHIN_MS = 10 * 60_000;
const FOUND_CHARACTERS_MAX = 500;

export interface VerifyRestoreOptions extends Omit<ScratchOptions, 'target' | 'backupId' | 'purpose'> {
  /** The beginning of an id; with none, the newest backup. */
  readonly id?: string;
  /** By default a moment chosen at random. */
  readonly target?: RecoveryTarget;
  /** What the moment is chosen by. */
  readonly seed: string;
  /** SQL whose first column of its first row must be true, in the database of the connection. */
  readonly checks?: readonly string[];
}

/** Errors that say something of the backup, and not of this machine. */
const DAMAGE = [
  'SPW_OBJECT_DAMAGED',
  'SPW_OBJECT_MISSING',
  'SPW_RECOVERY_FAILED',
  'SPW_WAL_INVALID',
  'SPW_WAL_GAP',
] as const;

interface Chosen {
  readonly backup: BackupSummary;
  readonly target: RecoveryTarget;
  readonly window: Window | undefined;
  readonly seed: string | null;
  readonly newestFirst: readonly string[];
}

export async function verifyRestore(options: VerifyRestoreOptions): Promise<VerifySummary> {
  const startedAt = new Date();
  const findings = new Findings();
  const notices: string[] = [];
  const chosen = await choose(options);
  const { backup, target } = chosen;
  let proof: RestoreProof = emptyProof(chosen);
  try {
    await using scratch = await openScratch({ ...options, target, backupId: backup.id, purpose: 'verification' });
    proof = { ...proof, ...recovered(scratch) };
    proof = { ...proof, ...(await lookInto(scratch, options, { backup: backup.id, findings, notices })) };
  } catch (error) {
    if (!isSpillwayError(error) || error.code === 'SPW_INTERRUPTED' || options.signal.aborted) throw error;
    if (!isSpillwayError(error, ...DAMAGE)) throw await untried(options, chosen, startedAt, error);
    const problem = [error.message, error.why ?? []].flat().join(': ');
    findings.add({ kind: 'recovery', object: backup.id, chunk: null, problem }, wholly(backup.id));
  }
  const { counted: _, ...told } = proof;
  return conclude(options, {
    level: 'restore',
    startedAt,
    findings,
    notices,
    newestFirst: chosen.newestFirst,
    subjects: [{ id: backup.id, files: backup.files, bytes: backup.bytes, details: { ...told } }],
    counted: { bytes: backup.bytes },
    proof: { restore: proof },
  });
}

async function choose(options: VerifyRestoreOptions): Promise<Chosen> {
  const { repository, cluster, id, signal } = options;
  const all = await listBackups({ repository, cluster, signal });
  const newest = all.at(-1);
  const backup = id === undefined ? newest : await findBackup({ repository, cluster, id, signal });
  if (backup === undefined) {
    throw new SpillwayError('SPW_BACKUP_UNKNOWN', `cluster ${cluster} has no backup to verify`, {
      hint: 'spillway backup makes one',
    });
  }
  const newestFirst = all.map((each) => each.id).toReversed();
  if (options.target !== undefined) {
    return { backup, target: options.target, window: undefined, seed: null, newestFirst };
  }
  const window = await windowOf(options, backup);
  const at = momentIn(window, options.seed);
  const target: RecoveryTarget =
    at === undefined
      ? { kind: 'immediate' }
      : { kind: 'time', at, text: at.toISOString().replace('T', ' ').replace('Z', '+00:00') };
  return { backup, target, window, seed: options.seed, newestFirst };
}

/** From the end of the backup to the newest WAL that it leads to without a gap. */
async function windowOf(options: VerifyRestoreOptions, backup: BackupSummary): Promise<Window> {
  const { signal } = options;
  const from = new Date(backup.finished_at);
  const systems = await listSystems(options.repository, options.cluster, signal);
  const system = systems.find((each) => each.system_identifier === backup.system_identifier);
  if (system === undefined) return { from, to: from };
  const wal = await readSystemWal(options, system);
  const wanted = options.timeline === undefined ? undefined : timelineId(options.timeline);
  const timelines = wanted === undefined ? [...wal.ways.keys()].toSorted((a, b) => b - a) : [wanted];
  for (const timeline of timelines) {
    const way = wayFrom(wal, backup, timeline);
    if (way === undefined) continue;
    const sent = await sentAt(wal, way, signal);
    return { from, to: sent === null ? from : new Date(sent) };
  }
  return { from, to: from };
}

const emptyProof = ({ backup, target, seed, window }: Chosen): RestoreProof => ({
  backup: backup.id,
  target: { kind: target.kind, value: target.kind === 'time' ? target.at.toISOString() : null },
  seed,
  window: window === undefined ? null : { from: window.from.toISOString(), to: window.to.toISOString() },
  recovered_to_lsn: null,
  recovered_to_time: null,
  timeline: backup.timeline,
  phases: [],
  amcheck: null,
  pages: null,
  tables: 0,
  rows: 0,
  counted: [],
  checks: [],
});

const recovered = ({ recovery, phases, plan }: Scratch): Partial<RestoreProof> => ({
  target: plan.target,
  recovered_to_lsn: recovery.recovered_to_lsn,
  recovered_to_time: recovery.recovered_to_time,
  timeline: recovery.timeline,
  phases,
});

interface Into {
  readonly backup: string;
  readonly findings: Findings;
  readonly notices: string[];
}

async function lookInto(scratch: Scratch, options: VerifyRestoreOptions, into: Into): Promise<Partial<RestoreProof>> {
  const { signal, report } = options;
  const step = (phase: string, detail?: string): void =>
    report({ type: 'progress', phase, done_bytes: 0, ...(detail === undefined ? {} : { detail }) });
  const superuser = await asSuperuser(scratch, signal);
  step('checking relations');
  const amcheck = await checkRelations(scratch, options, superuser, into);
  const counted = await countRows({
    ...into,
    connection: superuser,
    signal,
    onTable: (name) => step('counting rows', name),
  });
  const checks: RestoreProof['checks'][number][] = [];
  for (const sql of options.checks ?? []) {
    step('checking', sql);
    const check = await performCheck(scratch.connection, sql, signal);
    checks.push(check);
    if (check.result === 'passed') continue;
    const problem = `it must answer true, and answered ${check.found}`;
    into.findings.add({ kind: 'check', object: sql, chunk: null, problem }, wholly(into.backup));
  }
  step('shutting the server down');
  await scratch.shutDown();
  const pages = await checkPages(scratch, options, into);
  return { amcheck, ...counted, checks, pages };
}

/** In the scratch cluster anybody may be anybody, and not every user of the source may read all of it. */
async function asSuperuser({ connection }: Scratch, signal: AbortSignal): Promise<ConnectionSettings> {
  await using session = await connect(connection, { signal });
  const [row] = await session.query<{ name: string }>(
    'SELECT rolname AS name FROM pg_catalog.pg_roles WHERE rolsuper AND rolcanlogin ORDER BY oid LIMIT 1',
    [],
    { signal },
  );
  return row === undefined ? connection : { ...connection, user: row.name };
}

async function checkRelations(
  scratch: Scratch,
  options: VerifyRestoreOptions,
  connection: ConnectionSettings,
  { backup, findings, notices }: Into,
): Promise<RestoreProof['amcheck']> {
  const { signal } = options;
  const began = performance.now();
  await using session = await connect({ ...connection, database: 'postgres' }, { signal });
  const [extension] = await session.query("SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'amcheck'");
  const programs = await findOrTell('pg_amcheck', scratch, options, notices);
  if (programs === undefined) return null;
  if (extension === undefined) {
    notices.push(
      'Relations were not checked: the server here has no extension amcheck (Debian: in postgresql-<major>).',
    );
    return null;
  }
  const [row] = await session.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM pg_catalog.pg_class WHERE relkind IN ('r', 't', 'm', 'i')",
  );
  await runAmcheck({
    binDirectory: programs.binDirectory,
    connection,
    signal,
    onCorruption: (found) => addCorruption(findings, backup, found),
  });
  return { version: programs.version, relations: row?.count ?? 0, seconds: secondsSince(began) };
}

async function performCheck(
  connection: ConnectionSettings,
  sql: string,
  signal: AbortSignal,
): Promise<RestoreProof['checks'][number]> {
  const began = performance.now();
  const told = (result: 'passed' | 'failed', found: string): RestoreProof['checks'][number] => ({
    sql,
    result,
    found: found.slice(0, FOUND_CHARACTERS_MAX),
    seconds: secondsSince(began),
  });
  try {
    await using session = await connect(connection, { signal });
    const rows = await session.query<Record<string, unknown>>(sql, [], { signal, timeoutMs: CHECK_WITHIN_MS });
    const [first] = rows;
    const value = first === undefined ? undefined : Object.values(first)[0];
    // No row, or a row without a column.
    return value === undefined
      ? told('failed', 'nothing')
      : told(value === true ? 'passed' : 'failed', JSON.stringify(value));
  } catch (error) {
    if (!isSpillwayError(error) || signal.aborted) throw error;
    return told('failed', `an error: ${error.why ?? error.message}`);
  }
}

async function checkPages(
  scratch: Scratch,
  options: VerifyRestoreOptions,
  { backup, findings, notices }: Into,
): Promise<RestoreProof['pages']> {
  const { signal, report } = options;
  const { directory } = scratch;
  const began = performance.now();
  const control = parseControlFile(await readFile(join(directory, CONTROL_FILE)));
  if (control.dataChecksumVersion === 0) {
    notices.push('Pages were not checked by themselves: the cluster has no page checksums.');
    return null;
  }
  const onWrong = (page: Parameters<typeof addWrongPage>[2]): void =>
    addWrongPage(findings, backup, page, control.blockSize);
  const programs = await findOrTell('pg_checksums', scratch, options, []);
  report({ type: 'progress', phase: 'checking pages', done_bytes: 0 });
  if (programs !== undefined) {
    const { uid, gid } = await stat(directory);
    const runAs = process.getuid?.() === 0 ? { uid, gid } : undefined;
    const { binDirectory } = programs;
    const pages = await runPgChecksums({ binDirectory, directory, runAs, signal, onWrong });
    return { by: 'pg_checksums', pages, seconds: secondsSince(began) };
  }
  let done = 0;
  const pages = await readAllPages({
    directory,
    blockBytes: control.blockSize,
    fileBlocks: control.relationSegmentBlocks,
    signal,
    onWrong,
    onRead: (bytes) => report({ type: 'progress', phase: 'checking pages', done_bytes: (done += bytes) }),
  });
  return { by: 'spillway', pages, seconds: secondsSince(began) };
}

/** Of the server's own major: beside the server, or wherever programs are looked for. */
async function findOrTell(
  program: ClientProgram,
  { plan, binDirectory }: Scratch,
  { searchPath, signal }: VerifyRestoreOptions,
  notices: string[],
): Promise<ClientPrograms | undefined> {
  const major = Math.trunc(plan.backup.postgres_version / 10_000);
  try {
    return await findClientPrograms([program], major, {
      binDirectory,
      exact: true,
      signal,
      ...(searchPath === undefined ? {} : { searchPath }),
    });
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_POSTGRES_PROGRAM')) throw error;
    notices.push(`Relations were not checked: there is no ${program} of PostgreSQL ${major} here.`);
    return undefined;
  }
}

/** On record, about no backup; the error goes on. */
async function untried(
  options: VerifyRestoreOptions,
  { backup, target, seed }: Chosen,
  startedAt: Date,
  error: SpillwayError,
): Promise<SpillwayError> {
  const notices: string[] = [];
  await leaveEvidence(
    options,
    {
      kind: 'verification',
      cluster: options.cluster,
      backup: null,
      level: 'restore',
      result: 'failed',
      started_at: startedAt.toISOString(),
      finished_at: new Date().toISOString(),
      details: {
        tried: backup.id,
        target: { kind: target.kind },
        seed,
        error: [error.message, error.why ?? []].flat().join(': '),
        code: error.code,
      },
    },
    notices,
  );
  for (const message of notices) options.report({ type: 'notice', level: 'warning', message });
  return error;
}

const secondsSince = (began: number): number => Math.round(performance.now() - began) / 1000;
