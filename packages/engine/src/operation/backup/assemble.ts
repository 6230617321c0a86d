// From what the workers copied to a manifest's entries and chunk ids. Pure.
//
// A file was copied in stretches, by several workers, while PostgreSQL went on writing it. So it may be gone (then it is
// left out: WAL replay knows it was dropped), cut (then what was read is kept), or cut and grown again between two
// stretches (then the hole reads as zeros, and WAL replay writes it anew).

import { CHUNK_BYTES, CHUNK_ID_BYTES, chunkCount } from '../../format/chunk.ts';
import type { Entry, FileEntry } from '../../format/manifest.ts';
import type { CopiedItem } from './copy-worker.ts';
import type { TakenOver } from './reuse.ts';

/** The file as copied and its chunk ids, or undefined where it is gone. `taken` was not read. */
export function joinStretches(
  file: FileEntry,
  stretches: readonly CopiedItem[],
  taken: Pick<TakenOver, 'ids' | 'until'> = NOTHING,
): { readonly file: FileEntry; readonly ids: Uint8Array } | undefined {
  const there = stretches.filter((stretch) => stretch.bytes !== undefined);
  if (there.length === 0 && file.bytes > 0) return undefined;
  const bytes = there.reduce(
    (end, { offset, bytes: got = 0 }) => (got > 0 ? Math.max(end, offset + got) : end),
    taken.until,
  );
  // Where nothing is set the id is the zero chunk's.
  const ids = new Uint8Array(chunkCount(bytes) * CHUNK_ID_BYTES);
  ids.set(taken.ids.subarray(0, ids.length));
  for (const { offset, bytes: got = 0, ids: own } of there) {
    // A stretch that was cut away begins past the file's end.
    if (got > 0) ids.set(own, (offset / CHUNK_BYTES) * CHUNK_ID_BYTES);
  }
  return { file: { ...file, bytes }, ids };
}

const NOTHING = { ids: new Uint8Array(), until: 0 };

export interface Assembled {
  readonly entries: readonly Entry[];
  readonly chunkIds: Uint8Array;
}

/** `idsOf` gives the ids of the n-th entry, a file; undefined leaves it out. */
export function assembleEntries(
  entries: readonly Entry[],
  idsOf: (index: number, file: FileEntry) => { readonly file: FileEntry; readonly ids: Uint8Array } | undefined,
): Assembled {
  const kept: Entry[] = [];
  const ids: Uint8Array[] = [];
  entries.forEach((entry, index) => {
    if (entry.kind !== 'file') {
      kept.push(entry);
      return;
    }
    const copied = idsOf(index, entry);
    if (copied === undefined) return;
    kept.push(copied.file);
    ids.push(copied.ids);
  });
  return { entries: kept, chunkIds: Buffer.concat(ids) };
}
