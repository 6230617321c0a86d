// Point after point on one cluster and one repository, and after each what must hold.
//
//   1  writers write, a sound receiver streams; the work of the point runs in a process of its own, with its fault
//   2  it ended in a way in which it may end: killed, or with an error that says what happened, never by accident
//   3  every backup that was listed is listed, unless expiry was asked to remove it; what is listed is whole, to the last
//      chunk and to the last byte of its WAL; WAL reaches at least as far as the server was told that it is durable
//   4  a restore that was struck is resumed, and then every file is what the manifest says
// From time to time (`checkpoint`) the latest moment is restored and started, the writers' work in it compared with what
// was acknowledged, and the next backup, without a fault, must succeed.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { listBackups, recoveryWindow, type Repository } from '@spillway/engine';
import type { LabCluster } from '@spillway/lab';
import type { Order, Work } from '../../../packages/engine/test/fault-process.ts';
import { differencesFromManifest } from '../../../packages/engine/test/laid-files.ts';
import { WholeBackups } from '../../../packages/engine/test/whole-backups.ts';
import { DurableWatch } from '../watch.ts';
import type { Writers } from '../writers.ts';
import type { Operation, Point } from './point.ts';
import { Victim, type VictimEnd } from './victim.ts';

export const CLUSTER = 'main';
/** Backups that expiry leaves. */
const KEPT = 4;
const RECEIVE_FOR_MS = 2_500;
const STREAMING_WITHIN_MS = 45_000;
const LOOK_AGAIN_MS = 20;

export interface SiegePlace {
  readonly folder: string;
  readonly cluster: LabCluster;
  readonly repository: Repository;
}

export class Siege implements AsyncDisposable {
  readonly #place: SiegePlace;
  readonly #writers: Writers;
  readonly #whole: WholeBackups;
  readonly #durable: DurableWatch;
  /** Calls that a piece of work made when nothing befell it, by operation. */
  readonly #calls = new Map<Operation, number>();
  #receiver: Victim | undefined;
  #listed: readonly string[] = [];
  #restores = 0;

  constructor(place: SiegePlace, writers: Writers) {
    this.#place = place;
    this.#writers = writers;
    this.#whole = new WholeBackups(place.repository, CLUSTER);
    this.#durable = new DurableWatch(place.cluster);
  }

  /** The first backup, without which there is nothing to harm. */
  async begin(): Promise<void> {
    this.#startReceiver();
    await this.#untilStreaming();
    await this.#mustSucceed({ operation: 'backup', type: 'full' });
    this.#listed = await this.#whole.list();
    this.#writers.start();
  }

  /** Gives in a line what happened; throws what must not happen. */
  async play(point: Point): Promise<string> {
    const work = await this.#workOf(point);
    if (point.operation === 'receive') await this.#stopReceiver();
    await using other = point.besides ? this.#beside(point) : undefined;
    const struck = await this.#strike(point, work);
    const durable = this.#durable.latest;
    const besides = await other?.ended;
    const told = mayEndSo(point, struck);
    // Connections are cut for everybody; all other faults are the one process's own.
    if (besides !== undefined) mayEndSo({ ...point, fault: point.fault === 'cut' ? 'cut' : 'none' }, besides);
    if (point.operation === 'receive') {
      this.#startReceiver();
      await this.#untilStreaming();
    }
    await this.#lookAt(point, durable);
    if (work.operation === 'restore') await this.#resume(work, struck);
    return told;
  }

