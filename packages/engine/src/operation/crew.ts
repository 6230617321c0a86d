// A crew of worker threads that take tasks from one queue.
//
// 1. Each worker holds two tasks, so that it never waits for the main thread between them; a result brings the next.
// 2. The first error of any worker, or an abort, ends all workers; nothing they did is used.
// 3. When the queue is empty each worker is asked for its last word (`finish`) and ends.
// Data goes to workers by message; what must not be copied is in shared memory or transferred by the worker.

import { parentPort, type Transferable, Worker } from 'node:worker_threads';
import { type ErrorCode, isSpillwayError, SpillwayError } from '@spillway/contract';

export const TASKS_HELD = 2;

/** Of a worker's heap for what is short-lived: some kilobytes a chunk. By default it grows to three times as much and more. */
const YOUNG_MEGABYTES = 4;

/** What `tasks` gives where the next one is not there yet; the crew looks again when it is woken. */
export const NOT_YET: unique symbol = Symbol('no task yet');

type FromWorker<Result, Final> =
  | { readonly type: 'result'; readonly result: Result }
  | { readonly type: 'final'; readonly final: Final }
  | { readonly type: 'error'; readonly error: CarriedError };

type ToWorker<Task> =
  | { readonly type: 'begin'; readonly data: unknown }
  | { readonly type: 'task'; readonly task: Task }
  | { readonly type: 'finish' };

/** A SpillwayError, or what is left of another error, in a form that survives the way between threads. */
interface CarriedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly why: string | undefined;
  readonly hint: string | undefined;
  readonly stack: string | undefined;
}

export interface Work<Task, Result> {
  /** What each worker begins with. */
  readonly data: unknown;
  readonly tasks: Iterable<Task | typeof NOT_YET>;
  /** Given, at the start, what wakes the crew when a task has come up; needed only where tasks may give NOT_YET. */
  readonly onBegin?: (wake: () => void) => void;
  readonly onResult: (result: Result) => void;
  readonly signal: AbortSignal;
}

export class Crew implements AsyncDisposable {
  readonly #workers: readonly Worker[];
  readonly #broken: Promise<never>;

  /** Starts the threads: loading their module takes a while, which can pass beside other work. */
  constructor(module: URL, workers: number) {
    this.#workers = Array.from(
      { length: Math.max(1, workers) },
      () => new Worker(module, { resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES } }),
    );
    const { promise, reject } = Promise.withResolvers<never>();
    // A worker may break before anybody waits for it; whoever runs the crew then hears of it.
    promise.catch(() => undefined);
    for (const worker of this.#workers) {
      worker.on('error', reject);
      worker.on('exit', () => reject(new SpillwayError('SPW_INTERNAL', 'a worker thread ended before its work did')));
    }
    this.#broken = promise;
  }

  /** Runs all tasks and gives each worker's last word. A crew works once. */
  async run<Task, Result, Final>(work: Work<Task, Result>): Promise<readonly Final[]> {
    const { data, tasks, onBegin, onResult, signal } = work;
    signal.throwIfAborted();
    const queue = tasks[Symbol.iterator]();
    const aborted = Promise.withResolvers<never>();
    const onAbort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const members = this.#workers.map((worker) => employ<Task, Result, Final>(worker, data, queue, onResult));
      // One each at first, so that a few tasks are shared out.
      const wake = (): void => {
        for (let held = 1; held <= TASKS_HELD; held++) for (const { give } of members) give(held);
      };
      onBegin?.(wake);
      wake();
      return await Promise.race([Promise.all(members.map(({ final }) => final)), this.#broken, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

interface Employed<Final> {
  /** Hands out tasks until the worker holds `most`; tells it to finish when there are none left and it holds none. */
  readonly give: (most: number) => void;
  readonly final: Promise<Final>;
}

function employ<Task, Result, Final>(
  worker: Worker,
  data: unknown,
  queue: Iterator<Task | typeof NOT_YET>,
  onResult: (result: Result) => void,
): Employed<Final> {
  const { promise: final, resolve, reject } = Promise.withResolvers<Final>();
  const post = (message: ToWorker<Task>): void => worker.postMessage(message);
  let held = 0;
  let finishing = false;
  const give = (most: number): void => {
    try {
      while (held < most && !finishing) {
        const next = queue.next();
        if (next.done === true) {
          finishing = held === 0;
          if (finishing) post({ type: 'finish' });
          return;
        }
        if (next.value === NOT_YET) return;
        held++;
        post({ type: 'task', task: next.value });
      }
    } catch (error) {
      // As a rejection: thrown here, it would leave the other workers' promises without anybody to hear them.
      reject(error);
    }
  };
  worker.on('message', (message: FromWorker<Result, Final>) => {
    if (message.type === 'error') reject(unpackError(message.error));
    else if (message.type === 'final') resolve(message.final);
    else {
      held--;
      try {
        onResult(message.result);
      } catch (error) {
        reject(error);
      }
      give(TASKS_HELD);
    }
  });
  post({ type: 'begin', data });
  return { give, final };
}

export interface CrewMember<Task, Result, Final> {
  perform(task: Task): Promise<{ readonly result: Result; readonly transfer?: readonly Transferable[] }>;
  finish(): Promise<Final>;
}

/** The worker's side: call it once, at the top of the worker's module. */
export function serveCrew<Data, Task, Result, Final>(begin: (data: Data) => CrewMember<Task, Result, Final>): void {
  const port = parentPort;
  if (port === null) throw new SpillwayError('SPW_INTERNAL', 'a worker module was loaded outside a worker');
  const send = (message: FromWorker<Result, Final>, transfer: readonly Transferable[] = []): void =>
    port.postMessage(message, transfer);
  let member: CrewMember<Task, Result, Final> | undefined;
  const inTurn = async (before: Promise<void>, message: ToWorker<Task>): Promise<void> => {
    await before;
    try {
      if (message.type === 'begin') {
        member = begin(message.data as Data);
      } else if (member === undefined) {
        throw new SpillwayError('SPW_INTERNAL', 'a worker was given work before it was begun');
      } else if (message.type === 'finish') {
        send({ type: 'final', final: await member.finish() });
      } else {
        const { result, transfer } = await member.perform(message.task);
        send({ type: 'result', result }, transfer);
      }
    } catch (error) {
      send({ type: 'error', error: packError(error) });
    }
  };
  let last: Promise<void> = Promise.resolve();
  port.on('message', (message: ToWorker<Task>) => {
    last = inTurn(last, message);
  });
}

function packError(error: unknown): CarriedError {
  const stack = error instanceof Error ? error.stack : undefined;
  if (isSpillwayError(error)) {
    return { code: error.code, message: error.message, why: error.why, hint: error.hint, stack };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'SPW_INTERNAL', message: 'a worker thread failed', why: message, hint: undefined, stack };
}

function unpackError(carried: CarriedError): SpillwayError {
  const { code, message, why, hint, stack } = carried;
  const error = new SpillwayError(code, message, {
    ...(why === undefined ? {} : { why }),
    ...(hint === undefined ? {} : { hint }),
  });
  if (stack !== undefined) error.stack = stack;
  return error;
}
