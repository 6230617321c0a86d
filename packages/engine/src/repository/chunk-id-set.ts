// A set of chunk ids that says no quickly: a restore looks for the chunks of one backup among millions of others.
//
// A bit for all ids whose second word ends in the same 21 bits stands before the table: 256 KiB that stay in the processor's
// cache, and answer for nearly every id that is not in the set. Only where the bit is set is the table asked.

import { CHUNK_ID_BYTES } from '../format/chunk.ts';
import { ChunkTable } from './chunk-table.ts';

const PLACES = 2 ** 18;

export class ChunkIdSet {
  /** How many ids were given, those that came twice too. */
  readonly size: number;
  readonly #table: ChunkTable;
  readonly #bits = new Uint8Array(PLACES);

  /** `ids`: one after the other. */
  constructor(ids: Uint8Array) {
    this.size = ids.length / CHUNK_ID_BYTES;
    this.#table = ChunkTable.create(this.size);
    for (let at = 0; at < ids.length; at += CHUNK_ID_BYTES) {
      this.#table.claim(ids, at);
      const place = placeOf(ids, at);
      this.#bits[place] = (this.#bits[place] ?? 0) | bitOf(ids, at);
    }
  }

  /** Whether the id that begins at `at` of `ids` is in the set. */
  has(ids: Uint8Array, at: number): boolean {
    return ((this.#bits[placeOf(ids, at)] ?? 0) & bitOf(ids, at)) !== 0 && this.#table.has(ids, at);
  }
}

const placeOf = (ids: Uint8Array, at: number): number =>
  (ids[at + 4] ?? 0) | ((ids[at + 5] ?? 0) << 8) | (((ids[at + 6] ?? 0) & 3) << 16);

const bitOf = (ids: Uint8Array, at: number): number => 1 << ((ids[at + 6] ?? 0) >>> 5);
