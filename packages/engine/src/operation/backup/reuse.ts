// What an incremental backup may take over from the backup before it without reading it. Pure.
//
// Main and init forks of relations, where the server's WAL summaries reach from the start of the backup before to the
// start of this one (`walsummary.ts`): every chunk of the file in which they name no block. What changed after the start
// of either backup does not matter: WAL replay writes it anew. What lies past the old end of the file is read.
//
// Everything else, by times: a file is unchanged when size, mtime, ctime and inode are all what they were, and it was
// last touched well before the backup before began to read: a file touched within the margin may have changed after it
// was read, with the same times. mtime alone would be unsafe: clocks step back, and programs set it.
//
// Nothing at all is taken over when the cluster, its timeline, its version, its page checksums or the length of chunks
// changed; and nothing by times when the clock reads earlier than it did then.
// A file in which the backup before found a damaged page is read again: each backup tells the damage that is in it.

import { CHUNK_BYTES, CHUNK_ID_BYTES, chunkCount, isZeroChunk } from '../../format/chunk.ts';
import type { FileEntry } from '../../format/entry.ts';
import type { Manifest } from '../../format/manifest.ts';
import { relationFile } from '../../postgres/exclusion.ts';
import type { ChangedBlocks } from '../../postgres/walsummary.ts';
import { pathInCluster } from './source.ts';

const MARGIN_NS = 2_000_000_000n;

export interface ServerNow {
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly postgresVersion: number;
  readonly checksums: boolean;
}

/** Why nothing may be taken over from `previous`, or undefined where it may. */
export function whyReadAll(previous: Manifest, now: ServerNow): string | undefined {
  const { summary, chunk_bytes } = previous.head;
  if (summary.system_identifier !== now.systemIdentifier) return 'the last backup is of another system';
  if (summary.timeline !== now.timeline) return 'the timeline changed since the last backup';
  if (Math.trunc(summary.postgres_version / 10000) !== Math.trunc(now.postgresVersion / 10000)) {
    return 'the major version changed since the last backup';
  }
  // pg_checksums writes every page and no WAL.
  if (summary.checksums !== now.checksums) return 'page checksums were switched on or off since the last backup';
  if (summary.damaged_page_count > summary.damaged_pages.length) {
    return 'the last backup has more damaged pages than it names';
  }
  if (chunk_bytes !== CHUNK_BYTES) return 'the last backup has chunks of another length';
  return undefined;
}

/** Why the times of files tell nothing, or undefined where they do. */
export const whyTimesTellNothing = (previous: Manifest, nowNs: bigint): string | undefined =>
  nowNs < BigInt(previous.head.read_started_at) ? 'the clock was set back since the last backup' : undefined;

export interface ReuseRules {
  readonly byTimes: boolean;
  /** Where WAL summaries tell what changed: its granules are chunks. */
  readonly changed?: { readonly blocks: ChangedBlocks; readonly blockBytes: number; readonly segmentBlocks: number };
  /** Whether the repository still holds the chunk whose id stands at `at`. */
  readonly isStored: (ids: Uint8Array, at: number) => boolean;
}

export interface TakenOver {
  /** Of all chunks of the file; of those that are to be read, zeros. */
  readonly ids: Uint8Array;
  /** Where the last chunk ends that was taken over. */
  readonly until: number;
  readonly chunks: number;
  /** Chunks to read, from the one number up to the other. */
  readonly toRead: readonly (readonly [from: number, to: number])[];
}

interface FileBefore {
  readonly file: FileEntry;
  readonly path: string;
  readonly firstChunk: number;
}

/**
 * Finds what a file of the last backup may stand for now. Both backups have their files in one order, so the last one is walked beside
 * the scan, once: files must be asked for in that order. One that stands elsewhere is not found, and is read.
 */
export class Reuse {
  readonly #before: Iterator<FileBefore>;
  #next: FileBefore | undefined;
  readonly #chunkIds: Uint8Array;
  readonly #unsafeFromNs: bigint;
  readonly #rules: ReuseRules;

  constructor(previous: Manifest, rules: ReuseRules) {
    this.#rules = rules;
    this.#chunkIds = previous.chunkIds;
    this.#unsafeFromNs = BigInt(previous.head.read_started_at) - MARGIN_NS;
    this.#before = filesOf(previous);
    this.#next = nextOf(this.#before);
  }

