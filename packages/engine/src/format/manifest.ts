// A backup's manifest: a sealed object of at least two frames.
//
//   1  the head, JSON: all that listing and choosing a backup needs, so that a list reads only this frame; its
//      `entry_frames` is the number of the next ones
//   2… the entries: each frame a JSON array of folders, files and links with their attributes, ordered by root and path
//   …  the chunk ids of all files, one after the other in the order of the entries; cut into frames of 8 MiB
//
// Both are cut because a frame has a bound, and a cluster may have a million files.
// A file's chunks are the next `ceil(bytes / chunk size)` ids. Files that PostgreSQL gave in words (backup_label,
// tablespace_map) stand in the summary. A manifest is complete by itself: it refers to no other manifest.

import { CHUNK_BYTES, CHUNK_ID_BYTES, chunkCount } from './chunk.ts';
import type { Entry } from './entry.ts';
import { ENTRIES_PER_FRAME, EntryPacker, PackedEntries, parseEntries } from './packed-entries.ts';

export const CHUNK_IDS_FRAME_BYTES = 8 * 1024 * 1024;

/** What people and programs see of a backup; times are RFC 3339 in UTC. */
export interface BackupSummary {
  /** `20261123T181500Z-1a2b3c4d`: when it began, and eight random hexadecimal digits. */
  readonly id: string;
  readonly cluster: string;
  readonly type: 'full' | 'incremental';
  /** Read beside the data directory, or over the replication protocol. */
  readonly source: 'local' | 'stream';
  readonly taken_from: 'primary' | 'standby';
  /** How what was not read was known to be unchanged: by the server's WAL summaries, or by size, times and inode. */
  readonly unchanged_by: 'wal-summaries' | 'times' | null;
  readonly started_at: string;
  readonly finished_at: string;
  readonly duration_seconds: number;
  readonly system_identifier: string;
  /** As `server_version_num`: 180004 is 18.4. */
  readonly postgres_version: number;
  readonly timeline: number;
  readonly start_lsn: string;
  readonly stop_lsn: string;
  readonly wal_segment_bytes: number;
  readonly block_bytes: number;
  readonly catalog_version: number;
  /** Whether the cluster has page checksums, and so whether they were verified. */
  readonly checksums: boolean;
  readonly files: number;
  /** Size of all files. */
  readonly bytes: number;
  /** What was read of them; an incremental backup leaves unchanged files unread. */
  readonly read_bytes: number;
  /** What of that the repository did not hold yet, before compression. */
  readonly new_bytes: number;
  /** What was written to the repository for it, WAL aside. */
  readonly stored_bytes: number;
  readonly chunks: number;
  readonly new_chunks: number;
  /** What was taken over from the backup before without reading it; null in the first backups, which did not count it. */
  readonly unchanged_chunks: number | null;
  /** Pages whose checksum was wrong, a thousand at most. The backup holds them as they are. */
  readonly damaged_pages: readonly { readonly file: string; readonly block: number }[];
  /** How many there are. */
  readonly damaged_page_count: number;
  readonly tablespaces: readonly { readonly oid: number; readonly path: string; readonly bytes: number }[];
}

/** What restore and the next backup need beside the summary that people see. */
export interface ManifestHead {
  readonly summary: BackupSummary;
  readonly chunk_bytes: number;
  /** Byte for byte what pg_backup_stop returned. */
  readonly backup_label: string;
  readonly tablespace_map: string;
  /** Nanoseconds since 1970 when reading began; files touched later than this less a margin are read again. */
  readonly read_started_at: string;
  /** Parameters that a server needs at least as large to replay this cluster's WAL. */
  readonly standby_parameters: Readonly<Record<string, number>>;
  /** Databases there were when the copy ended, so that a restore can be of some of them. Absent in older backups. */
  readonly databases?: readonly { readonly oid: number; readonly name: string }[];
  /** By oid. Absent in older backups. */
  readonly tablespace_names?: Readonly<Record<string, string>>;
  /** Permission bits of the data directory itself, which is no entry. Absent in older backups. */
  readonly data_directory_mode?: number;
}

