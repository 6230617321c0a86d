// The index: which packs there are and what they hold, merged from index objects into one chunk table.
//
// Writing: packs first, then one index object that names them, then whatever refers to their chunks. A pack that no
// index names is garbage of an interrupted run.
// Reading: all index objects, then a list of the packs themselves. A pack that is missing or has another length than
// its index says is left out, so that nothing new is ever built upon it: a backup stores such chunks again.
// An index object that is damaged, or of a newer format, which one flipped bit can look like, must not shut off every
// backup: what it held is read from the packs' own footers.
// Index objects are each place's own, and no lock guards them. Where they are gone altogether, whoever reads can take what
// packs that no index names say of themselves (`unnamed`); `reindex.ts` names them again.
// Condemned packs (`condemned.ts`) come last, so that a chunk that lies elsewhere too is found there; for who is going
// to write they do not count at all. Their list is read first: it is there for as long as any trace of the packs is.

import { randomBytes } from 'node:crypto';
import { isSpillwayError } from '@spillway/contract';
import { CHUNK_ID_BYTES } from '../format/chunk.ts';
import { INDEX, indexName, packName } from '../format/names.ts';
import { chunkOffsets, encodeDirectory, type PackDirectory, parseDirectories } from '../format/pack.ts';
import { chunkId, idKey } from '../codec/keys.ts';
import { damaged, FrameOpener } from '../codec/seal.ts';
import { SpillwayError } from '@spillway/contract';
import { encodeHead } from '../format/object.ts';
import { ChunkIdSet } from './chunk-id-set.ts';
import { ChunkTable } from './chunk-table.ts';
import { listCondemned } from './condemned.ts';
import { elsewhere } from './elsewhere.ts';
import { readPackFooter } from './pack-footer.ts';
import type { Repository } from './repository.ts';

const INDEX_FRAME_BYTES = 8 * 1024 * 1024;
/** Index objects come with backups and go with collections: both are rare. */
const INDEX_LISTS_MAX = 20;
const FOOTERS_AT_ONCE = 8;
/** What a pack that says nothing of itself ends with. */
const CANNOT_BE_TOLD = ['SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING', 'SPW_REPOSITORY_NEWER', 'SPW_KEY_ROTATED'] as const;

/** What a worker needs to open a pack's chunks. */
export interface PackReference {
  readonly packId: string;
  readonly dataKeyNumber: number;
  readonly salt: Uint8Array;
  readonly packBytes: number;
}

export interface UnnamedPack {
  readonly packId: string;
  readonly bytes: number;
}

export interface RepositoryIndex {
  readonly table: ChunkTable;
  /** By the pack numbers that stand in the table. */
  readonly packs: readonly PackReference[];
  /** Packs that an index names and that are missing or cut short. */
  readonly damagedPacks: readonly string[];
  /** Names of index objects that could not be read. */
  readonly damagedIndexes: readonly string[];
  /**
   * Of which two index objects say different things, as none of Spillway's own ever does: one of them was made to lie.
   * Looked for where the whole index is wanted.
   */
  readonly contradictedPacks: readonly string[];
  /** Packs that no index names: of a backup that is running, or that died. */
  readonly unnamedPacks: readonly UnnamedPack[];
  /** Still there, and listed to be removed. */
  readonly condemnedPacks: ReadonlySet<string>;
  /** In all packs, or of those that are wanted alone. */
  readonly chunks: number;
}

/** Durable when it returns. */
export async function writeIndex(
  repository: Repository,
  directories: readonly PackDirectory[],
  signal?: AbortSignal,
): Promise<{ readonly storedBytes: number }> {
  if (directories.length === 0) return { storedBytes: 0 };
  const frames: Buffer[] = [];
  let gathered: Buffer[] = [];
  let bytes = 0;
  for (const directory of directories) {
    const encoded = encodeDirectory(directory);
    if (bytes + encoded.length > INDEX_FRAME_BYTES && bytes > 0) {
      frames.push(Buffer.concat(gathered));
      gathered = [];
      bytes = 0;
    }
    gathered.push(encoded);
    bytes += encoded.length;
  }
  frames.push(Buffer.concat(gathered));
  const name = indexName(randomBytes(16).toString('hex'));
  return repository.write('index', name, frames, signal && { signal });
}

/** What turned out to be wrong, by ids of packs. */
export interface Distrust {
  /** What an index says of them does not fit: their own directories count. */
  readonly index: ReadonlySet<string>;
  /** What they hold is not what they say: as if they were not there. Those of `index` too. */
  readonly packs: ReadonlySet<string>;
}

/**
 * Reads the whole index. `newChunks` is given by who writes, and must hold its lock by now: how many more chunks the
 * table must have room for. Chunks of condemned packs are then left out, as nothing new may build upon them.
 */
