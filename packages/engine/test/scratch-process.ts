// A process of its own that opens a scratch cluster and is killed by itself: at the first report of a phase, or when it has
// come up. So the owner is gone at whatever step, without a word. It is told what to do by message.

import { openScratch, Repository, type ScratchOptions } from '../src/index.ts';
import type { RepositoryHandle } from '../src/repository/repository.ts';

export interface ScratchOrder {
  readonly handle: RepositoryHandle;
  readonly options: Pick<ScratchOptions, 'cluster' | 'folder' | 'connection' | 'binDirectory'>;
  /** A phase as it is reported; `up` when all of them are through. */
  readonly killAt: string;
}

process.once('disconnect', () => process.exit());
process.once('message', ({ handle, options, killAt }: ScratchOrder) => {
  const die = (): void => void process.kill(process.pid, 'SIGKILL');
  openScratch({
    ...options,
    repository: new Repository(handle),
    target: { kind: 'latest' },
    purpose: 'drill',
    workers: 1,
    restoreCommand: 'exit 150',
    signal: new AbortController().signal,
    report: (event) => {
      if (event.type === 'progress' && event.phase === killAt) die();
    },
  }).then(die, (error: unknown) => process.send?.(String(error), () => process.disconnect()));
});
