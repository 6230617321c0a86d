// Which files an incremental backup may take over from the backup before it without reading them. Pure.
//
// A file is unchanged when size, mtime, ctime and inode are all what they were, and it was last touched well before the
// backup before began to read: a file touched within the margin may have changed after it was read, with the same times.
// mtime alone would be unsafe: clocks step back, and programs set it. So nothing at all is taken over when
// - the cluster, its timeline or its version changed,
// - the clock reads earlier than it did then, or
// - the chunks have another length.
// A file in which the backup before found a damaged page is read again: each backup tells the damage that is in it.

import { CHUNK_BYTES, chunkCount, CHUNK_ID_BYTES } from '../../format/chunk.ts';
import type { FileEntry, Manifest } from '../../format/manifest.ts';
import { pathInCluster } from './source.ts';

const MARGIN_NS = 2_000_000_000n;

export interface ServerNow {
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly postgresVersion: number;
  readonly nowNs: bigint;
}

/** Why nothing may be taken over from `previous`, or undefined where files may be. */
export function whyReadAll(previous: Manifest, now: ServerNow): string | undefined {
  const { summary, chunk_bytes, read_started_at } = previous.head;
  if (summary.system_identifier !== now.systemIdentifier) return 'the last backup is of another system';
  if (summary.timeline !== now.timeline) return 'the timeline changed since the last backup';
  if (Math.trunc(summary.postgres_version / 10000) !== Math.trunc(now.postgresVersion / 10000)) {
    return 'the major version changed since the last backup';
  }
  if (chunk_bytes !== CHUNK_BYTES) return 'the last backup has chunks of another length';
  if (now.nowNs < BigInt(read_started_at)) return 'the clock was set back since the last backup';
  return undefined;
}

/** Looks up what a file of the last backup may stand for now. */
export class Reuse {
  readonly #files = new Map<string, { readonly file: FileEntry; readonly firstChunk: number }>();
  readonly #chunkIds: Uint8Array;
  readonly #unsafeFromNs: bigint;

  constructor(previous: Manifest) {
    this.#chunkIds = previous.chunkIds;
    this.#unsafeFromNs = BigInt(previous.head.read_started_at) - MARGIN_NS;
    const damaged = new Set(previous.head.summary.damaged_pages.map(({ file }) => file));
    let firstChunk = 0;
    for (const entry of previous.entries) {
      if (entry.kind !== 'file') continue;
      if (!damaged.has(pathInCluster(entry))) this.#files.set(pathInCluster(entry), { file: entry, firstChunk });
      firstChunk += chunkCount(entry.bytes);
    }
  }

  /** The chunk ids of `file`, where it is unchanged. */
  unchanged(file: FileEntry): Uint8Array | undefined {
    const before = this.#files.get(pathInCluster(file));
    if (before === undefined) return undefined;
    const { bytes, mtime, ctime, inode } = before.file;
    if (bytes !== file.bytes || mtime !== file.mtime || ctime !== file.ctime || inode !== file.inode) return undefined;
    if (BigInt(file.mtime) >= this.#unsafeFromNs || BigInt(file.ctime) >= this.#unsafeFromNs) return undefined;
    const from = before.firstChunk * CHUNK_ID_BYTES;
    return this.#chunkIds.subarray(from, from + chunkCount(bytes) * CHUNK_ID_BYTES);
  }
}
