// An ordinary session with a server: one query after the other, in the order they were asked for.
//
// 1. Queries wait for each other here; pg gets one at a time.
// 2. A query that is aborted or runs out of time is cancelled at the server and ends the session: what a half-done
//    statement left behind is not worth guessing. Open another session.
// 3. Rows in bulk go through COPY; while they do, the session takes no query. Whoever leaves such rows before their end
//    ends the session.
// 4. A session that breaks tells its listeners once; every query on it after that throws SPW_POSTGRES_UNREACHABLE.

import { createConnection } from 'node:net';
import { SpillwayError } from '@spillway/contract';
import type { Client, QueryResultRow } from 'pg';
import { closeClient, destroyClient, openClient, type ConnectOptions } from './client.ts';
import { CopyIn, CopyOut } from './copy-rows.ts';
import { describeServer, lostError, postgresError } from './failure.ts';
import type { ConnectionSettings } from './settings.ts';

export interface QueryOptions {
  readonly signal?: AbortSignal;
  /** No limit by default: a checkpoint before a backup takes as long as it takes. */
  readonly timeoutMs?: number;
}

/** Bytes as `COPY` formats them, in batches that need not end with a row; read once. */
export interface CopiedRows extends AsyncIterable<Buffer> {
  /** Undefined before the end. */
  readonly rows: () => number | undefined;
}

export interface Session extends AsyncDisposable {
  readonly settings: ConnectionSettings;
  /** Rows as pg gives them: int8 and numeric as strings, timestamps as Date. */
  query<Row>(sql: string, parameters?: readonly unknown[], options?: QueryOptions): Promise<readonly Row[]>;
  /** What `COPY … TO STDOUT` gives; a slow reader slows the server. Nothing is asked before it is read. */
  copyOut(sql: string, options?: Pick<QueryOptions, 'signal'>): CopiedRows;
  /** Feeds `COPY … FROM STDIN`; gives the number of rows. Where `source` throws, the statement fails and that is thrown. */
  copyIn(sql: string, source: AsyncIterable<Uint8Array>, options?: Pick<QueryOptions, 'signal'>): Promise<number>;
  /** Calls `listener` once when the connection breaks other than by closing it. Gives a function that takes it off. */
  onLost(listener: (error: SpillwayError) => void): () => void;
}

/** Opens a session. Throws SPW_POSTGRES_UNREACHABLE, SPW_POSTGRES_DENIED, SPW_POSTGRES_FAILED, or the signal's reason. */
export async function connect(settings: ConnectionSettings, options: ConnectOptions = {}): Promise<Session> {
  return new ClientSession(settings, await openClient(settings, options));
}

interface Watch {
  /** The error to throw: why the statement was stopped, where it was. */
  readonly translate: (error: unknown) => unknown;
  readonly end: () => void;
}

class ClientSession implements Session {
  readonly settings: ConnectionSettings;
  readonly #client: Client;
  readonly #listeners = new Set<(error: SpillwayError) => void>();
  #last: Promise<unknown> = Promise.resolve();
  #lost: SpillwayError | undefined;
  #closed = false;

  constructor(settings: ConnectionSettings, client: Client) {
    this.settings = settings;
    this.#client = client;
    client.on('error', (error) => this.#lose(lostError(settings, error)));
    client.on('end', () => this.#lose(lostError(settings, new Error('the connection was closed by the other side'))));
  }

  query<Row>(sql: string, parameters: readonly unknown[] = [], options: QueryOptions = {}): Promise<readonly Row[]> {
    const run = this.#last.then(() => this.#run<Row>(sql, parameters, options));
    this.#last = run.catch(() => undefined);
    return run;
  }

  copyOut(sql: string, options: Pick<QueryOptions, 'signal'> = {}): CopiedRows {
    const copy = new CopyOut(sql);
    return { rows: () => copy.rows, [Symbol.asyncIterator]: () => this.#readCopy(copy, options) };
  }

  copyIn(sql: string, source: AsyncIterable<Uint8Array>, options: Pick<QueryOptions, 'signal'> = {}): Promise<number> {
    const run = this.#last.then(() =>
      this.#guard(options, async () => {
        const copy = new CopyIn(sql, source);
        this.#client.query(copy);
        return copy.done;
      }),
    );
    this.#last = run.catch(() => undefined);
    return run;
  }

