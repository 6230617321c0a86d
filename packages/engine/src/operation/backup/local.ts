// The source `local`: reads the files of a running cluster beside its data directory.
//
//   1  see that server and data directory are of one system
//   2  pg_backup_start
//   3  scan the data directory; decide what is unchanged since the last backup (`previous.ts`, `reuse.ts`)
//   4  workers read, verify and store the rest (`copy-worker.ts`); pg_control comes last, whole and checked
//   5  pg_backup_stop, in the session of the start; its label and map go into the manifest as they are
// The server may be a standby (`standby.ts`); its pg_control, copied last, says up to where it must be replayed.

import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { SpillwayError } from '@spillway/contract';
import { chunkId, idKey } from '../../codec/keys.ts';
import { CHUNK_BYTES, chunkCount } from '../../format/chunk.ts';
import type { FileEntry } from '../../format/entry.ts';
import type { PackDirectory } from '../../format/pack.ts';
import { openBaseBackup, type ServerFacts, toldDataDirectory } from '../../postgres/basebackup.ts';
import type { Session } from '../../postgres/connection.ts';
import { type ControlData, parseControlFile } from '../../postgres/control.ts';
import { relationFile } from '../../postgres/exclusion.ts';
import type { Lsn, TimelineId } from '../../postgres/lsn.ts';
import type { ChunkTable } from '../../repository/chunk-table.ts';
import { PackWriter } from '../../repository/pack-writer.ts';
import { Crew } from '../crew.ts';
import { CONTROL_FILE, readControlBytes } from './control-file.ts';
import type { CopyData, CopyFinal, CopyItem, CopyResult, CopyTask } from './copy-worker.ts';
import { Ledger } from './ledger.ts';
import type { BackupOptions, ClusterSource } from './options.ts';
import { findReuse, type FoundReuse, type PreviousCircumstances } from './previous.ts';
import { describeFile, type Scan, scanCluster } from './scan.ts';
import { refuseOtherTimeline, refusePromoted, untilReplayed } from './standby.ts';
import { type CopiedCluster, openChunkTable, type OpenSource, pathInCluster } from './source.ts';
import { WrongPages } from './wrong-pages.ts';

const TASK_BYTES = 16 * 1024 * 1024;
const TASK_ITEMS_MAX = 512;
/** How many more chunks the table has room for than the scan says: files grow and appear while they are copied. */
const SPARE_CHUNKS = 65_536;
/** pg_control has 8 KiB. */
const CONTROL_CHUNKS = 1;

