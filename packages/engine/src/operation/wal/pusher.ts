// One file of WAL, from the server's pg_wal into the repository: what `wal push` does for the file it was asked for, and for
// each that waits behind it.
//
// 1. What the file is follows from its name; a segment's head must agree with the name, the data directory it lies in, and
//    the system that the cluster's name stands for. The first push of a cluster makes that known, as a receiver does.
// 2. It is stored, part by part, before `push` returns. The same content again is success, other content SPW_WAL_CONFLICT.
//    Pieces that a receiver left of the segment are compared with it and then removed.
// Invariant: success, and a mark, mean that the repository holds the file's content durably.

import type { BigIntStats } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import { parseControlFile } from '../../postgres/control.ts';
import {
  historyName,
  type Lsn,
  parseSegmentName,
  type SegmentSize,
  segmentSize,
  type TimelineId,
} from '../../postgres/lsn.ts';
import { parseHistory } from '../../postgres/timeline.ts';
import { checkSegmentHeader } from '../../postgres/walrecord.ts';
import type { Repository } from '../../repository/repository.ts';
import { admitSystem, listSystems } from '../system.ts';
import { type StoredObject, WalArchive } from './archive.ts';
import { completeSegment } from './complete.ts';
import type { WalFileName } from './file-name.ts';
import { writeMark } from './push-mark.ts';
import { unreadable, WalFile } from './wal-file.ts';

const LONG_HEAD_BYTES = 40;
export interface PushOptions {
  readonly repository: Repository;
  readonly cluster: string;
  /** As PostgreSQL's %p, absolute. */
  readonly path: string;
  /** The folder the command was called in: PostgreSQL calls it in the data directory, whose control file tells its system. */
  readonly dataDirectory: string;
  /** Where marks are kept; beside the segments by default. */
  readonly spoolDirectory?: string;
  readonly ahead?: number;
  /** zstd level of segments. */
  readonly compressionLevel?: number;
  readonly newSystem?: boolean;
  readonly signal?: AbortSignal;
  readonly report: Report;
  /** Told of each file that is durable, with how it was when it was read, before its mark is written. Must not throw. */
  readonly onStored?: (name: string, before: FileIdentity, objects: readonly StoredObject[]) => Promise<void>;
}

/** `stored` by this call, or `there` already with the same content. */
export type PushOutcome = 'stored' | 'there';

/** Whether an error is the one file's: then the next file may do better. */
export const isOfFile = (error: unknown): boolean =>
  isSpillwayError(error, 'SPW_WAL_INVALID', 'SPW_WAL_CONFLICT', 'SPW_OBJECT_DAMAGED', 'SPW_DATA_DIRECTORY');

/** How a file was when it was read. */
export type FileIdentity = Pick<BigIntStats, 'dev' | 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>;

interface Stored {
  /** All that hold the file. */
  readonly objects: readonly StoredObject[];
  readonly created: boolean;
}

export interface StoredFile extends Stored {
  readonly before: FileIdentity;
}

/** Marks a file that is durable. A mark that cannot be written costs a second look, no more. */
export async function markStored(
  { path, cluster, spoolDirectory, onStored }: Pick<PushOptions, 'path' | 'cluster' | 'spoolDirectory' | 'onStored'>,
  name: string,
  { before, objects }: StoredFile,
): Promise<void> {
  await onStored?.(name, before, objects);
  const place = join(dirname(path), name);
  const marked = { path: place, cluster, ...(spoolDirectory === undefined ? {} : { spoolDirectory }) };
  await writeMark(marked, before, objects).catch(() => undefined);
}

export class Pusher {
  readonly #options: PushOptions;
  readonly #control: Promise<{ readonly system: string; readonly size: SegmentSize } | undefined>;
  readonly #admitted = new Map<string, Promise<void>>();
  readonly #histories = new Map<TimelineId, Promise<void>>();
  /** For parts of segments; those that nobody uses. */
  readonly #buffers: Buffer[] = [];

