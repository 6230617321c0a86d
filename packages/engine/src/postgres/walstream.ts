// The stream of WAL that START_REPLICATION gives.
//
// 1. What arrives is queued until the consumer takes it, at most 64 MiB: see socket-queue.ts.
// 2. The server is told the confirmed positions by a timer of its own, at once when more was flushed, and at once when
//    it asks: a consumer that is slow never looks dead.
// 3. A server that has said nothing for a while is asked for a keepalive, and given up when none comes. So an idle server
//    too tells its position, at the start and then at every interval.
// States: starting -> streaming -> ending (CopyDone sent by either side) -> over. Lost or refused: over, from anywhere.
// Invariant: an error of the connection comes out of the iterator only after everything that arrived before it.

import { SpillwayError } from '@spillway/contract';
import type { Client, Connection, Submittable } from 'pg';
import { destroyClient } from './client.ts';
import { toTimestamp, type CopyFrames } from './copyframes.ts';
import { describeServer, lostError, postgresError, sqlState } from './failure.ts';
import { formatLsn, lsn, parseLsn, timelineId, type Lsn, type TimelineId } from './lsn.ts';
import type { ConnectionSettings } from './settings.ts';
import { SocketQueue } from './socket-queue.ts';

export interface StreamOptions {
  /** The physical slot that holds the WAL back; without one the server may remove it first. */
  readonly slot?: string;
  readonly start: Lsn;
  readonly timeline: TimelineId;
  /** How often the server is told the confirmed positions at the least; well below its wal_sender_timeout. */
  readonly statusIntervalMs: number;
  /** How long the server may say nothing; 60 s by default. */
  readonly timeoutMs?: number;
  /** Bytes queued past which the socket is no longer read; 64 MiB by default. */
  readonly queueBytesMax?: number;
  readonly signal?: AbortSignal;
}

export type WalMessage =
  | {
      readonly kind: 'wal';
      readonly start: Lsn;
      /** The end of WAL at the server when it was sent. */
      readonly end: Lsn;
      readonly sentAt: Date;
      /** Not shared with anything that is written to again: may be kept. */
      readonly bytes: Uint8Array;
      /** Whether no later message lies in the same memory: whoever is done with this one and those before may discard it all. */
      readonly isLast: boolean;
    }
  | { readonly kind: 'keepalive'; readonly end: Lsn; readonly sentAt: Date; readonly replyRequested: boolean };

export interface Confirmed {
  readonly written: Lsn;
  /** Durable: PostgreSQL may remove WAL before it, and a synchronous commit waits for it. */
  readonly flushed: Lsn;
  /** Replayed; 0 (the default) where nothing replays. */
  readonly applied?: Lsn;
}

export interface TimelineEnd {
  readonly nextTimeline: TimelineId;
  readonly switchpoint: Lsn;
}

/** To be iterated once. Leaving the loop closes the stream. */
export interface WalStream extends AsyncIterable<WalMessage> {
  /** Why the iteration came to its end: set when the timeline ended, undefined otherwise. */
  readonly ended: TimelineEnd | undefined;
  /** Records what is to be told to the server. Positions never go back. */
  confirm(confirmed: Confirmed): void;
  /** Ends the stream politely; the replication session can be used again. At most 5 s. */
  close(): Promise<void>;
}

export function startWalStream(
  client: Client,
  frames: CopyFrames,
  settings: ConnectionSettings,
  options: StreamOptions,
): WalStream & { readonly isOver: boolean } {
  return new ReplicationStream(client, frames, settings, options);
}

const QUEUE_BYTES_MAX = 64 * 1024 * 1024;
const TIMEOUT_MS = 60_000;
const CLOSE_TIMEOUT_MS = 5_000;

/** The methods of pg's Connection that its types leave out. */
type CopyConnection = Connection & { sendCopyFromChunk(chunk: Buffer): void; endCopyFrom(): void };

