// Looking into a backup before it is restored: whether all of it is there, and what its small files say.

import { isSpillwayError } from '@spillway/contract';
import { CHUNK_ID_BYTES, chunkCount, isZeroChunk } from '../../format/chunk.ts';
import type { Manifest } from '../../format/manifest.ts';
import { readChunk, type RepositoryIndex } from '../../repository/index-store.ts';
import type { Repository } from '../../repository/repository.ts';

/** Configuration files are small; one that is not is not looked into. */
const CONFIGURATION_BYTES_MAX = 256 * 1024;

interface Content {
  readonly repository: Repository;
  readonly manifest: Manifest;
  readonly index: RepositoryIndex;
  readonly signal?: AbortSignal | undefined;
}

/** A small file of the backup; empty where it has none. */
export async function readText({ repository, manifest, index, signal }: Content, path: string): Promise<string> {
  let chunk = 0;
  for (const entry of manifest.entries) {
    if (entry.kind !== 'file') continue;
    if (entry.path === path && entry.tablespace === undefined) {
      if (entry.bytes === 0 || entry.bytes > CONFIGURATION_BYTES_MAX) return '';
      try {
        const content = await readChunk(repository, index, manifest.chunkIds, chunk * CHUNK_ID_BYTES, signal);
        return Buffer.from(content).toString('utf8');
      } catch (error) {
        // Damage is told by the restore itself, which needs this file like any other.
        if (isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING')) return '';
        throw error;
      }
    }
    chunk += chunkCount(entry.bytes);
  }
  return '';
}

export function countMissing(manifest: Manifest, { table }: RepositoryIndex): number {
  let missing = 0;
  for (let at = 0; at < manifest.chunkIds.length; at += CHUNK_ID_BYTES) {
    if (!isZeroChunk(manifest.chunkIds, at) && !table.has(manifest.chunkIds, at)) missing++;
  }
  return missing;
}