  async *#readCopy(copy: CopyOut, options: Pick<QueryOptions, 'signal'>): AsyncGenerator<Buffer, void, undefined> {
    const turn = Promise.withResolvers<void>();
    const before = this.#last;
    this.#last = turn.promise;
    await before;
    let isOver = true;
    let watch: Watch | undefined;
    try {
      this.#checkOpen(options);
      watch = this.#watch(options);
      isOver = false;
      this.#client.query(copy);
      yield* copy;
      isOver = true;
    } catch (error) {
      isOver = true;
      throw watch === undefined ? error : watch.translate(error);
    } finally {
      watch?.end();
      if (!isOver) this.#cancel();
      turn.resolve();
    }
  }

  onLost(listener: (error: SpillwayError) => void): () => void {
    const lost = this.#lost;
    if (lost !== undefined && !this.#closed) queueMicrotask(() => listener(lost));
    else this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#listeners.clear();
    if (this.#lost === undefined) await closeClient(this.#client);
    else destroyClient(this.#client);
  }

  async #run<Row>(sql: string, parameters: readonly unknown[], options: QueryOptions): Promise<readonly Row[]> {
    return this.#guard(options, async () => {
      // Without parameters the simple protocol is used, as some commands allow no other.
      const values = parameters.length === 0 ? undefined : [...parameters];
      const result = await this.#client.query<QueryResultRow & Row>(sql, values);
      return result.rows;
    });
  }

  async #guard<Result>(options: QueryOptions, work: () => Promise<Result>): Promise<Result> {
    this.#checkOpen(options);
    const watch = this.#watch(options);
    try {
      return await work();
    } catch (error) {
      throw watch.translate(error);
    } finally {
      watch.end();
    }
  }

  #checkOpen(options: QueryOptions): void {
    options.signal?.throwIfAborted();
    if (this.#closed) throw lostError(this.settings, new Error('the session was closed here'));
    if (this.#lost !== undefined) throw this.#lost;
  }

  /** Cancels what runs when it is aborted or its time is over; says which error that was then. */
  #watch({ signal, timeoutMs }: QueryOptions): Watch {
    let stopped: (() => unknown) | undefined;
    const stop = (reason: () => unknown): void => {
      stopped ??= reason;
      this.#cancel();
    };
    const abort = (): void => stop(() => signal?.reason);
    const timer =
      timeoutMs === undefined ? undefined : setTimeout(() => stop(() => this.#timeoutError(timeoutMs)), timeoutMs);
    signal?.addEventListener('abort', abort, { once: true });
    return {
      translate: (error) =>
        stopped === undefined ? postgresError(error, 'run a statement', this.settings) : stopped(),
      end: () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
      },
    };
  }

  #timeoutError(timeoutMs: number): SpillwayError {
    return new SpillwayError(
      'SPW_POSTGRES_UNREACHABLE',
      `${describeServer(this.settings)} did not answer a statement`,
      {
        why: `no answer within ${timeoutMs} ms`,
      },
    );
  }

  /** Asks the server to stop the statement, then drops the connection: the server may be past hearing us. */
  #cancel(): void {
    requestCancel(this.#client, this.settings);
    this.#lose(lostError(this.settings, new Error('a statement was cancelled')));
    destroyClient(this.#client);
  }

  #lose(error: SpillwayError): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    if (this.#closed) return;
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener(error);
  }
}

const CANCEL_REQUEST = 80_877_102;
const CANCEL_TIMEOUT_MS = 2_000;

/** Sends a CancelRequest over a connection of its own. Best effort: the connection is dropped whatever comes of it. */
function requestCancel(client: Client, settings: ConnectionSettings): void {
  // Over TLS the request would show the secret of the session in clear text; there the dropped connection must do.
  if (settings.ssl !== undefined && settings.ssl !== 'disable') return;
  const processId: unknown = Reflect.get(client, 'processID');
  const secret: unknown = Reflect.get(client, 'secretKey');
  if (typeof processId !== 'number' || typeof secret !== 'number') return;
  const message = Buffer.alloc(16);
  message.writeInt32BE(16, 0);
  message.writeInt32BE(CANCEL_REQUEST, 4);
  message.writeInt32BE(processId, 8);
  message.writeInt32BE(secret, 12);
  const socket = settings.host.startsWith('/')
    ? createConnection(`${settings.host}/.s.PGSQL.${settings.port}`)
    : createConnection(settings.port, settings.host);
  socket.setTimeout(CANCEL_TIMEOUT_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.unref();
  socket.end(message);
}
