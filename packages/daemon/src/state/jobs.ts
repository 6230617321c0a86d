// Jobs as they are remembered. What becomes of one is decided by its table of states (control); here it is written down.
//
// 1. A change of state and what goes with it are one transaction.
// 2. Of a job's lines the newest so many are kept. A result that is too long to keep is left out, and its job says so in a line.

import { randomBytes } from 'node:crypto';
import type { JobDocument, JobErrorDocument, JobState, Lane } from '@spillway/contract';
import { canHappen, hasEnded, type JobEvent, nextState } from '@spillway/control';
import { iso, isoOrNull } from '../clock.ts';
import type { Database, Value } from './database.ts';
import { forgetJobs } from './forgotten.ts';

export interface Job {
  readonly id: string;
  readonly cluster: string;
  readonly command: string;
  /** As the API takes it. */
  readonly request: Readonly<Record<string, unknown>> & { readonly command: string };
  readonly lane: Lane;
  readonly schedule: string | null;
  readonly dueAt: number | null;
  readonly missed: number;
  readonly state: JobState;
  readonly attempt: number;
  readonly attemptsMax: number;
  readonly backoffMs: number;
  readonly timeoutMs: number;
  readonly requestedBy: string;
  readonly requestedAt: number;
  readonly notBefore: number | null;
  readonly approvalsNeeded: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly exitCode: number | null;
  readonly error: JobErrorDocument | null;
  readonly result: unknown;
  readonly resultText: string | null;
}

export type NewJob = Pick<
  Job,
  | 'cluster'
  | 'command'
  | 'request'
  | 'lane'
  | 'schedule'
  | 'dueAt'
  | 'missed'
  | 'attemptsMax'
  | 'backoffMs'
  | 'timeoutMs'
  | 'requestedBy'
  | 'requestedAt'
  | 'approvalsNeeded'
>;

/** What can change with a state. */
export type JobChange = Partial<
  Pick<Job, 'attempt' | 'notBefore' | 'startedAt' | 'finishedAt' | 'exitCode' | 'error' | 'result' | 'resultText'>
>;

export type LineLevel = 'info' | 'warning' | 'error' | 'output';

export interface JobLine {
  readonly line: number;
  readonly at: number;
  readonly level: LineLevel;
  readonly message: string;
}

export interface Approval {
  readonly token: string;
  readonly name: string;
  readonly at: number;
}

export interface JobsAsked {
  readonly cluster?: string | undefined;
  readonly state?: JobState | undefined;
  readonly schedule?: string | undefined;
  /** Only jobs with a smaller id. */
  readonly before?: string | undefined;
  readonly limit: number;
}

export interface PastJob {
  readonly id: string;
  readonly command: string;
  readonly schedule: string | null;
  readonly state: JobState;
  readonly at: number;
  readonly missed: number;
}

const LINES_MAX = 2000;
const RESULT_CHARACTERS_MAX = 1_000_000;

interface JobRow {
  readonly id: string;
  readonly cluster: string;
  readonly command: string;
  readonly request: string;
  readonly lane: Lane;
  readonly schedule: string | null;
  readonly due_at: number | null;
  readonly missed: number;
  readonly state: JobState;
  readonly attempt: number;
  readonly attempts_max: number;
  readonly backoff_ms: number;
  readonly timeout_ms: number;
  readonly requested_by: string;
  readonly requested_at: number;
  readonly not_before: number | null;
  readonly approvals_needed: number;
  readonly started_at: number | null;
  readonly finished_at: number | null;
  readonly exit_code: number | null;
  readonly error: string | null;
  readonly result: string | null;
  readonly result_text: string | null;
}

const columns: Readonly<Record<keyof JobChange, string>> = {
  attempt: 'attempt',
  notBefore: 'not_before',
  startedAt: 'started_at',
  finishedAt: 'finished_at',
  exitCode: 'exit_code',
  error: 'error',
  result: 'result',
  resultText: 'result_text',
};

