// A process of its own that copies to a place which fails at a counted call, or kills it there. It is told what to do by
// message, and answers with how many calls there were.

import { type ChildProcess, fork } from 'node:child_process';
import { isSpillwayError } from '@spillway/contract';
import { copy, Repository } from '../src/index.ts';
import type { RepositoryHandle } from '../src/repository/repository.ts';
import type { FaultPlan, StorageLocation } from '../src/storage/port.ts';
import { processFile } from './process-file.ts';

export interface CopyOrder {
  readonly source: RepositoryHandle;
  readonly target: StorageLocation;
  readonly cluster: string;
  readonly fault: Omit<NonNullable<FaultPlan['atCall']>, 'counter'>;
}

/** Undefined where the process was killed. */
export interface CopyEnd {
  readonly calls: number;
  /** A code, where it is one of ours. */
  readonly error: string | undefined;
}

export async function copyElsewhere(order: CopyOrder): Promise<CopyEnd | undefined> {
  const child: ChildProcess = fork(processFile(import.meta.filename), ['copy'], { serialization: 'advanced' });
  let end: CopyEnd | undefined;
  child.on('message', (message: CopyEnd) => {
    end = message;
  });
  child.send(order);
  const { promise, resolve, reject } = Promise.withResolvers<NodeJS.Signals | null>();
  child.once('error', reject);
  child.once('close', (_, signal) => resolve(signal));
  const signal = await promise;
  if (signal !== null && signal !== 'SIGKILL') throw new Error(`the copy ended by ${signal}`);
  return signal === null ? end : undefined;
}

if (process.argv[2] === 'copy' && process.send !== undefined) {
  process.once('disconnect', () => process.exit());
  process.once('message', (order: CopyOrder) => void perform(order));
}

async function perform({ source, target, cluster, fault }: CopyOrder): Promise<void> {
  const counter = new SharedArrayBuffer(4);
  let error: string | undefined;
  try {
    await copy({
      source: new Repository(source),
      target: { ...target, fault: { seed: 0, atCall: { ...fault, counter } } },
      clusters: [{ name: cluster, policy: { minimumProven: 1 } }],
      workers: 2,
      signal: new AbortController().signal,
      report: () => undefined,
    });
  } catch (failure) {
    error = isSpillwayError(failure) ? failure.code : String(failure);
  }
  const calls = Atomics.load(new Int32Array(counter), 0);
  process.send?.({ calls, error } satisfies CopyEnd, () => process.disconnect());
}