export async function readIndex(
  repository: Repository,
  options: {
    readonly newChunks?: number;
    readonly distrust?: Distrust;
    /** Count what packs that no index names say of themselves. */
    readonly unnamed?: boolean;
    /** Ids of chunks, one after the other: the table is wanted for these alone, as of one backup among many. */
    readonly only?: Uint8Array;
    readonly signal?: AbortSignal;
  } = {},
): Promise<RepositoryIndex> {
  const { distrust, signal } = options;
  const condemned = new Set((await listCondemned(repository, signal)).condemned.flatMap(({ packIds }) => packIds));
  const only = options.only && new ChunkIdSet(options.only);
  const { directories: told, damagedIndexes, contradictedPacks } = await readDirectories(repository, only, signal);
  const directories: Narrowed[] = told.filter(({ packId }) => distrust?.index.has(packId) !== true);
  const lengths = new Map<string, number>();
  for await (const object of repository.storage.list('packs/', signal && { signal })) {
    lengths.set(object.name, object.bytes);
  }
  const damagedPacks: string[] = [];
  if (damagedIndexes.length > 0 || distrust !== undefined) {
    const known = new Set(directories.map(({ packId }) => packName(packId)));
    for (const [name, bytes] of lengths) {
      const packId = idOf(name);
      if (known.has(name) || distrust?.packs.has(packId) === true) continue;
      if (damagedIndexes.length === 0 && distrust?.index.has(packId) !== true) continue;
      try {
        directories.push(await readPackFooter(repository, packId, bytes, signal));
      } catch (error) {
        if (!isSpillwayError(error, ...CANNOT_BE_TOLD)) throw error;
        damagedPacks.push(packId);
      }
    }
  }
  const named = new Set([...directories.map(({ packId }) => packId), ...damagedPacks]);
  const unnamedPacks = [...lengths]
    .map(([name, bytes]) => ({ packId: idOf(name), bytes }))
    .filter(({ packId }) => !named.has(packId));
  const trusted = unnamedPacks.filter(({ packId }) => distrust?.packs.has(packId) !== true);
  const unnamed: readonly Narrowed[] = options.unnamed === true ? await readUnnamed(repository, trusted, signal) : [];
  const isWhole = ({ packId, packBytes }: Narrowed): boolean => lengths.get(packName(packId)) === packBytes;
  const whole = directories.filter((each) => isWhole(each) && !condemned.has(each.packId));
  if (options.newChunks === undefined) {
    whole.push(...directories.filter((each) => isWhole(each) && condemned.has(each.packId)));
  }
  // Last: what a run left that was broken off may hold what others hold too.
  whole.push(...unnamed.filter(isWhole));
  // Whoever wants few chunks is not to go through the packs of all others.
  const holding = only === undefined ? whole : whole.filter(({ storedBytes }) => storedBytes.length > 0);
  const isRemoved = (packId: string): boolean => condemned.has(packId) && !lengths.has(packName(packId));
  const chunks = holding.reduce((sum, directory) => sum + directory.storedBytes.length, 0);
  const table = ChunkTable.create(Math.min(chunks, only?.size ?? chunks) + (options.newChunks ?? 0));
  holding.forEach((directory, pack) => {
    const offsets = directory.offsets ?? chunkOffsets(directory);
    for (let i = 0; i < offsets.length; i++) {
      if (only?.has(directory.ids, i * CHUNK_ID_BYTES) === false) continue;
      table.insert(directory.ids, i * CHUNK_ID_BYTES, {
        pack,
        offset: offsets[i] ?? 0,
        storedBytes: directory.storedBytes[i] ?? 0,
        plainBytes: directory.plainBytes[i] ?? 0,
      });
    }
  });
  return {
    table,
    packs: holding.map(({ packId, dataKeyNumber, salt, packBytes }) => ({ packId, dataKeyNumber, salt, packBytes })),
    damagedPacks: [
      ...damagedPacks,
      ...directories.filter((each) => !isWhole(each) && !isRemoved(each.packId)).map(({ packId }) => packId),
    ],
    damagedIndexes,
    contradictedPacks,
    unnamedPacks,
    condemnedPacks: new Set([...condemned].filter((packId) => lengths.has(packName(packId)))),
    chunks,
  };
}

/** What such packs say of themselves; those that say nothing are left out. */
export async function readUnnamed(
  repository: Repository,
  packs: readonly UnnamedPack[],
  signal?: AbortSignal,
): Promise<readonly PackDirectory[]> {
  const found: PackDirectory[] = [];
  const queue = packs[Symbol.iterator]();
  const some = async (): Promise<void> => {
    for (const { packId, bytes } of queue) {
      try {
        found.push(await readPackFooter(repository, packId, bytes, signal));
      } catch (error) {
        if (!isSpillwayError(error, ...CANNOT_BE_TOLD)) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: FOOTERS_AT_ONCE }, some));
  return found;
}

