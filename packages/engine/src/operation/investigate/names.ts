// The catalogs of a backup, for the names of relations: nothing is restored and no server is started.
//
// Of each database the map of catalogs tells the file of pg_class, and pg_class that of pg_namespace; they are read chunk by
// chunk. The copy may have caught pages half written and of different moments: who follows the WAL from the backup's beginning
// puts that right, and for names alone it does no harm.
// A catalog larger than 64 MiB (some 300,000 relations) is read to there, and what cannot be read is told and goes without names.

import { isSpillwayError, type Report } from '@spillway/contract';
import { CHUNK_BYTES, CHUNK_ID_BYTES, chunkCount, isZeroChunk } from '../../format/chunk.ts';
import type { FileEntry } from '../../format/entry.ts';
import type { BackupSummary, Manifest } from '../../format/manifest.ts';
import { parseFileMap } from '../../postgres/record-change.ts';
import { readChunk, readIndex, type RepositoryIndex } from '../../repository/index-store.ts';
import { readManifest } from '../../repository/manifest-store.ts';
import type { Repository } from '../../repository/repository.ts';
import { Catalog } from './catalog.ts';

const CATALOG_BYTES_MAX = 64 * 1024 * 1024;
const BLOCK_BYTES = 8192;

export interface CatalogSource {
  readonly repository: Repository;
  readonly backup: BackupSummary;
  readonly report: Report;
  readonly signal: AbortSignal | undefined;
}

/** Makes catalogs as the backup has them; each is to be had several times, since following WAL changes it. */
export async function readCatalogs(source: CatalogSource): Promise<() => Catalog> {
  const { repository, backup, report, signal } = source;
  const major = Math.floor(backup.postgres_version / 10_000);
  if (backup.block_bytes !== BLOCK_BYTES) return () => new Catalog(major);
  const manifest = await readManifest(repository, backup.cluster, backup.id, signal);
  const index = await readIndex(repository, { only: manifest.chunkIds, ...(signal && { signal }) });
  const files = new Files(repository, manifest, index, report, signal);
  const folders = [...databaseFolders(manifest)];
  const maps = new Map<number, ReadonlyMap<number, number>>();
  const found = await files.read(folders.map(([folder]) => `${folder}/pg_filenode.map`));
  for (const [folder, database] of folders) {
    const map = found.get(`${folder}/pg_filenode.map`);
    if (map !== undefined) maps.set(database, parseFileMap(map));
  }
  const loads: Load[] = [];
  const scratch = begin(major, manifest, maps);
  // The file of pg_namespace is told by pg_class.
  for (const kinds of [['class', 'database'], ['namespace']] as const) {
    const wanted = folders.flatMap(([folder, database]) =>
      kinds
        .filter((kind) => (kind === 'database') === (database === 0))
        .map((kind) => ({ database, kind, place: `${folder}/${scratch.fileOf(database, kind)}` })),
    );
    const contents = await files.read(wanted.map(({ place }) => place));
    for (const { database, kind, place } of wanted) {
      const file = contents.get(place);
      if (file === undefined) continue;
      scratch.load(database, kind, file);
      loads.push({ database, kind, file });
    }
  }
  return () => {
    const catalog = begin(major, manifest, maps);
    for (const { database, kind, file } of loads) catalog.load(database, kind, file);
    return catalog;
  };
}

interface Load {
  readonly database: number;
  readonly kind: 'class' | 'namespace' | 'database';
  readonly file: Buffer;
}

function begin(major: number, { head }: Manifest, maps: ReadonlyMap<number, ReadonlyMap<number, number>>): Catalog {
  const catalog = new Catalog(major);
  for (const [database, map] of maps) catalog.setMap(database, map);
  for (const { oid, name } of head.databases ?? []) catalog.setDatabase(oid, name);
  return catalog;
}

/** By the folder, with its tablespace before a colon; `global` is database 0. */
function databaseFolders({ entries }: Manifest): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const entry of entries) {
    if (entry.kind !== 'file') continue;
    const match = /^(?:base\/(\d+)|PG_[^/]+\/(\d+)|global)\/pg_filenode\.map$/.exec(entry.path);
    if (match !== null) found.set(folderOf(entry), Number(match[1] ?? match[2] ?? 0));
  }
  return found;
}

const placeOf = ({ path, tablespace }: FileEntry): string =>
  tablespace === undefined ? path : `${tablespace}:${path}`;

const folderOf = (entry: FileEntry): string => placeOf(entry).slice(0, -'/pg_filenode.map'.length);

class Files {
  readonly #repository: Repository;
  readonly #manifest: Manifest;
  readonly #index: RepositoryIndex;
  readonly #report: Report;
  readonly #signal: AbortSignal | undefined;

  constructor(
    repository: Repository,
    manifest: Manifest,
    index: RepositoryIndex,
    report: Report,
    signal: AbortSignal | undefined,
  ) {
    this.#repository = repository;
    this.#manifest = manifest;
    this.#index = index;
    this.#report = report;
    this.#signal = signal;
  }

  /** Those that there are, in one pass over the entries. */
  async read(places: readonly string[]): Promise<ReadonlyMap<string, Buffer>> {
    const wanted = new Set(places);
    const read = new Map<string, Buffer>();
    let chunk = 0;
    for (const entry of this.#manifest.entries) {
      if (entry.kind !== 'file') continue;
      const place = placeOf(entry);
      if (wanted.has(place)) {
        const content = await this.#content(place, chunk, Math.min(entry.bytes, CATALOG_BYTES_MAX));
        if (content !== undefined) read.set(place, content);
      }
      chunk += chunkCount(entry.bytes);
    }
    return read;
  }

  async #content(place: string, chunk: number, bytes: number): Promise<Buffer | undefined> {
    const { chunkIds } = this.#manifest;
    const content = Buffer.alloc(bytes);
    try {
      for (let at = 0, id = chunk * CHUNK_ID_BYTES; at < bytes; at += CHUNK_BYTES, id += CHUNK_ID_BYTES) {
        if (isZeroChunk(chunkIds, id)) continue;
        const plain = await readChunk(this.#repository, this.#index, chunkIds, id, this.#signal);
        content.set(plain.subarray(0, bytes - at), at);
      }
      return content;
    } catch (error) {
      if (!isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING')) throw error;
      this.#report({
        type: 'notice',
        level: 'warning',
        message: `${place} of the backup cannot be read, so some relations go without names: ${error.why ?? error.message}`,
      });
      return undefined;
    }
  }
}
