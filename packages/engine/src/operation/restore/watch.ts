// Watching a recovery until it has come to where it was to come.
//
// pg_control is looked at, which needs no login; the replay position comes from a session where one can be had. `running` is
// said when a client could write, `paused` and `standby` when a session says so, `shut down` when the server has ended and
// its log or pg_control says why. Any other end is a failed recovery, told with the last lines of its log.

import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import { connect, type Session } from '../../postgres/connection.ts';
import { type ClusterState, parseControlFile } from '../../postgres/control.ts';
import { parseLsn } from '../../postgres/lsn.ts';
import type { RunningServer } from '../../postgres/server.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import { pause } from '../pause.ts';
import { CONTROL_FILE } from './chunks.ts';
import type { PlannedRestore } from './planned.ts';

const LOOK_AGAIN_MS = 25;
const ASK_AGAIN_MS = 500;
/** How long a standby that takes reads is waited for to reach its primary. */
const STREAMING_WITHIN_MS = 30_000;
const LOG_LINES = 12;
const LOG_TAIL_BYTES = 16_384;

/** How far a recovery came. */
export interface Recovered {
  /** `running` takes writes; `paused` and `shut down` at the target; `standby` follows its primary. */
  readonly state: 'running' | 'paused' | 'shut down' | 'standby';
  /** For a standby: whether it receives WAL from its primary, and not only from the repository. */
  readonly streaming: boolean | null;
  readonly recovered_to_lsn: string | null;
  /** Of the newest commit that was replayed. */
  readonly recovered_to_time: string | null;
  readonly timeline: number;
}

export interface WatchOptions {
  readonly planned: PlannedRestore;
  readonly connection: ConnectionSettings;
  readonly signal: AbortSignal;
  readonly report: Report;
}

interface Where {
  readonly host: string;
  readonly port: number;
  readonly logFile: string;
}

export class RecoveryWatch {
  readonly #options: WatchOptions;
  readonly #where: Where;
  readonly #feederFailure: () => unknown;
  #ended = false;
  #standbyBy = Number.POSITIVE_INFINITY;
  #last: State | undefined;

  constructor(options: WatchOptions, server: RunningServer, where: Where, feederFailure: () => unknown) {
    this.#options = options;
    this.#where = where;
    this.#feederFailure = feederFailure;
    void server.exited.finally(() => {
      this.#ended = true;
    });
  }

  async untilReached(): Promise<Recovered> {
    const { signal } = this.#options;
    for (let askedAt = Number.NEGATIVE_INFINITY; ; ) {
      signal.throwIfAborted();
      if (this.#ended) {
        const shutDown = await this.#shutDown();
        if (shutDown !== undefined) return shutDown;
        throw await this.#failure();
      }
      const inProduction = await this.#inProduction();
      if (inProduction || performance.now() - askedAt >= ASK_AGAIN_MS) {
        askedAt = performance.now();
        const recovered = await this.#ask(inProduction);
        if (recovered !== undefined) return recovered;
      }
      await pause(LOOK_AGAIN_MS, signal);
    }
  }

  async #inProduction(): Promise<boolean> {
    try {
      return (await controlState(this.#options.planned.plan.directory)) === 'in production';
    } catch (error) {
      // The server is writing it at this moment: look again.
      if (isSpillwayError(error, 'SPW_DATA_DIRECTORY')) return false;
      throw error;
    }
  }

  /** What a session says; undefined while there is none, or while the server recovers. */
  async #ask(inProduction: boolean): Promise<Recovered | undefined> {
    const { planned, report } = this.#options;
    try {
      await using session = await this.#connect();
      const [state] = await session.query<State>(STATE_QUERY);
      if (state === undefined) return undefined;
      if (state.in_recovery) {
        report(replayProgress(planned, state));
        this.#last = state;
        return this.#reachedInRecovery(state);
      }
      // A default of the cluster, and no want of the server.
      await session.query('SET default_transaction_read_only = off');
      await session.query('CREATE TEMPORARY TABLE spillway_write_check AS SELECT 1');
      return { ...recoveredBy(state, planned), state: 'running', streaming: null };
    } catch (error) {
      if (!isSpillwayError(error, 'SPW_POSTGRES_UNREACHABLE', 'SPW_POSTGRES_DENIED')) throw error;
      if (!inProduction || error.code === 'SPW_POSTGRES_UNREACHABLE') return undefined;
      report({
        type: 'notice',
        level: 'warning',
        message:
          'The server has recovered, but refused the login of the configuration: what it holds was not looked at.',
      });
      return { ...recoveredBy(undefined, planned), state: 'running', streaming: null };
    }
  }

  #reachedInRecovery(state: State): Recovered | undefined {
    const { planned } = this.#options;
    const { recovery } = planned;
    const recovered = recoveredBy(state, planned);
    if (recovery.kind === 'standby') {
      // It takes reads: it is a standby. Its primary gets a while to be reached, so that it is known whether it is.
      this.#standbyBy = Math.min(this.#standbyBy, performance.now() + STREAMING_WITHIN_MS);
      const hasPrimary = recovery.lasting['primary_conninfo'] !== undefined;
      if (hasPrimary && !state.streaming && performance.now() < this.#standbyBy) return undefined;
      return { ...recovered, state: 'standby', streaming: state.streaming };
    }
    if (recovery.action === 'pause' && state.paused) return { ...recovered, state: 'paused', streaming: null };
    return undefined;
  }

