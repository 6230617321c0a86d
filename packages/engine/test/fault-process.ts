// A process of its own that does one piece of work over a store that may fail at a counted call. It is told what to do
// by message, stops on SIGTERM as the command line does, and answers with how it ended, unless it was killed by then.

import { isSpillwayError } from '@spillway/contract';
import { backup, type BackupOptions, expire, planRestore, receiveWal, Repository, restore } from '../src/index.ts';
import type { RepositoryHandle } from '../src/repository/repository.ts';
import type { FaultPlan } from '../src/storage/port.ts';

export type Work =
  | { readonly operation: 'backup'; readonly type: BackupOptions['type'] }
  | { readonly operation: 'receive' }
  | { readonly operation: 'restore'; readonly directory: string; readonly backupId: string }
  | { readonly operation: 'expire'; readonly keepCount: number };

export interface Order {
  readonly handle: RepositoryHandle;
  readonly cluster: BackupOptions['cluster'];
  readonly work: Work;
  readonly fault?: Omit<NonNullable<FaultPlan['atCall']>, 'counter'>;
}

export interface End {
  readonly code: string | undefined;
  readonly exitCode: number;
  readonly stack: string | undefined;
  /** How many calls of the fault's verbs were made. */
  readonly calls: number;
}

export const SLOT = 'fault';
const FLUSH_MS = 100;
const WAL_TIMEOUT_MS = 20_000;

const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());
// Whoever gave the order is gone: nobody is left to look at what comes out.
process.once('disconnect', () => process.exit());

process.once('message', ({ handle, cluster, work, fault }: Order) => {
  const counter = new SharedArrayBuffer(4);
  const location =
    fault === undefined
      ? handle.location
      : { ...handle.location, fault: { seed: 0, atCall: { ...fault, counter } } satisfies FaultPlan };
  const repository = new Repository({ ...handle, location });
  perform(repository, cluster, work).then(
    () => answer({ code: undefined, exitCode: 0, stack: undefined, calls: countOf(counter) }),
    (error: unknown) =>
      answer({
        // Stopped in a wait, before there was anything to end well.
        code: isSpillwayError(error) ? error.code : stopping.signal.aborted ? undefined : String(error),
        exitCode: isSpillwayError(error) ? error.exitCode : 1,
        stack: error instanceof Error ? error.stack : undefined,
        calls: countOf(counter),
      }),
  );
});

async function perform(repository: Repository, cluster: Order['cluster'], work: Work): Promise<unknown> {
  const common = { repository, signal: stopping.signal, report: () => undefined };
  const wal = { cluster, slot: SLOT, flushIntervalMs: FLUSH_MS };
  switch (work.operation) {
    case 'backup':
      return backup({
        ...common,
        ...wal,
        type: work.type,
        workers: 2,
        compressionLevel: 1,
        walTimeoutMs: WAL_TIMEOUT_MS,
      });
    case 'receive':
      return receiveWal({ ...common, ...wal });
    case 'restore': {
      const planned = await planRestore({
        repository,
        cluster: cluster.name,
        target: { kind: 'immediate' },
        backupId: work.backupId,
        targetDirectory: work.directory,
        signal: stopping.signal,
      });
      return restore({ ...common, planned, workers: 2, restoreCommand: 'false' });
    }
    case 'expire':
      return expire({
        ...common,
        cluster: cluster.name,
        policy: { keepCount: work.keepCount, minimumProven: 0 },
        graceMs: 0,
        repackBelow: 0.5,
        repackBytesMax: 1024 ** 3,
      });
  }
}

const countOf = (counter: SharedArrayBuffer): number => Atomics.load(new Int32Array(counter), 0);

const answer = (end: End): void =>
  void process.send?.(end, () => {
    process.removeAllListeners('disconnect');
    process.disconnect();
  });
