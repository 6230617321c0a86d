// Which files a restore lays, and which of their chunks it fetches. Pure.
//
// A file that is made anew wants all its chunks but the zeros, which its empty length is already. One that is there is
// compared as far as it reaches, and wants what differs and what lies beyond. A shell wants nothing.

import { CHUNK_BYTES, CHUNK_ID_BYTES, chunkCount } from '../../format/chunk.ts';
import type { FileEntry } from '../../format/entry.ts';
import type { Manifest } from '../../format/manifest.ts';
import type { ChunkPlace } from '../../repository/chunk-table.ts';
import type { PackReference, RepositoryIndex } from '../../repository/index-store.ts';
import { stretches } from '../../repository/stretches.ts';
import type { CompareItem, CompareTask } from './compare-worker.ts';
import type { LayTask } from './lay-worker.ts';
import { type Layout, pathOf } from './layout.ts';
import { MARKER_FILE } from './marker.ts';
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

/** All but pg_control and what is left out. `there`: sizes of the files that stay, by path. */
export function laidFiles(
  { entries }: Pick<Manifest, 'entries'>,
  layout: Layout,
  selection: Pick<Selection, 'isShell'>,
  there: ReadonlyMap<string, number>,
): readonly LaidFile[] {
  const files: LaidFile[] = [];
  let chunk = 0;
  for (const entry of entries) {
    if (entry.kind !== 'file') continue;
    if (!LEFT_OUT.has(entry.path) && entry.path !== CONTROL_FILE) {
      const path = pathOf(layout, entry);
      const shell = selection.isShell(entry);
      files.push({ entry, path, chunk, shell, old: shell ? undefined : there.get(path) });
    }
    chunk += chunkCount(entry.bytes);
  }
  return files;
}

/** A byte a chunk of the backup: 1 for those that are fetched whatever the comparison says. */
export function wantedChunks(files: readonly LaidFile[], chunks: number): Uint8Array {
  const wanted = new Uint8Array(chunks);
  for (const { entry, chunk, shell, old } of files) {
    if (shell) continue;
    wanted.fill(1, chunk + Math.min(chunkCount(old ?? 0), chunkCount(entry.bytes)), chunk + chunkCount(entry.bytes));
  }
  return wanted;
}

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
  /** File numbers and positions, in turns. */
  readonly destinations: number[];
}

/** The wanted chunks with where they go, in the order in which packs hold them. */
export function* layTasks(
  files: readonly LaidFile[],
  wanted: Uint8Array,
  ids: Uint8Array,
  { table, packs }: { readonly table: RepositoryIndex['table']; readonly packs: readonly PackReference[] },
): Iterable<LayTask> {
  const placed = new Map<number, Map<number, Destined>>();
  for (const [number, { entry, chunk }] of files.entries()) {
    for (let i = 0; i < chunkCount(entry.bytes); i++) {
      if (wanted[chunk + i] === 0) continue;
      const place = table.find(ids, (chunk + i) * CHUNK_ID_BYTES);
      // Not found is a chunk of zeros: that all others are there was seen when the plan was made.
      if (place === undefined) continue;
      let ofPack = placed.get(place.pack);
      if (ofPack === undefined) placed.set(place.pack, (ofPack = new Map()));
      const known = ofPack.get(place.offset);
      if (known === undefined) ofPack.set(place.offset, { place, destinations: [number, i * CHUNK_BYTES] });
      else known.destinations.push(number, i * CHUNK_BYTES);
    }
  }
  const byPack = [...placed].map(([pack, chunks]) => [pack, chunks.values()] as const);
  for (const { chunks, ...stretch } of stretches<Destined>(byPack, packs)) {
    yield { ...stretch, chunks: chunks.map(({ place, destinations }) => ({ offset: place.offset, destinations })) };
  }
}