  /** Undefined unless that was what it was told to do at its target. */
  async #shutDown(): Promise<Recovered | undefined> {
    const { planned } = this.#options;
    if (planned.recovery.action !== 'shutdown') return undefined;
    const log = await logTail(this.#where.logFile);
    // The message is translated in some installations: then what pg_control says must do.
    const state = await controlState(planned.plan.directory);
    if (!log.includes('shutdown at recovery target') && state !== 'shut down in recovery') return undefined;
    return { ...recoveredBy(this.#last, planned), state: 'shut down', streaming: null };
  }

  /** By the socket; where pg_hba.conf wants another account of the operating system there, by the loopback address. */
  async #connect(): Promise<Session> {
    const { connection, signal, planned } = this.#options;
    const { host, port } = this.#where;
    // One that was left empty cannot be connected to.
    const { leftEmpty } = planned.selection;
    const isEmpty = connection.database !== undefined && leftEmpty.includes(connection.database);
    const database = isEmpty ? { database: 'postgres' } : {};
    const by = (each: string): Promise<Session> =>
      connect({ ...connection, ...database, host: each, port, ssl: 'disable' }, { signal, timeoutMs: 5_000 });
    try {
      return await by(host);
    } catch (denied) {
      if (!isSpillwayError(denied, 'SPW_POSTGRES_DENIED')) throw denied;
      return await by('127.0.0.1').catch((error: unknown) => {
        throw isSpillwayError(error, 'SPW_POSTGRES_UNREACHABLE') ? denied : error;
      });
    }
  }

  async #failure(): Promise<SpillwayError> {
    const { plan } = this.#options.planned;
    // WAL that could not be had is what ended the recovery: that its object is damaged is not in the server's log.
    const cause = this.#feederFailure();
    if (isSpillwayError(cause, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING', 'SPW_STORAGE_UNREACHABLE')) {
      return new SpillwayError(cause.code, `the cluster in ${plan.directory} did not recover`, {
        why: `${cause.message}${cause.why === undefined ? '' : `: ${cause.why}`}`,
        hint: `${cause.hint}; the server's log is ${this.#where.logFile}`,
        cause,
      });
    }
    const log = await logTail(this.#where.logFile);
    const unreached = log.includes('recovery ended before configured recovery target was reached');
    return new SpillwayError('SPW_RECOVERY_FAILED', `the cluster in ${plan.directory} did not recover`, {
      why: `${unreached ? 'the target was not reached; ' : ''}its log ends with:\n${log}`,
      hint: `the whole log is ${this.#where.logFile}`,
    });
  }
}

function recoveredBy(
  state: State | undefined,
  { plan }: PlannedRestore,
): Pick<Recovered, 'recovered_to_lsn' | 'recovered_to_time' | 'timeline'> {
  return {
    recovered_to_lsn: state?.replayed ?? null,
    recovered_to_time: state?.replayed_at?.toISOString() ?? null,
    timeline: state?.timeline ?? plan.timeline,
  };
}

async function controlState(directory: string): Promise<ClusterState> {
  return parseControlFile(await readFile(join(directory, CONTROL_FILE))).state;
}

interface State {
  readonly in_recovery: boolean;
  readonly paused: boolean;
  readonly streaming: boolean;
  readonly replayed: string | null;
  readonly replayed_at: Date | null;
  readonly timeline: number | null;
}

const STATE_QUERY = `
  SELECT pg_is_in_recovery() AS in_recovery,
         CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() = 'paused' ELSE false END AS paused,
         EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') AS streaming,
         pg_last_wal_replay_lsn()::text AS replayed,
         pg_last_xact_replay_timestamp() AS replayed_at,
         CASE WHEN pg_is_in_recovery() THEN NULL
              ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END AS timeline`;

function replayProgress({ plan }: PlannedRestore, state: State): Parameters<Report>[0] {
  const from = parseLsn(plan.wal_from_lsn) ?? 0n;
  const to = parseLsn(plan.wal_to_lsn) ?? from;
  const at = parseLsn(state.replayed ?? '') ?? from;
  return {
    type: 'progress',
    phase: 'replaying WAL',
    done_bytes: Number(at - from),
    total_bytes: Number(to - from),
    detail: state.replayed_at === null ? `at ${state.replayed ?? ''}` : `at ${state.replayed_at.toISOString()}`,
  };
}

async function logTail(path: string): Promise<string> {
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    const from = Math.max(0, size - LOG_TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LOG_TAIL_BYTES), 0, LOG_TAIL_BYTES, from);
    const lines = buffer.subarray(0, bytesRead).toString('utf8').trimEnd().split('\n');
    return lines.slice(-LOG_LINES).join('\n');
  } catch (error) {
    return `(${path} could not be read: ${(error as Error).message})`;
  }
}
