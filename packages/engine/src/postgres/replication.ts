// A physical replication session: https://www.postgresql.org/docs/current/protocol-replication.html
//
// 1. The connection is pg's, opened with `replication=true`; commands go one after the other.
// 2. Values come as the text that the server sent, so that a history file is the same to the byte.
// 3. While a stream runs the session takes no command; after its end it does again (IDENTIFY_SYSTEM, the history of
//    the next timeline, the next stream).

import { SpillwayError } from '@spillway/contract';
import type { Client, CustomTypesConfig } from 'pg';
import { type BackupStream, type BackupStreamOptions, startBackupStream } from './basebackup-stream.ts';
import { closeClient, destroyClient, openClient } from './client.ts';
import { tapCopyFrames, type CopyFrames } from './copyframes.ts';
import { describeServer, lostError, postgresError, sqlState } from './failure.ts';
import { parseLsn, timelineId, type Lsn, type TimelineId } from './lsn.ts';
import type { ConnectionSettings } from './settings.ts';
import { startWalStream, type StreamOptions, type WalStream } from './walstream.ts';

export interface SystemIdentity {
  /** A 64-bit number in decimal, as pg_controldata prints it. */
  readonly systemIdentifier: string;
  readonly timeline: TimelineId;
  /** The end of flushed WAL. */
  readonly position: Lsn;
}

export interface SlotPosition {
  /** From where on the slot holds WAL back; undefined while it holds none. */
  readonly restartLsn: Lsn | undefined;
  readonly restartTimeline: TimelineId | undefined;
}

export interface TimelineHistoryFile {
  readonly fileName: string;
  readonly content: Uint8Array;
}

export interface ReplicationSession extends AsyncDisposable {
  readonly settings: ConnectionSettings;
  identifySystem(): Promise<SystemIdentity>;
  /** A slot of that name that is there already is fine and answered with `exists`. */
  createPhysicalSlot(
    name: string,
    options: { readonly temporary?: boolean; readonly reserveWal: boolean },
  ): Promise<'created' | 'exists'>;
  /** Undefined where no slot has the name; throws SPW_POSTGRES_FAILED for a logical one. */
  readSlot(name: string): Promise<SlotPosition | undefined>;
  dropSlot(name: string): Promise<void>;
  timelineHistory(timeline: TimelineId): Promise<TimelineHistoryFile>;
  /** The value as SHOW prints it, for example `16MB` for wal_segment_size. */
  showParameter(name: string): Promise<string>;
  /** Refusals of the server come out of the iterator: SPW_WAL_GAP, SPW_LOCKED, SPW_POSTGRES_FAILED. */
  stream(options: StreamOptions): WalStream;
  /** Begins a base backup. Ended before its end, it takes the session with it. */
  baseBackup(options: BackupStreamOptions): BackupStream;
}

/**
 * Opens a session. When `signal` aborts, the session is dropped, whatever it is doing. Throws SPW_POSTGRES_DENIED where
 * the user may not replicate, or pg_hba.conf does not let it.
 */
export async function connectReplication(
  settings: ConnectionSettings,
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {},
): Promise<ReplicationSession> {
  const client = await openClient(settings, options, { replication: 'true', types: rawTypes }).catch(
    (error: unknown) => {
      throw error instanceof SpillwayError ? withReplicationHint(error, settings) : error;
    },
  );
  return new PhysicalSession(settings, client, options.signal);
}

/** insufficient_privilege: the role may not replicate; invalid_authorization_specification: no line in pg_hba.conf. */
const refusals: ReadonlyMap<string, (user: string) => string> = new Map([
  ['42501', (user) => `on the server: ALTER ROLE "${user}" REPLICATION`],
  [
    '28000',
    (user) =>
      `pg_hba.conf of the server must let ${user} replicate, with a line such as: host replication ${user} <this host> scram-sha-256; "all" does not cover replication`,
  ],
]);

function withReplicationHint(error: SpillwayError, settings: ConnectionSettings): SpillwayError {
  const hint = refusals.get(sqlState(error.cause) ?? '')?.(settings.user);
  if (hint === undefined) return error;
  return new SpillwayError('SPW_POSTGRES_DENIED', error.message, {
    cause: error.cause,
    hint,
    ...(error.why === undefined ? {} : { why: error.why }),
  });
}

const COMMAND_TIMEOUT_MS = 30_000;

const rawTypes: CustomTypesConfig = { getTypeParser: () => (value: unknown) => value };

class PhysicalSession implements ReplicationSession {
  readonly settings: ConnectionSettings;
  readonly #client: Client;
  readonly #frames: CopyFrames;
  readonly #signal: AbortSignal | undefined;
  #stream: { readonly isOver: boolean } | undefined;
  #lost: unknown;
  #closed = false;

