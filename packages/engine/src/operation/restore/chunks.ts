// Which files a restore lays, and which of their chunks it fetches. Pure.
//
// There may be millions of files: whoever wants them walks over them, as the packed entries of the manifest are walked, and
// what is kept of each is a few bytes in typed arrays.
//
// A file that is made anew wants all its chunks but the zeros, which its empty length is already. One that is there is
// compared as far as it reaches, and wants what differs and what lies beyond. A shell wants nothing.

import { CHUNK_BYTES, CHUNK_ID_BYTES, chunkCount, isZeroChunk } from '../../format/chunk.ts';
import type { FileEntry } from '../../format/entry.ts';
import type { Manifest } from '../../format/manifest.ts';
import type { ChunkPlace } from '../../repository/chunk-table.ts';
import type { PackReference, RepositoryIndex } from '../../repository/index-store.ts';
import { stretches } from '../../repository/stretches.ts';
import type { CompareItem, CompareTask } from './compare-worker.ts';
import type { LayTask } from './lay-worker.ts';
import { type Layout, pathOf } from './layout.ts';
import { MARKER_FILE } from './marker.ts';
import type { PathTable } from './path-table.ts';
import type { Selection } from './selection.ts';

/** Laid last, and not with the others. */
export const CONTROL_FILE = 'global/pg_control';
/** Never laid as they were backed up: they would make another recovery of it. */
export const LEFT_OUT: ReadonlySet<string> = new Set([
  'backup_label',
  'tablespace_map',
  'recovery.signal',
  'standby.signal',
  MARKER_FILE,
]);
const COMPARE_BYTES = 8 * 1024 * 1024;
const COMPARE_ITEMS_MAX = 256;

export interface LaidFile {
  readonly entry: FileEntry;
  readonly path: string;
  /** Number of its first chunk in the backup. */
  readonly chunk: number;
  readonly shell: boolean;
  /** Bytes of the file that is there already and stays; undefined where it is made anew. */
  readonly old: number | undefined;
}

/** All but pg_control and what is left out, made anew at each walk. `there`: sizes of the files that stay, by path. */
export function laidFiles(
  { entries }: Pick<Manifest, 'entries'>,
  layout: Layout,
  selection: Pick<Selection, 'isShell'>,
  there: ReadonlyMap<string, number>,
): Iterable<LaidFile> {
  return {
    *[Symbol.iterator]() {
      let chunk = 0;
      for (const entry of entries) {
        if (entry.kind !== 'file') continue;
        if (!LEFT_OUT.has(entry.path) && entry.path !== CONTROL_FILE) {
          const path = pathOf(layout, entry);
          const shell = selection.isShell(entry);
          yield { entry, path, chunk, shell, old: shell ? undefined : there.get(path) };
        }
        chunk += chunkCount(entry.bytes);
      }
    },
  };
}

/** A byte a chunk of the backup: 1 for those that are fetched whatever the comparison says. */
export function wantedChunks(files: Iterable<LaidFile>, chunks: number): Uint8Array {
  const wanted = new Uint8Array(chunks);
  for (const { entry, chunk, shell, old } of files) {
    if (shell) continue;
    wanted.fill(1, chunk + Math.min(chunkCount(old ?? 0), chunkCount(entry.bytes)), chunk + chunkCount(entry.bytes));
  }
  return wanted;
}

/** Of the wanted chunks those that the index has in these packs. */
export function wantedOf(
  packIds: ReadonlySet<string>,
  wanted: Uint8Array,
  ids: Uint8Array,
  { table, packs }: Packs,
): Uint8Array {
  const again = new Uint8Array(wanted.length);
  for (let chunk = 0; chunk < wanted.length; chunk++) {
    if (wanted[chunk] === 0) continue;
    const slot = table.slotOf(ids, chunk * CHUNK_ID_BYTES);
    if (slot >= 0 && packIds.has(packs[table.placeIn(slot).pack]?.packId ?? '')) again[chunk] = 1;
  }
  return again;
}

/** Whether the index has all wanted chunks that are not zeros. */
export const hasAll = (wanted: Uint8Array, ids: Uint8Array, { table }: Pick<Packs, 'table'>): boolean =>
  wanted.every(
    (each, chunk) =>
      each === 0 || isZeroChunk(ids, chunk * CHUNK_ID_BYTES) || table.slotOf(ids, chunk * CHUNK_ID_BYTES) >= 0,
  );

/** What of the files that stay is to be read and compared: small files together, large ones in stretches. */
export function* compareTasks(files: readonly LaidFile[], ids: Uint8Array): Iterable<CompareTask> {
  let items: CompareItem[] = [];
  let gathered = 0;
  for (const { entry, path, chunk, old } of files) {
    // Up to the end of the chunk in which the old file ends: what it lacks there counts as zeros.
    const end = Math.min(entry.bytes, chunkCount(old ?? 0) * CHUNK_BYTES);
    for (let offset = 0; offset < end; offset += COMPARE_BYTES) {
      const bytes = Math.min(COMPARE_BYTES, end - offset);
      const first = chunk + offset / CHUNK_BYTES;
      const idsOf = ids.slice(first * CHUNK_ID_BYTES, (first + chunkCount(bytes)) * CHUNK_ID_BYTES);
      items.push({ path, offset, bytes, chunk: first, ids: idsOf });
      gathered += bytes;
      if (gathered >= COMPARE_BYTES || items.length >= COMPARE_ITEMS_MAX) {
        yield { items };
        items = [];
        gathered = 0;
      }
    }
  }
  if (items.length > 0) yield { items };
}