/** One chunk, for where there is no need of workers; `at` is where its id begins in `ids`. */
export async function readChunk(
  repository: Repository,
  index: RepositoryIndex,
  ids: Uint8Array,
  at: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const place = index.table.find(ids, at);
  const pack = place && index.packs[place.pack];
  if (place === undefined || pack === undefined) {
    const id = Buffer.from(ids.subarray(at, at + CHUNK_ID_BYTES)).toString('hex');
    throw new SpillwayError('SPW_OBJECT_MISSING', `chunk ${id} is in no pack of the repository`);
  }
  const name = packName(pack.packId);
  const range = { offset: place.offset, bytes: place.storedBytes };
  return elsewhere(repository, name, async () => {
    const frame = await repository.storage.get(name, { range, ...(signal && { signal }) });
    const { plain } = (await packOpener(repository, pack)).open(frame, 0, place.offset, false);
    if (!chunkId(idKey(repository.keys), plain).equals(ids.subarray(at, at + CHUNK_ID_BYTES))) {
      throw damaged(name, 'a chunk is not the one of its id');
    }
    return plain;
  });
}

/** Opens frames of a pack without reading its head: the index has what stands there. */
export async function packOpener(repository: Repository, pack: PackReference): Promise<FrameOpener> {
  const head = encodeHead('pack', pack.dataKeyNumber, pack.salt);
  const name = packName(pack.packId);
  return new FrameOpener(await repository.keysFor(name, head), 'pack', name, head);
}

const idOf = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

/**
 * Index objects may be replaced by others meanwhile, which stand anywhere in a list: so it is listed again until it
 * shows none that was not read.
 */
async function readDirectories(
  repository: Repository,
  only: ChunkIdSet | undefined,
  signal: AbortSignal | undefined,
): Promise<{
  readonly directories: Narrowed[];
  readonly damagedIndexes: readonly string[];
  readonly contradictedPacks: readonly string[];
}> {
  const all = new Map<string, Narrowed>();
  const contradicted = new Set<string>();
  const read = new Set<string>();
  const damagedIndexes: string[] = [];
  for (let lists = 1; ; lists++) {
    const news: string[] = [];
    for await (const { name } of repository.storage.list(INDEX, signal && { signal })) {
      if (!read.has(name)) news.push(name);
    }
    if (news.length === 0) break;
    if (lists > INDEX_LISTS_MAX) {
      throw new SpillwayError('SPW_STORAGE_UNREACHABLE', 'the index was not read', {
        why: `each of ${INDEX_LISTS_MAX} lists of it showed objects that were not there before`,
      });
    }
    for (const name of news) {
      read.add(name);
      try {
        for (const directory of await readIndexObject(repository, name, signal)) {
          if (only !== undefined) {
            all.set(directory.packId, narrow(directory, only));
            continue;
          }
          const before = all.get(directory.packId);
          // Many packs are in two objects while these are merged into one; a comparison of what is equal is cheap.
          if (before !== undefined && !encodeDirectory(before).equals(encodeDirectory(directory))) {
            contradicted.add(directory.packId);
          }
          all.set(directory.packId, directory);
        }
      } catch (error) {
        // Missing: replaced since it was listed; the next list has what took its place.
        if (isSpillwayError(error, 'SPW_OBJECT_MISSING')) continue;
        if (!isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_REPOSITORY_NEWER', 'SPW_KEY_ROTATED')) throw error;
        damagedIndexes.push(name);
      }
    }
  }
  return { directories: [...all.values()], damagedIndexes, contradictedPacks: [...contradicted] };
}

/** Of a directory the chunks that are wanted, with where each lies: its offset counts those before it too. */
interface Narrowed extends PackDirectory {
  readonly offsets?: Float64Array;
}

/** Of millions of chunks a restore wants thousands: the others are let go of as soon as they were read. */
function narrow(directory: PackDirectory, only: ChunkIdSet): Narrowed {
  const { ids, storedBytes, plainBytes } = directory;
  const wanted: number[] = [];
  for (let i = 0; i < storedBytes.length; i++) if (only.has(ids, i * CHUNK_ID_BYTES)) wanted.push(i);
  const offsets = wanted.length === 0 ? NOWHERE : chunkOffsets(directory);
  const kept = new Uint8Array(wanted.length * CHUNK_ID_BYTES);
  for (const [n, i] of wanted.entries()) {
    kept.set(ids.subarray(i * CHUNK_ID_BYTES, (i + 1) * CHUNK_ID_BYTES), n * CHUNK_ID_BYTES);
  }
  return {
    ...directory,
    ids: kept,
    offsets: Float64Array.from(wanted, (i) => offsets[i] ?? 0),
    storedBytes: Uint32Array.from(wanted, (i) => storedBytes[i] ?? 0),
    plainBytes: Uint32Array.from(wanted, (i) => plainBytes[i] ?? 0),
  };
}

const NOWHERE = new Float64Array();

export async function readIndexObject(
  repository: Repository,
  name: string,
  signal?: AbortSignal,
): Promise<readonly PackDirectory[]> {
  return (await repository.read('index', name, signal)).flatMap((frame) => {
    const directories = parseDirectories(frame);
    if (typeof directories === 'string') throw damaged(name, directories);
    return directories;
  });
}
