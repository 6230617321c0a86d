// Runs jobs: a child for each, its words to the state and to the bus, its end to the job's table of states.
//
// 1. The child's mark is written down before anything else is heard of it: a service that is killed now finds it later.
// 2. How a child ended decides the event: 0 succeeded, 3 warned; an error that may pass is tried again while attempts are
//    left; all else failed. A job that is being cancelled or timed out makes its own of the same events.
// 3. Stopping the service asks every child to end. What a schedule began goes on at the next start; what somebody asked for
//    is told as aborted, because nobody may still want it.
// Invariant: a job that has a process has an entry here; one without an entry is not running.

import { errorTable, type JobDocument, type ServiceEvent } from '@spillway/contract';
import { wordsOf } from '@spillway/contract/schemas';
import { hasProcess, isDone, type JobEvent, retryDelay } from '@spillway/control';
import type { EventBus } from '../bus.ts';
import { type Clock, iso } from '../clock.ts';
import type { Logger } from '../log.ts';
import { canBeKept, type Job, type JobChange, type JobStore, type LineLevel } from '../state/jobs.ts';
import type { Marks } from '../state/marks.ts';
import { type Child, type ChildEnd, type Launch, startChild } from './child.ts';

export interface RunnerParts {
  readonly jobs: JobStore;
  readonly marks: Marks;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly launch: Launch;
  readonly log: Logger;
  /** How long a child may take to end once it was asked to. */
  readonly endWithinMs: number;
  /** Told of every job that ended, or waits to be tried again. */
  readonly onEnd: (job: Job) => void;
}

interface Running {
  readonly child: Child;
  readonly done: Promise<void>;
  progress: JobDocument['progress'];
  /** What it was asked to end for. */
  endsFor: 'cancel' | 'timeout' | 'stop' | undefined;
  killer: NodeJS.Timeout | undefined;
}

export class JobRunner {
  readonly #parts: RunnerParts;
  readonly #running = new Map<string, Running>();

  constructor(parts: RunnerParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#running.size;
  }

