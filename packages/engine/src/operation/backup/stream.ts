// The source `stream`: a base backup over the replication protocol, for when the files cannot be reached.
//
//   1  open a replication session; ask what page verification must know, and whether pages may be read again
//   2  BASE_BACKUP: the server starts the backup and sends archives, tablespaces first, pg_control last
//   3  take them apart (`tar.ts`), put the entries in order (`streamed-tree.ts`), and hand contents to workers
//      (`stream-copy.ts`); backup_label and tablespace_map are kept byte for byte, and are no files of the backup
//   4  the server's last word is where the backup stops
//
// Everything is read, whatever was asked for: the server sends all or nothing.
// pg_control is kept whole on the way and its CRC checked; one that was torn while it was sent is read again.

import { SpillwayError } from '@spillway/contract';
import { CHUNK_BYTES } from '../../format/chunk.ts';
import type { ServerFacts } from '../../postgres/basebackup.ts';
import type { BackupMessage, BackupStream, StreamedTablespace } from '../../postgres/basebackup-stream.ts';
import type { Session } from '../../postgres/connection.ts';
import { type ControlData, parseControlFile } from '../../postgres/control.ts';
import { describeServer } from '../../postgres/failure.ts';
import { grantReadPages, mayReadPages, readPiece } from '../../postgres/page-reader.ts';
import { connectReplication, type ReplicationSession } from '../../postgres/replication.ts';
import { TarReader } from '../../postgres/tar.ts';
import { Crew } from '../crew.ts';
import { CONTROL_FILE, wholeControl } from './control-file.ts';
import type { BackupOptions } from './options.ts';
import { type CopiedCluster, openChunkTable, type OpenSource } from './source.ts';
import { type FileWriter, StreamCopy } from './stream-copy.ts';
import { StreamedTree } from './streamed-tree.ts';

/** backup_label, tablespace_map and pg_control are a few KiB; nothing else is kept whole. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024;
const KEPT: ReadonlySet<string> = new Set(['backup_label', 'tablespace_map', CONTROL_FILE]);
/** Files smaller than a chunk are not known in number before they come: as many more chunks as this there may be. */
const SMALL_FILES_MAX = 2 ** 21;
const SMALL_FILE_BYTES = 8192;
const SPARE_CHUNKS = 65_536;
const REPORT_BYTES = 4 * 1024 * 1024;

