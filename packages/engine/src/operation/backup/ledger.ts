// What became of each file while the cluster was copied, and from that a manifest's entries and chunk ids. Pure.
//
// 1. All ids stand in one array, with room for every chunk that the scan saw, and are written where they belong as they come; of a
//    file else only its end is kept. A million files take some 50 bytes each, their entries included.
// 2. A file is copied in stretches, by several workers, while PostgreSQL goes on writing it. So it may be gone (then it is left out:
//    WAL replay knows that it was dropped), cut (then what was read is kept), or cut and grown again between two stretches
//    (then the hole reads as zeros, and WAL replay writes it anew): where no id was set it is the zero chunk's.
// 3. In the end what is not there is closed up in place.

import { CHUNK_BYTES, CHUNK_ID_BYTES, chunkCount } from '../../format/chunk.ts';
import type { FileEntry } from '../../format/entry.ts';
import type { Entries } from '../../format/manifest.ts';
import { EntryPacker } from '../../format/packed-entries.ts';
import type { CopiedItem } from './copy-worker.ts';
import type { TakenOver } from './reuse.ts';

/** Chunks of a file to read, from the one number up to the other. */
export type ChunkRange = readonly [from: number, to: number];

export class Ledger {
  readonly #entries: Entries;
  /** Of each entry, and behind the last one where the ids end. */
  readonly #firstChunk: Uint32Array;
  /** Where the last chunk of each file ends that is known. */
  readonly #end: Float64Array;
  /** Whether anything is known of the file: one that was not seen at all is gone. */
  readonly #seen: Uint8Array;
  /** Of files that were taken over, what is still to be read; nothing where that is all of them. */
  readonly #toRead = new Map<number, readonly ChunkRange[]>();
  readonly #whole: Uint8Array;
  readonly #ids: Uint8Array;

  /** `last` is the room, in chunks, for the file that comes behind all others. */
  constructor(entries: Entries, last: number) {
    this.#entries = entries;
    this.#firstChunk = new Uint32Array(entries.length + 1);
    let chunks = 0;
    let index = 0;
    for (const entry of entries) {
      this.#firstChunk[index++] = chunks;
      if (entry.kind === 'file') chunks += chunkCount(entry.bytes);
    }
    this.#firstChunk[index] = chunks;
    this.#end = new Float64Array(entries.length);
    this.#seen = new Uint8Array(entries.length);
    this.#whole = new Uint8Array(entries.length);
    this.#ids = new Uint8Array((chunks + last) * CHUNK_ID_BYTES);
  }

  /** What of the file needs no reading. */
  takeOver(index: number, { ids, until, toRead }: TakenOver): void {
    this.#ids.set(ids, this.#at(index));
    this.#end[index] = until;
    if (toRead.length > 0) this.#toRead.set(index, toRead);
    else this.#whole[index] = this.#seen[index] = 1;
  }

  /** Undefined where all of the file is to be read. */
  toRead(index: number): readonly ChunkRange[] | undefined {
    return this.#whole[index] === 1 ? [] : this.#toRead.get(index);
  }

  copied({ file, offset, bytes, ids }: Pick<CopiedItem, 'file' | 'offset' | 'bytes' | 'ids'>): void {
    if (bytes === undefined) return;
    this.#seen[file] = 1;
    // A stretch that was cut away begins past the file's end.
    if (bytes === 0) return;
    this.#ids.set(ids, this.#at(file) + (offset / CHUNK_BYTES) * CHUNK_ID_BYTES);
    this.#end[file] = Math.max(this.#end[file] ?? 0, offset + bytes);
  }

  /** Once, when everything was copied. `last` stands behind all others. */
  assemble(last: { readonly file: FileEntry; readonly ids: Uint8Array }): Assembled {
    const packer = new EntryPacker();
    let used = 0;
    let index = -1;
    for (const entry of this.#entries) {
      index++;
      if (entry.kind !== 'file') {
        packer.add(entry);
        continue;
      }
      if (this.#seen[index] === 0 && entry.bytes > 0) continue;
      const bytes = this.#end[index] ?? 0;
      packer.add(bytes === entry.bytes ? entry : { ...entry, bytes });
      const from = this.#at(index);
      const length = chunkCount(bytes) * CHUNK_ID_BYTES;
      if (from !== used) this.#ids.copyWithin(used, from, from + length);
      used += length;
    }
    packer.add(last.file);
    this.#ids.set(last.ids, used);
    return { entries: packer.finish(), chunkIds: this.#ids.subarray(0, used + last.ids.length) };
  }

  #at(index: number): number {
    return (this.#firstChunk[index] ?? 0) * CHUNK_ID_BYTES;
  }
}

export interface Assembled {
  readonly entries: Entries;
  readonly chunkIds: Uint8Array;
}
