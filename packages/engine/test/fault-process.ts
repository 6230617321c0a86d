// A process of its own that makes one backup over a store that fails at a counted put. It is told what to do by
// message, and answers with the error's code, or nothing, unless it was killed by then.

import { isSpillwayError } from '@spillway/contract';
import { backup, type BackupOptions, Repository } from '../src/index.ts';
import type { RepositoryHandle } from '../src/repository/repository.ts';
import type { FaultPlan } from '../src/storage/port.ts';

export interface FaultyBackup {
  readonly handle: RepositoryHandle;
  readonly cluster: BackupOptions['cluster'];
  readonly type: BackupOptions['type'];
  readonly put: number;
  readonly what: 'kill' | 'full';
}

export interface FaultyEnd {
  readonly code: string | undefined;
  readonly exitCode: number;
  readonly stack: string | undefined;
}

process.once('message', ({ handle, cluster, type, put, what }: FaultyBackup) => {
  const fault: FaultPlan = { seed: 0, atCall: { verbs: ['put'], call: put, what, counter: new SharedArrayBuffer(4) } };
  const repository = new Repository({ ...handle, location: { ...handle.location, fault } });
  backup({
    repository,
    cluster,
    type,
    workers: 2,
    compressionLevel: 1,
    walTimeoutMs: 20_000,
    slot: 'fault',
    flushIntervalMs: 100,
    signal: new AbortController().signal,
    report: () => undefined,
  }).then(
    () => answer({ code: undefined, exitCode: 0, stack: undefined }),
    (error: unknown) =>
      answer({
        code: isSpillwayError(error) ? error.code : String(error),
        exitCode: isSpillwayError(error) ? error.exitCode : 1,
        stack: error instanceof Error ? error.stack : undefined,
      }),
  );
});

const answer = (end: FaultyEnd): void => void process.send?.(end, () => process.disconnect());
