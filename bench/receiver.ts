// A receiver of WAL that runs beside a load of clients: started, waited for until it has caught up, and ended.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { killTree, markProcess } from '@spillway/lab';
import { type Command, usedByTree } from './measure.ts';
import { parsePeakMemory } from './process-times.ts';
import type { Source } from './source.ts';

const CAUGHT_UP_WITHIN_MS = 120_000;
const ENDED_WITHIN_MS = 60_000;
const POLL_MS = 20;
const SAID_KEPT = 4000;

export class Receiver implements AsyncDisposable {
  readonly #source: Source;
  readonly #child: ReturnType<typeof spawn>;
  readonly #ended: Promise<void>;
  readonly #name: string;
  #said = '';

  /** `name` is the command's application_name. */
  constructor(source: Source, { program, words, environment, account }: Command, name: string) {
    this.#source = source;
    this.#name = name;
    const child = spawn(program, words, {
      cwd: '/',
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], LC_ALL: 'C', ...environment },
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
    });
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-SAID_KEPT);
    });
    this.#ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', () => resolve());
    });
    // Whoever waits for the end hears of it; who does not must not be ended by it.
    this.#ended.catch(() => undefined);
  }

  /**
   * Waits until all that is written now is durable where the receiver keeps it; one that confirms nothing before a
   * segment is full is only waited for until it streams.
   */
  async untilCaughtUp(confirms: boolean, signal: AbortSignal): Promise<void> {
    const [now] = await this.#source.cluster.query<{ position: string }>(
      'SELECT pg_current_wal_flush_lsn()::text AS position',
    );
    const deadline = performance.now() + CAUGHT_UP_WITHIN_MS;
    for (;;) {
      const [row] = await this.#source.cluster.query<{ receivers: number }>(
        `SELECT count(*)::int AS receivers FROM pg_stat_replication
          WHERE application_name = $1 AND state = 'streaming' AND (flush_lsn >= $2::pg_lsn OR NOT $3)`,
        [this.#name, now?.position, confirms],
      );
      if ((row?.receivers ?? 0) > 0) return;
      this.expectRunning();
      if (performance.now() > deadline) throw new Error(`${this.#name} did not reach ${now?.position}\n${this.#said}`);
      await pause(POLL_MS, undefined, { signal });
    }
  }

  /** Throws where it has ended by itself. */
  expectRunning(): void {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) {
      throw new Error(`${this.#name} ended with ${exitCode ?? signalCode} while it should receive\n${this.#said}`);
    }
  }

  /** CPU, bytes and peak memory of it and its children since it began. */
  used(): { readonly cpuSeconds: number; readonly peakBytes: number; readonly writtenBytes: number } {
    const pid = this.#child.pid ?? 0;
    const { cpuSeconds, writtenBytes } = usedByTree(pid);
    return { cpuSeconds, writtenBytes, peakBytes: parsePeakMemory(readFileSync(`/proc/${pid}/status`, 'latin1')) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const mark = this.#child.pid === undefined ? undefined : markProcess(this.#child.pid);
    this.#child.kill('SIGTERM');
    const late = setTimeout(() => void (mark === undefined ? undefined : killTree(mark)), ENDED_WITHIN_MS);
    await this.#ended;
    clearTimeout(late);
    // Its slot is free only when the server has noticed.
    const deadline = performance.now() + ENDED_WITHIN_MS;
    while (await this.#isConnected()) {
      if (performance.now() > deadline) throw new Error(`the server still has a connection of ${this.#name}`);
      await pause(POLL_MS);
    }
  }

  async #isConnected(): Promise<boolean> {
    if (!this.#source.cluster.running) return false;
    const sql = 'SELECT 1 FROM pg_stat_replication WHERE application_name = $1';
    return (await this.#source.cluster.query(sql, [this.#name])).length > 0;
  }
}
