// Which chunks a repository holds and where: one hash table in shared memory that all worker threads use at once.
//
//   slot   6 words of 32 bits: state and pack, the first 96 bits of the chunk id (3), offset and lengths (2)
//
// States of a slot and the ways between them:
//   EMPTY   -> WRITING   by compare-and-swap: whoever does it owns the chunk
//   WRITING -> pack + 2  when all else stands in the slot; NO_PACK as it is
//
// 1. Open addressing with linear probing; ids are HMACs, so their first word is hash enough.
// 2. `claim` is how two workers agree which of them stores a chunk that both have just read.
// 3. The capacity is set at the start from the most chunks there can be; a table that fills up is an error, not a resize.
// 4. 96 bits of an HMAC tell n chunks apart but for a chance of n^2 / 2^97: one in eight thousand million for 2^32 chunks,
//    which is a petabyte. A slot takes 24 bytes, and three quarters of them are used: 32 bytes a chunk.

import { SpillwayError } from '@spillway/contract';

const WORDS = 6;
const SLOT_BYTES = WORDS * 4;
const LOAD_MAX = 0.75;
const SLOTS_MIN = 64;
const EMPTY = 0;
const WRITING = 1;
const FIRST_PACK = 2;
const ID = 1;
const ID_WORDS = 3;
const PLACE = 4;
/** A pack has at most some 35 MiB and a frame 256 KiB and its overhead: together they fill two words. */
const OFFSET_BITS = 26;
const LENGTH_BITS = 19;
const LOW_BITS = 32 - OFFSET_BITS;
const HIGH_BITS = LENGTH_BITS - LOW_BITS;
const OFFSET_MASK = 2 ** OFFSET_BITS - 1;

/** What the table takes in memory for so many chunks. */
export const tableBytes = (chunks: number): number => slotsFor(chunks) * SLOT_BYTES;

const slotsFor = (chunks: number): number => Math.max(SLOTS_MIN, Math.ceil(chunks / LOAD_MAX));

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
  /** Numbers of slots are below this; see `slotOf`. */
  readonly slots: number;
  readonly #words: Int32Array;

  private constructor(shared: SharedArrayBuffer) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
    this.slots = shared.byteLength / SLOT_BYTES;
  }

  /** A table for up to `chunks` chunks. */
  static create(chunks: number): ChunkTable {
    return new ChunkTable(new SharedArrayBuffer(tableBytes(chunks)));
  }

  /** The same table, in another thread. */
  static attach(shared: SharedArrayBuffer): ChunkTable {
    return new ChunkTable(shared);
  }

  /** True where the caller is the first to name this chunk and must store it. */
  claim(ids: Uint8Array, at: number): boolean {
    return this.#insert(ids, at, NO_PACK, 0, 0);
  }

  /** Records where a chunk lies; the first place told stands. */
  insert(ids: Uint8Array, at: number, { pack, offset, storedBytes, plainBytes }: ChunkPlace): void {
    if (pack >= NO_PACK - FIRST_PACK || offset > OFFSET_MASK || (storedBytes | plainBytes) >>> LENGTH_BITS !== 0) {
      throw new SpillwayError('SPW_OBJECT_DAMAGED', 'the index names an impossible place', {
        why: `a chunk of ${plainBytes} bytes, stored in ${storedBytes}, at byte ${offset} of pack number ${pack}`,
      });
    }
    const low = offset | (storedBytes << OFFSET_BITS);
    const high = (storedBytes >>> LOW_BITS) | (plainBytes << HIGH_BITS);
    this.#insert(ids, at, pack + FIRST_PACK, low, high);
  }

  has(ids: Uint8Array, at: number): boolean {
    return this.slotOf(ids, at) >= 0;
  }

  find(ids: Uint8Array, at: number): ChunkPlace | undefined {
    const slot = this.slotOf(ids, at);
    return slot < 0 ? undefined : this.placeIn(slot);
  }

  /** The number of the chunk's slot, which stays; below 0 where the table has no such chunk. */
  slotOf(ids: Uint8Array, at: number): number {
    for (let probes = 0, slot = this.#home(ids, at); probes < this.slots; probes++, slot = this.#next(slot)) {
      if (Atomics.load(this.#words, slot * WORDS) === EMPTY) return -1;
      if (this.#matches(slot * WORDS, ids, at)) return slot;
    }
    return -1;
  }

  /** Where the chunk lies whose slot `slotOf` gave. */
  placeIn(slot: number): ChunkPlace {
    const word = (n: number): number => (this.#words[slot * WORDS + n] ?? 0) >>> 0;
    const state = word(0);
    const [low, high] = [word(PLACE), word(PLACE + 1)];
    return {
      pack: state === NO_PACK ? NO_PACK : state - FIRST_PACK,
      offset: low & OFFSET_MASK,
      storedBytes: (low >>> OFFSET_BITS) | ((high & (2 ** HIGH_BITS - 1)) << LOW_BITS),
      plainBytes: high >>> HIGH_BITS,
    };
  }

  #insert(ids: Uint8Array, at: number, state: number, low: number, high: number): boolean {
    const words = this.#words;
    for (let probes = 0, slot = this.#home(ids, at); probes < this.slots; probes++, slot = this.#next(slot)) {
      const base = slot * WORDS;
      if (Atomics.load(words, base) === EMPTY && Atomics.compareExchange(words, base, EMPTY, WRITING) === EMPTY) {
        for (let i = 0; i < ID_WORDS; i++) words[base + ID + i] = readWord(ids, at + i * 4);
        words[base + PLACE] = low;
        words[base + PLACE + 1] = high;
        Atomics.store(words, base, state | 0);
        return true;
      }
      if (this.#matches(base, ids, at)) return false;
    }
    throw new SpillwayError('SPW_INTERNAL', 'the chunk table is full', {
      why: `the cluster grew past the ${this.slots} chunks that were expected`,
      hint: 'run the backup again',
    });
  }

  /** Spread over all slots, however many: their number is no power of two, or memory would double at every step. */
  #home(ids: Uint8Array, at: number): number {
    return Math.floor(((readWord(ids, at) >>> 0) * this.slots) / 2 ** 32);
  }

  #next(slot: number): number {
    return slot + 1 === this.slots ? 0 : slot + 1;
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
