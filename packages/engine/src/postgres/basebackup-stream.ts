// The stream of a base backup that BASE_BACKUP gives: https://www.postgresql.org/docs/current/protocol-replication.html
//
// One command answers with, in this order: where it starts; the tablespaces with their sizes; one COPY in which come the
// archives (tablespaces first, the data directory last, and pg_control last in it), and where it stops.
// 1. What arrives is queued until the consumer takes it, at most 8 MiB: see socket-queue.ts.
// 2. The server is asked to verify no page checksums: it would give up the whole backup at its end for one wrong page.
// 3. There is no way to end the COPY politely: leaving the loop before its end drops the connection, and the server then
//    ends the backup.
// States: starting (the server makes a checkpoint) -> copying -> over.
// Invariant: `end` is set only when the server has said that the backup is complete.

import { SpillwayError } from '@spillway/contract';
import type { Client, Connection, Submittable } from 'pg';
import { destroyClient } from './client.ts';
import type { CopyFrames } from './copyframes.ts';
import { describeServer, lostError, postgresError, sqlState } from './failure.ts';
import { parseLsn, timelineId, type Lsn, type TimelineId } from './lsn.ts';
import type { ConnectionSettings } from './settings.ts';
import { SocketQueue } from './socket-queue.ts';

export interface BackupStreamOptions {
  /** Stands in backup_label and in the server's list of backups. */
  readonly label: string;
  readonly signal?: AbortSignal;
  /** How long the checkpoint, and the server's sum of all sizes, may take; an hour by default. */
  readonly startTimeoutMs?: number;
  /** How long the server may say nothing afterwards; 10 minutes by default. */
  readonly timeoutMs?: number;
  readonly queueBytesMax?: number;
}

export interface StreamedTablespace {
  readonly oid: number;
  readonly location: string;
}

export type BackupMessage =
  | {
      readonly kind: 'start';
      readonly startLsn: Lsn;
      readonly timeline: TimelineId;
      readonly tablespaces: readonly StreamedTablespace[];
      /** Of all archives together, about: files grow, and each has a head of 512 bytes. */
      readonly bytes: number;
    }
  /** An archive begins: of a tablespace, or, without one, of the data directory. */
  | { readonly kind: 'archive'; readonly tablespace: StreamedTablespace | undefined }
  /** The next piece of the archive; not shared with anything that is written to again. */
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  /** A warning of the server, in its own words. */
  | { readonly kind: 'warning'; readonly message: string };

/** To be iterated once. Leaving the loop drops the connection. */
export interface BackupStream extends AsyncIterable<BackupMessage> {
  /** Set after the iteration came to its end. */
  readonly end: { readonly stopLsn: Lsn; readonly timeline: TimelineId } | undefined;
}

export function startBackupStream(
  client: Client,
  frames: CopyFrames,
  settings: ConnectionSettings,
  options: BackupStreamOptions,
): BackupStream & { readonly isOver: boolean } {
  return new BaseBackupStream(client, frames, settings, options);
}

const QUEUE_BYTES_MAX = 8 * 1024 * 1024;
const START_TIMEOUT_MS = 3_600_000;
const TIMEOUT_MS = 600_000;

class BaseBackupStream implements BackupStream {
  end: BackupStream['end'];
  isOver = false;
  readonly #client: Client;
  readonly #frames: CopyFrames;
  readonly #settings: ConnectionSettings;
  readonly #options: BackupStreamOptions;
  readonly #queue: SocketQueue<BackupMessage>;
  readonly #timer: NodeJS.Timeout;
  #state: 'starting' | 'copying' | 'over' = 'starting';
  /** Result sets seen: where it starts, the tablespaces, where it stops. */
  #results = 0;
  #start: { readonly startLsn: Lsn; readonly timeline: TimelineId } | undefined;
  #tablespaces: StreamedTablespace[] = [];
  #kibibytes = 0;

