// The loop that begins jobs: what is due by schedule, what was asked for, what waits to be tried again.
//
// A turn, always in this order, all of it at one instant:
// 1. schedules: what is due gets a job, unless one of the same cluster and kind has not ended yet; then that one makes up
//    for it. What cannot be done at all (a drill without its file) is skipped and told, and is no job: nobody may take it
//    for one that passed. The moment is marked as handled in the transaction that makes the job: neither can be without the other;
// 2. jobs that wait and are due again are queued; one whose work was done meanwhile is superseded;
// 3. approvals that nobody gave in time end their jobs; jobs that took too long are ended;
// 4. of the queue begins what the lanes let in.
// Between turns it sleeps until something is due, or somebody wakes it.

import type { ScheduleDocument } from '@spillway/contract';
import { admit, begun, decide, hasProcess, isDone, isLate, type LaneJob } from '@spillway/control';
import type { Clock } from '../clock.ts';
import { isoOrNull } from '../clock.ts';
import type { JobRunner } from '../job/runner.ts';
import type { Logger } from '../log.ts';
import type { Database } from '../state/database.ts';
import type { Job, JobStore, NewJob } from '../state/jobs.ts';
import type { Marks } from '../state/marks.ts';
import { kindsDone, laneOf, type ScheduleRule } from './rules.ts';

export interface DispatcherParts {
  readonly database: Database;
  readonly jobs: JobStore;
  readonly marks: Marks;
  readonly runner: JobRunner;
  readonly clock: Clock;
  readonly log: Logger;
  readonly rules: readonly ScheduleRule[];
  readonly jobsAtOnce: number;
  readonly approvalWithinMs: number;
  readonly keepJobsMs: number;
}

/** A turn comes at least so often, whatever is due: the clock may have been set. */
const TURN_MS_MAX = 30_000;
const PRUNE_MS = 3_600_000;
const QUEUE_MAX = 1000;