  constructor(options: PushOptions) {
    this.#options = options;
    this.#control = readControl(options.dataDirectory);
    this.#control.catch(() => undefined);
  }

  /** Durable, and marked, when it returns. Names the file in whatever it throws. */
  async push(file: WalFileName): Promise<PushOutcome> {
    const stored = await this.store(file);
    await markStored(this.#options, file.name, stored);
    return stored.created ? 'stored' : 'there';
  }

  /** The same without a mark. */
  async store(file: WalFileName): Promise<StoredFile> {
    const place = join(dirname(this.#options.path), file.name);
    try {
      await using content = await WalFile.open(place);
      return { before: content.stat, ...(await this.#store(file, content)) };
    } catch (error) {
      if (!isSpillwayError(error) || error.message.includes(file.name)) throw error;
      throw new SpillwayError(error.code, `the WAL file ${file.name} was not pushed`, {
        why: error.why === undefined ? error.message : `${error.message}: ${error.why}`,
        hint: error.hint,
        cause: error,
      });
    }
  }

  async #store(file: WalFileName, content: WalFile): Promise<Stored> {
    const { signal } = this.#options;
    const { timeline, name } = file;
    const sentAt = new Date(Number(content.stat.mtimeMs));
    if (file.kind === 'history') {
      const bytes = await content.read(0, content.bytes);
      parseHistory(bytes, timeline);
      const archive = await this.#archiveOfDirectory(name);
      const existed = (await archive.stat(timeline, name, signal)) !== undefined;
      await archive.writeHistory(timeline, bytes, signal);
      const object = await archive.stat(timeline, name, signal);
      if (object === undefined) throw new SpillwayError('SPW_OBJECT_MISSING', `${name} is gone again`);
      return { objects: [object], created: !existed };
    }
    if (file.kind === 'backup') {
      const bytes = await content.read(0, content.bytes);
      if (!bytes.subarray(0, 19).equals(Buffer.from('START WAL LOCATION:'))) {
        throw invalid(name, 'it does not begin with START WAL LOCATION');
      }
      const archive = await this.#archiveOfDirectory(name);
      const written = await archive.writeBeside({ kind: 'walBackup', timeline, name }, bytes, signal);
      return { objects: [written.object], created: written.created };
    }
    const { archive, start } = await this.#checkSegment(file, content);
    await this.#ensureHistory(archive, timeline);
    if (file.kind === 'partial') {
      const bytes = await content.read(0, content.bytes);
      const written = await archive.writeBeside({ kind: 'walPartial', timeline, name }, bytes, signal);
      return { objects: [written.object], created: written.created };
    }
    const buffer = this.#buffers.pop() ?? Buffer.allocUnsafeSlow(archive.partBytes);
    const read = async (from: Lsn, to: Lsn): Promise<Uint8Array> => {
      const into = to - from <= buffer.length ? buffer : undefined;
      const bytes = await content.read(Number(from - start), Number(to - start), into);
      if (BigInt(bytes.byteLength) !== to - from) throw invalid(name, 'it became shorter while it was read');
      return bytes;
    };
    try {
      return await completeSegment(archive, timeline, start, read, sentAt, signal);
    } finally {
      this.#buffers.push(buffer);
    }
  }

  /** The archive that the segment belongs to, as its own head and the data directory say together. */
  async #checkSegment(
    { name, timeline, segment = '' }: WalFileName,
    content: WalFile,
  ): Promise<{ readonly archive: WalArchive; readonly start: Lsn }> {
    const head = await content.read(0, LONG_HEAD_BYTES);
    if (head.byteLength < LONG_HEAD_BYTES) throw invalid(name, `it has only ${head.byteLength} bytes`);
    const control = await this.#control;
    const size = control?.size ?? segmentSize(head.readUInt32LE(32));
    if (content.bytes !== size) throw invalid(name, `it has ${content.bytes} bytes, and a segment has ${size}`);
    const parsed = parseSegmentName(segment, size);
    if (parsed === undefined) throw invalid(name, `with segments of ${size} bytes there is no such name`);
    const systemIdentifier = control?.system ?? head.readBigUInt64LE(24).toString();
    checkSegmentHeader(head, { systemIdentifier, timeline, start: parsed.start, segmentSize: size });
    return { archive: await this.#admit(systemIdentifier, size), start: parsed.start };
  }

  /** The history before the first WAL of its timeline: without it no restore finds the way there. */
  async #ensureHistory(archive: WalArchive, timeline: TimelineId): Promise<void> {
    if (timeline === 1) return;
    let ensured = this.#histories.get(timeline);
    if (ensured === undefined) this.#histories.set(timeline, (ensured = this.#storeHistory(archive, timeline)));
    await ensured;
  }

  async #storeHistory(archive: WalArchive, timeline: TimelineId): Promise<void> {
    const { path, report, signal } = this.#options;
    const name = historyName(timeline);
    const content = await readFile(join(dirname(path), name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw unreadable(name, error);
    });
    if (content !== undefined) {
      parseHistory(content, timeline);
      await archive.writeHistory(timeline, content, signal);
    } else if ((await archive.stat(timeline, name, signal)) === undefined) {
      report({
        type: 'notice',
        level: 'warning',
        message: `${name} is neither in the repository nor beside the WAL of its timeline: until it is pushed, that WAL cannot be restored.`,
      });
    }
  }

  /** For files that do not say themselves which system they are of. */
  async #archiveOfDirectory(name: string): Promise<WalArchive> {
    const { repository, cluster, dataDirectory, signal } = this.#options;
    const control = await this.#control;
    if (control !== undefined) return this.#admit(control.system, control.size);
    const latest = (await listSystems(repository, cluster, signal)).at(-1);
    if (latest === undefined) {
      throw new SpillwayError('SPW_DATA_DIRECTORY', `the WAL file ${name} was not pushed`, {
        why: `${dataDirectory} has no global/pg_control, and nothing else tells which system the file is of`,
        hint: 'call it in the data directory, as PostgreSQL does with archive_command',
      });
    }
    return this.#archive(latest.system_identifier, segmentSize(latest.wal_segment_bytes));
  }

  async #admit(systemIdentifier: string, size: SegmentSize): Promise<WalArchive> {
    const { repository, cluster } = this.#options;
    let admitted = this.#admitted.get(systemIdentifier);
    if (admitted === undefined) {
      admitted = admitSystem(repository, cluster, { systemIdentifier, segmentBytes: size }, this.#options);
      this.#admitted.set(systemIdentifier, admitted);
    }
    await admitted;
    return this.#archive(systemIdentifier, size);
  }

  #archive(systemIdentifier: string, size: SegmentSize): WalArchive {
    const { repository, cluster, compressionLevel } = this.#options;
    return new WalArchive(repository, cluster, systemIdentifier, size, { compressionLevel });
  }
}

/** Undefined where the folder is no data directory; where it is one, its identifier is what the segments must have. */
async function readControl(
  dataDirectory: string,
): Promise<{ readonly system: string; readonly size: SegmentSize } | undefined> {
  const read = async (): Promise<Buffer | undefined> =>
    readFile(join(dataDirectory, 'global/pg_control')).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw unreadable('global/pg_control', error);
    });
  for (let tries = 1; ; tries++) {
    const bytes = await read();
    if (bytes === undefined) return undefined;
    try {
      const { systemIdentifier, walSegmentSize } = parseControlFile(bytes);
      return { system: systemIdentifier, size: walSegmentSize };
    } catch (error) {
      // Caught while it was being written: the next look sees it whole.
      if (tries === 3) throw error;
    }
  }
}

const invalid = (name: string, why: string): SpillwayError =>
  new SpillwayError('SPW_WAL_INVALID', `the WAL file ${name} is not what its name says`, { why });
