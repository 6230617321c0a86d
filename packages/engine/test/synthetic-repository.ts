// A large repository without its bytes, to measure what is done with lists, manifests and the index alone: opening it, listing,
// planning, expiring, collecting. For tests and the bench.
//
// 1. Backups of one database, four hours apart and the last one just now. The first has every chunk of the database for
//    its own, each later one has the same number of new chunks at random places, and the rest as it was.
// 2. Head, key slots, index objects (one a backup), manifests, systems and WAL are what the engine writes, by its own
//    functions. Chunk ids are random bytes: nothing hashes to them.
// 3. Packs are files of the right names and lengths with nothing in them (sparse, so they take no room). A command that
//    reads a chunk finds it damaged: verification, a real restore, and repacking do not work on this.

import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CHUNK_BYTES, CHUNK_ID_BYTES } from '../src/format/chunk.ts';
import type { FileEntry } from '../src/format/entry.ts';
import type { Manifest } from '../src/format/manifest.ts';
import { packName, systemName, walPrefix } from '../src/format/names.ts';
import { SALT_BYTES } from '../src/format/object.ts';
import { directoryBytes, type PackDirectory } from '../src/format/pack.ts';
import { formatLsn, lsn, segmentName, segmentSize, timelineId } from '../src/postgres/lsn.ts';
import { writeIndex } from '../src/repository/index-store.ts';
import { writeManifest } from '../src/repository/manifest-store.ts';
import { initRepository, openRepository, type Repository } from '../src/repository/repository.ts';

export interface SyntheticRepository {
  readonly path: string;
  readonly passphrase: string;
  readonly cluster: string;
  readonly backups: number;
  /** Distinct ones, in all backups together. */
  readonly chunks: number;
  /** Of the database, and so of each backup. */
  readonly chunksPerBackup: number;
  /** Chooses the places of new chunks: a number from 0 up to, not including, 1. */
  readonly random: () => number;
  readonly now: Date;
}

/** As many as a pack holds of chunks that compress to a third. */
const CHUNKS_PER_PACK = 384;
const STORED_BYTES = 87_000;
const CHUNKS_PER_FILE = 4096;
/** Files of one chunk, as most files of a cluster are. */
const SMALL_FILES = 1000;
const BETWEEN_BACKUPS_MS = 4 * 3_600_000;
const SEGMENTS_PER_BACKUP = 5;
const SYSTEM = '7300000000000000001';
const SEGMENT = segmentSize(16 * 1024 * 1024);
const TIMELINE = timelineId(1);
/** A segment's bytes in the frames that the engine makes. */
const ZEROS = Array.from({ length: 4 }, () => Buffer.alloc(SEGMENT / 4));
const AT_ONCE = 16;

export async function makeSyntheticRepository(options: SyntheticRepository): Promise<{ readonly packs: number }> {
  const { path, passphrase, cluster, backups, chunks, chunksPerBackup, random, now } = options;
  if (chunks < chunksPerBackup)
    throw new RangeError(`a backup of ${chunksPerBackup} chunks needs as many, not ${chunks}`);
  const location = { kind: 'filesystem' as const, path };
  await initRepository({ location, passphrase });
  const repository = await openRepository({ location, secret: { kind: 'passphrase', passphrase } });
  await writeSystem(repository, cluster, now);
  const golden = JSON.parse(
    await readFile(new URL('../src/format/golden/manifest.json', import.meta.url), 'utf8'),
  ) as Manifest;
  const entries = entriesOf(chunksPerBackup);
  const database = randomBytes(chunksPerBackup * CHUNK_ID_BYTES);
  let packs = await storeChunks(repository, database);
  for (let number = 0; number < backups; number++) {
    const fresh = number === 0 ? chunksPerBackup : share(chunks - chunksPerBackup, backups - 1, number - 1);
    if (number > 0) packs += await storeChunks(repository, replaceSome(database, fresh, random));
    const at = new Date(now.getTime() - (backups - 1 - number) * BETWEEN_BACKUPS_MS);
    const head = headOf(golden.head, { cluster, number, at, chunksPerBackup, fresh });
    await writeManifest(repository, { head, entries, chunkIds: database });
    await writeWal(repository, cluster, number, at);
  }
  return { packs };
}

/** The part of `total` that falls to `turn` of so many turns; all parts add up to it. */
const share = (total: number, turns: number, turn: number): number =>
  Math.floor((total * (turn + 1)) / turns) - Math.floor((total * turn) / turns);

/** Puts new ids at different places of the database, and gives them. */
function replaceSome(database: Buffer, count: number, random: () => number): Buffer {
  const fresh = randomBytes(count * CHUNK_ID_BYTES);
  const places = new Set<number>();
  const all = database.length / CHUNK_ID_BYTES;
  if (count > all) throw new RangeError(`${count} chunks cannot be new among ${all}`);
  while (places.size < count) places.add(Math.floor(random() * all));
  let at = 0;
  for (const place of places) {
    fresh.copy(database, place * CHUNK_ID_BYTES, at, at + CHUNK_ID_BYTES);
    at += CHUNK_ID_BYTES;
  }
  return fresh;
}