export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #since: number;
  #wake = new AbortController();
  #stopping = false;
  #prunedAt = Number.NEGATIVE_INFINITY;
  #turnedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    this.#since = parts.marks.since(parts.clock.now());
  }

  /** When the last turn was that did not fail. */
  get turnedAt(): number {
    return this.#turnedAt;
  }

  get isFull(): boolean {
    return this.#parts.jobs.open().length >= QUEUE_MAX;
  }

  /** Until the signal; jobs that run then go on. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    const stop = (): void => {
      this.#stopping = true;
      this.wake();
    };
    signal.addEventListener('abort', stop, { once: true });
    while (!signal.aborted) {
      this.#wake = new AbortController();
      await clock.until(this.#tryTurn(), this.#wake.signal);
    }
  }

  /** A turn that fails (a full disk under the state) is told, and the next one comes. */
  #tryTurn(): number {
    const { clock, log } = this.#parts;
    try {
      return this.turn();
    } catch (error) {
      log.error({ err: error }, 'the schedules could not turn; they turn again in a moment');
      return clock.now() + TURN_MS_MAX;
    }
  }

  wake(): void {
    this.#wake.abort();
  }

  /** Somebody's request, taken into the queue. */
  request(
    job: Omit<NewJob, 'schedule' | 'dueAt' | 'missed' | 'requestedAt'>,
    by: { readonly token: string; readonly name: string },
  ): Job {
    const { jobs, clock, runner } = this.#parts;
    const now = clock.now();
    const made = jobs.insert({ ...job, schedule: null, dueAt: null, missed: 0, requestedAt: now });
    if (job.approvalsNeeded > 1) jobs.approve(made.id, { token: by.token, name: by.name, at: now });
    runner.publish(made);
    this.wake();
    return made;
  }

  /** The job after it; throws where it cannot be cancelled any more. */
  cancel(id: string): Job {
    const { jobs, runner, clock } = this.#parts;
    const job = jobs.need(id);
    if (hasProcess(job.state)) return runner.end(id, 'cancel');
    const cancelled = jobs.tell(id, 'cancel', { finishedAt: clock.now() });
    runner.publish(cancelled);
    this.wake();
    return cancelled;
  }

  /** A further person's word; with enough of them the job is queued. */
  approve(id: string, by: { readonly token: string; readonly name: string }): Job {
    const { jobs, runner, clock, database } = this.#parts;
    const job = database.transaction(() => {
      jobs.approve(id, { token: by.token, name: by.name, at: clock.now() });
      const before = jobs.need(id);
      const isEnough = jobs.approvals(id).length >= before.approvalsNeeded;
      return isEnough && before.state === 'awaiting-approval' ? jobs.tell(id, 'approved') : before;
    });
    runner.publish(job);
    this.wake();
    return job;
  }

  reject(id: string): Job {
    const { jobs, runner, clock } = this.#parts;
    const job = jobs.tell(id, 'rejected', { finishedAt: clock.now() });
    runner.publish(job);
    return job;
  }

  /** What the runner tells of every job that ended. */
  ended(job: Job): void {
    if (isDone(job.state)) {
      const at = job.finishedAt ?? this.#parts.clock.now();
      const drill = this.#parts.rules.find(({ cluster, kind }) => cluster === job.cluster && kind === 'drill')?.request;
      for (const kind of kindsDone(job.request, textOrNone(drill?.['drill']))) {
        this.#parts.marks.succeeded(job.cluster, kind, at);
      }
    }
    this.wake();
  }

  /** One turn, now. Returns when the next has something to do. */
  turn(): number {
    const { clock } = this.#parts;
    const now = clock.now();
    if (this.#stopping) return now;
    const nexts = [now + TURN_MS_MAX, this.#begin(now), this.#tryAgain(now), this.#runOut(now)];
    this.#letIn();
    this.#prune(now);
    this.#turnedAt = now;
    return Math.min(...nexts);
  }

  documents(cluster?: string): readonly ScheduleDocument[] {
    const { rules, marks, jobs, clock } = this.#parts;
    const now = clock.now();
    return rules
      .filter((rule) => cluster === undefined || rule.cluster === cluster)
      .map(({ cluster: name, kind, pattern, timeZone, rule, idleBecause, skipBecause }) => {
        const memory = this.#memory(name, kind);
        const stored = marks.memory(name, kind);
        const skipped = idleBecause ?? skipBecause();
        const verdict = skipped === null && rule !== undefined ? decide(rule, memory, now) : undefined;
        const last = jobs.lastOf(name, kind);
        return {
          cluster: name,
          kind,
          pattern,
          time_zone: timeZone,
          next_at: isoOrNull(verdict?.kind === 'wait' ? verdict.until : verdict?.occurrence),
          handled_up_to: isoOrNull(stored.handledUpTo),
          last_success_at: isoOrNull(stored.lastSuccess),
          last_job: last?.id ?? null,
          last_state: last?.state ?? null,
          idle_because: skipped,
        };
      });
  }

  /** Where nothing was ever begun, moments count from when this state was made; a first full backup is due at once. */
  #memory(cluster: string, kind: string): ReturnType<Marks['memory']> {
    const memory = this.#parts.marks.memory(cluster, kind);
    if (Number.isFinite(memory.handledUpTo) || memory.lastSuccess !== undefined || kind === 'full') return memory;
    return { ...memory, handledUpTo: this.#since };
  }

  #begin(now: number): number {
    const { rules, jobs, marks, runner, database, log } = this.#parts;
    const open = new Map(
      jobs.open().flatMap((job) => (job.schedule === null ? [] : [[keyOf(job.cluster, job.schedule), job]])),
    );
    let next = Number.POSITIVE_INFINITY;
    for (const { cluster, kind, request, rule, skipBecause, timeoutMs, attemptsMax, backoffMs } of rules) {
      if (rule === undefined) continue;
      const memory = this.#memory(cluster, kind);
      const verdict = decide(rule, memory, now);
      if (verdict.kind === 'wait') {
        if (verdict.until !== undefined) next = Math.min(next, verdict.until);
        continue;
      }
      const { handledUpTo } = begun(memory, verdict);
      const because = skipBecause();
      if (because !== null) {
        marks.handled(cluster, kind, handledUpTo);
        log.warn({ cluster, kind, due: isoOrNull(verdict.occurrence), because }, 'a run is due, and is skipped');
        continue;
      }
      const before = open.get(keyOf(cluster, kind));
      if (before !== undefined) {
        marks.handled(cluster, kind, handledUpTo);
        log.warn(
          { cluster, kind, job: before.id },
          'a run is due while the one before it has not ended; that one makes up for it',
        );
        continue;
      }
      const job = database.transaction(() => {
        marks.handled(cluster, kind, handledUpTo);
        return jobs.insert({
          cluster,
          command: request.command,
          request,
          lane: laneOf(request.command),
          schedule: kind,
          dueAt: verdict.occurrence,
          missed: verdict.missed,
          attemptsMax,
          backoffMs,
          timeoutMs,
          requestedBy: 'schedule',
          requestedAt: now,
          approvalsNeeded: 1,
        });
      });
      const late = isLate(rule, verdict.occurrence, now);
      if (late || verdict.missed > 0) {
        log.warn(
          { cluster, kind, job: job.id, due: isoOrNull(verdict.occurrence), missed: verdict.missed },
          'a run was missed, and is caught up',
        );
      }
      runner.publish(job);
      next = now;
    }
    return next === now ? now + 1 : next;
  }

  #tryAgain(now: number): number {
    const { jobs, marks, runner } = this.#parts;
    let next = Number.POSITIVE_INFINITY;
    for (const job of jobs.open()) {
      if (job.state !== 'waiting') continue;
      const done = job.schedule === null ? undefined : marks.memory(job.cluster, job.schedule).lastSuccess;
      if (done !== undefined && job.dueAt !== null && done >= job.dueAt) {
        runner.publish(jobs.tell(job.id, 'superseded', { finishedAt: now }));
      } else if ((job.notBefore ?? 0) <= now) {
        runner.publish(jobs.tell(job.id, 'retry-due', { notBefore: null }));
      } else {
        next = Math.min(next, job.notBefore ?? now);
      }
    }
    return next;
  }

  #runOut(now: number): number {
    const { jobs, runner, approvalWithinMs } = this.#parts;
    let next = Number.POSITIVE_INFINITY;
    for (const job of jobs.open()) {
      if (job.state === 'awaiting-approval') {
        const end = job.requestedAt + approvalWithinMs;
        if (end <= now) runner.publish(jobs.tell(job.id, 'timeout', { finishedAt: now }));
        else next = Math.min(next, end);
      } else if (job.state === 'running' && job.startedAt !== null) {
        const end = job.startedAt + job.timeoutMs;
        if (end <= now) runner.end(job.id, 'timeout');
        else next = Math.min(next, end);
      }
    }
    return next;
  }

  #letIn(): void {
    const { jobs, runner, jobsAtOnce } = this.#parts;
    const open = jobs.open();
    const laned = (job: Job): LaneJob => ({ id: job.id, cluster: job.cluster, lane: job.lane, schedule: job.schedule });
    const queued = open.filter(({ state }) => state === 'queued');
    const running = open.filter(({ state }) => hasProcess(state));
    const { start, superseded } = admit(queued.map(laned), running.map(laned), { atOnce: jobsAtOnce });
    const now = this.#parts.clock.now();
    for (const id of superseded) runner.publish(jobs.tell(id, 'superseded', { finishedAt: now }));
    for (const id of start) {
      const job = open.find((each) => each.id === id);
      if (job !== undefined) runner.start(job);
    }
  }

  #prune(now: number): void {
    if (now - this.#prunedAt < PRUNE_MS) return;
    this.#prunedAt = now;
    this.#parts.jobs.prune(now - this.#parts.keepJobsMs);
  }
}

const textOrNone = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

const keyOf = (cluster: string, kind: string): string => `${cluster}/${kind}`;
