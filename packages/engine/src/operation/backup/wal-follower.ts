// How a backup gets its WAL into the repository.
//
// Either a receiver runs already, in whatever process, and holds the cluster's WAL lock: then the backup watches what
// that one makes durable. Or none runs: then the backup receives WAL itself for as long as it takes, by the slot if
// there is one, else by a temporary one, so that no slot is left behind to hold WAL back for ever.

import { isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import { formatLsn, type Lsn, parseLsn, type TimelineId } from '../../postgres/lsn.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import { ancestry } from '../../postgres/timeline.ts';
import type { Repository } from '../../repository/repository.ts';
import type { WalArchive } from '../wal/archive.ts';
import { findWay } from '../wal/coverage.ts';
import { receiveWal } from '../wal/receive.ts';
import { pause } from '../pause.ts';

/** Our own receiver is asked in memory, another one's work is seen by a list of the repository. */
const LOOK_AGAIN_MS = { streaming: 10, elsewhere: 250 } as const;

export interface FollowOptions {
  readonly repository: Repository;
  readonly cluster: { readonly name: string; readonly connection: ConnectionSettings };
  readonly slot: string;
  readonly flushIntervalMs: number;
  readonly walCompressionLevel?: number;
  readonly newSystem?: boolean;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface WalFollower extends AsyncDisposable {
  /** Aborted when WAL cannot be received any more. */
  readonly failed: AbortSignal;
  /** Waits until all WAL from `from` to `to` is durable; SPW_WAL_WAIT when that takes longer than `timeoutMs`. */
  waitUntilDurable(archive: WalArchive, timeline: TimelineId, from: Lsn, to: Lsn, timeoutMs: number): Promise<void>;
}

/** Returns once WAL is held back for the backup: from now on none that it needs can be removed by the server. */
export async function followWal(options: FollowOptions): Promise<WalFollower> {
  const { signal, report } = options;
  const stop = new AbortController();
  const failed = new AbortController();
  const streaming = Promise.withResolvers<'streaming' | 'elsewhere'>();
  let durable: Lsn | undefined;
  const running = receiveWal({
    ...options,
    temporarySlot: true,
    signal: AbortSignal.any([signal, stop.signal]),
    onPosition: ({ durable_lsn }) => {
      durable = parseLsn(durable_lsn);
      streaming.resolve('streaming');
    },
  }).then(
    () => streaming.resolve('elsewhere'),
    (error: unknown) => {
      if (isSpillwayError(error, 'SPW_LOCKED')) return streaming.resolve('elsewhere');
      failed.abort(error);
      return streaming.reject(error);
    },
  );
  const mode = await streaming.promise;
  signal.throwIfAborted();
  if (mode === 'elsewhere')
    report({ type: 'notice', level: 'info', message: 'WAL is received by a running receiver.' });

  return {
    failed: failed.signal,
    waitUntilDurable: async (archive, timeline, from, to, timeoutMs) => {
      const began = performance.now();
      for (let stored: Lsn | undefined; ; ) {
        failed.signal.throwIfAborted();
        if (mode === 'elsewhere' || (durable !== undefined && durable >= to)) {
          stored = await storedUntil(archive, timeline, from, signal);
          if (stored >= to) return;
          if (mode === 'streaming') throw gap(stored, to);
        }
        report({ type: 'progress', phase: 'waiting for WAL', done_bytes: 0, detail: `up to ${formatLsn(to)}` });
        if (performance.now() - began > timeoutMs) {
          throw new SpillwayError('SPW_WAL_WAIT', 'the backup is not complete and was not recorded', {
            why: `WAL up to ${formatLsn(to)} was not in the repository after ${Math.round(timeoutMs / 1000)} s, only up to ${formatLsn(stored ?? durable ?? from)}`,
          });
        }
        await pause(LOOK_AGAIN_MS[mode], signal);
      }
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
    },
  };
}

async function storedUntil(archive: WalArchive, timeline: TimelineId, from: Lsn, signal: AbortSignal): Promise<Lsn> {
  const history = timeline === 1 ? undefined : await archive.readHistory(timeline, signal);
  const way = ancestry(history === undefined ? new Map() : new Map([[timeline, history]]), timeline);
  return findWay(await archive.catalog(signal), way, from, archive.segmentSize).end;
}

const gap = (stored: Lsn, to: Lsn): SpillwayError =>
  new SpillwayError('SPW_WAL_GAP', 'the backup is not complete and was not recorded', {
    why: `the repository holds its WAL only up to ${formatLsn(stored)} of ${formatLsn(to)}`,
    hint: 'run the backup again',
  });