  /** Restores the latest moment and compares it with what was acknowledged. `look` gets the restored folder's place. */
  async checkpoint(look: (notes: Writers['notes'], durable: bigint) => Promise<string>): Promise<string> {
    await this.#writers.rest();
    await this.#untilStreaming();
    const told = await look(this.#writers.notes.slice(), this.#durable.latest);
    this.#writers.start();
    await this.#mustSucceed({ operation: 'backup', type: 'incremental' });
    // After few points, and those unlucky, there may be fewer than expiry keeps.
    const newest = (await this.#whole.list()).slice(-KEPT);
    await this.#mustSucceed({ operation: 'expire', keepCount: KEPT });
    this.#listed = await this.#whole.list();
    assert.deepEqual(this.#listed, newest, 'expiry was to leave the newest backups');
    return told;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writers.rest().catch(() => undefined);
    await this.#durable[Symbol.asyncDispose]();
    await this.#receiver?.[Symbol.asyncDispose]();
  }

  async #workOf(point: Point): Promise<Work> {
    switch (point.operation) {
      case 'backup':
        return { operation: 'backup', type: point.type };
      case 'receive':
        return { operation: 'receive' };
      case 'expire':
        return { operation: 'expire', keepCount: KEPT };
      case 'restore': {
        const backups = await listBackups({ repository: this.#place.repository, cluster: CLUSTER });
        const chosen = backups[Math.floor(point.share * backups.length)] ?? backups.at(-1);
        const directory = join(this.#place.folder, `laid-${++this.#restores}`);
        return { operation: 'restore', directory, backupId: chosen?.id ?? '' };
      }
    }
  }

  #order(work: Work, fault?: Order['fault']): Order {
    const { repository, cluster } = this.#place;
    return {
      handle: repository.handle,
      cluster: { name: CLUSTER, connection: cluster.connection },
      work,
      ...(fault === undefined ? {} : { fault }),
    };
  }

  async #strike(point: Point, work: Work): Promise<VictimEnd> {
    const calls = this.#calls.get(point.operation) ?? 30;
    const call = 1 + Math.floor(point.share * calls);
    const verbs = ['get', 'put', 'list', 'stat', 'remove'] as const;
    const counted = point.fault === 'kill' || point.fault === 'full' || point.fault === 'unreachable';
    await using victim = new Victim(
      this.#order(work, {
        verbs: point.fault === 'full' ? ['put'] : verbs,
        // What is not struck at a call is counted all the same, to know how many there are.
        call: counted ? (point.fault === 'full' ? Math.ceil(call / 3) : call) : Number.MAX_SAFE_INTEGER,
        what: point.fault === 'full' || point.fault === 'unreachable' ? point.fault : 'kill',
      }),
    );
    const stop =
      work.operation === 'receive'
        ? pause(RECEIVE_FOR_MS, undefined, { ref: false }).then(() => victim.signal('SIGTERM'))
        : undefined;
    if (!counted) {
      await Promise.race([victim.ended, pause(point.delayMs)]);
      if (point.fault === 'late-kill') victim.signal('SIGKILL');
      if (point.fault === 'cut') await this.#cut();
      if (point.fault === 'pause') {
        victim.signal('SIGSTOP');
        await pause(point.pauseMs);
        victim.signal('SIGCONT');
      }
    }
    const struck = await victim.ended;
    await stop;
    if (struck.end?.code === undefined && struck.end !== undefined) {
      this.#calls.set(point.operation, Math.max(this.#calls.get(point.operation) ?? 0, struck.end.calls));
    }
    return struck;
  }

  /** A backup beside anything else, expiry beside a backup. */
  #beside(point: Point): Victim {
    return new Victim(
      this.#order(
        point.operation === 'backup'
          ? { operation: 'expire', keepCount: KEPT }
          : { operation: 'backup', type: point.type },
      ),
    );
  }

  /** Ends every session of ours but the one that asks: of the work, of the receiver, of the writers. */
  async #cut(): Promise<void> {
    await this.#place.cluster.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type IN ('client backend', 'walsender')",
    );
  }

  async #lookAt(point: Point, durable: bigint): Promise<void> {
    const listed = await this.#whole.list();
    const gone = this.#listed.filter((id) => !listed.includes(id));
    const mayGo = point.operation === 'expire' || (point.operation === 'backup' && point.besides);
    const newest = this.#listed.slice(-KEPT);
    const wrong = mayGo ? gone.filter((id) => newest.includes(id) && listed.length < KEPT) : gone;
    assert.deepEqual(wrong, [], 'backups that nothing was to remove are gone');
    this.#listed = listed;
    const { latest_lsn: latest, gaps } = await recoveryWindow({ repository: this.#place.repository, cluster: CLUSTER });
    assert.deepEqual(gaps, [], 'WAL is missing');
    assert.ok(latest !== null, 'there is no recovery window');
    assert.ok(bytesOf(latest) >= durable, `WAL was said to be durable up to ${durable}, and reaches ${latest}`);
  }

  async #resume(work: Extract<Work, { readonly operation: 'restore' }>, struck: VictimEnd): Promise<void> {
    // pg_control is the last file: with it the restore was done, whatever came after.
    const control = join(work.directory, 'global/pg_control');
    if (struck.end?.code !== undefined || !existsSync(control)) await this.#mustSucceed(work);
    const { repository } = this.#place;
    const different = await differencesFromManifest(repository, CLUSTER, work.backupId, work.directory);
    assert.deepEqual(different, [], `files differ from backup ${work.backupId}`);
    await rm(work.directory, { recursive: true, force: true });
  }

  async #mustSucceed(work: Work): Promise<void> {
    await using victim = new Victim(this.#order(work));
    const { end, signal } = await victim.ended;
    assert.equal(end?.code, undefined, `${work.operation} without a fault: ${signal ?? end?.stack}`);
  }

  async #stopReceiver(): Promise<void> {
    this.#receiver?.signal('SIGTERM');
    await this.#receiver?.ended;
  }

  #startReceiver(): void {
    this.#receiver = new Victim(this.#order({ operation: 'receive' }));
  }

  async #untilStreaming(): Promise<void> {
    for (const deadline = performance.now() + STREAMING_WITHIN_MS; ; await pause(LOOK_AGAIN_MS)) {
      const rows = await this.#place.cluster.query("SELECT FROM pg_stat_replication WHERE state = 'streaming'");
      if (rows.length > 0 && this.#receiver?.running === true) return;
      if (performance.now() > deadline) throw new Error('the receiver does not stream');
      if (this.#receiver?.running === true) continue;
      const end = await this.#receiver?.ended;
      // A backup that found no receiver receives its WAL itself, and holds the lock for that long.
      if (end?.end?.code !== undefined && end.end.code !== 'SPW_LOCKED') throw new Error(end.end.stack ?? end.end.code);
      this.#startReceiver();
    }
  }
}

