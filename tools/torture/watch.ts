// Two watches over a run: how many objects were begun and ended in the repository, by which the moment of a fault is
// counted, and up to where the server was told that its WAL is durable.

import { type FSWatcher, watch } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { LabCluster } from '@spillway/lab';

const ASK_AGAIN_MS = 20;

/** Resolves when that many files have appeared in or gone from the folder in which objects are written first. */
export function putEvents(repository: string, events: number): { readonly reached: Promise<void>; close(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let seen = 0;
  const watcher: FSWatcher = watch(join(repository, '.incoming'), (kind) => {
    if (kind === 'rename' && ++seen >= events) resolve();
  });
  return { reached: promise, close: () => watcher.close() };
}

export const makeIncoming = (repository: string): Promise<unknown> =>
  mkdir(join(repository, '.incoming'), { recursive: true, mode: 0o700 });

/** Asks the server again and again what it was told; a server that is gone is asked until it is back. */
export class DurableWatch implements AsyncDisposable {
  readonly #cluster: LabCluster;
  readonly #running: Promise<void>;
  #stopped = false;
  #latest = 0n;

  constructor(cluster: LabCluster) {
    this.#cluster = cluster;
    this.#running = this.#run();
  }

  /** Everything before it was confirmed as durable in the repository. */
  get latest(): bigint {
    return this.#latest;
  }

  async until(position: bigint, running: () => boolean): Promise<void> {
    for (const deadline = performance.now() + 30_000; this.#latest < position; await pause(ASK_AGAIN_MS)) {
      if (!running()) throw new Error('the receiver ended while its WAL was waited for');
      if (performance.now() > deadline) {
        throw new Error(`WAL was confirmed up to ${this.#latest} only, not up to ${position}, within 30 s`);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        const session = await this.#cluster.connect();
        try {
          while (!this.#stopped) {
            const { rows } = await session.query<{ at: string | null }>(
              "SELECT max(flush_lsn - '0/0')::text AS at FROM pg_stat_replication",
            );
            const at = BigInt(rows[0]?.at ?? 0);
            if (at > this.#latest) this.#latest = at;
            await pause(ASK_AGAIN_MS);
          }
        } finally {
          await session.end().catch(() => undefined);
        }
      } catch {
        // The server was killed, or starts: that is what this program is about.
        await pause(ASK_AGAIN_MS);
      }
    }
  }
}
