// Rows in bulk: `COPY … TO STDOUT` and `COPY … FROM STDIN` as pg's queries of a kind of their own.
//
// 1. Out: each row comes as a message of its own, a slice of a buffer that pg goes on using. It is copied at once into a
//    batch, and only whole batches are handed on; while BATCHES_MAX of them wait nothing more is read from the socket, so
//    that a slow reader slows the server and not our memory.
// 2. In: batches go out as they are, one message each (a row may begin in one and end in the next), and the next is taken
//    only when the socket has room again. A source that fails fails the statement at the server.
// Invariant: a query settles once, with the server's answer or its error.
// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY

import { once } from 'node:events';
import type { Connection, Submittable } from 'pg';

const BATCH_BYTES = 256 * 1024;
const BATCHES_MAX = 8;

/** What pg's Connection has beyond its types. */
interface CopyConnection extends Connection {
  query(sql: string): void;
  sendCopyFromChunk(chunk: Uint8Array): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

/** The rows of a `COPY … TO STDOUT`: read once. */
export class CopyOut implements Submittable, AsyncIterable<Buffer> {
  readonly #sql: string;
  #connection: CopyConnection | undefined;
  #batch = Buffer.allocUnsafe(BATCH_BYTES);
  #used = 0;
  #full: Buffer[] = [];
  #state: 'running' | 'done' | { readonly error: unknown } = 'running';
  #wake = (): void => undefined;
  /** As the server counted them; undefined before the end. */
  rows: number | undefined;

  constructor(sql: string) {
    this.#sql = sql;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const next = this.#full.shift();
      if (next !== undefined) {
        if (this.#full.length < BATCHES_MAX) this.#connection?.stream.resume();
        yield next;
      } else if (typeof this.#state === 'object') throw this.#state.error;
      else if (this.#state === 'done') return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  submit(connection: Connection): void {
    this.#connection = connection as CopyConnection;
    this.#connection.query(this.#sql);
  }

  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    if (this.#used + chunk.length > this.#batch.length) this.#close(chunk.length);
    this.#used += chunk.copy(this.#batch, this.#used);
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.rows = countOf(text);
    this.#close(0);
  }

  handleReadyForQuery(): void {
    this.#settle('done');
  }

  handleError(error: unknown): void {
    this.#settle({ error });
  }

  handleCopyInResponse(connection: CopyConnection): void {
    connection.sendCopyFail('this statement was to send rows');
  }

  /** What a statement answers that is no COPY; its rows are of no interest. */
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}

  #close(needed: number): void {
    if (this.#used > 0) this.#full.push(this.#batch.subarray(0, this.#used));
    // The batch that was handed on is its reader's now.
    this.#batch = Buffer.allocUnsafe(Math.max(BATCH_BYTES, needed));
    this.#used = 0;
    if (this.#full.length >= BATCHES_MAX) this.#connection?.stream.pause();
    this.#wake();
  }

  #settle(state: 'done' | { readonly error: unknown }): void {
    if (this.#state === 'running') this.#state = state;
    this.#wake();
  }
}

/** A `COPY … FROM STDIN` that is fed with `source`. */
export class CopyIn implements Submittable {
  readonly #sql: string;
  readonly #source: AsyncIterable<Uint8Array>;
  readonly #settled = Promise.withResolvers<number>();
  #isOver = false;
  #fed: Promise<void> = Promise.resolve();
  #rows = 0;
  #sourceError: { readonly error: unknown } | undefined;

  constructor(sql: string, source: AsyncIterable<Uint8Array>) {
    this.#sql = sql;
    this.#source = source;
    // Awaited by whoever made this; what goes wrong before that must not pass for an unhandled rejection.
    this.#settled.promise.catch(() => undefined);
  }

  /** The number of rows. Rejects with what the source threw, where that was the cause, else with the server's error. */
  get done(): Promise<number> {
    return this.#settled.promise;
  }

  submit(connection: Connection): void {
    (connection as CopyConnection).query(this.#sql);
  }

  handleCopyInResponse(connection: CopyConnection): void {
    this.#fed = this.#feed(connection);
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#rows = countOf(text);
  }

  handleReadyForQuery(): void {
    this.#end(() => this.#settled.resolve(this.#rows));
  }

  handleError(error: unknown): void {
    this.#end(() => this.#settled.reject(this.#sourceError === undefined ? error : this.#sourceError.error));
  }

  handleCopyData(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}

  /** Only when the feeding has let go of its source: nobody else may use that before. */
  #end(settle: () => void): void {
    this.#isOver = true;
    void this.#fed.then(settle);
  }

  async #feed(connection: CopyConnection): Promise<void> {
    const { stream } = connection;
    const gone = new AbortController();
    const onGone = (): void => gone.abort();
    stream.once('close', onGone);
    try {
      for await (const bytes of this.#source) {
        if (this.#isOver || stream.destroyed) return;
        connection.sendCopyFromChunk(bytes);
        if (stream.writableNeedDrain) {
          // A connection that is gone is told by the query's own error.
          await once(stream, 'drain', { signal: gone.signal }).catch(() => undefined);
        }
      }
      if (!this.#isOver && !stream.destroyed) connection.endCopyFrom();
    } catch (error) {
      this.#sourceError = { error };
      if (!this.#isOver && !stream.destroyed) connection.sendCopyFail('the rows could not be read to their end');
    } finally {
      stream.removeListener('close', onGone);
    }
  }
}

/** `COPY 4032000`. */
const countOf = (tag: string): number => Number(/^COPY (\d+)$/.exec(tag)?.[1] ?? 0);
