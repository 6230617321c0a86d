// The dumps of a cluster: listed, found, and looked through.
//
// `verifyDump` reads every chunk back, sees that it is the one its id names, and lets pg_restore list each archive: its
// number of tables with data is kept for comparing after a restore.

import { join } from 'node:path';
import { SpillwayError, type Report } from '@spillway/contract';
import type { DumpManifest, DumpSummary } from '../../format/dump.ts';
import { runClient } from '../../postgres/client-process.ts';
import { type ClientPrograms, findClientPrograms } from '../../postgres/client-programs.ts';
import { chooseDump, listDumps as listDumpHeads, readDump } from '../../repository/dump-store.ts';
import { holdDump } from '../../repository/hold.ts';
import { readIndex } from '../../repository/index-store.ts';
import type { Repository } from '../../repository/repository.ts';
import { type ReadOptions, readStream } from './read.ts';

export interface DumpsOfCluster {
  readonly repository: Repository;
  readonly cluster: string;
  readonly signal?: AbortSignal;
  readonly report?: Report;
}

/** Oldest first. A dump whose manifest cannot be read is warned of and left out. */
export async function listDumps({
  repository,
  cluster,
  signal,
  report,
}: DumpsOfCluster): Promise<readonly DumpSummary[]> {
  const { heads, unreadable } = await listDumpHeads(repository, cluster, signal);
  for (const { id, error } of unreadable) {
    report?.({ type: 'notice', level: 'warning', message: `Dump ${id} cannot be read: ${error.message}.` });
  }
  return heads.map(({ summary }) => summary);
}

/** `id`, the beginning of it or of its last part, or `latest`. Throws SPW_DUMP_UNKNOWN. */
export const findDump = async (of: DumpsOfCluster & { readonly id: string }): Promise<DumpSummary> =>
  chooseDump(await listDumps(of), of.cluster, of.id);

export interface WorkOnDump extends DumpsOfCluster {
  readonly id: string;
  readonly workers: number;
  /** Where pg_restore is looked for first. */
  readonly binDirectory?: string;
  /** Folders of PATH. */
  readonly searchPath?: readonly string[];
  readonly signal: AbortSignal;
  readonly report: Report;
}

/** A dump that nobody may take the packs of until this is disposed of. */
export interface OpenedDump extends AsyncDisposable {
  readonly manifest: DumpManifest;
  readonly reading: ReadOptions;
}

/** What every reader of a dump begins with: holds it, and then reads where its chunks are. */
export async function openDump(of: WorkOnDump): Promise<OpenedDump> {
  const { id } = await findDump(of);
  await using stack = new AsyncDisposableStack();
  const hold = stack.use(await holdDump({ ...of, dumpId: id }));
  hold.lost?.addEventListener('abort', () => {
    const message = `Dump ${id} is not marked as in use any more: let no spillway expire run until this ends.`;
    of.report({ type: 'notice', level: 'warning', message });
  });
  const manifest = await readDump(of.repository, of.cluster, id, of.signal);
  const index = await readIndex(of.repository, { unnamed: true, signal: of.signal });
  const held = stack.move();
  return {
    manifest,
    reading: { ...of, index, manifest },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** The major of the pg_dump that wrote it: an older pg_restore cannot read it. */
export const majorOf = ({ tool_version: version }: DumpSummary): number => Number.parseInt(version, 10);

export interface VerifiedDump {
  readonly dump: string;
  readonly bytes: number;
  readonly chunks: number;
  readonly databases: readonly {
    readonly name: string;
    /** Entries of the archive's table of contents. */
    readonly entries: number;
    /** Tables whose rows are in it. */
    readonly tables_with_data: number;
  }[];
  readonly duration_seconds: number;
}

/** Throws SPW_OBJECT_DAMAGED, SPW_OBJECT_MISSING, or SPW_RESTORE_FAILED where pg_restore cannot list an archive. */
export async function verifyDump(of: WorkOnDump): Promise<VerifiedDump> {
  const began = performance.now();
  await using opened = await openDump(of);
  const { manifest, reading } = opened;
  const { summary, streams } = manifest.head;
  const tools = await findClientPrograms(['pg_restore'], majorOf(summary), of);
  const databases: VerifiedDump['databases'][number][] = [];
  let done = 0;
  for (const [number, stream] of streams.entries()) {
    const counted = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      for await (const bytes of readStream(reading, number)) {
        done += bytes.byteLength;
        of.report({ type: 'progress', phase: 'verifying', done_bytes: done, total_bytes: summary.bytes });
        yield bytes;
      }
    };
    if (stream.kind === 'globals') for await (const _ of counted());
    else {
      const bytes = counted();
      databases.push({ name: stream.database, ...(await listArchive(of, tools, stream.database, wholly(bytes))) });
      // pg_restore reads no further than the list.
      for await (const _ of bytes);
    }
  }
  return {
    dump: summary.id,
    bytes: done,
    chunks: summary.chunks,
    databases,
    duration_seconds: (performance.now() - began) / 1000,
  };
}

/** Lets pg_restore list an archive; it stops reading behind the list. */
export async function listArchive(
  of: WorkOnDump,
  tools: ClientPrograms,
  database: string,
  bytes: AsyncIterable<Uint8Array>,
): Promise<{ readonly entries: number; readonly tables_with_data: number }> {
  let rest = '';
  let entries = 0;
  let tables = 0;
  await runClient({
    program: join(tools.binDirectory, 'pg_restore'),
    arguments: ['--list'],
    input: bytes,
    onOutput: async (output) => {
      const lines = (rest + output.toString('latin1')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        entries = Number(/^;\s+TOC Entries: (\d+)/.exec(line)?.[1] ?? entries);
        if (/^\d+; \d+ \d+ TABLE DATA /.test(line)) tables++;
      }
    },
    failure: 'SPW_RESTORE_FAILED',
    what: `the archive of database ${database} cannot be listed`,
    signal: of.signal,
  });
  // It has some in any case, such as the encoding.
  if (entries === 0) {
    throw new SpillwayError('SPW_RESTORE_FAILED', `the archive of database ${database} has no entries`);
  }
  return { entries, tables_with_data: tables };
}

/** Iterates without ending `bytes` when the one who reads stops. */
const wholly = (bytes: AsyncGenerator<Uint8Array, void, undefined>): AsyncIterable<Uint8Array> => ({
  [Symbol.asyncIterator]: () => ({ next: () => bytes.next() }),
});