export class JobStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  insert(job: NewJob): Job {
    const id = jobId(job.requestedAt);
    const state: JobState = job.approvalsNeeded > 1 ? 'awaiting-approval' : 'queued';
    this.#database.run(
      `INSERT INTO job (id, cluster, command, request, lane, schedule, due_at, missed, state, ended, attempt, attempts_max,
                        backoff_ms, timeout_ms, requested_by, requested_at, approvals_needed)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 1, ?, ?, ?, ?, ?, ?)`,
      id,
      job.cluster,
      job.command,
      JSON.stringify(job.request),
      job.lane,
      job.schedule,
      job.dueAt,
      job.missed,
      state,
      job.attemptsMax,
      job.backoffMs,
      job.timeoutMs,
      job.requestedBy,
      job.requestedAt,
      job.approvalsNeeded,
    );
    return this.need(id);
  }

  find(id: string): Job | undefined {
    const row = this.#database.get<JobRow>('SELECT * FROM job WHERE id = ?', id);
    return row && jobOf(row);
  }

  need(id: string): Job {
    const job = this.find(id);
    if (job === undefined) throw new Error(`there is no job ${id}`);
    return job;
  }

  /** Those that have not ended, in the order in which they were asked for. */
  open(): readonly Job[] {
    return this.#database
      .all<JobRow>('SELECT * FROM job WHERE ended = 0 ORDER BY requested_at, id')
      .map((row) => jobOf(row));
  }

  /** The job after `event`; the same one where nothing changed. Throws where it cannot happen. */
  tell(id: string, event: JobEvent, change: JobChange = {}): Job {
    return this.#database.transaction(() => {
      const state = nextState(this.need(id).state, event);
      const sets = ['state = ?', 'ended = ?'];
      const values: Value[] = [state, hasEnded(state) ? 1 : 0];
      for (const [field, value] of Object.entries(change) as [keyof JobChange, unknown][]) {
        sets.push(`${columns[field]} = ?`);
        values.push(field === 'error' || field === 'result' ? jsonOrNull(value) : (value as Value));
      }
      this.#database.run(`UPDATE job SET ${sets.join(', ')} WHERE id = ?`, ...values, id);
      return this.need(id);
    });
  }

  canBeTold(id: string, event: JobEvent): boolean {
    const job = this.find(id);
    return job !== undefined && canHappen(job.state, event);
  }

  /** Newest first. */
  list({ cluster, state, schedule, before, limit }: JobsAsked): readonly Job[] {
    const wheres: string[] = [];
    const values: Value[] = [];
    for (const [where, value] of [
      ['cluster = ?', cluster],
      ['state = ?', state],
      ['schedule = ?', schedule],
      ['id < ?', before],
    ] as const) {
      if (value === undefined) continue;
      wheres.push(where);
      values.push(value);
    }
    const where = wheres.length === 0 ? '' : `WHERE ${wheres.join(' AND ')}`;
    return this.#database
      .all<JobRow>(`SELECT * FROM job ${where} ORDER BY id DESC LIMIT ?`, ...values, limit)
      .map((row) => jobOf(row));
  }

  /** Newest first, since `since`; without what only looks. */
  history(cluster: string, since: number, limit: number): readonly PastJob[] {
    return this.#database.all<PastJob>(
      `SELECT id, command, schedule, state, coalesce(due_at, requested_at) AS at, missed FROM job
       WHERE cluster = ? AND lane <> 'look' AND requested_at >= ? ORDER BY id DESC LIMIT ?`,
      cluster,
      since,
      limit,
    );
  }

  lastOf(cluster: string, schedule: string): Job | undefined {
    return this.list({ cluster, schedule, limit: 1 })[0];
  }

  /** The number of the line, from 1 on. */
  addLine(id: string, { at, level, message }: Omit<JobLine, 'line'>): number {
    return this.#database.transaction(() => {
      this.#database.run('UPDATE job SET lines = lines + 1 WHERE id = ?', id);
      const line = this.#database.get<{ readonly lines: number }>('SELECT lines FROM job WHERE id = ?', id)?.lines ?? 0;
      this.#database.run(
        'INSERT INTO job_line (job, line, at, level, message) VALUES (?, ?, ?, ?, ?)',
        id,
        line,
        at,
        level,
        message,
      );
      const gone = this.#database.run('DELETE FROM job_line WHERE job = ? AND line <= ?', id, line - LINES_MAX);
      if (gone > 0) this.#database.run('UPDATE job SET lines_left_out = lines_left_out + ? WHERE id = ?', gone, id);
      return line;
    });
  }

  lines(id: string, after: number, limit: number): { readonly lines: readonly JobLine[]; readonly leftOut: number } {
    const lines = this.#database.all<JobLine>(
      'SELECT line, at, level, message FROM job_line WHERE job = ? AND line > ? ORDER BY line LIMIT ?',
      id,
      after,
      limit,
    );
    const row = this.#database.get<{ readonly lines_left_out: number }>(
      'SELECT lines_left_out FROM job WHERE id = ?',
      id,
    );
    return { lines, leftOut: row?.lines_left_out ?? 0 };
  }

  /** False where that token had approved it before. */
  approve(id: string, { token, name, at }: Approval): boolean {
    return (
      this.#database.run(
        'INSERT INTO approval (job, token, name, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
        id,
        token,
        name,
        at,
      ) > 0
    );
  }

  approvals(id: string): readonly Approval[] {
    return this.#database.all<Approval>('SELECT token, name, at FROM approval WHERE job = ? ORDER BY at, token', id);
  }

  /** Forgets those that ended before `time`. */
  prune(time: number): number {
    return forgetJobs(this.#database, time);
  }

  documentOf(job: Job, progress: JobDocument['progress'] = null): JobDocument {
    const { startedAt, finishedAt } = job;
    const { confirm: _, confirm_name: __, ...request } = job.request;
    return {
      id: job.id,
      cluster: job.cluster,
      command: job.command,
      request,
      lane: job.lane,
      schedule: job.schedule,
      due_at: isoOrNull(job.dueAt),
      missed: job.missed,
      state: job.state,
      attempt: job.attempt,
      attempts_max: job.attemptsMax,
      requested_by: job.requestedBy,
      requested_at: iso(job.requestedAt),
      retry_at: job.state === 'waiting' ? isoOrNull(job.notBefore) : null,
      started_at: isoOrNull(startedAt),
      finished_at: isoOrNull(finishedAt),
      duration_seconds: startedAt === null || finishedAt === null ? null : Math.max(0, (finishedAt - startedAt) / 1000),
      exit_code: job.exitCode,
      error: job.error,
      result: job.result ?? null,
      result_text: job.resultText,
      progress,
      approvals: this.approvals(job.id).map(({ name, at }) => ({ by: name, at: iso(at) })),
      approvals_needed: job.approvalsNeeded,
    };
  }
}