  start(job: Job): Job {
    const { jobs, marks, clock, launch } = this.#parts;
    const started = jobs.tell(job.id, 'started', {
      startedAt: clock.now(),
      finishedAt: null,
      exitCode: null,
      error: null,
      notBefore: null,
    });
    const words = ['--cluster', job.cluster, '--json-lines', '--no-input', '--color=never'];
    const place = job.request['repository'];
    if (typeof place === 'string') words.push('--repository', place);
    const child = startChild(launch, [...words, ...wordsOf(job.request)], {
      onLine: ({ level, message }) => this.#say(job, level, message),
      onProgress: ({ phase, doneBytes, totalBytes, detail }) => {
        const progress = {
          at: iso(clock.now()),
          phase,
          done_bytes: doneBytes,
          total_bytes: totalBytes,
          detail,
        };
        const running = this.#running.get(job.id);
        if (running !== undefined) running.progress = progress;
        this.#publish({ type: 'progress', cluster: job.cluster, job: job.id, ...progress });
      },
    });
    if (child.pid !== undefined && child.started !== undefined) {
      marks.startedChild({ owner: ownerOf(job.id), pid: child.pid, started: child.started });
    }
    const done = child.ended.then((end) => this.#ended(job.id, end));
    this.#running.set(job.id, { child, done, progress: null, endsFor: undefined, killer: undefined });
    this.publish(started);
    return started;
  }

  /** Asks the job's child to end; after a while it is ended. */
  end(id: string, why: 'cancel' | 'timeout'): Job {
    const job = this.#parts.jobs.tell(id, why);
    this.#ask(id, why);
    this.publish(job);
    return job;
  }

  progressOf(id: string): JobDocument['progress'] {
    return this.#running.get(id)?.progress ?? null;
  }

  documentOf(job: Job): JobDocument {
    return this.#parts.jobs.documentOf(job, hasProcess(job.state) ? this.progressOf(job.id) : null);
  }

  /** In an event without its result, which may be long. */
  publish(job: Job): void {
    this.#publish({
      type: 'job',
      cluster: job.cluster,
      job: { ...this.documentOf(job), result: null, result_text: null },
    });
  }

  /** Ends every child, and resolves when the last is gone. */
  async stop(): Promise<void> {
    for (const id of this.#running.keys()) this.#ask(id, 'stop');
    await Promise.all([...this.#running.values()].map(({ done }) => done));
  }

  /** Jobs that a killed service left as running: their children are gone by now. */
  recover(): void {
    for (const job of this.#parts.jobs.open()) {
      if (!hasProcess(job.state) || this.#running.has(job.id)) continue;
      this.#say(job, 'warning', 'The service ended while this job ran, and the job with it.');
      this.#settle(job, this.#cutShort(job));
    }
  }

  #ask(id: string, why: NonNullable<Running['endsFor']>): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    running.endsFor ??= why;
    running.child.stop();
    running.killer ??= setTimeout(() => {
      this.#parts.log.warn({ job: id }, 'a job did not end when it was asked to, and is ended');
      running.child.kill();
    }, this.#parts.endWithinMs);
  }

  #ended(id: string, end: ChildEnd): void {
    const { jobs, marks, clock } = this.#parts;
    const running = this.#running.get(id);
    clearTimeout(running?.killer);
    this.#running.delete(id);
    marks.endedChild(ownerOf(id));
    const job = jobs.need(id);
    if (end.error !== null) {
      this.#say(
        job,
        'error',
        `${end.error.message}${end.error.why === null ? '' : `: ${end.error.why}`} [${end.error.code}]`,
      );
    }
    const change: JobChange = { finishedAt: clock.now(), exitCode: end.code, error: end.error };
    const isKept = canBeKept(end.result);
    if (!isKept) this.#say(job, 'warning', 'What the job printed is too long to be kept.');
    const told: JobChange = { ...change, result: isKept ? (end.result ?? null) : null, resultText: end.text };
    if (end.code === 0) return this.#settle(job, ['succeeded', told]);
    if (end.code === 3) return this.#settle(job, ['warned', told]);
    if (running?.endsFor === 'stop' && job.state === 'running') return this.#settle(job, this.#cutShort(job));
    if (job.state === 'running' && isRetryable(end) && job.attempt < job.attemptsMax) {
      const wait = retryDelay(job.backoffMs, job.attempt);
      return this.#settle(job, ['retryable', { ...change, attempt: job.attempt + 1, notBefore: clock.now() + wait }]);
    }
    return this.#settle(job, ['failed', told]);
  }

  /** What becomes of a job whose process was taken from it. */
  #cutShort(job: Job): readonly [JobEvent, JobChange] {
    const now = this.#parts.clock.now();
    const error = {
      code: 'SPW_INTERRUPTED',
      message: 'the service ended while the job ran',
      why: 'nothing was recorded as done that was not',
      hint: errorTable.SPW_INTERRUPTED.hint,
    };
    const goesOn = job.state === 'running' && job.schedule !== null && job.attempt < job.attemptsMax;
    return goesOn
      ? ['interrupted', { finishedAt: now, error, attempt: job.attempt + 1, notBefore: now }]
      : ['lost', { finishedAt: now, error }];
  }

  #settle(job: Job, [event, change]: readonly [JobEvent, JobChange]): void {
    const after = this.#parts.jobs.tell(job.id, event, change);
    const fields = { job: job.id, cluster: job.cluster, command: job.command, state: after.state };
    if (isDone(after.state)) this.#parts.log.info(fields, 'a job is done');
    else this.#parts.log.warn({ ...fields, code: after.error?.code, error: after.error?.message }, 'a job is not done');
    this.publish(after);
    this.#parts.onEnd(after);
  }

  #say(job: Pick<Job, 'id' | 'cluster'>, level: LineLevel, message: string): void {
    const at = this.#parts.clock.now();
    const line = this.#parts.jobs.addLine(job.id, { at, level, message });
    this.#publish({ type: 'log', cluster: job.cluster, job: job.id, line, at: iso(at), level, message });
  }

  #publish(event: ServiceEvent): void {
    this.#parts.bus.publish(event);
  }
}

export const ownerOf = (job: string): string => `job ${job}`;

/** Whether the same job may succeed later. A process that something ended from outside is one. */
function isRetryable({ error, signal }: ChildEnd): boolean {
  if (signal !== null) return true;
  const code = error?.code;
  return code !== undefined && Object.hasOwn(errorTable, code) && errorTable[code as keyof typeof errorTable].retryable;
}
