// The chunks that are wanted, each once, however many files and backups have it. Pure.
//
// A chunk takes 36 bytes here and one bit of a map over the slots of the chunk table: millions of them are no objects.
// They are given out pack by pack, by a counting sort over the packs, so that packs are read from front to back.

import { CHUNK_ID_BYTES } from '../../format/chunk.ts';
import type { ChunkPlace, ChunkTable } from '../../repository/chunk-table.ts';

const CHUNKS_AT_FIRST = 1024;

export interface DistinctChunk {
  readonly slot: number;
  readonly place: ChunkPlace;
  /** 32 bytes; a view. */
  readonly id: Uint8Array;
}

export class DistinctChunks {
  readonly #table: ChunkTable;
  readonly #seen: Uint8Array;
  #slots = new Uint32Array(CHUNKS_AT_FIRST);
  #ids = new Uint8Array(CHUNKS_AT_FIRST * CHUNK_ID_BYTES);
  #count = 0;

  constructor(table: ChunkTable) {
    this.#table = table;
    this.#seen = new Uint8Array(Math.ceil(table.slots / 8));
  }

  get count(): number {
    return this.#count;
  }

  /** False where it was added before. */
  add(slot: number, ids: Uint8Array, at: number): boolean {
    const [byte, bit] = [slot >>> 3, 1 << (slot & 7)];
    const before = this.#seen[byte] ?? 0;
    if ((before & bit) !== 0) return false;
    this.#seen[byte] = before | bit;
    if (this.#count === this.#slots.length) this.#grow();
    this.#slots[this.#count] = slot;
    this.#ids.set(ids.subarray(at, at + CHUNK_ID_BYTES), this.#count * CHUNK_ID_BYTES);
    this.#count++;
    return true;
  }

  /** By number of the pack; a pack's chunks become objects only when it is its turn. */
  *byPack(packs: number): Iterable<readonly [pack: number, chunks: readonly DistinctChunk[]]> {
    const starts = new Uint32Array(packs + 1);
    for (let n = 0; n < this.#count; n++) {
      const { pack } = this.#table.placeIn(this.#slots[n] ?? 0);
      starts[pack + 1] = (starts[pack + 1] ?? 0) + 1;
    }
    for (let pack = 0; pack < packs; pack++) starts[pack + 1] = (starts[pack + 1] ?? 0) + (starts[pack] ?? 0);
    const next = starts.slice();
    const ordered = new Uint32Array(this.#count);
    for (let n = 0; n < this.#count; n++) {
      const { pack } = this.#table.placeIn(this.#slots[n] ?? 0);
      const at = next[pack] ?? 0;
      ordered[at] = n;
      next[pack] = at + 1;
    }
    for (let pack = 0; pack < packs; pack++) {
      const own = ordered.subarray(starts[pack], starts[pack + 1]);
      if (own.length > 0) yield [pack, Array.from(own, (n) => this.#chunk(n))];
    }
  }

  #chunk(n: number): DistinctChunk {
    const slot = this.#slots[n] ?? 0;
    const id = this.#ids.subarray(n * CHUNK_ID_BYTES, (n + 1) * CHUNK_ID_BYTES);
    return { slot, place: this.#table.placeIn(slot), id };
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    slots.set(this.#slots);
    this.#slots = slots;
    const ids = new Uint8Array(this.#ids.length * 2);
    ids.set(this.#ids);
    this.#ids = ids;
  }
}