class ReplicationStream implements WalStream {
  ended: TimelineEnd | undefined;
  /** Settles when the server is ready for another command, or the connection is gone. */
  readonly #over = Promise.withResolvers<void>();
  readonly #client: Client;
  readonly #frames: CopyFrames;
  readonly #settings: ConnectionSettings;
  readonly #options: StreamOptions;
  /** Once it is finished, nothing is queued any more. */
  readonly #queue: SocketQueue<WalMessage>;
  readonly #timeoutMs: number;
  readonly #timer: NodeJS.Timeout;
  #state: 'starting' | 'streaming' | 'ending' | 'over' = 'starting';
  #closing = false;
  #written = 0n;
  #flushed = 0n;
  #applied = 0n;
  #toldAt = performance.now();

  constructor(client: Client, frames: CopyFrames, settings: ConnectionSettings, options: StreamOptions) {
    this.#client = client;
    this.#frames = frames;
    this.#settings = settings;
    this.#options = options;
    this.#queue = new SocketQueue({
      socket: client.connection.stream,
      bytesMax: options.queueBytesMax ?? QUEUE_BYTES_MAX,
      bytesOf: (message) => (message.kind === 'wal' ? message.bytes.byteLength : 0),
    });
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#timer = setInterval(() => this.#tick(), Math.min(options.statusIntervalMs, this.#timeoutMs / 4));
    if (options.signal?.aborted === true) {
      this.#closing = true;
      this.#finish({ error: options.signal.reason });
      this.#end();
      return;
    }
    options.signal?.addEventListener('abort', this.#abort, { once: true });
    frames.listener = {
      started: () => this.#onStarted(),
      wal: (start, end, sentAt, bytes, isLast) => this.#queue.push({ kind: 'wal', start, end, sentAt, bytes, isLast }),
      keepalive: (end, sentAt, replyRequested) => {
        if (replyRequested) this.#tell();
        this.#onKeepalive({ kind: 'keepalive', end, sentAt, replyRequested });
      },
      done: () => this.#onDone(),
      unknown: (kind) => this.#onLost(new Error(`unknown replication message of kind ${kind}`)),
    };
    client.query(this.#command());
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  confirm(confirmed: Confirmed): void {
    const flushedBefore = this.#flushed;
    this.#written = later(this.#written, confirmed.written);
    this.#flushed = later(this.#flushed, confirmed.flushed);
    this.#applied = later(this.#applied, confirmed.applied ?? 0n);
    if (this.#flushed > flushedBefore) this.#tell();
  }

  async close(): Promise<void> {
    if (this.#state !== 'over') {
      this.#closing = true;
      this.#finish({});
      this.#queue.clear();
      // A stream that has not begun is ended when the server says that it begins.
      if (this.#state === 'streaming') this.#sendDone();
    }
    const timer = setTimeout(() => this.#drop(), CLOSE_TIMEOUT_MS);
    await this.#over.promise;
    clearTimeout(timer);
  }

  [Symbol.asyncIterator](): AsyncIterator<WalMessage, undefined> {
    return {
      next: () => this.#next(),
      return: async () => {
        await this.close();
        return { done: true, value: undefined };
      },
    };
  }

  async #next(): Promise<IteratorResult<WalMessage, undefined>> {
    let message: WalMessage | undefined;
    try {
      message = await this.#queue.take();
    } finally {
      if (message === undefined && this.#closing) await this.close();
    }
    return message === undefined ? { done: true, value: undefined } : { done: false, value: message };
  }

  /** Only the newest of several keepalives says anything; so they cannot fill the queue. */
  #onKeepalive(keepalive: WalMessage): void {
    if (this.#queue.last?.kind === 'keepalive') this.#queue.replaceLast(keepalive);
    else this.#queue.push(keepalive);
  }

  readonly #abort = (): void => {
    if (this.#queue.isFinished) return;
    const { signal } = this.#options;
    this.#finish({ error: signal?.reason ?? new Error('aborted') });
    this.#closing = true;
    this.#queue.clear();
    if (this.#state === 'streaming') this.#sendDone();
  };

  #onStarted(): void {
    this.#queue.heard();
    if (this.#state !== 'starting') return;
    this.#state = 'streaming';
    if (this.#closing) this.#sendDone();
    else this.#tell(true);
  }

  #onDone(): void {
    if (this.#state === 'streaming') this.#sendDone();
  }

  #sendDone(): void {
    this.#state = 'ending';
    this.#connection().endCopyFrom();
  }

  #onReady(): void {
    if (this.#ending()) this.#finish({});
    else this.#finish({ error: this.#failed(new Error('the server ended the stream')) });
    this.#end();
  }

  #ending(): boolean {
    return this.#closing || this.ended !== undefined;
  }

  #onError(error: unknown): void {
    const state = sqlState(error);
    this.#finish({ error: state === undefined ? lostError(this.#settings, error) : this.#failed(error) });
    this.#end();
  }

  #onLost(error: Error): void {
    this.#finish({ error: lostError(this.#settings, error) });
    this.#drop();
  }

  #drop(): void {
    destroyClient(this.#client);
    this.#end();
  }

  #finish(finished: { readonly error?: unknown }): void {
    this.#queue.finish(finished);
    this.#options.signal?.removeEventListener('abort', this.#abort);
  }

  #end(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    clearInterval(this.#timer);
    this.#frames.listener = undefined;
    this.#over.resolve();
  }

  #tick(): void {
    const now = performance.now();
    const silent = this.#queue.silentMs();
    if (silent > this.#timeoutMs) this.#onLost(new Error(`the server said nothing for ${Math.round(silent / 1000)} s`));
    else if (now - this.#toldAt >= this.#options.statusIntervalMs / 2)
      this.#tell(silent >= this.#options.statusIntervalMs);
  }

  /** Standby status update. */
  #tell(replyRequested = false): void {
    if (this.#state !== 'streaming') return;
    this.#toldAt = performance.now();
    const message = Buffer.alloc(34);
    message.write('r', 0, 'latin1');
    message.writeBigUInt64BE(this.#written, 1);
    message.writeBigUInt64BE(this.#flushed, 9);
    message.writeBigUInt64BE(this.#applied, 17);
    message.writeBigInt64BE(toTimestamp(Date.now()), 25);
    message.writeUInt8(replyRequested ? 1 : 0, 33);
    this.#connection().sendCopyFromChunk(message);
  }

  #connection(): CopyConnection {
    return this.#client.connection as CopyConnection;
  }

  #failed(error: unknown): SpillwayError {
    const { slot, start, timeline } = this.#options;
    const state = sqlState(error);
    const where = `${formatLsn(start)} of timeline ${timeline}`;
    // "requested WAL segment … has already been removed": undefined_file where the segment is not found, but
    // internal_error where it is removed or recycled while it is read. Messages are translated, names of routines are not.
    if (state === '58P01' || routineOf(error) === 'CheckXLogRemoved') {
      return new SpillwayError('SPW_WAL_GAP', `${describeServer(this.#settings)} has no longer the WAL from ${where}`, {
        cause: error,
      });
    }
    if (state === '55006') {
      return new SpillwayError('SPW_LOCKED', `another receiver uses the replication slot ${slot ?? ''}`, {
        cause: error,
        hint: 'stop the other receiver; a slot whose receiver died is free after wal_sender_timeout',
      });
    }
    return postgresError(error, `stream WAL from ${where}`, this.#settings);
  }

  /** What pg calls while the command runs; everything in copy mode comes by way of the frames instead. */
  #command(): Submittable {
    const { slot, start, timeline } = this.#options;
    const named = slot === undefined ? '' : `SLOT "${slot}" `;
    const text = `START_REPLICATION ${named}PHYSICAL ${formatLsn(start)} TIMELINE ${timeline}`;
    const handlers = {
      submit: (connection: Connection) => connection.query(text),
      handleRowDescription: nothing,
      handleDataRow: ({ fields }: { readonly fields: readonly (string | null)[] }) => {
        const switchpoint = parseLsn(fields[1] ?? '');
        if (this.#closing || switchpoint === undefined) return;
        this.ended = { nextTimeline: timelineId(Number(fields[0])), switchpoint: lsn(switchpoint) };
      },
      handleCommandComplete: nothing,
      handleEmptyQuery: nothing,
      handlePortalSuspended: nothing,
      handleReadyForQuery: () => this.#onReady(),
      handleError: (error: unknown) => this.#onError(error),
    };
    return handlers;
  }
}

const nothing = (): void => undefined;

const later = (left: bigint, right: bigint): bigint => (left > right ? left : right);

const routineOf = (error: unknown): unknown =>
  error instanceof Error && 'routine' in error ? error.routine : undefined;
