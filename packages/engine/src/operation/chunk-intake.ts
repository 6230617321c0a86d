// What every worker that stores chunks does with one: recognise zeros, take its id, claim it in the shared table, and only
// if the claim is won compress, seal and pack it. No byte leaves the thread but sealed.

import type { KeyObject } from 'node:crypto';
import { chunkId, idKey } from '../codec/keys.ts';
import type { CompressionLevel } from '../codec/seal.ts';
import { CHUNK_BYTES, CHUNK_ID_BYTES } from '../format/chunk.ts';
import type { PackDirectory } from '../format/pack.ts';
import { ChunkTable } from '../repository/chunk-table.ts';
import { PackWriter } from '../repository/pack-writer.ts';
import { Repository, type RepositoryHandle } from '../repository/repository.ts';

/** What a worker's data holds for it. */
export interface IntakeData {
  readonly repository: RepositoryHandle;
  readonly table: SharedArrayBuffer;
  readonly level: CompressionLevel;
}

export class ChunkIntake {
  readonly #writer: PackWriter;
  readonly #table: ChunkTable;
  readonly #key: KeyObject;
  readonly #zeros = Buffer.alloc(CHUNK_BYTES);

  constructor(data: IntakeData) {
    this.#writer = new PackWriter(new Repository(data.repository), data.level);
    this.#table = ChunkTable.attach(data.table);
    this.#key = idKey(data.repository.keys);
  }

  /**
   * Stores `plain` unless somebody has it, and writes its id into `ids` at `at`, which for zeros must be all zero already.
   * True where it was stored. `mayClaim` is false where the table has no room for more: then a chunk may be stored twice,
   * and nothing else happens. `plain` may be reused when the promise has settled.
   */
  async take(plain: Buffer, ids: Uint8Array, at: number, mayClaim = true): Promise<boolean> {
    // Comparing stops at the first difference: for nearly every chunk after a few bytes.
    if (plain.equals(plain.length === CHUNK_BYTES ? this.#zeros : this.#zeros.subarray(0, plain.length))) return false;
    ids.set(chunkId(this.#key, plain), at);
    if (mayClaim ? !this.#table.claim(ids, at) : this.#table.has(ids, at)) return false;
    this.#writer.add(ids.subarray(at, at + CHUNK_ID_BYTES), plain);
    if (this.#writer.full) await this.#writer.settle();
    return true;
  }

  /** The directories of all packs, which are durable. */
  finish(): Promise<readonly PackDirectory[]> {
    return this.#writer.finish();
  }
}