  /** What of `file` is unchanged; undefined where all of it must be read. */
  find(file: FileEntry): TakenOver | undefined {
    while (this.#next !== undefined && compareEntries(this.#next.file, file) < 0) this.#next = nextOf(this.#before);
    const path = pathInCluster(file);
    const before = this.#next;
    if (before?.path !== path) return undefined;
    const isChanged = this.#byBlocks(path, before.file, file) ?? this.#byTimes(before.file, file);
    if (isChanged === undefined) return undefined;
    const from = before.firstChunk * CHUNK_ID_BYTES;
    const ids = this.#chunkIds.subarray(from, from + chunkCount(before.file.bytes) * CHUNK_ID_BYTES);
    return takeOver(file, ids, (chunk) => {
      const at = chunk * CHUNK_ID_BYTES;
      return !isChanged(chunk) && (isZeroChunk(ids, at) || this.#rules.isStored(ids, at));
    });
  }

  #byTimes(before: FileEntry, { bytes, mtime, ctime, inode }: FileEntry): ((chunk: number) => boolean) | undefined {
    if (!this.#rules.byTimes || before.bytes !== bytes) return undefined;
    if (before.mtime !== mtime || before.ctime !== ctime || before.inode !== inode) return undefined;
    if (BigInt(mtime) >= this.#unsafeFromNs || BigInt(ctime) >= this.#unsafeFromNs) return undefined;
    return () => false;
  }

  #byBlocks(path: string, before: FileEntry, now: FileEntry): ((chunk: number) => boolean) | undefined {
    const { changed } = this.#rules;
    const relation = relationFile(path);
    const inRelation = changed?.blocks.ofFile(path);
    if (changed === undefined || relation === undefined || inRelation === undefined) return undefined;
    // Half a block at the end is nothing that PostgreSQL writes: whatever it is, it is in no summary.
    if (before.bytes % changed.blockBytes !== 0 || now.bytes % changed.blockBytes !== 0) return () => true;
    const first = (relation.segment * changed.segmentBlocks * changed.blockBytes) / CHUNK_BYTES;
    return (chunk) => chunkLength(before, chunk) !== chunkLength(now, chunk) || inRelation(first + chunk);
  }
}

/** Those that may be taken over. pg_control, which comes last whatever its name, hides none: nobody asks behind it. */
function* filesOf({ head, entries }: Manifest): IterableIterator<FileBefore> {
  const damaged = new Set(head.summary.damaged_pages.map(({ file }) => file));
  let firstChunk = 0;
  for (const file of entries) {
    if (file.kind !== 'file') continue;
    const path = pathInCluster(file);
    if (!damaged.has(path)) yield { file, path, firstChunk };
    firstChunk += chunkCount(file.bytes);
  }
}

function nextOf(files: Iterator<FileBefore>): FileBefore | undefined {
  const next = files.next();
  return next.done === true ? undefined : next.value;
}

type Place = Pick<FileEntry, 'tablespace' | 'path'>;

/**
 * The order of a scan (`scan.ts`, `streamed-tree.ts`): the data directory, then tablespaces by oid; in each, what lies in a folder
 * by name, and then what lies in its folders, one after the other.
 */
export function compareEntries(a: Place, b: Place): number {
  if (a.tablespace !== b.tablespace) return (a.tablespace ?? -1) - (b.tablespace ?? -1);
  if (a.path === b.path) return 0;
  let start = 0;
  for (;;) {
    const endOfA = a.path.indexOf('/', start);
    const endOfB = b.path.indexOf('/', start);
    const inA = endOfA < 0 ? a.path.slice(start) : a.path.slice(start, endOfA);
    const inB = endOfB < 0 ? b.path.slice(start) : b.path.slice(start, endOfB);
    // What ends here lies in the folder itself, and comes before all that lies deeper.
    if (endOfA < 0 !== endOfB < 0) return endOfA < 0 ? -1 : 1;
    if (inA !== inB) return inA < inB ? -1 : 1;
    if (endOfA < 0) return 0;
    start = endOfA + 1;
  }
}

function takeOver(file: FileEntry, ids: Uint8Array, isSame: (chunk: number) => boolean): TakenOver | undefined {
  const count = chunkCount(file.bytes);
  const toRead: [number, number][] = [];
  let until = 0;
  let chunks = 0;
  for (let chunk = 0; chunk < count; chunk++) {
    if (isSame(chunk)) {
      chunks++;
      until = Math.min(file.bytes, (chunk + 1) * CHUNK_BYTES);
      continue;
    }
    const last = toRead.at(-1);
    if (last?.[1] === chunk) last[1]++;
    else toRead.push([chunk, chunk + 1]);
  }
  if (toRead.length === 0) return { ids: ids.subarray(0, count * CHUNK_ID_BYTES), until, chunks, toRead };
  if (chunks === 0) return undefined;
  const kept = new Uint8Array(count * CHUNK_ID_BYTES);
  kept.set(ids.subarray(0, Math.min(ids.length, kept.length)));
  for (const [from, to] of toRead) kept.fill(0, from * CHUNK_ID_BYTES, to * CHUNK_ID_BYTES);
  return { ids: kept, until, chunks, toRead };
}

const chunkLength = ({ bytes }: FileEntry, chunk: number): number =>
  Math.max(0, Math.min(CHUNK_BYTES, bytes - chunk * CHUNK_BYTES));