/** Stored bytes of the wanted chunks, each counted once. */
export function storedBytes(wanted: Uint8Array, ids: Uint8Array, { table }: RepositoryIndex): number {
  const seen = new Set<number>();
  let bytes = 0;
  for (let chunk = 0; chunk < wanted.length; chunk++) {
    if (wanted[chunk] === 0) continue;
    const slot = table.slotOf(ids, chunk * CHUNK_ID_BYTES);
    if (slot < 0 || seen.has(slot)) continue;
    seen.add(slot);
    bytes += table.placeIn(slot).storedBytes;
  }
  return bytes;
}

interface Destined {
  readonly place: ChunkPlace;
  /** Which chunk of the backup it is, once. */
  readonly number: number;
  /** File numbers and positions, in turns. */
  readonly destinations: number[];
}

interface Packs {
  readonly table: RepositoryIndex['table'];
  readonly packs: readonly PackReference[];
}

/** The wanted chunks with where they go, in the order in which packs hold them. `paths`: those of `files`, by number. */
export function* layTasks(
  files: Iterable<LaidFile>,
  paths: PathTable,
  wanted: Uint8Array,
  ids: Uint8Array,
  { table, packs }: Packs,
): Iterable<LayTask> {
  for (const { chunks, ...stretch } of stretches<Destined>(byPack(files, wanted, ids, { table, packs }), packs)) {
    const numbers = new Map<number, number>();
    const placeOf = (file: number): number => {
      const known = numbers.get(file);
      if (known === undefined) numbers.set(file, numbers.size);
      return known ?? numbers.size - 1;
    };
    const wantedHere = chunks.map(({ place, destinations }) => ({
      offset: place.offset,
      destinations: destinations.map((value, i) => (i % 2 === 0 ? placeOf(value) : value)),
    }));
    const idsHere = new Uint8Array(chunks.length * CHUNK_ID_BYTES);
    for (const [n, { number }] of chunks.entries()) {
      idsHere.set(ids.subarray(number * CHUNK_ID_BYTES, (number + 1) * CHUNK_ID_BYTES), n * CHUNK_ID_BYTES);
    }
    yield { ...stretch, ids: idsHere, chunks: wantedHere, paths: [...numbers.keys()].map((file) => paths.at(file)) };
  }
}

/** Packs in the order in which the files first want something of them. */
function* byPack(
  files: Iterable<LaidFile>,
  wanted: Uint8Array,
  ids: Uint8Array,
  { table, packs }: Packs,
): Iterable<readonly [pack: number, chunks: Iterable<Destined>]> {
  const most = wanted.reduce((sum, each) => sum + each, 0);
  const [slots, numbers, nths] = [new Uint32Array(most), new Uint32Array(most), new Uint32Array(most)];
  const first = new Uint32Array(most);
  const ends = new Float64Array(packs.length);
  const inOrder: number[] = [];
  let count = 0;
  let number = 0;
  for (const { entry, chunk } of files) {
    for (let i = 0; i < chunkCount(entry.bytes); i++) {
      if (wanted[chunk + i] === 0) continue;
      const slot = table.slotOf(ids, (chunk + i) * CHUNK_ID_BYTES);
      // Not found is a chunk of zeros: that all others are there was seen when the plan was made.
      if (slot < 0) continue;
      const { pack } = table.placeIn(slot);
      if (ends[pack] === 0) inOrder.push(pack);
      ends[pack] = (ends[pack] ?? 0) + 1;
      slots[count] = slot;
      numbers[count] = number;
      first[count] = chunk + i;
      nths[count++] = i;
    }
    number++;
  }
  // Sorted by counting: the numbers of each pack together, in the order in which they came.
  let end = 0;
  const next = new Float64Array(packs.length);
  for (const pack of inOrder) {
    next[pack] = end;
    end += ends[pack] ?? 0;
    ends[pack] = end;
  }
  const sorted = new Uint32Array(count);
  for (let at = 0; at < count; at++) {
    const { pack } = table.placeIn(slots[at] ?? 0);
    const to = next[pack] ?? 0;
    sorted[to] = at;
    next[pack] = to + 1;
  }
  let start = 0;
  for (const pack of inOrder) {
    const chunks = new Map<number, Destined>();
    for (const at of sorted.subarray(start, ends[pack])) {
      const slot = slots[at] ?? 0;
      let chunk = chunks.get(slot);
      if (chunk === undefined)
        chunks.set(slot, (chunk = { place: table.placeIn(slot), number: first[at] ?? 0, destinations: [] }));
      chunk.destinations.push(numbers[at] ?? 0, (nths[at] ?? 0) * CHUNK_BYTES);
    }
    start = ends[pack] ?? start;
    yield [pack, chunks.values()];
  }
}
