// Which chunks a repository holds and where: one hash table in shared memory that all worker threads use at once.
//
//   slot   13 words of 32 bits: state, chunk id (8), pack, offset, stored bytes, plain bytes
//
// States of a slot and the ways between them:
//   EMPTY   -> WRITING   by compare-and-swap: whoever does it owns the chunk
//   WRITING -> READY     when the id stands in the slot
//
// 1. Open addressing with linear probing; ids are HMACs, so their first word is hash enough.
// 2. `claim` is how two workers agree which of them stores a chunk that both have just read.
// 3. The capacity is set at the start from the most chunks there can be; a table that fills up is an error, not a resize.

import { SpillwayError } from '@spillway/contract';
import { CHUNK_ID_BYTES } from '../format/chunk.ts';

const WORDS = 13;
const EMPTY = 0;
const WRITING = 1;
const READY = 2;
const ID = 1;
const PACK = 9;
const OFFSET = 10;
const STORED = 11;
const PLAIN = 12;
const ID_WORDS = CHUNK_ID_BYTES / 4;

/** A chunk that a backup in progress claimed has no pack yet. */
export const NO_PACK = 0xffffffff;

export interface ChunkPlace {
  /** Number of the pack in the order in which the table was told of packs. */
  readonly pack: number;
  readonly offset: number;
  readonly storedBytes: number;
  readonly plainBytes: number;
}

export class ChunkTable {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #slots: number;

  private constructor(shared: SharedArrayBuffer) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
    this.#slots = shared.byteLength / 4 / WORDS;
  }

  /** A table for up to `chunks` chunks. */
  static create(chunks: number): ChunkTable {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(64, chunks * 1.4)));
    return new ChunkTable(new SharedArrayBuffer(slots * WORDS * 4));
  }

  /** The same table, in another thread. */
  static attach(shared: SharedArrayBuffer): ChunkTable {
    return new ChunkTable(shared);
  }

  /** True where the caller is the first to name this chunk and must store it. */
  claim(ids: Uint8Array, at: number): boolean {
    return this.#insert(ids, at, NO_PACK, 0, 0, 0);
  }

  /** Records where a chunk lies; the first place told stands. */
  insert(ids: Uint8Array, at: number, place: ChunkPlace): void {
    this.#insert(ids, at, place.pack, place.offset, place.storedBytes, place.plainBytes);
  }

  has(ids: Uint8Array, at: number): boolean {
    return this.#find(ids, at) >= 0;
  }

  find(ids: Uint8Array, at: number): ChunkPlace | undefined {
    const slot = this.#find(ids, at);
    if (slot < 0) return undefined;
    const word = (n: number): number => (this.#words[slot * WORDS + n] ?? 0) >>> 0;
    return { pack: word(PACK), offset: word(OFFSET), storedBytes: word(STORED), plainBytes: word(PLAIN) };
  }

  #insert(ids: Uint8Array, at: number, pack: number, offset: number, stored: number, plain: number): boolean {
    const words = this.#words;
    let slot = (readWord(ids, at) >>> 0) & (this.#slots - 1);
    for (let probes = 0; probes < this.#slots; probes++, slot = (slot + 1) & (this.#slots - 1)) {
      const base = slot * WORDS;
      if (Atomics.load(words, base) === EMPTY && Atomics.compareExchange(words, base, EMPTY, WRITING) === EMPTY) {
        for (let i = 0; i < ID_WORDS; i++) words[base + ID + i] = readWord(ids, at + i * 4);
        words[base + PACK] = pack | 0;
        words[base + OFFSET] = offset | 0;
        words[base + STORED] = stored;
        words[base + PLAIN] = plain;
        Atomics.store(words, base, READY);
        return true;
      }
      if (this.#matches(base, ids, at)) return false;
    }
    throw new SpillwayError('SPW_INTERNAL', 'the chunk table is full', {
      why: `the cluster grew past the ${this.#slots} chunks that were expected`,
      hint: 'run the backup again',
    });
  }

  #find(ids: Uint8Array, at: number): number {
    let slot = (readWord(ids, at) >>> 0) & (this.#slots - 1);
    for (let probes = 0; probes < this.#slots; probes++, slot = (slot + 1) & (this.#slots - 1)) {
      if (Atomics.load(this.#words, slot * WORDS) === EMPTY) return -1;
      if (this.#matches(slot * WORDS, ids, at)) return slot;
    }
    return -1;
  }

  #matches(base: number, ids: Uint8Array, at: number): boolean {
    // A slot is WRITING for the few instructions between its two states: spinning is shorter than any wait.
    while (Atomics.load(this.#words, base) === WRITING);
    for (let i = 0; i < ID_WORDS; i++) {
      if (this.#words[base + ID + i] !== readWord(ids, at + i * 4)) return false;
    }
    return true;
  }
}

const readWord = (bytes: Uint8Array, at: number): number =>
  (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