const bytesOf = (lsn: string): bigint => {
  const [high = '0', low = '0'] = lsn.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
};

/** Throws where the work ended in another way than it may; else says how it ended. */
function mayEndSo(
  point: Omit<Point, 'fault'> & { readonly fault: Point['fault'] | 'none' },
  struck: VictimEnd,
): string {
  const { signal, end } = struck;
  // Told to stop before it had begun.
  if (signal === 'SIGTERM' && point.operation === 'receive') return 'done';
  if (signal === 'SIGKILL' && (point.fault === 'kill' || point.fault === 'late-kill')) return 'killed';
  const allowed: Readonly<Record<typeof point.fault, readonly string[]>> = {
    none: [],
    kill: [],
    'late-kill': [],
    full: ['SPW_STORAGE_FULL'],
    unreachable: ['SPW_STORAGE_UNREACHABLE'],
    cut: ['SPW_BACKUP_VOID', 'SPW_POSTGRES_UNREACHABLE', 'SPW_WAL_WAIT'],
    pause: [],
  };
  // Of two that want one lock the second says so; a cut also ends the sound receiver that a backup may wait for.
  const always = point.besides ? ['SPW_LOCKED', 'SPW_WAL_WAIT'] : [];
  const code = end?.code;
  if (end !== undefined && (code === undefined || [...allowed[point.fault], ...always].includes(code))) {
    return code ?? 'done';
  }
  throw new Error(`it ended with ${signal ?? end?.stack ?? code}`);
}
