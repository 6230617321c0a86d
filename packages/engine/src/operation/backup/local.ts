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
import { CHUNK_BYTES } from '../../format/chunk.ts';
import type { FileEntry } from '../../format/manifest.ts';
import type { PackDirectory } from '../../format/pack.ts';
import { openBaseBackup, type ServerFacts, toldDataDirectory } from '../../postgres/basebackup.ts';
import type { Session } from '../../postgres/connection.ts';
import { type ControlData, parseControlFile } from '../../postgres/control.ts';
import { relationFile } from '../../postgres/exclusion.ts';
import type { Lsn, TimelineId } from '../../postgres/lsn.ts';
import type { ChunkTable } from '../../repository/chunk-table.ts';
import { PackWriter } from '../../repository/pack-writer.ts';
import { Crew } from '../crew.ts';
import { assembleEntries, joinStretches } from './assemble.ts';
import { CONTROL_FILE, readControlBytes } from './control-file.ts';
import type { CopiedItem, CopyData, CopyFinal, CopyResult, CopyTask, CopyItem, WrongPage } from './copy-worker.ts';
import type { BackupOptions, ClusterSource } from './options.ts';
import { findReuse } from './previous.ts';
import type { TakenOver } from './reuse.ts';
import { describeFile, type Scan, scanCluster } from './scan.ts';
import { refuseOtherTimeline, refusePromoted, untilReplayed } from './standby.ts';
import { type CopiedCluster, openChunkTable, type OpenSource, pathInCluster } from './source.ts';

const TASK_BYTES = 16 * 1024 * 1024;
const TASK_ITEMS_MAX = 512;
/** How many more chunks the table has room for than the scan says: files grow and appear while they are copied. */
const SPARE_CHUNKS = 65_536;

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
  const total = scan.entries.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.bytes : 0), 0);
  const newChunks = Math.ceil(total / CHUNK_BYTES) + scan.entries.length + SPARE_CHUNKS;
  const table = await openChunkTable(options, newChunks, signal);
  const found = await findReuse(options, { ...at, table, nowNs: readStartedNs });
  const takenOver = new Map<number, TakenOver>();
  const reads: FileRead[] = [];
  let unchangedChunks = 0;
  scan.entries.forEach((entry, index) => {
    if (entry.kind !== 'file') return;
    const taken = found?.reuse.find(entry);
    if (taken === undefined) {
      reads.push({ index, from: 0, to: entry.bytes });
      return;
    }
    takenOver.set(index, taken);
    unchangedChunks += taken.chunks;
    for (const [from, to] of taken.toRead) {
      reads.push({ index, from: from * CHUNK_BYTES, to: Math.min(entry.bytes, to * CHUNK_BYTES) });
    }
  });

  const stretches = new Map<number, CopiedItem[]>();
  const wrongPages: WrongPage[] = [];
  const totals = { readBytes: 0, newBytes: 0, newChunks: 0 };
  const totalToRead = reads.reduce((sum, { from, to }) => sum + to - from, 0);
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
    tasks: tasksFor(scan, reads, control),
    onResult,
    signal,
  });
  const last = await copyControl(options, at, table);
  return {
    type: found === undefined ? 'full' : 'incremental',
    unchangedBy: found?.by ?? null,
    unchangedChunks,
    control: last.control,
    readStartedNs,
    startLsn: at.startLsn,
    timeline: at.timeline,
    ...assembleEntries([...scan.entries, last.file], (index, file) => {
      if (index === scan.entries.length) return { file, ids: last.ids };
      const taken = takenOver.get(index);
      if (taken?.toRead.length === 0) return { file, ids: taken.ids };
      return joinStretches(file, stretches.get(index) ?? [], taken);
    }),
    packs: [...packs.flat(), ...last.packs],
    ...totals,
    wrongPages: wrongPages.map((page) => ({ ...page, path: pathInCluster(fileAt(scan, page.file)) })),
    tablespaces: scan.roots.flatMap(({ tablespace, directory }) =>
      tablespace === undefined ? [] : [{ oid: tablespace, path: directory }],
    ),
  };
}

interface FileRead {
  /** Of the file among the entries. */
  readonly index: number;
  /** Bytes, both multiples of the chunk length or the file's end. */
  readonly from: number;
  readonly to: number;
}

/** Small reads together, large ones in stretches, so that every task is about as long. */
function* tasksFor(scan: Scan, reads: readonly FileRead[], control: ControlData): Iterable<CopyTask> {
  let items: CopyItem[] = [];
  let bytes = 0;
  for (const { index, from, to } of reads) {
    const file = fileAt(scan, index);
    const root = scan.roots.find(({ tablespace }) => tablespace === file.tablespace);
    const path = join(root?.directory ?? '', file.path);
    const firstBlock = firstBlockOf(file, control);
    for (let offset = from; offset === from || offset < to; offset += TASK_BYTES) {
      const stretch = Math.min(TASK_BYTES, to - offset);
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

function fileAt(scan: Scan, index: number): FileEntry {
  const entry = scan.entries[index];
  if (entry?.kind !== 'file') throw new SpillwayError('SPW_INTERNAL', `entry ${index} of the scan is no file`);
  return entry;
}

const nowNs = (): bigint => BigInt(Date.now()) * 1_000_000n;
