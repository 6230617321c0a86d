// What holds chunks, in one form: a backup with its files, or a dump with its streams. Pure.

import { CHUNK_BYTES, CHUNK_ID_BYTES, chunkCount, isZeroChunk } from '../../format/chunk.ts';
import type { DumpManifest } from '../../format/dump.ts';
import type { Entry } from '../../format/entry.ts';
import type { Entries, Manifest } from '../../format/manifest.ts';

export interface Holder {
  readonly id: string;
  readonly files: number;
  readonly bytes: number;
  readonly chunkIds: Uint8Array;
  /** May be walked several times. */
  readonly parts: Iterable<Part>;
}

interface Part {
  /** A file's path, or what a stream of a dump is. */
  readonly file: string;
  readonly tablespace: number | null;
  /** Bytes of each of its chunks. */
  readonly lengths: Iterable<number>;
}

/** One chunk where it is wanted; `at` is where its id begins in `chunkIds`. */
export interface Want {
  readonly at: number;
  readonly file: string;
  readonly tablespace: number | null;
  readonly offset: number;
  readonly bytes: number;
}

export function backupHolder({ head, entries, chunkIds }: Manifest): Holder {
  const { id, files, bytes } = head.summary;
  const parts = { [Symbol.iterator]: () => partsOf(entries) };
  return { id, files, bytes, chunkIds, parts };
}

function* partsOf(entries: Entries): IterableIterator<Part> {
  for (const entry of entries) {
    if (entry.kind !== 'file') continue;
    yield { file: entry.path, tablespace: entry.tablespace ?? null, lengths: fixedLengths(entry.bytes) };
  }
}

export function dumpHolder({ head, chunkIds, lengths }: DumpManifest): Holder {
  let at = 0;
  const parts = head.streams.map((stream): Part => {
    const own = lengths.subarray(at, (at += stream.chunks));
    return { file: stream.kind === 'globals' ? 'globals' : stream.database, tablespace: null, lengths: own };
  });
  return { id: head.summary.id, files: parts.length, bytes: head.summary.bytes, chunkIds, parts };
}

/** Every chunk that is stored for it; those of zeros are not. */
export function* wants({ chunkIds, parts }: Holder): Iterable<Want> {
  let at = 0;
  for (const { file, tablespace, lengths } of parts) {
    let offset = 0;
    for (const bytes of lengths) {
      if (!isZeroChunk(chunkIds, at)) yield { at, file, tablespace, offset, bytes };
      offset += bytes;
      at += CHUNK_ID_BYTES;
    }
  }
}

function* fixedLengths(bytes: number): Iterable<number> {
  for (let at = 0; at < bytes; at += CHUNK_BYTES) yield Math.min(CHUNK_BYTES, bytes - at);
}

/** What does not fit in a manifest that could be read, each in a phrase. */
export function manifestFaults({ head, entries }: Manifest): readonly string[] {
  const { summary } = head;
  const faults: string[] = [];
  const tablespaces = new Set(summary.tablespaces.map(({ oid }) => oid));
  const seen = new Set<string>();
  const counted = { files: 0, bytes: 0, chunks: 0 };
  for (const entry of entries) {
    const root = entry.kind === 'link' ? undefined : entry.tablespace;
    const key = `${root ?? ''}:${entry.path}`;
    if (!isPlainPath(entry.path)) faults.push(`the path ${JSON.stringify(entry.path)} leads out of its folder`);
    if (seen.has(key)) faults.push(`${entry.path} stands in it twice`);
    seen.add(key);
    if (root !== undefined && !tablespaces.has(root)) faults.push(`${entry.path} is of an unknown tablespace ${root}`);
    if (!hasParent(entry, seen)) faults.push(`${entry.path} is in a folder that does not stand before it`);
    if (entry.kind !== 'file') continue;
    counted.files++;
    counted.bytes += entry.bytes;
    counted.chunks += chunkCount(entry.bytes);
  }
  for (const what of ['files', 'bytes'] as const) {
    if (counted[what] !== summary[what]) {
      faults.push(`its summary tells of ${summary[what]} ${what}, and its entries have ${counted[what]}`);
    }
  }
  for (const needed of ['PG_VERSION', 'global/pg_control']) {
    if (!seen.has(`:${needed}`)) faults.push(`${needed} is not in it`);
  }
  if (head.backup_label === '') faults.push('it has no backup label');
  return faults;
}

const isPlainPath = (path: string): boolean =>
  path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');

function hasParent(entry: Entry, seen: ReadonlySet<string>): boolean {
  const cut = entry.path.lastIndexOf('/');
  const root = entry.kind === 'link' ? undefined : entry.tablespace;
  return cut < 0 || seen.has(`${root ?? ''}:${entry.path.slice(0, cut)}`);
}