export const openLocal: OpenSource = async (options, { session, server }) => {
  const crew = new Crew(new URL('./copy-worker.ts', import.meta.url), options.workers);
  const dispose = async (): Promise<void> => crew[Symbol.asyncDispose]();
  try {
    const dataDirectory = options.cluster.dataDirectory ?? toldDataDirectory(server, session.settings);
    const control = parseControlFile(await readControlBytes(dataDirectory));
    refuseForeign(options.cluster, server, control, dataDirectory);
    const base = openBaseBackup(session);
    return {
      voided: base.voided,
      copy: async ({ label, signal }) => {
        options.report({ type: 'progress', phase: 'waiting for a checkpoint', done_bytes: 0 });
        const { startLsn, timeline } = await base.startBackup(label, { fast: true, signal });
        if (server.inRecovery) await untilReplayed(session, startLsn, signal);
        const copied = await copyCluster(options, crew, {
          session,
          server,
          control,
          dataDirectory,
          startLsn,
          timeline,
          signal,
        });
        if (server.inRecovery) await refusePromoted(session, signal);
        const stopped = await base.stopBackup({ waitForArchive: false, signal });
        if (server.inRecovery) await refuseOtherTimeline(session, timeline, signal);
        return { ...copied, ...stopped };
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
};

interface CopyCircumstances {
  readonly session: Session;
  readonly server: ServerFacts;
  readonly control: ControlData;
  readonly dataDirectory: string;
  readonly startLsn: Lsn;
  readonly timeline: TimelineId;
  readonly signal: AbortSignal;
}

async function copyCluster(
  options: BackupOptions,
  crew: Crew,
  at: CopyCircumstances,
): Promise<Omit<CopiedCluster, 'stopLsn' | 'backupLabel' | 'tablespaceMap'>> {
  const { repository, report } = options;
  const { signal, control } = at;
  const readStartedNs = nowNs();
  const scan = await scanCluster(at.dataDirectory, signal);
  const newChunks = Math.ceil(scan.bytes / CHUNK_BYTES) + scan.entries.length + SPARE_CHUNKS;
  const table = await openChunkTable(options, newChunks, signal);
  const { ledger, ...known } = await findUnchanged(options, scan, { ...at, table, nowNs: readStartedNs });

  const wrong = new WrongPages();
  const totals = { readBytes: 0, newBytes: 0, newChunks: 0 };
  const onResult = (result: CopyResult): void => {
    for (const item of result.items) ledger.copied(item);
    for (const page of result.wrongPages) wrong.add(page);
    totals.readBytes += result.readBytes;
    totals.newBytes += result.newBytes;
    totals.newChunks += result.newChunks;
    report({ type: 'progress', phase: 'copying files', done_bytes: totals.readBytes, total_bytes: known.bytesToRead });
  };
  const data: CopyData = {
    repository: repository.threadHandle,
    table: table.shared,
    level: options.compressionLevel,
    blockBytes: control.blockSize,
    startLsn: at.startLsn,
  };
  const packs = await crew.run<CopyTask, CopyResult, CopyFinal>({
    data,
    tasks: tasksFor(scan, ledger, control),
    onResult,
    signal,
  });
  const last = await copyControl(options, at, table);
  return {
    type: known.by === undefined ? 'full' : 'incremental',
    unchangedBy: known.by ?? null,
    unchangedChunks: known.chunks,
    control: last.control,
    readStartedNs,
    startLsn: at.startLsn,
    timeline: at.timeline,
    ...ledger.assemble(last),
    packs: [...packs.flat(), ...last.packs],
    ...totals,
    ...wrong.all,
    tablespaces: scan.roots.flatMap(({ tablespace, directory }) =>
      tablespace === undefined ? [] : [{ oid: tablespace, path: directory }],
    ),
  };
}

interface Known {
  readonly ledger: Ledger;
  /** Undefined where nothing is taken over because everything must be read. */
  readonly by: FoundReuse['by'] | undefined;
  readonly chunks: number;
  readonly bytesToRead: number;
}

/** By itself, so that the manifest of the backup before is let go before anything is copied. */
async function findUnchanged(options: BackupOptions, scan: Scan, at: PreviousCircumstances): Promise<Known> {
  const ledger = new Ledger(scan.entries, CONTROL_CHUNKS);
  const found = await findReuse(options, at);
  if (found === undefined) return { ledger, by: undefined, chunks: 0, bytesToRead: scan.bytes };
  let chunks = 0;
  let bytesToRead = 0;
  let index = -1;
  for (const entry of scan.entries) {
    index++;
    if (entry.kind !== 'file') continue;
    const taken = found.reuse.find(entry);
    if (taken === undefined) {
      bytesToRead += entry.bytes;
      continue;
    }
    ledger.takeOver(index, taken);
    chunks += taken.chunks;
    for (const [from, to] of taken.toRead) bytesToRead += Math.min(entry.bytes, to * CHUNK_BYTES) - from * CHUNK_BYTES;
  }
  return { ledger, by: found.by, chunks, bytesToRead };
}

/** Small reads together, large ones in stretches, so that every task is about as long. */
function* tasksFor(scan: Scan, ledger: Ledger, control: ControlData): Iterable<CopyTask> {
  let items: CopyItem[] = [];
  let bytes = 0;
  let index = -1;
  for (const file of scan.entries) {
    index++;
    if (file.kind !== 'file') continue;
    const ranges = ledger.toRead(index) ?? [[0, chunkCount(file.bytes)]];
    if (ranges.length === 0) continue;
    const root = scan.roots.find(({ tablespace }) => tablespace === file.tablespace);
    const path = join(root?.directory ?? '', file.path);
    const page = firstPageOf(file, control);
    for (const [first, last] of ranges) {
      const from = first * CHUNK_BYTES;
      const to = Math.min(file.bytes, last * CHUNK_BYTES);
      for (let offset = from; offset === from || offset < to; offset += TASK_BYTES) {
        const stretch = Math.min(TASK_BYTES, to - offset);
        const pages = page && { ...page, firstBlock: page.firstBlock + offset / control.blockSize };
        items.push({ file: index, path, offset, bytes: stretch, ...(pages === undefined ? {} : { pages }) });
        bytes += stretch;
        if (bytes >= TASK_BYTES || items.length >= TASK_ITEMS_MAX) {
          yield { items };
          items = [];
          bytes = 0;
        }
      }
    }
  }
  if (items.length > 0) yield { items };
}

/** Undefined where the file's pages have no checksums. */
function firstPageOf(file: FileEntry, control: ControlData): CopyItem['pages'] {
  if (control.dataChecksumVersion === 0) return undefined;
  const path = pathInCluster(file);
  const relation = relationFile(path);
  return relation && { path, firstBlock: relation.segment * control.relationSegmentBlocks };
}

/** pg_control, once everything else is copied: its checkpoint must not be older than a file copied after it. */
async function copyControl(
  options: BackupOptions,
  at: CopyCircumstances,
  table: ChunkTable,
): Promise<{ file: FileEntry; ids: Uint8Array; packs: readonly PackDirectory[]; control: ControlData }> {
  const { repository } = options;
  const stats = await lstat(join(at.dataDirectory, CONTROL_FILE), { bigint: true });
  const content = await readControlBytes(at.dataDirectory);
  const file = { ...describeFile({ directory: at.dataDirectory }, CONTROL_FILE, stats), bytes: content.byteLength };
  const ids = chunkId(idKey(repository.keys), content);
  const writer = new PackWriter(repository, options.compressionLevel, at.signal);
  if (table.claim(ids, 0)) writer.add(ids, content);
  return { file, ids, packs: await writer.finish(), control: parseControlFile(content) };
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
}

const nowNs = (): bigint => BigInt(Date.now()) * 1_000_000n;