/** In order. What was read or scanned is packed, so that a million files fit; few may be an array. */
export type Entries = Iterable<Entry> & { readonly length: number };

export interface Manifest {
  readonly head: ManifestHead;
  readonly entries: Entries;
  readonly chunkIds: Uint8Array;
}

/** The frames of a manifest in order, one at a time; the last is the final one. */
export function* encodeManifest({ head, entries, chunkIds }: Manifest): Iterable<Uint8Array> {
  const entryFrames = Math.max(1, Math.ceil(entries.length / ENTRIES_PER_FRAME));
  yield Buffer.from(JSON.stringify({ ...head, entry_frames: entryFrames }));
  if (entries.length === 0) yield Buffer.from('[]');
  else yield* (entries instanceof PackedEntries ? entries : packEntries(entries)).frames();
  for (let at = 0; at < chunkIds.length; at += CHUNK_IDS_FRAME_BYTES) {
    yield chunkIds.subarray(at, at + CHUNK_IDS_FRAME_BYTES);
  }
}

export function packEntries(entries: Iterable<Entry>): PackedEntries {
  const packer = new EntryPacker();
  for (const entry of entries) packer.add(entry);
  return packer.finish();
}

/** Throws where the frame is no head of a manifest. */
export const parseManifestHead = (frame: Uint8Array): ManifestHead => parseFirstFrame(frame).head;

function parseFirstFrame(frame: Uint8Array): { readonly head: ManifestHead; readonly entryFrames: number } {
  const { entry_frames: entryFrames, ...head } = parseJson(frame) as ManifestHead & { readonly entry_frames: number };
  if (typeof head.summary?.id !== 'string' || typeof head.summary.started_at !== 'string') {
    throw new Error('its head has no summary');
  }
  if (!Number.isInteger(entryFrames) || entryFrames < 1) throw new Error('its head does not count its entry frames');
  return { head: { ...head, summary: { ...unsaid(head.summary), ...head.summary } }, entryFrames };
}

/** What summaries did not say at first. */
const unsaid = ({
  type,
  damaged_pages: damaged,
}: BackupSummary): Pick<BackupSummary, 'taken_from' | 'unchanged_by' | 'unchanged_chunks' | 'damaged_page_count'> => ({
  taken_from: 'primary',
  unchanged_by: type === 'incremental' ? 'times' : null,
  unchanged_chunks: null,
  damaged_page_count: damaged?.length ?? 0,
});

const parseJson = (frame: Uint8Array): unknown =>
  JSON.parse(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString('utf8'));

/** Throws where the frames do not fit one another. */
export function parseManifest(frames: Iterable<Uint8Array>): Manifest {
  let first: ReturnType<typeof parseFirstFrame> | undefined;
  const packer = new EntryPacker();
  const ids: Uint8Array[] = [];
  let entryFrames = 0;
  let chunks = 0;
  for (const frame of frames) {
    if (first === undefined) {
      first = parseFirstFrame(frame);
      if (first.head.chunk_bytes !== CHUNK_BYTES) throw new Error(`its chunks have ${first.head.chunk_bytes} bytes`);
    } else if (entryFrames < first.entryFrames) {
      entryFrames++;
      for (const entry of parseEntries(frame)) {
        packer.add(entry);
        if (entry.kind === 'file') chunks += chunkCount(entry.bytes);
      }
    } else {
      ids.push(frame);
    }
  }
  if (first === undefined) throw new Error('it has no frame');
  if (entryFrames < first.entryFrames) throw new Error('it has fewer frames than its head says');
  const chunkIds = ids.length === 1 && ids[0] !== undefined ? ids[0] : Buffer.concat(ids);
  if (chunkIds.length !== chunks * CHUNK_ID_BYTES) throw new Error('its chunk ids do not fit its files');
  return { head: first.head, entries: packer.finish(), chunkIds };
}
