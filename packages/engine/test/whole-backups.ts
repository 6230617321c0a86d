// Reads every listed backup whole: its WAL is there, every chunk of it is authenticated and its id computed anew.

import assert from 'node:assert/strict';
import { chunkId, idKey } from '../src/codec/keys.ts';
import { CHUNK_ID_BYTES, isZeroChunk } from '../src/format/chunk.ts';
import { listBackups, type Repository } from '../src/index.ts';
import { checkWal } from '../src/operation/wal/check.ts';
import { readChunk, readIndex } from '../src/repository/index-store.ts';
import { readManifest } from '../src/repository/manifest-store.ts';

export class WholeBackups {
  readonly #repository: Repository;
  readonly #cluster: string;
  /** Where chunks were read before: a pack never changes, so those are there for as long as the pack is. */
  readonly #proven = new Set<string>();

  constructor(repository: Repository, cluster: string) {
    this.#repository = repository;
    this.#cluster = cluster;
  }

  /** Ids of what is listed, oldest first; throws where one of them is not whole. */
  async list(): Promise<readonly string[]> {
    const repository = this.#repository;
    const backups = await listBackups({ repository, cluster: this.#cluster });
    // At once, not in the end: the next backup's receiver would store what a killed one left out.
    assert.deepEqual((await checkWal({ repository, cluster: this.#cluster })).backups_without_wal, []);
    const index = await readIndex(repository);
    assert.deepEqual([index.damagedPacks, index.damagedIndexes], [[], []]);
    const key = idKey(repository.keys);
    for (const { id } of backups) {
      const { chunkIds } = await readManifest(repository, this.#cluster, id);
      for (let at = 0; at < chunkIds.length; at += CHUNK_ID_BYTES) {
        if (isZeroChunk(chunkIds, at)) continue;
        const place = index.table.find(chunkIds, at);
        const chunk = Buffer.from(chunkIds.subarray(at, at + CHUNK_ID_BYTES));
        const told = `${chunk.toString('hex')} in ${place && index.packs[place.pack]?.packId} at ${place?.offset}`;
        if (this.#proven.has(told)) continue;
        const plain = await readChunk(repository, index, chunkIds, at);
        assert.ok(chunkId(key, plain).equals(chunk), `chunk ${told} of backup ${id}`);
        this.#proven.add(told);
      }
    }
    return backups.map(({ id }) => id);
  }
}