  constructor(client: Client, frames: CopyFrames, settings: ConnectionSettings, options: BackupStreamOptions) {
    this.#client = client;
    this.#frames = frames;
    this.#settings = settings;
    this.#options = options;
    this.#queue = new SocketQueue({
      socket: client.connection.stream,
      bytesMax: options.queueBytesMax ?? QUEUE_BYTES_MAX,
      bytesOf: (message) => (message.kind === 'data' ? message.bytes.byteLength : 0),
    });
    const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#timer = setInterval(() => this.#tick(), timeoutMs / 4);
    options.signal?.addEventListener('abort', this.#abort, { once: true });
    frames.archives = {
      archive: (name, location) => this.#onArchive(name, location),
      data: (bytes) => this.#queue.push({ kind: 'data', bytes }),
    };
    client.on('notice', this.#onNotice);
    client.query(this.#command());
    if (options.signal?.aborted === true) this.#abort();
  }

  [Symbol.asyncIterator](): AsyncIterator<BackupMessage, undefined> {
    return {
      next: () => this.#next(),
      return: async () => {
        this.#drop(undefined);
        return { done: true, value: undefined };
      },
    };
  }

  async #next(): Promise<IteratorResult<BackupMessage, undefined>> {
    const message = await this.#queue.take();
    return message === undefined ? { done: true, value: undefined } : { done: false, value: message };
  }

  #onRow(fields: readonly (string | null)[]): void {
    const [first, second, third] = fields;
    if (this.#results === 1) {
      // The row without an oid is the data directory.
      if (first !== null) this.#tablespaces.push({ oid: Number(first), location: second ?? '' });
      this.#kibibytes += Number(third ?? 0);
      return;
    }
    const position = parseLsn(first ?? '');
    if (position === undefined) return this.#drop(this.#strange(`the position ${first}`));
    const timeline = timelineId(Number(second));
    if (this.#results === 0) this.#start = { startLsn: position, timeline };
    else this.end = { stopLsn: position, timeline };
  }

  #onArchive(name: string, location: string): void {
    if (this.#start === undefined) return this.#drop(this.#strange('an archive before its start'));
    if (this.#state === 'starting') {
      this.#state = 'copying';
      const { startLsn, timeline } = this.#start;
      const bytes = this.#kibibytes * 1024;
      this.#queue.push({ kind: 'start', startLsn, timeline, tablespaces: this.#tablespaces, bytes });
    }
    const tablespace = this.#tablespaces.find(({ oid }) => `${oid}.tar` === name);
    if (tablespace === undefined && (name !== 'base.tar' || location !== '')) {
      return this.#drop(this.#strange(`the unknown archive ${name}`));
    }
    this.#queue.push({ kind: 'archive', tablespace });
  }

  readonly #onNotice = (notice: { readonly severity?: string | undefined; readonly message?: string | undefined }) => {
    if (notice.severity === 'WARNING') this.#queue.push({ kind: 'warning', message: notice.message ?? '' });
  };

  readonly #abort = (): void => this.#drop(this.#options.signal?.reason ?? new Error('aborted'));

  /** Ends it at once; what is queued is worth nothing then. */
  #drop(error: unknown): void {
    if (this.isOver) return;
    this.#queue.clear();
    this.#finish(error === undefined ? {} : { error });
    destroyClient(this.#client);
  }

  #finish(finished: { readonly error?: unknown }): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#state = 'over';
    clearInterval(this.#timer);
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#client.off('notice', this.#onNotice);
    this.#frames.archives = undefined;
    this.#queue.finish(finished);
  }

  #onReady(): void {
    this.#finish(this.end === undefined ? { error: this.#strange('an end without its position') } : {});
  }

  #onError(error: unknown): void {
    this.end = undefined;
    this.#drop(this.#void(sqlState(error) === undefined ? lostError(this.#settings, error) : this.#refused(error)));
  }

  #refused(error: unknown): SpillwayError {
    return postgresError(error, 'make a base backup', this.#settings);
  }

  /** What is refused before it begins is told as it is; afterwards the backup that was begun is void. */
  #void(error: SpillwayError): SpillwayError {
    if (this.#state === 'starting') return error;
    return new SpillwayError('SPW_BACKUP_VOID', `the backup of ${describeServer(this.#settings)} is void`, {
      cause: error,
      ...(error.why === undefined ? {} : { why: error.why }),
    });
  }

  #tick(): void {
    const silent = this.#queue.silentMs();
    const { startTimeoutMs = START_TIMEOUT_MS, timeoutMs = TIMEOUT_MS } = this.#options;
    if (silent < (this.#state === 'starting' ? startTimeoutMs : timeoutMs)) return;
    const why = new Error(`the server said nothing for ${Math.round(silent / 1000)} s`);
    this.#drop(this.#void(lostError(this.#settings, why)));
  }

  #strange(answer: string): SpillwayError {
    return new SpillwayError(
      'SPW_POSTGRES_FAILED',
      `${describeServer(this.#settings)} answered BASE_BACKUP with ${answer}`,
    );
  }

  /** What pg calls while the command runs; the archives come by way of the frames instead. */
  #command(): Submittable {
    const text = `BASE_BACKUP (${[
      `LABEL '${this.#options.label.replaceAll("'", "''")}'`,
      // Its sizes are needed: they bound how many chunks there can be.
      'PROGRESS',
      "CHECKPOINT 'fast'",
      // Not for its archive: the caller waits for its own.
      'WAIT 0',
      'TABLESPACE_MAP',
      'VERIFY_CHECKSUMS 0',
      "MANIFEST 'no'",
    ].join(', ')})`;
    const handlers = {
      submit: (connection: Connection) => connection.query(text),
      handleRowDescription: nothing,
      handleDataRow: ({ fields }: { readonly fields: readonly (string | null)[] }) => this.#onRow(fields),
      handleCommandComplete: () => {
        this.#results++;
      },
      handleEmptyQuery: nothing,
      handlePortalSuspended: nothing,
      handleReadyForQuery: () => this.#onReady(),
      handleError: (error: unknown) => this.#onError(error),
    };
    return handlers;
  }
}

const nothing = (): void => undefined;
