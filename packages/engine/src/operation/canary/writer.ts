// Writing canaries into the source, for as long as it is let.
//
//   looking -> writing     the table can be used, or was made
//   looking -> refused     the role may not: one warning, and no canary on this connection
//   looking -> waiting     the server is a standby: looked at again, for it may be promoted
//   writing -> looking     the session broke, or a statement failed: again, with growing pauses
//
// 1. Every `intervalMs` it looks whether anybody wrote since the last canary. Where nobody did, nothing can be lost and
//    nothing is written, except now and then, so that an idle cluster does not fill its repository with canaries.
// 2. A canary counts when its commit was answered. It is noted in the state file at once, and in the repository about once
//    a minute. When the source is found not to answer any more, that is noted too: what was acknowledged lies before it.
// 3. Nothing of it reaches whoever it runs beside: each failure is told once, and waits are bounded.

import { setTimeout as wait } from 'node:timers/promises';
import { isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import { connect, type Session } from '../../postgres/connection.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import type { Repository } from '../../repository/repository.ts';
import { type CanaryState, remember } from './memory.ts';
import { writeCanaryRecord } from './record.ts';
import { readStateFile, writeStateFile } from './state-file.ts';
import {
  type Acknowledged,
  commitAsClientsDo,
  isQuiet,
  judgeTable,
  lookAtTable,
  makeTable,
  readMoment,
  writeRow,
} from './table.ts';

const TIMEOUT_MS = 10_000;
const PAUSE_MS_MIN = 1_000;
const PAUSE_MS_MAX = 60_000;
/** How long a standby is left alone. */
const STANDBY_MS = 30_000;
const RECORD_MS = 60_000;
const QUIET_MS = 300_000;
const END_WITHIN_MS = 5_000;

export interface CanaryOptions {
  readonly repository: Repository;
  readonly cluster: string;
  readonly intervalMs: number;
  /** Where the newest canaries are noted, on a disk that is not the source's. */
  readonly stateFile?: string;
  /** How often the newest goes into the repository; a minute by default. */
  readonly recordMs?: number;
  /** How often one is written where nothing else is; 5 minutes by default. */
  readonly quietMs?: number;
  readonly report: Report;
}

/** How a run ended. */
export type CanaryEnd = 'stopped' | 'refused';

export class Canary {
  readonly #options: CanaryOptions;
  readonly #told = new Set<string>();
  #acknowledged: readonly Acknowledged[] = [];
  #quietUntil: string | null = null;
  #seenAt: string | null = null;
  #lostAt: string | null = null;
  #snapshot = '';
  #writtenAt = Number.NEGATIVE_INFINITY;
  #recordedAt = Number.NEGATIVE_INFINITY;
  #recorded: Acknowledged | undefined;
  #begun = false;
  written = 0;

  constructor(options: CanaryOptions) {
    this.#options = options;
  }

  get newest(): Acknowledged | undefined {
    return this.#acknowledged.at(-1);
  }

  /** Beside something that must not notice: stops at once when it is disposed of, and throws nothing. */
  beside(connection: ConnectionSettings): AsyncDisposable {
    const ending = new AbortController();
    const running = this.run(connection, ending.signal).catch((error: unknown) => {
      this.#warn('end', `The canary has ended: ${error instanceof Error ? error.message : String(error)}.`);
    });
    return {
      async [Symbol.asyncDispose]() {
        ending.abort();
        await running;
      },
    };
  }

  /** Until `signal` aborts, or the role may not. */
  async run(connection: ConnectionSettings, signal: AbortSignal): Promise<CanaryEnd> {
    await this.#begin();
    for (let pauseMs = PAUSE_MS_MIN; !signal.aborted; ) {
      const before = this.written;
      let waitMs = pauseMs;
      try {
        await using session = await connect(
          { ...connection, applicationName: 'spillway_canary' },
          { timeoutMs: TIMEOUT_MS, signal },
        );
        const found = await this.#prepare(session, signal);
        if (found === 'refused') return 'refused';
        if (found === 'standby') waitMs = STANDBY_MS;
        else await this.#writeOn(session, signal);
      } catch (error) {
        if (signal.aborted) break;
        if (!isSpillwayError(error)) throw error;
        if (error.code === 'SPW_POSTGRES_UNREACHABLE') await this.noteLost();
        const why = error.why === undefined ? '' : `: ${error.why}`;
        this.#warn(
          `${error.code}${error.why}`,
          `No canary is written now, and it is tried again: ${error.message}${why}.`,
        );
      }
      if (this.written > before) waitMs = pauseMs = PAUSE_MS_MIN;
      await rest(waitMs * (0.5 + Math.random() / 2), signal);
      pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 2);
    }
    return 'stopped';
  }

  /** The source does not answer any more. The first word of it counts, until it answers again. */
  async noteLost(): Promise<void> {
    if (this.#lostAt !== null || this.newest === undefined) return;
    this.#lostAt = new Date().toISOString();
    await this.#note();
  }

  /** The last word for the repository; gives up soon where that does not answer. */
  async finish(): Promise<void> {
    await this.#record(AbortSignal.timeout(END_WITHIN_MS));
  }

  /** What an earlier run noted goes on. */
  async #begin(): Promise<void> {
    if (this.#begun) return;
    this.#begun = true;
    const { stateFile, cluster } = this.#options;
    if (stateFile === undefined) return;
    try {
      const state = await readStateFile(stateFile);
      if (state?.cluster !== cluster) return;
      this.#acknowledged = state.acknowledged;
      this.#quietUntil = state.quiet_until;
      this.#seenAt = state.seen_at;
      this.#lostAt = state.lost_at;
    } catch (error) {
      if (!isSpillwayError(error)) throw error;
      this.#warn(
        'state',
        `What an earlier canary noted is left aside: ${error.message}${error.why === undefined ? '' : `: ${error.why}`}.`,
      );
    }
  }

  async #prepare(session: Session, signal: AbortSignal): Promise<'ready' | 'standby' | 'refused'> {
    const asked = { signal, timeoutMs: TIMEOUT_MS };
    const facts = await lookAtTable(session, asked);
    const verdict = judgeTable(facts);
    switch (verdict.kind) {
      case 'refused':
        this.#warn(
          'refused',
          `No canary is written: ${verdict.why}. RPO is then told by clocks alone. Next: ${verdict.hint}`,
        );
        return 'refused';
      case 'standby':
        this.#warn(
          'standby',
          'No canary is written: the server is a standby. It is looked at again, for it may be promoted.',
        );
        return 'standby';
      case 'make':
        await makeTable(session, facts.schemaThere, asked);
        break;
      case 'ready':
        break;
    }
    await commitAsClientsDo(session, asked);
    return 'ready';
  }

  async #writeOn(session: Session, signal: AbortSignal): Promise<void> {
    const { intervalMs, recordMs = RECORD_MS } = this.#options;
    const lost = new AbortController();
    session.onLost((error) => lost.abort(error));
    while (!signal.aborted) {
      await this.#beat(session, { signal, timeoutMs: TIMEOUT_MS });
      if (performance.now() - this.#recordedAt >= recordMs) await this.#record(signal);
      await rest(intervalMs, AbortSignal.any([signal, lost.signal]));
    }
  }

  async #beat(session: Session, asked: { readonly signal: AbortSignal; readonly timeoutMs: number }): Promise<void> {
    const before = await readMoment(session, asked);
    const newest = this.newest;
    const soon = performance.now() - this.#writtenAt < (this.#options.quietMs ?? QUIET_MS);
    if (soon && newest?.timeline === before.timeline && isQuiet(this.#snapshot, before.snapshot)) {
      this.#quietUntil = before.clock;
    } else {
      const row = await writeRow(session, asked);
      const after = await readMoment(session, asked);
      if (row === undefined) return;
      const acknowledged_at = new Date().toISOString();
      const acknowledged = { ...row, timeline: after.timeline, lsn: after.flushed, acknowledged_at };
      this.#acknowledged = remember(this.#acknowledged, acknowledged);
      this.#quietUntil = null;
      this.#snapshot = after.snapshot;
      this.#writtenAt = performance.now();
      this.written++;
    }
    this.#seenAt = new Date().toISOString();
    this.#lostAt = null;
    await this.#note();
  }

  async #note(): Promise<void> {
    const { stateFile } = this.#options;
    if (stateFile === undefined) return;
    try {
      await writeStateFile(stateFile, this.#state());
    } catch (error) {
      if (!isSpillwayError(error)) throw error;
      this.#warn('state', `Canaries are not noted on this machine: ${error.message}: ${error.why ?? ''}.`);
    }
  }

  #state(): CanaryState {
    return {
      cluster: this.#options.cluster,
      acknowledged: this.#acknowledged,
      quiet_until: this.#quietUntil,
      seen_at: this.#seenAt,
      lost_at: this.#lostAt,
      interval_seconds: this.#options.intervalMs / 1000,
    };
  }

  async #record(signal: AbortSignal): Promise<void> {
    const { newest } = this;
    this.#recordedAt = performance.now();
    if (newest === undefined || newest === this.#recorded) return;
    const { repository, cluster, intervalMs } = this.#options;
    try {
      await writeCanaryRecord(
        repository,
        cluster,
        { acknowledged: newest, interval_seconds: intervalMs / 1000 },
        signal,
      );
      this.#recorded = newest;
    } catch (error) {
      if (signal.aborted) return;
      if (!isSpillwayError(error)) throw error;
      this.#warn('record', `The newest canary is not noted in the repository: ${error.message}: ${error.why ?? ''}.`);
    }
  }

  /** Once for each `key`: what fails every few seconds is not told every few seconds. */
  #warn(key: string, message: string): void {
    if (this.#told.has(key) || this.#told.size >= TOLD_MAX) return;
    this.#told.add(key);
    this.#options.report({ type: 'notice', level: 'warning', message });
  }
}

const TOLD_MAX = 20;

const rest = async (ms: number, signal: AbortSignal): Promise<void> => {
  await wait(ms, undefined, { signal }).catch(() => undefined);
};

/** For `spillway canary`, which has nothing else to do: throws where no canary can be written. */
export async function runCanary(
  options: CanaryOptions & { readonly connection: ConnectionSettings; readonly signal: AbortSignal },
): Promise<{ readonly written: number; readonly newest: Acknowledged | undefined }> {
  const canary = new Canary(options);
  const end = await canary.run(options.connection, options.signal);
  await canary.finish();
  if (end === 'refused') {
    throw new SpillwayError('SPW_POSTGRES_UNSUITABLE', `no canary can be written into cluster ${options.cluster}`, {
      why: 'the role may not, as told above',
      hint: 'grant what it lacks; docs/objectives.md has the statements',
    });
  }
  return { written: canary.written, newest: canary.newest };
}