export const openStream: OpenSource = async (options, { session, server }) => {
  const { connection } = options.cluster;
  // Never aborts: what makes the stream void comes out of it, as an error of `copy`.
  const voided = new AbortController();
  const crew = new Crew(new URL('./stream-worker.ts', import.meta.url), options.workers);
  let replication: ReplicationSession | undefined;
  const dispose = async (): Promise<void> => {
    await Promise.all([crew[Symbol.asyncDispose](), replication?.[Symbol.asyncDispose]()]);
  };
  try {
    replication = await connectReplication(connection, { signal: options.signal });
    const { systemIdentifier } = await replication.identifySystem();
    if (systemIdentifier !== server.systemIdentifier) {
      throw new SpillwayError('SPW_SYSTEM_MISMATCH', `two servers answer at ${describeServer(connection)}`, {
        why: `replication reaches system ${systemIdentifier}, an ordinary session ${server.systemIdentifier}`,
        hint: 'let connection name one server, not a pool or a balancer',
      });
    }
    const rights = await readRights(session);
    const replicating = replication;
    return {
      voided: voided.signal,
      copy: async ({ label, signal }) => {
        options.report({ type: 'progress', phase: 'waiting for a checkpoint', done_bytes: 0 });
        // Leaving the loop over it drops the connection, and with it the server ends the backup.
        const stream = replicating.baseBackup({ label, signal });
        return await receive(options, { session, server, crew, stream, signal, ...rights });
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
};

interface Rights {
  /** Blocks in a file of a relation, as the server was built. */
  readonly relationSegmentBlocks: number;
  readonly pagesAgain: boolean;
}

async function readRights(session: Session): Promise<Rights> {
  const [row] = await session.query<{ blocks: string }>(
    "SELECT setting AS blocks FROM pg_catalog.pg_settings WHERE name = 'segment_size'",
  );
  return { relationSegmentBlocks: Number(row?.blocks), pagesAgain: await mayReadPages(session) };
}

interface Receiving extends Rights {
  readonly session: Session;
  readonly server: ServerFacts;
  readonly crew: Crew;
  readonly stream: BackupStream;
  readonly signal: AbortSignal;
}

async function receive(options: BackupOptions, at: Receiving): Promise<CopiedCluster> {
  const { report } = options;
  const readStartedNs = BigInt(Date.now()) * 1_000_000n;
  const incoming = new Incoming(options, at);
  let start: Extract<BackupMessage, { kind: 'start' }> | undefined;
  for await (const message of at.stream) {
    if (message.kind === 'data') await incoming.take(message.bytes);
    else if (message.kind === 'archive') incoming.begin(message.tablespace);
    else if (message.kind === 'warning') {
      report({ type: 'notice', level: 'warning', message: `The server warns: ${message.message}.` });
    } else {
      start = message;
      refuseInside(start.tablespaces, at.server);
      await incoming.open(start.bytes);
    }
  }
  const { end } = at.stream;
  if (start === undefined || end === undefined) throw strange('no start or no end');
  const { backupLabel, tablespaceMap, control, readBytes, copied, tree } = await incoming.finish();
  if (copied.wrongPages.length > 0 && !at.pagesAgain) {
    report({
      type: 'notice',
      level: 'warning',
      message: `Pages with a wrong checksum could not be read again, so some may only have been torn on the way. On the server: ${grantReadPages(options.cluster.connection.user)}.`,
    });
  }
  return {
    startLsn: start.startLsn,
    timeline: start.timeline,
    stopLsn: end.stopLsn,
    backupLabel,
    tablespaceMap,
    control,
    type: 'full',
    unchangedBy: null,
    unchangedChunks: 0,
    readStartedNs,
    ...tree.ordered(),
    ...copied,
    readBytes,
    tablespaces: start.tablespaces.map(({ oid, location }) => ({ oid, path: location })),
  };
}

/** The files on their way from the archives to the workers. */
class Incoming {
  readonly #options: BackupOptions;
  readonly #at: Receiving;
  readonly #tree = new StreamedTree();
  readonly #kept = new Map<string, Buffer>();
  #copy: StreamCopy | undefined;
  #tar: TarReader | undefined;
  #tablespace: number | undefined;
  #totalBytes = 0;
  #readBytes = 0;
  #reportedBytes = 0;
  #writer: FileWriter | undefined;
  /** The file that is kept whole, while it comes in. */
  #keeping: { readonly path: string; readonly pieces: Uint8Array[]; left: number } | undefined;
  #left = 0;

  constructor(options: BackupOptions, at: Receiving) {
    this.#options = options;
    this.#at = at;
  }

  async open(totalBytes: number): Promise<void> {
    const { server, crew, session, signal, pagesAgain, relationSegmentBlocks } = this.#at;
    const { repository, workers, compressionLevel: level } = this.#options;
    const smallFiles = Math.min(SMALL_FILES_MAX, Math.ceil(totalBytes / SMALL_FILE_BYTES));
    const room = Math.ceil(totalBytes / CHUNK_BYTES) + smallFiles + SPARE_CHUNKS;
    const table = await openChunkTable(this.#options, room, signal);
    this.#totalBytes = totalBytes;
    this.#copy = new StreamCopy({
      crew,
      workers,
      data: { repository: repository.threadHandle, table: table.shared, level, blockBytes: server.blockSize },
      room,
      relationSegmentBlocks: server.dataChecksums ? relationSegmentBlocks : undefined,
      session: pagesAgain ? session : undefined,
      signal,
    });
  }

  begin(tablespace: StreamedTablespace | undefined): void {
    this.#tar?.finish();
    this.#tar = new TarReader();
    this.#tablespace = tablespace?.oid;
  }

  async take(bytes: Uint8Array): Promise<void> {
    if (this.#tar === undefined || this.#copy === undefined) throw strange('data before an archive');
    for (const part of this.#tar.feed(bytes)) {
      if (part.kind === 'content') {
        await this.#content(part.bytes);
        continue;
      }
      const { entry } = part;
      const streamed = this.#tree.add(entry, this.#tablespace);
      this.#writer = streamed && this.#copy.begin(streamed);
      this.#left = entry.bytes;
      this.#keeping = undefined;
      if (entry.kind === 'file' && this.#tablespace === undefined && KEPT.has(entry.path)) {
        if (entry.bytes > KEPT_BYTES_MAX) throw strange(`a ${entry.path} of ${entry.bytes} bytes`);
        this.#keeping = { path: entry.path, pieces: [], left: entry.bytes };
      }
      if (entry.bytes === 0) await this.#fileEnd();
    }
    if (this.#readBytes - this.#reportedBytes < REPORT_BYTES) return;
    const done = this.#readBytes;
    this.#reportedBytes = done;
    const total = Math.max(done, this.#totalBytes);
    this.#options.report({ type: 'progress', phase: 'copying files', done_bytes: done, total_bytes: total });
  }

  async finish(): Promise<{
    readonly backupLabel: string;
    readonly tablespaceMap: string;
    readonly control: ControlData;
    readonly readBytes: number;
    readonly copied: Awaited<ReturnType<StreamCopy['finish']>>;
    readonly tree: StreamedTree;
  }> {
    const label = this.#kept.get('backup_label');
    const control = this.#kept.get(CONTROL_FILE);
    if (label === undefined || control === undefined || this.#copy === undefined || this.#tar === undefined) {
      throw strange(`no ${label === undefined ? 'backup_label' : CONTROL_FILE}`);
    }
    this.#tar.finish();
    return {
      backupLabel: label.toString('utf8'),
      tablespaceMap: this.#kept.get('tablespace_map')?.toString('utf8') ?? '',
      control: parseControlFile(control),
      readBytes: this.#readBytes,
      copied: await this.#copy.finish(),
      tree: this.#tree,
    };
  }

  async #content(bytes: Uint8Array): Promise<void> {
    this.#left -= bytes.byteLength;
    if (this.#keeping !== undefined) this.#keeping.pieces.push(bytes);
    else if (this.#writer !== undefined) {
      this.#readBytes += bytes.byteLength;
      await this.#writer.write(bytes);
    }
    if (this.#left === 0) await this.#fileEnd();
  }

  async #fileEnd(): Promise<void> {
    const keeping = this.#keeping;
    if (keeping !== undefined) {
      let content: Buffer = Buffer.concat(keeping.pieces);
      if (keeping.path === CONTROL_FILE) {
        // Written in place while it is sent.
        const { session, pagesAgain, signal } = this.#at;
        const { byteLength } = content;
        const again = (): Promise<Uint8Array | undefined> =>
          readPiece(session, CONTROL_FILE, 0, byteLength, { signal });
        content = Buffer.from(await wholeControl(content, pagesAgain ? again : undefined, signal));
      }
      this.#kept.set(keeping.path, content);
      if (this.#writer !== undefined) {
        this.#readBytes += content.byteLength;
        await this.#writer.write(content);
      }
    }
    this.#writer?.end();
    this.#writer = undefined;
    this.#keeping = undefined;
  }
}

function refuseInside(tablespaces: readonly StreamedTablespace[], { dataDirectory }: ServerFacts): void {
  for (const { oid, location } of tablespaces) {
    const inside =
      !location.startsWith('/') || (dataDirectory !== '' && `${location}/`.startsWith(`${dataDirectory}/`));
    if (!inside) continue;
    throw new SpillwayError('SPW_DATA_DIRECTORY', `tablespace ${oid} cannot be backed up`, {
      why: `it lies inside the data directory, at ${location}`,
      hint: 'move the tablespace out of the data directory',
    });
  }
}

const strange = (what: string): SpillwayError =>
  new SpillwayError('SPW_POSTGRES_FAILED', `the server sent ${what} in its base backup`);
