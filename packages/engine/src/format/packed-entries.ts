// The entries of a manifest in little memory: some forty bytes each, where objects take four hundred.
//
// 1. They are kept in blocks of as many as a manifest's frame of entries holds, each block as the bytes of that frame,
//    zstd at its quickest level.
// 2. Whoever walks over them has the objects of one block at a time.
// Made once and never changed after; the order is the order in which they were added.

import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Entry } from './entry.ts';

/** An entry takes some 200 bytes, so this leaves a frame far within its bound. */
export const ENTRIES_PER_FRAME = 4096;

export class PackedEntries implements Iterable<Entry> {
  readonly #blocks: readonly Uint8Array[];
  readonly length: number;

  constructor(blocks: readonly Uint8Array[], length: number) {
    this.#blocks = blocks;
    this.length = length;
  }

  *[Symbol.iterator](): IterableIterator<Entry> {
    for (const frame of this.frames()) yield* parseEntries(frame);
  }

  /** JSON arrays, as a manifest has them. */
  *frames(): IterableIterator<Uint8Array> {
    for (const block of this.#blocks) yield zstdDecompressSync(block);
  }
}

export class EntryPacker {
  readonly #blocks: Uint8Array[] = [];
  #open: Entry[] = [];
  #length = 0;

  add(entry: Entry): void {
    this.#open.push(entry);
    this.#length++;
    if (this.#open.length >= ENTRIES_PER_FRAME) this.#close();
  }

  finish(): PackedEntries {
    if (this.#open.length > 0) this.#close();
    return new PackedEntries(this.#blocks, this.#length);
  }

  #close(): void {
    const packed = zstdCompressSync(Buffer.from(JSON.stringify(this.#open)), QUICKEST);
    // A copy of its own length: what zlib gives is a view of a larger buffer.
    this.#blocks.push(Uint8Array.from(packed));
    this.#open = [];
  }
}

/** Throws where the frame is no JSON. */
export const parseEntries = (frame: Uint8Array): readonly Entry[] =>
  JSON.parse(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString('utf8')) as readonly Entry[];

const QUICKEST = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