  constructor(settings: ConnectionSettings, client: Client, signal: AbortSignal | undefined) {
    this.settings = settings;
    this.#client = client;
    this.#frames = tapCopyFrames(client);
    this.#signal = signal;
    client.on('error', (error) => {
      this.#lost ??= error;
    });
    signal?.addEventListener('abort', this.#abort, { once: true });
  }

  async identifySystem(): Promise<SystemIdentity> {
    const [row] = await this.#command('IDENTIFY_SYSTEM', 'identify the system');
    const position = parseLsn(row?.['xlogpos'] ?? '');
    const systemIdentifier = row?.['systemid'];
    if (position === undefined || typeof systemIdentifier !== 'string') throw this.#strange('IDENTIFY_SYSTEM');
    return { systemIdentifier, timeline: timelineId(Number(row?.['timeline'])), position };
  }

  async createPhysicalSlot(
    name: string,
    options: { readonly temporary?: boolean; readonly reserveWal: boolean },
  ): Promise<'created' | 'exists'> {
    const words = [
      'CREATE_REPLICATION_SLOT',
      quoteSlot(name),
      ...(options.temporary === true ? ['TEMPORARY'] : []),
      'PHYSICAL',
      ...(options.reserveWal ? ['(RESERVE_WAL)'] : []),
    ];
    try {
      await this.#command(words.join(' '), `create the replication slot ${name}`);
      return 'created';
    } catch (error) {
      // duplicate_object
      if (error instanceof SpillwayError && sqlState(error.cause) === '42710') return 'exists';
      throw error;
    }
  }

  async readSlot(name: string): Promise<SlotPosition | undefined> {
    const [row] = await this.#command(`READ_REPLICATION_SLOT ${quoteSlot(name)}`, `read the replication slot ${name}`);
    // Every column is null where there is no such slot.
    if (row === undefined || row['slot_type'] === null) return undefined;
    const timeline = row['restart_tli'];
    return {
      restartLsn: parseLsn(row['restart_lsn'] ?? ''),
      restartTimeline: typeof timeline === 'string' ? timelineId(Number(timeline)) : undefined,
    };
  }

  async dropSlot(name: string): Promise<void> {
    await this.#command(`DROP_REPLICATION_SLOT ${quoteSlot(name)}`, `drop the replication slot ${name}`);
  }

  async timelineHistory(timeline: TimelineId): Promise<TimelineHistoryFile> {
    const [row] = await this.#command(`TIMELINE_HISTORY ${timeline}`, `read the history of timeline ${timeline}`);
    const { filename, content } = row ?? {};
    // pg decodes text as UTF-8; what is not would no longer be the same file.
    if (typeof filename !== 'string' || typeof content !== 'string' || content.includes('\uFFFD')) {
      throw this.#strange('TIMELINE_HISTORY');
    }
    return { fileName: filename, content: Buffer.from(content, 'utf8') };
  }

  async showParameter(name: string): Promise<string> {
    if (!/^[A-Za-z_][A-Za-z0-9_.]*$/.test(name)) throw this.#strange(`SHOW ${name}`);
    const [row] = await this.#command(`SHOW ${name}`, `read the setting ${name}`);
    const value = Object.values(row ?? {})[0];
    if (typeof value !== 'string') throw this.#strange('SHOW');
    return value;
  }

  stream(options: StreamOptions): WalStream {
    if (options.slot !== undefined) quoteSlot(options.slot);
    this.#checkFree();
    const stream = startWalStream(this.#client, this.#frames, this.settings, options);
    this.#stream = stream;
    return stream;
  }

  baseBackup(options: BackupStreamOptions): BackupStream {
    this.#checkFree();
    const stream = startBackupStream(this.#client, this.#frames, this.settings, options);
    this.#stream = stream;
    return stream;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#signal?.removeEventListener('abort', this.#abort);
    if (this.#lost === undefined && this.#signal?.aborted !== true) await closeClient(this.#client);
    else destroyClient(this.#client);
  }

  readonly #abort = (): void => {
    this.#lost ??= this.#signal?.reason;
    destroyClient(this.#client);
  };

  #checkFree(): void {
    this.#signal?.throwIfAborted();
    if (this.#closed) throw lostError(this.settings, new Error('the session was closed here'));
    if (this.#lost !== undefined) throw lostError(this.settings, this.#lost);
    if (this.#stream?.isOver === false) {
      throw new SpillwayError(
        'SPW_INTERNAL',
        `the replication session with ${describeServer(this.settings)} is streaming`,
      );
    }
  }

  async #command(sql: string, action: string): Promise<readonly Readonly<Record<string, string | null>>[]> {
    this.#checkFree();
    const timer = setTimeout(() => destroyClient(this.#client), COMMAND_TIMEOUT_MS);
    try {
      // Without values pg uses the simple protocol, the only one that a replication session knows.
      return (await this.#client.query<Record<string, string | null>>(sql)).rows;
    } catch (error) {
      this.#signal?.throwIfAborted();
      throw postgresError(error, action, this.settings);
    } finally {
      clearTimeout(timer);
    }
  }

  #strange(command: string): SpillwayError {
    return new SpillwayError(
      'SPW_POSTGRES_FAILED',
      `${describeServer(this.settings)} gave no usable answer to ${command}`,
    );
  }
}

function quoteSlot(name: string): string {
  if (/^[a-z0-9_]{1,63}$/.test(name)) return `"${name}"`;
  throw new SpillwayError('SPW_CONFIG_INVALID', `"${name}" is no name for a replication slot`, {
    hint: 'use 1 to 63 of the characters a to z, 0 to 9 and _',
  });
}
