// `backup`: a physical base backup of a running cluster, read beside its data directory.
//
//   1  take the cluster's backup lock; connect; see that server, data directory and repository are of one system
//   2  make sure that WAL is being stored (`wal-follower.ts`), then pg_backup_start
//   3  scan the data directory; decide which files are unchanged since the last backup (`reuse.ts`)
//   4  workers read, verify and store the rest (`copy-worker.ts`); pg_control comes last, whole and checked
//   5  pg_backup_stop, in the session of the start; its label and map go into the manifest as they are
//   6  write the index of the new packs; wait until all WAL from start to stop is durable
//   7  see once more that the lock is held, then write the manifest
//
// Invariant: the manifest is the last object written, and everything it needs is durable before. Whatever goes wrong
// earlier leaves unnamed packs behind and no backup.

import { randomBytes } from 'node:crypto';
import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import { chunkId, idKey } from '../../codec/keys.ts';
import type { CompressionLevel } from '../../codec/seal.ts';
import { CHUNK_BYTES, CHUNK_ID_BYTES, isZeroChunk } from '../../format/chunk.ts';
import type { BackupSummary, Entry, FileEntry, Manifest } from '../../format/manifest.ts';
import type { PackDirectory } from '../../format/pack.ts';
import { openBaseBackup, readServer, type ServerFacts } from '../../postgres/basebackup.ts';
import { connect } from '../../postgres/connection.ts';
import { type ControlData, parseControlFile } from '../../postgres/control.ts';
import { relationFile } from '../../postgres/exclusion.ts';
import { formatLsn, type Lsn } from '../../postgres/lsn.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import type { ChunkTable } from '../../repository/chunk-table.ts';
import { readIndex, writeIndex } from '../../repository/index-store.ts';
import { LOCK_WAIT_MS, takeLock } from '../../repository/lock.ts';
import { listManifests, readManifest, writeManifest } from '../../repository/manifest-store.ts';
import { PackWriter } from '../../repository/pack-writer.ts';
import type { Repository } from '../../repository/repository.ts';
import { Crew } from '../crew.ts';
import { admitSystem } from '../system.ts';
import { WalArchive } from '../wal/archive.ts';
import { assembleEntries, joinStretches } from './assemble.ts';
import type { CopiedItem, CopyData, CopyFinal, CopyItem, CopyResult, CopyTask, WrongPage } from './copy-worker.ts';
import { pathInCluster, Reuse, whyReadAll } from './reuse.ts';
import { describeFile, type Scan, scanCluster } from './scan.ts';
import { followWal } from './wal-follower.ts';

const TASK_BYTES = 16 * 1024 * 1024;
const TASK_ITEMS_MAX = 512;
const CONTROL_FILE = 'global/pg_control';
const CONTROL_READS_MAX = 20;
/** As many damaged pages as a summary names: with more of them the list says nothing new. */
const DAMAGED_PAGES_MAX = 1000;
/** How many more chunks the table has room for than the scan says: files grow and appear while they are copied. */
const SPARE_CHUNKS = 65_536;

export interface ClusterSource {
  readonly name: string;
  readonly connection: ConnectionSettings;
  /** As this machine sees it; asked from the server by default. */
  readonly dataDirectory?: string;
}

