// A receiver in a process of its own, so that it can be killed as by a crash. It is told what to do by message and tells
// each position that it reached, and each notice; SIGTERM stops it as the command line does.

import { type ChildProcess, fork } from 'node:child_process';
import type { OperationEvent } from '@spillway/contract';
import { type ReceivePosition, receiveWal, Repository } from '../src/index.ts';
import type { ReceiveOptions } from '../src/operation/wal/receive.ts';
import type { RepositoryHandle } from '../src/repository/repository.ts';
import { processFile } from './process-file.ts';

export type ReceiverOrder = Omit<ReceiveOptions, 'repository' | 'signal' | 'report' | 'onPosition'> & {
  readonly handle: RepositoryHandle;
};

type Word = { readonly position: ReceivePosition } | { readonly event: OperationEvent } | { readonly error: string };

export interface ReceiverProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly position: () => ReceivePosition | undefined;
  readonly events: readonly OperationEvent[];
  /** How it ended by itself; undefined while it runs, or when it was killed. */
  readonly error: () => string | undefined;
  /** As by a crash; settles when it is gone. */
  kill(): Promise<void>;
}

export function startReceiver(order: ReceiverOrder): ReceiverProcess {
  const child = fork(processFile(import.meta.filename), ['receive'], { serialization: 'advanced' });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const events: OperationEvent[] = [];
  let position: ReceivePosition | undefined;
  let error: string | undefined;
  child.on('message', (word: Word) => {
    if ('position' in word) ({ position } = word);
    else if ('event' in word) events.push(word.event);
    else ({ error } = word);
  });
  child.send(order);
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  return { child, events, position: () => position, error: () => error, kill, [Symbol.asyncDispose]: kill };
}

if (process.argv[2] === 'receive' && process.send !== undefined) {
  const stopping = new AbortController();
  process.once('SIGTERM', () => stopping.abort());
  // Whoever gave the order is gone.
  process.once('disconnect', () => process.exit());
  const tell = (word: Word): void => void process.send?.(word);
  process.once('message', ({ handle, ...order }: ReceiverOrder) => {
    receiveWal({
      ...order,
      repository: new Repository(handle),
      signal: stopping.signal,
      report: (event) => event.type === 'notice' && tell({ event }),
      onPosition: (position) => tell({ position }),
    }).then(
      () => process.exit(0),
      (error: unknown) => process.send?.({ error: String(error) }, () => process.exit(1)),
    );
  });
}
