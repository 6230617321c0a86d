// A crew of worker threads that take tasks from one queue.
//
// 1. Each worker holds two tasks, so that it never waits for the main thread between them; a result brings the next.
// 2. The first error of any worker, or an abort, ends all workers; nothing they did is used.
// 3. When the queue is empty each worker is asked for its last word (`finish`) and ends.
// Data goes to workers by message; what must not be copied is in shared memory or transferred by the worker.

import { Worker, parentPort, type Transferable, workerData } from 'node:worker_threads';
import { type ErrorCode, isSpillwayError, SpillwayError } from '@spillway/contract';

const TASKS_HELD = 2;

type FromWorker<Result, Final> =
  | { readonly type: 'result'; readonly result: Result }
  | { readonly type: 'final'; readonly final: Final }
  | { readonly type: 'error'; readonly error: CarriedError };

type ToWorker<Task> = { readonly type: 'task'; readonly task: Task } | { readonly type: 'finish' };

/** A SpillwayError, or what is left of another error, in a form that survives the way between threads. */
interface CarriedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly why: string | undefined;
  readonly hint: string | undefined;
  readonly stack: string | undefined;
}

export interface CrewOptions<Task, Result> {
  /** The worker's module, which calls `serveCrew`. */
  readonly module: URL;
  readonly workers: number;
  /** What each worker begins with. */
  readonly data: unknown;
  readonly tasks: Iterable<Task>;
  readonly onResult: (result: Result) => void;
  readonly signal: AbortSignal;
}

/** Runs all tasks and gives each worker's last word. */
export async function runCrew<Task, Result, Final>(options: CrewOptions<Task, Result>): Promise<readonly Final[]> {
  const { signal, onResult } = options;
  signal.throwIfAborted();
  const queue = options.tasks[Symbol.iterator]();
  const workers = Array.from(
    { length: Math.max(1, options.workers) },
    () => new Worker(options.module, { workerData: options.data, stdout: false, stderr: false }),
  );
  const abort = Promise.withResolvers<never>();
  const onAbort = (): void => abort.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const finals = workers.map((worker) => {
      const { promise, resolve, reject } = Promise.withResolvers<Final>();
      let held = 0;
      let finishing = false;
      const give = (): void => {
        while (held < TASKS_HELD && !finishing) {
          const next = queue.next();
          if (next.done === true) {
            finishing = held === 0;
            if (finishing) post(worker, { type: 'finish' });
            return;
          }
          held++;
          post(worker, { type: 'task', task: next.value });
        }
      };
      worker.on('message', (message: FromWorker<Result, Final>) => {
        try {
          if (message.type === 'error') return reject(unpackError(message.error));
          if (message.type === 'final') return resolve(message.final);
          held--;
          onResult(message.result);
          give();
        } catch (error) {
          reject(error);
        }
        return undefined;
      });
      worker.on('error', reject);
      worker.on('exit', () => reject(new SpillwayError('SPW_INTERNAL', 'a worker thread ended before its work did')));
      try {
        give();
      } catch (error) {
        // As a rejection: thrown here, it would leave the promises of the workers before without anybody to hear them.
        reject(error);
      }
      return promise;
    });
    return await Promise.race([Promise.all(finals), abort.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
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
  const member = begin(workerData as Data);
  const inTurn = async (before: Promise<void>, message: ToWorker<Task>): Promise<void> => {
    await before;
    try {
      if (message.type === 'finish') {
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

const post = <Task>(worker: Worker, message: ToWorker<Task>): void => worker.postMessage(message);

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