export interface BackupOptions {
  readonly repository: Repository;
  readonly cluster: ClusterSource;
  /** `full` reads every file; `incremental` leaves files unread that did not change since the last backup. */
  readonly type: BackupSummary['type'];
  readonly workers: number;
  readonly compressionLevel: CompressionLevel;
  readonly walTimeoutMs: number;
  readonly slot: string;
  readonly flushIntervalMs: number;
  /** After pg_upgrade: accepts the new system identifier under the old name. */
  readonly newSystem?: boolean;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export async function backup(options: BackupOptions): Promise<BackupSummary> {
  const { repository, cluster } = options;
  await using lock = await takeLock(repository, `backup-${cluster.name}`, {
    holder: `backup of cluster ${cluster.name}`,
    signal: options.signal,
    waitMs: LOCK_WAIT_MS,
    onWait: (why) =>
      options.report({ type: 'notice', level: 'info', message: `Waiting to see whether the holder lives: ${why}.` }),
  });
  await using crew = new Crew(new URL('./copy-worker.ts', import.meta.url), options.workers);
  await using session = await connect(cluster.connection, { signal: options.signal });
  const server = await readServer(session);
  const dataDirectory = cluster.dataDirectory ?? server.dataDirectory;
  const control = await readControl(dataDirectory);
  refuseForeign(cluster, server, control, dataDirectory);
  await admitSystem(
    repository,
    cluster.name,
    { systemIdentifier: server.systemIdentifier, segmentBytes: server.walSegmentSize },
    options,
  );
  const base = openBaseBackup(session);
  const aborted = AbortSignal.any([options.signal, lock.lost, base.voided]);
  await using wal = await followWal({ ...options, signal: aborted });
  const signal = AbortSignal.any([aborted, wal.failed]);

  const startedAt = new Date();
  const id = `${startedAt.toISOString().replaceAll(/[-:]|\.\d+/g, '')}-${randomBytes(4).toString('hex')}`;
  options.report({ type: 'progress', phase: 'waiting for a checkpoint', done_bytes: 0 });
  const { startLsn, timeline } = await base.startBackup(`spillway ${id}`, { fast: true, signal });
  const copied = await copyCluster(options, crew, { server, control, dataDirectory, startLsn, timeline, signal });
  const { stopLsn, backupLabel, tablespaceMap } = await base.stopBackup({ waitForArchive: false, signal });

  const archive = new WalArchive(repository, cluster.name, server.systemIdentifier, control.walSegmentSize);
  const [index] = await Promise.all([
    writeIndex(repository, copied.packs, signal),
    wal.waitUntilDurable(archive, timeline, startLsn, stopLsn, options.walTimeoutMs),
  ]);
  await lock.assertHeld();

  const finishedAt = new Date();
  const files = copied.entries.filter((entry) => entry.kind === 'file');
  const summary: BackupSummary = {
    id,
    cluster: cluster.name,
    type: copied.type,
    source: 'local',
    started_at: startedAt.toISOString(),
    finished_at: finishedAt.toISOString(),
    duration_seconds: (finishedAt.getTime() - startedAt.getTime()) / 1000,
    system_identifier: server.systemIdentifier,
    postgres_version: server.versionNumber,
    timeline,
    start_lsn: formatLsn(startLsn),
    stop_lsn: formatLsn(stopLsn),
    wal_segment_bytes: control.walSegmentSize,
    block_bytes: control.blockSize,
    catalog_version: control.catalogVersion,
    checksums: control.dataChecksumVersion > 0,
    files: files.length,
    bytes: sumBytes(files),
    read_bytes: copied.readBytes,
    new_bytes: copied.newBytes,
    stored_bytes: copied.packs.reduce((sum, { packBytes }) => sum + packBytes, 0) + index.storedBytes,
    chunks: copied.chunkIds.length / CHUNK_ID_BYTES,
    new_chunks: copied.newChunks,
    damaged_pages: damagedPages(copied, stopLsn),
    tablespaces: copied.scan.roots.flatMap(({ tablespace, directory }) =>
      tablespace === undefined
        ? []
        : [
            {
              oid: tablespace,
              path: directory,
              bytes: sumBytes(files.filter((file) => file.tablespace === tablespace)),
            },
          ],
    ),
  };
  const manifest: Manifest = {
    head: {
      summary,
      chunk_bytes: CHUNK_BYTES,
      backup_label: backupLabel,
      tablespace_map: tablespaceMap,
      read_started_at: String(copied.readStartedNs),
      standby_parameters: {
        max_connections: control.maxConnections,
        max_worker_processes: control.maxWorkerProcesses,
        max_wal_senders: control.maxWalSenders,
        max_prepared_transactions: control.maxPreparedTransactions,
        max_locks_per_transaction: control.maxLocksPerTransaction,
      },
    },
    entries: copied.entries,
    chunkIds: copied.chunkIds,
  };
  signal.throwIfAborted();
  await writeManifest(repository, manifest);
  return summary;
}

interface Circumstances {
  readonly server: ServerFacts;
  readonly control: ControlData;
  readonly dataDirectory: string;
  readonly startLsn: Lsn;
  readonly timeline: number;
  readonly signal: AbortSignal;
}

interface Copied {
  readonly type: BackupSummary['type'];
  readonly scan: Scan;
  readonly readStartedNs: bigint;
  readonly startLsn: Lsn;
  readonly entries: readonly Entry[];
  readonly chunkIds: Uint8Array;
  readonly packs: readonly PackDirectory[];
  readonly readBytes: number;
  readonly newBytes: number;
  readonly newChunks: number;
  readonly wrongPages: readonly (WrongPage & { readonly path: string })[];
}

async function copyCluster(options: BackupOptions, crew: Crew, at: Circumstances): Promise<Copied> {
  const { repository, report } = options;
  const { signal, control } = at;
  const readStartedNs = nowNs();
  const scan = await scanCluster(at.dataDirectory, signal);
  const total = sumBytes(scan.entries.filter((entry) => entry.kind === 'file'));
  const { table, damagedPacks, damagedIndexes } = await readIndex(repository, {
    newChunks: Math.ceil(total / CHUNK_BYTES) + scan.entries.length + SPARE_CHUNKS,
    signal,
  });
  for (const damaged of [...damagedPacks, ...damagedIndexes]) {
    report({
      type: 'notice',
      level: 'warning',
      message: `Object ${damaged} of the repository is missing or damaged: what this backup needs of it is stored again.`,
    });
  }
  const reuse = options.type === 'full' ? undefined : await findReuse(options, at, readStartedNs);

  const takenOver = new Map<number, Uint8Array>();
  const toRead: number[] = [];
  scan.entries.forEach((entry, index) => {
    if (entry.kind !== 'file') return;
    const ids = reuse?.unchanged(entry);
    if (ids !== undefined && allStored(table, ids)) takenOver.set(index, ids);
    else toRead.push(index);
  });

  const stretches = new Map<number, CopiedItem[]>();
  const wrongPages: WrongPage[] = [];
  const totals = { readBytes: 0, newBytes: 0, newChunks: 0 };
  const totalToRead = toRead.reduce((sum, index) => sum + fileAt(scan, index).bytes, 0);
  const onResult = (result: CopyResult): void => {
    for (const item of result.items) {
      const ofFile = stretches.get(item.file);
      if (ofFile === undefined) stretches.set(item.file, [item]);
      else ofFile.push(item);
    }
    wrongPages.push(...result.wrongPages);
    totals.readBytes += result.readBytes;
    totals.newBytes += result.newBytes;
    totals.newChunks += result.newChunks;
    report({ type: 'progress', phase: 'copying files', done_bytes: totals.readBytes, total_bytes: totalToRead });
  };
  const data: CopyData = {
    repository: repository.handle,
    table: table.shared,
    level: options.compressionLevel,
    blockBytes: control.blockSize,
    startLsn: at.startLsn,
  };
  const packs = await crew.run<CopyTask, CopyResult, CopyFinal>({
    data,
    tasks: tasksFor(scan, toRead, control),
    onResult,
    signal,
  });
  const last = await copyControl(options, at, table);
  takenOver.set(scan.entries.length, last.ids);
  const entries = [...scan.entries, last.file];
  return {
    type: reuse === undefined ? 'full' : 'incremental',
    scan,
    readStartedNs,
    startLsn: at.startLsn,
    ...assembleEntries(entries, (index, file) => {
      const ids = takenOver.get(index);
      return ids === undefined ? joinStretches(file, stretches.get(index) ?? []) : { file, ids };
    }),
    packs: [...packs.flat(), ...last.packs],
    ...totals,
    wrongPages: wrongPages.map((page) => ({ ...page, path: pathInCluster(fileAt(scan, page.file)) })),
  };
}

/** What may be taken over from the last backup; undefined, with a notice that says why, where nothing may be. */
async function findReuse(options: BackupOptions, at: Circumstances, now: bigint): Promise<Reuse | undefined> {
  const { repository, cluster, report, signal } = options;
  const { heads } = await listManifests(repository, cluster.name, signal);
  const last = heads.at(-1);
  const readAll = (why: string): undefined => {
    report({ type: 'notice', level: 'info', message: `This backup reads every file: ${why}.` });
    return undefined;
  };
  if (last === undefined) return readAll('there is no backup before it');
  const previous = await readManifest(repository, cluster.name, last.summary.id, signal).catch((error: unknown) => {
    if (isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING')) return undefined;
    throw error;
  });
  if (previous === undefined) return readAll(`the manifest of backup ${last.summary.id} is damaged`);
  const why = whyReadAll(previous, {
    systemIdentifier: at.server.systemIdentifier,
    timeline: at.timeline,
    postgresVersion: at.server.versionNumber,
    nowNs: now,
  });
  return why === undefined ? new Reuse(previous) : readAll(why);
}

function allStored(table: ChunkTable, ids: Uint8Array): boolean {
  for (let at = 0; at < ids.length; at += CHUNK_ID_BYTES) {
    if (!isZeroChunk(ids, at) && !table.has(ids, at)) return false;
  }
  return true;
}

/** Small files together, large ones in stretches, so that every task is about as long. */
function* tasksFor(scan: Scan, files: readonly number[], control: ControlData): Iterable<CopyTask> {
  let items: CopyItem[] = [];
  let bytes = 0;
  for (const index of files) {
    const file = fileAt(scan, index);
    const root = scan.roots.find(({ tablespace }) => tablespace === file.tablespace);
    const path = join(root?.directory ?? '', file.path);
    const firstBlock = firstBlockOf(file, control);
    for (let offset = 0; offset === 0 || offset < file.bytes; offset += TASK_BYTES) {
      const stretch = Math.min(TASK_BYTES, file.bytes - offset);
      const block = firstBlock === undefined ? {} : { firstBlock: firstBlock + offset / control.blockSize };
      items.push({ file: index, path, offset, bytes: stretch, ...block });
      bytes += stretch;
      if (bytes >= TASK_BYTES || items.length >= TASK_ITEMS_MAX) {
        yield { items };
        items = [];
        bytes = 0;
      }
    }
  }
  if (items.length > 0) yield { items };
}

/** The number that the file's first block has in its relation; undefined where its pages have no checksums. */
function firstBlockOf(file: FileEntry, control: ControlData): number | undefined {
  if (control.dataChecksumVersion === 0) return undefined;
  const relation = relationFile(pathInCluster(file));
  return relation && relation.segment * control.relationSegmentBlocks;
}

/** pg_control, once everything else is copied: its checkpoint must not be older than a file copied after it. */
async function copyControl(
  options: BackupOptions,
  at: Circumstances,
  table: ChunkTable,
): Promise<{ file: FileEntry; ids: Uint8Array; packs: readonly PackDirectory[] }> {
  const { repository } = options;
  const stats = await lstat(join(at.dataDirectory, CONTROL_FILE), { bigint: true });
  const content = await readControlBytes(at.dataDirectory);
  const file = { ...describeFile({ directory: at.dataDirectory }, CONTROL_FILE, stats), bytes: content.byteLength };
  const ids = chunkId(idKey(repository.keys), content);
  const writer = new PackWriter(repository, options.compressionLevel, at.signal);
  if (table.claim(ids, 0)) writer.add(ids, content);
  return { file, ids, packs: await writer.finish() };
}

const readControl = async (dataDirectory: string): Promise<ControlData> =>
  parseControlFile(await readControlBytes(dataDirectory));

/** pg_control is written in place while we read: read again until its checksum is right. */
async function readControlBytes(dataDirectory: string): Promise<Uint8Array> {
  const path = join(dataDirectory, CONTROL_FILE);
  for (let reads = 1; ; reads++) {
    let bytes: Uint8Array;
    try {
      bytes = await readFile(path);
    } catch (cause) {
      throw new SpillwayError('SPW_DATA_DIRECTORY', `${dataDirectory} cannot be read as a data directory`, { cause });
    }
    try {
      parseControlFile(bytes);
      return bytes;
    } catch (error) {
      if (reads === CONTROL_READS_MAX) throw error;
      await wait(reads);
    }
  }
}

function refuseForeign(cluster: ClusterSource, server: ServerFacts, control: ControlData, dataDirectory: string): void {
  if (control.systemIdentifier !== server.systemIdentifier) {
    throw new SpillwayError(
      'SPW_SYSTEM_MISMATCH',
      `${dataDirectory} is not the data directory of cluster ${cluster.name}`,
      {
        why: `its system identifier is ${control.systemIdentifier}, the server's is ${server.systemIdentifier}`,
        hint: 'mend data_directory or connection in the configuration',
      },
    );
  }
  if (server.inRecovery) {
    throw new SpillwayError('SPW_POSTGRES_UNSUITABLE', `cluster ${cluster.name} was not backed up`, {
      why: 'the server is a standby',
      hint: 'let connection name the primary',
    });
  }
}

function damagedPages(copied: Copied, stopLsn: Lsn): BackupSummary['damaged_pages'] {
  // A page written during the backup may have been read torn: replay from the start writes it anew. One whose LSN lies
  // past the end of the backup cannot have been written by this server.
  return copied.wrongPages
    .filter(({ lsn: pageLsn }) => pageLsn < copied.startLsn || pageLsn > stopLsn)
    .map(({ path, block }) => ({ file: path, block }))
    .toSorted((a, b) => a.file.localeCompare(b.file) || a.block - b.block)
    .slice(0, DAMAGED_PAGES_MAX);
}

function fileAt(scan: Scan, index: number): FileEntry {
  const entry = scan.entries[index];
  if (entry?.kind !== 'file') throw new SpillwayError('SPW_INTERNAL', `entry ${index} of the scan is no file`);
  return entry;
}

const sumBytes = (entries: readonly Entry[]): number =>
  entries.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.bytes : 0), 0);

const nowNs = (): bigint => BigInt(Date.now()) * 1_000_000n;