/** Whether a document is short enough to be kept. */
export const canBeKept = (result: unknown): boolean => (jsonOrNull(result)?.length ?? 0) <= RESULT_CHARACTERS_MAX;

const jsonOrNull = (value: unknown): string | null =>
  value === null || value === undefined ? null : JSON.stringify(value);

/** `20261128T154200123Z-1a2b3c4d`: ids sort by when they were asked for. */
const jobId = (at: number): string => `${iso(at).replaceAll(/[-:.]/g, '')}-${randomBytes(4).toString('hex')}`;

const jobOf = (row: JobRow): Job => ({
  id: row.id,
  cluster: row.cluster,
  command: row.command,
  request: JSON.parse(row.request) as Job['request'],
  lane: row.lane,
  schedule: row.schedule,
  dueAt: row.due_at,
  missed: row.missed,
  state: row.state,
  attempt: row.attempt,
  attemptsMax: row.attempts_max,
  backoffMs: row.backoff_ms,
  timeoutMs: row.timeout_ms,
  requestedBy: row.requested_by,
  requestedAt: row.requested_at,
  notBefore: row.not_before,
  approvalsNeeded: row.approvals_needed,
  startedAt: row.started_at,
  finishedAt: row.finished_at,
  exitCode: row.exit_code,
  error: row.error === null ? null : (JSON.parse(row.error) as JobErrorDocument),
  result: row.result === null ? null : (JSON.parse(row.result) as unknown),
  resultText: row.result_text,
});