/** Packs, and one index object that names them; gives how many packs. */
async function storeChunks(repository: Repository, ids: Buffer): Promise<number> {
  const directories: PackDirectory[] = [];
  for (let at = 0; at < ids.length; at += CHUNKS_PER_PACK * CHUNK_ID_BYTES) {
    const own = new Uint8Array(ids.subarray(at, at + CHUNKS_PER_PACK * CHUNK_ID_BYTES));
    const count = own.length / CHUNK_ID_BYTES;
    directories.push({
      packId: randomBytes(16).toString('hex'),
      dataKeyNumber: 1,
      salt: randomBytes(SALT_BYTES),
      packBytes: count * STORED_BYTES + directoryBytes(count),
      ids: own,
      storedBytes: new Uint32Array(count).fill(STORED_BYTES),
      plainBytes: new Uint32Array(count).fill(CHUNK_BYTES),
    });
  }
  if (repository.location.kind !== 'filesystem') throw new TypeError('packs of no content need a folder');
  for (const { packId, packBytes } of directories) {
    const path = join(repository.location.path, packName(packId));
    await mkdir(join(path, '..'), { recursive: true });
    await using file = await open(path, 'wx');
    await file.truncate(packBytes);
  }
  await writeIndex(repository, directories);
  return directories.length;
}

function entriesOf(chunks: number): readonly FileEntry[] {
  const small = Math.min(SMALL_FILES, Math.floor(chunks / 2));
  const lengths = Array.from({ length: small }, () => 1);
  for (let left = chunks - small; left > 0; left -= CHUNKS_PER_FILE) lengths.push(Math.min(CHUNKS_PER_FILE, left));
  return lengths.map((length, index) => ({
    kind: 'file',
    path: `base/${String(16_384 + index)}`,
    mode: 0o600,
    uid: 26,
    gid: 26,
    bytes: length * CHUNK_BYTES,
    mtime: '1795457700000000000',
    ctime: '1795457700000000000',
    inode: String(index),
  }));
}

interface Place {
  readonly cluster: string;
  readonly number: number;
  readonly at: Date;
  readonly chunksPerBackup: number;
  readonly fresh: number;
}

function headOf(golden: Manifest['head'], { cluster, number, at, chunksPerBackup, fresh }: Place): Manifest['head'] {
  const started = at.toISOString();
  const start = walStart(number) + 40n;
  const id = `${started.slice(0, 19).replaceAll(/[-:]/g, '')}Z-${number.toString(16).padStart(8, '0')}`;
  return {
    ...golden,
    backup_label: `START WAL LOCATION: ${formatLsn(lsn(start))} (file ${segmentName(TIMELINE, lsn(walStart(number)), SEGMENT)})\nCHECKPOINT LOCATION: ${formatLsn(lsn(start))}\nBACKUP METHOD: streamed\nBACKUP FROM: primary\nSTART TIME: ${started}\nLABEL: spillway\nSTART TIMELINE: 1\n`,
    tablespace_map: '',
    summary: {
      ...golden.summary,
      id,
      cluster,
      type: number === 0 ? 'full' : 'incremental',
      started_at: started,
      finished_at: new Date(at.getTime() + 60_000).toISOString(),
      system_identifier: SYSTEM,
      postgres_version: 150_018,
      start_lsn: formatLsn(lsn(start)),
      stop_lsn: formatLsn(lsn(start + 4096n)),
      wal_segment_bytes: SEGMENT,
      files: entriesOf(chunksPerBackup).length,
      bytes: chunksPerBackup * CHUNK_BYTES,
      read_bytes: fresh * CHUNK_BYTES,
      new_bytes: fresh * CHUNK_BYTES,
      stored_bytes: fresh * STORED_BYTES,
      chunks: chunksPerBackup,
      new_chunks: fresh,
      damaged_pages: [],
      damaged_page_count: 0,
      tablespaces: [],
    },
  };
}

/** Where the WAL of a backup begins. */
const walStart = (number: number): bigint => BigInt(2 + number * SEGMENTS_PER_BACKUP) * BigInt(SEGMENT);

async function writeSystem(repository: Repository, cluster: string, now: Date): Promise<void> {
  const record = { system_identifier: SYSTEM, wal_segment_bytes: SEGMENT, recorded_at: now.toISOString() };
  await repository.write('system', systemName(cluster, SYSTEM), [Buffer.from(JSON.stringify(record))]);
}

/** Whole segments of zeros, which take next to nothing. */
async function writeWal(repository: Repository, cluster: string, number: number, at: Date): Promise<void> {
  const segments = Array.from({ length: SEGMENTS_PER_BACKUP }, (_, index) => index);
  for (let from = 0; from < segments.length; from += AT_ONCE) {
    await Promise.all(
      segments.slice(from, from + AT_ONCE).map((index) => {
        const start = walStart(number) + BigInt(index) * BigInt(SEGMENT);
        const stamp = {
          system_identifier: SYSTEM,
          timeline: 1,
          segment_bytes: SEGMENT,
          start_lsn: formatLsn(lsn(start)),
          end_lsn: formatLsn(lsn(start + BigInt(SEGMENT))),
          sent_at: at.toISOString(),
        };
        const name = `${walPrefix(cluster, SYSTEM)}00000001/${segmentName(TIMELINE, lsn(start), SEGMENT)}`;
        return repository.write('walSegment', name, [Buffer.from(JSON.stringify(stamp)), ...ZEROS]);
      }),
    );
  }
}
