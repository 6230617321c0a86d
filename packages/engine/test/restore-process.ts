// A process of its own that restores, and is killed by itself at a counted report: so a restore is broken off at every
// step of it, and not only where time happens to fall. It is told what to do by message.

import { planRestore, Repository, restore } from '../src/index.ts';
import type { RepositoryHandle } from '../src/repository/repository.ts';

export interface RestoreOrder {
  readonly handle: RepositoryHandle;
  readonly cluster: string;
  readonly backupId: string;
  readonly directory: string;
  readonly delta: boolean;
  readonly tablespacesInto: string;
  /** After so many reports; 0 for never. */
  readonly killAt: number;
}

export interface RestoreEnd {
  readonly mode: string;
  readonly error: string | undefined;
  readonly reports: number;
}

process.once('disconnect', () => process.exit());
process.once('message', (order: RestoreOrder) => {
  let reports = 0;
  let mode = '';
  const report = (): void => {
    if (++reports === order.killAt) process.kill(process.pid, 'SIGKILL');
  };
  const perform = async (): Promise<void> => {
    const repository = new Repository(order.handle);
    const planned = await planRestore({
      repository,
      cluster: order.cluster,
      target: { kind: 'latest' },
      backupId: order.backupId,
      targetDirectory: order.directory,
      tablespacesInto: order.tablespacesInto,
      delta: order.delta,
    });
    ({ mode } = planned.plan);
    const signal = new AbortController().signal;
    await restore({ repository, planned, workers: 2, restoreCommand: 'exit 200', signal, report });
  };
  perform().then(
    () => answer({ mode, error: undefined, reports }),
    (error: unknown) => answer({ mode, error: error instanceof Error ? (error.stack ?? '') : String(error), reports }),
  );
});

const answer = (end: RestoreEnd): void => void process.send?.(end, () => process.disconnect());
