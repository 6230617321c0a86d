// The manifest of a dump: what pg_dump and pg_dumpall wrote, as streams of bytes. It is no backup of files, has a kind of
// object and a place of its own, and so can never be taken for one.
//
//   1  the head, JSON: the summary, the streams with their lengths, and how many of the next frames hold chunk ids
//   2… the chunk ids of all streams, one after the other in the order of the streams; cut into frames of 8 MiB
//   …  the lengths of these chunks (u32 each), cut the same way
//
// Chunks are cut where the content says (`operation/logical/cut.ts`), so each has a length of its own: a row inserted in
// front moves everything behind it, and what follows is still cut as before. A chunk never reaches into another stream.

import { CHUNK_BYTES, CHUNK_ID_BYTES } from './chunk.ts';

/** A multiple of the length of an id and of that of a length, so that none is cut in two. */
export const DUMP_FRAME_BYTES = 8 * 1024 * 1024;
const LENGTH_BYTES = 4;

/** What people and programs see of a dump; times are RFC 3339 in UTC. */
export interface DumpSummary {
  /** In the form of a backup's: `20261123T181500Z-1a2b3c4d`. */
  readonly id: string;
  readonly cluster: string;
  readonly source: 'logical' | 'schema';
  readonly started_at: string;
  readonly finished_at: string;
  readonly duration_seconds: number;
  /** Null where the server does not let it be read, as managed ones do. */
  readonly system_identifier: string | null;
  /** As `server_version_num`: 180004 is 18.4. */
  readonly postgres_version: number;
  /** Of pg_dump, as it prints it: `15.18`. */
  readonly tool_version: string;
  /** The server's WAL position before the first database was dumped; null where it could not be read. */
  readonly lsn: string | null;
  /** Each from a snapshot of its own: they are not of one moment. */
  readonly databases: readonly DumpedDatabase[];
  /** Whether roles and tablespaces are in it. */
  readonly globals: boolean;
  /** False where the server does not let passwords be read, as managed ones do: roles come back without. */
  readonly role_passwords: boolean;
  /** Of all streams. */
  readonly bytes: number;
  /** What of that the repository did not hold yet, before compression. */
  readonly new_bytes: number;
  /** What was written to the repository for it. */
  readonly stored_bytes: number;
  readonly chunks: number;
  readonly new_chunks: number;
}

export interface DumpedDatabase {
  readonly name: string;
  /** Length of the archive, which is not compressed. */
  readonly bytes: number;
  /** Without plpgsql, which every database has. */
  readonly extensions: readonly { readonly name: string; readonly version: string }[];
  readonly large_objects: number;
  readonly encoding: string;
  readonly collation: string;
  readonly ctype: string;
  readonly owner: string;
}

/** One output of a program: SQL of pg_dumpall, or an archive of pg_dump in its custom format. */
export type DumpStream =
  | { readonly kind: 'globals'; readonly bytes: number; readonly chunks: number }
  | { readonly kind: 'database'; readonly database: string; readonly bytes: number; readonly chunks: number };

export interface DumpHead {
  readonly summary: DumpSummary;
  readonly streams: readonly DumpStream[];
}

export interface DumpManifest {
  readonly head: DumpHead;
  /** Of all streams, in their order. */
  readonly chunkIds: Uint8Array;
  /** Bytes of each chunk. */
  readonly lengths: Uint32Array;
}

/** The frames of a dump's manifest in order; the last is the final one. */
export function encodeDump({ head, chunkIds, lengths }: DumpManifest): readonly Uint8Array[] {
  const idFrames = cut(chunkIds);
  const encoded = Buffer.alloc(lengths.length * LENGTH_BYTES);
  lengths.forEach((length, n) => encoded.writeUInt32LE(length, n * LENGTH_BYTES));
  const first = Buffer.from(JSON.stringify({ ...head, id_frames: idFrames.length }));
  return [first, ...idFrames, ...cut(encoded)];
}

/** Throws where the frame is no head of a dump. */
export const parseDumpHead = (frame: Uint8Array): DumpHead => parseFirst(frame).head;

/** Throws where the frames do not fit one another. */
export function parseDump(frames: readonly Uint8Array[]): DumpManifest {
  const [first, ...others] = frames;
  if (first === undefined) throw new Error('it has no frame');
  const { head, idFrames } = parseFirst(first);
  if (others.length < idFrames) throw new Error('it has fewer frames than its head says');
  const chunkIds = Buffer.concat(others.slice(0, idFrames));
  const encoded = Buffer.concat(others.slice(idFrames));
  const chunks = head.streams.reduce((sum, stream) => sum + stream.chunks, 0);
  if (chunkIds.length !== chunks * CHUNK_ID_BYTES) throw new Error('its chunk ids do not fit its streams');
  if (encoded.length !== chunks * LENGTH_BYTES) throw new Error('the lengths of its chunks do not fit its streams');
  const lengths = Uint32Array.from({ length: chunks }, (_, n) => encoded.readUInt32LE(n * LENGTH_BYTES));
  let at = 0;
  for (const stream of head.streams) {
    let bytes = 0;
    for (const length of lengths.subarray(at, (at += stream.chunks))) {
      if (length === 0 || length > CHUNK_BYTES) throw new Error(`it has a chunk of ${length} bytes`);
      bytes += length;
    }
    if (bytes !== stream.bytes) throw new Error('the lengths of its chunks do not fit its streams');
  }
  return { head, chunkIds, lengths };
}

function parseFirst(frame: Uint8Array): { readonly head: DumpHead; readonly idFrames: number } {
  const text = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString('utf8');
  const { id_frames: idFrames, ...head } = JSON.parse(text) as DumpHead & { readonly id_frames: number };
  if (typeof head.summary?.id !== 'string' || typeof head.summary.started_at !== 'string') {
    throw new Error('its head has no summary');
  }
  if (!Array.isArray(head.streams)) throw new Error('its head has no streams');
  if (!Number.isInteger(idFrames) || idFrames < 0) throw new Error('its head does not count its frames of ids');
  return { head, idFrames };
}

function cut(bytes: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < bytes.byteLength; at += DUMP_FRAME_BYTES)
    frames.push(bytes.subarray(at, at + DUMP_FRAME_BYTES));
  return frames;
}
