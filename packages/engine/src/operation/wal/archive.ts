// A cluster's WAL in the repository: finished segments, pieces of segments in progress, and timeline history files.
//
//   clusters/<name>/wal/<system identifier>/<timeline>/<segment>                a segment
//   clusters/<name>/wal/<system identifier>/<timeline>/<segment>.<from>-<to>    a piece: bytes [from, to) of one
//   clusters/<name>/wal/<system identifier>/<timeline>/<timeline>.history       as PostgreSQL wrote it
//   …/<segment>.<offset>.backup, …/<segment>.partial                            as PostgreSQL archives them
//   …/<from>-<to>.gap                                                           why WAL is missing (`gap-record.ts`)
//
// 1. The first frame of a segment or piece is its `WalStamp`; the others are its bytes. A list of names tells which WAL
//    there is; only the time of the last commit needs a look inside.
// 2. A name never gets other content: the same bytes again are success, other bytes are SPW_WAL_CONFLICT.
// 3. A part of a segment, which is all of it up to 16 MiB and 8 MiB of a larger one, replaces what was stored piece by
//    piece of it: those pieces are removed once it is durable and found to agree with them. Parts are pieces, and stay.
// 4. A `.partial` segment stands beside everything else: no restore takes it for the segment.

import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { type Compression, type CompressionLevel, damaged } from '../../codec/seal.ts';
import { walPrefix, WAL_PART_BYTES } from '../../format/names.ts';
import {
  formatLsn,
  historyName,
  type Lsn,
  lsn,
  parseHistoryName,
  parseLsn,
  parseSegmentName,
  type SegmentSize,
  segmentEnd,
  segmentName,
  segmentStart,
  type TimelineId,
  timelineId,
} from '../../postgres/lsn.ts';
import { readFirstFrame } from '../../repository/first-frame.ts';
import { readFrames } from '../../repository/frames.ts';
import type { Repository } from '../../repository/repository.ts';
import { coverage, covers } from './interval.ts';
import { removeIfPermitted } from '../../storage/permitted.ts';

export const WAL_COMPRESSION_LEVEL_DEFAULT: CompressionLevel = 1;

/** zstd 1 takes no match of fewer than 7 bytes, and WAL has many: with those of 5 it is as small as level 3, and twice as fast. */
export const walCompression = (level: CompressionLevel): Compression =>
  level === 1 ? { level, minMatch: 5, windowLog: 21 } : { level };

/** zstd wants room for what does not compress: in frames of this size that is a megabyte at a time. */
export const WAL_FRAME_BYTES = 1024 * 1024;
/** A larger segment is stored in parts: what has to be in memory does not grow with it. */
const WHOLE_BYTES_MAX = 16 * 1024 * 1024;

/** What a WAL object says of itself. */
export interface WalStamp {
  readonly system_identifier: string;
  readonly timeline: number;
  readonly segment_bytes: number;
  readonly start_lsn: string;
  readonly end_lsn: string;
  /** The server's clock when it sent the last of these bytes; RFC 3339. */
  readonly sent_at: string;
}

/** Bytes [start, end) of a timeline, in one object. */
export interface WalObject {
  readonly name: string;
  readonly kind: 'segment' | 'piece';
  readonly timeline: TimelineId;
  readonly start: Lsn;
  readonly end: Lsn;
  readonly storedBytes: number;
}

/** A file that PostgreSQL archives and never reads back by itself. */
export interface BesideFile {
  readonly kind: 'walBackup' | 'walPartial' | 'walGap';
  readonly timeline: TimelineId;
  /** As PostgreSQL names it. */
  readonly name: string;
}

export interface StoredObject {
  readonly name: string;
  readonly storedBytes: number;
}

/** All WAL of one system identifier, by timeline and ordered by start; and the timelines' history files. */
export interface WalCatalog {
  readonly objects: ReadonlyMap<TimelineId, readonly WalObject[]>;
  readonly histories: ReadonlySet<TimelineId>;
}

export class WalArchive {
  readonly #repository: Repository;
  readonly #prefix: string;
  readonly #compression: Compression;
  readonly systemIdentifier: string;
  readonly segmentSize: SegmentSize;
  /** Segments are stored in parts of this size, which divides theirs; or whole, where it is theirs. */
  readonly partBytes: number;

  constructor(
    repository: Repository,
    cluster: string,
    systemIdentifier: string,
    size: SegmentSize,
    options: { readonly partBytes?: number; readonly compressionLevel?: CompressionLevel | undefined } = {},
  ) {
    this.#repository = repository;
    this.#prefix = walPrefix(cluster, systemIdentifier);
    this.systemIdentifier = systemIdentifier;
    this.segmentSize = size;
    this.partBytes = options.partBytes ?? (size > WHOLE_BYTES_MAX ? WAL_PART_BYTES : size);
    this.#compression = walCompression(options.compressionLevel ?? WAL_COMPRESSION_LEVEL_DEFAULT);
  }

  /** Holds everything that was durable when it began, also what is replaced meanwhile: see `#onceMore`. */
  async catalog(signal?: AbortSignal): Promise<WalCatalog> {
    const objects = new Map<TimelineId, Map<string, WalObject>>();
    const histories = new Set<TimelineId>();
    const take = async (prefix: string): Promise<void> => {
      for await (const { name, bytes } of this.#repository.storage.list(prefix, signal && { signal })) {
        const fileName = name.slice(name.lastIndexOf('/') + 1);
        const history = parseHistoryName(fileName);
        if (history !== undefined) histories.add(history);
        const object = this.#parse(name, fileName, bytes);
        if (object === undefined) continue;
        const ofTimeline = objects.get(object.timeline);
        if (ofTimeline === undefined) objects.set(object.timeline, new Map([[name, object]]));
        else ofTimeline.set(name, object);
      }
    };
    await take(this.#prefix);
    for (const timeline of histories) if (!objects.has(timeline)) await take(this.#name(timeline, ''));
    const ordered = new Map<TimelineId, readonly WalObject[]>();
    for (const [timeline, ofTimeline] of objects) {
      ordered.set(timeline, await this.#onceMore(timeline, ofTimeline, signal));
    }
    return { objects: ordered, histories };
  }

  /**
   * Looks again where WAL begins and ends. A list takes a while: it may pass the place of a segment before that is there, and the
   * places of its pieces when they are gone. But then the segment was durable before the list ended.
   */
  async #onceMore(
    timeline: TimelineId,
    objects: Map<string, WalObject>,
    signal: AbortSignal | undefined,
  ): Promise<readonly WalObject[]> {
    const looked = new Set<Lsn>();
    for (;;) {
      const ordered = [...objects.values()].toSorted(byStart);
      const next = coverage(ordered)
        .flatMap(({ start, end }) => (start === 0n ? [end] : [lsn(start - 1n), end]))
        .map((at) => segmentStart(at, this.segmentSize))
        .find((start) => !looked.has(start));
      if (next === undefined) return ordered;
      looked.add(next);
      for (const object of await this.find(timeline, next, signal)) objects.set(object.name, object);
    }
  }

  /** What there is of the segment that begins at `start`: itself, or its pieces. */
  async find(timeline: TimelineId, start: Lsn, signal?: AbortSignal): Promise<readonly WalObject[]> {
    const prefix = this.#name(timeline, segmentName(timeline, start, this.segmentSize));
    const found = new Map<string, WalObject>();
    const end = segmentEnd(start, this.segmentSize);
    let ordered: readonly WalObject[] = [];
    // Twice where not all of it is seen: as in `#onceMore`, pieces may go while they are listed.
    for (let looks = 0; looks < 2 && !covers(ordered, start, end); looks++) {
      for await (const { name, bytes } of this.#repository.storage.list(prefix, signal && { signal })) {
        const object = this.#parse(name, name.slice(name.lastIndexOf('/') + 1), bytes);
        if (object !== undefined) found.set(name, object);
      }
      ordered = [...found.values()].toSorted(byStart);
    }
    return ordered;
  }

  /** What the object says of itself; nothing more of it is read. */
  async readStamp(object: WalObject, signal?: AbortSignal): Promise<WalStamp> {
    const place = { name: object.name, bytes: object.storedBytes };
    return parseStamp(object, await readFirstFrame(this.#repository, kindOf(object), place, signal));
  }

  /** Its bytes from `from` on, in order, a few at a time. Whoever takes them owns them. */
  async *readBytes(object: WalObject, from = object.start, signal?: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const place = { name: object.name, bytes: object.storedBytes };
    const skip = Number(from - object.start);
    let end = 0;
    let isFirst = true;
    const frames = readFrames(this.#repository, kindOf(object), place, { skip, ...(signal && { signal }) });
    for await (const { offset, plain } of frames) {
      if (isFirst) {
        parseStamp(object, plain);
        isFirst = false;
        continue;
      }
      end = offset + plain.byteLength;
      if (BigInt(end) > object.end - object.start) break;
      if (end > skip) yield plain.subarray(Math.max(0, skip - offset));
    }
    if (BigInt(end) !== object.end - object.start) throw otherWal(object);
  }

  /** All of an object that is known to be small. */
  async read(object: WalObject, signal?: AbortSignal): Promise<Buffer> {
    return Buffer.concat(await Array.fromAsync(this.readBytes(object, object.start, signal)));
  }

  /** Durable when it returns; `bytes` from the start of a segment, or a part of one. */
  async write(
    timeline: TimelineId,
    start: Lsn,
    bytes: Uint8Array,
    sentAt: Date,
    signal?: AbortSignal,
  ): Promise<{ readonly object: WalObject; readonly created: boolean }> {
    const size = BigInt(this.segmentSize);
    const end = lsn(start + BigInt(bytes.byteLength));
    const kind = start % size === 0n && end - start === size ? 'segment' : 'piece';
    const segment = segmentName(timeline, start, this.segmentSize);
    const from = Number(start % size);
    const fileName = kind === 'segment' ? segment : `${segment}.${hex(from)}-${hex(from + bytes.byteLength)}`;
    const name = this.#name(timeline, fileName);
    const stamp: WalStamp = {
      system_identifier: this.systemIdentifier,
      timeline,
      segment_bytes: this.segmentSize,
      start_lsn: formatLsn(start),
      end_lsn: formatLsn(end),
      sent_at: sentAt.toISOString(),
    };
    const frames: Uint8Array[] = [Buffer.from(JSON.stringify(stamp))];
    for (let at = 0; at < bytes.byteLength; at += WAL_FRAME_BYTES)
      frames.push(bytes.subarray(at, at + WAL_FRAME_BYTES));
    const { outcome, storedBytes } = await this.#repository.write(
      kind === 'segment' ? 'walSegment' : 'walPiece',
      name,
      frames,
      { compression: this.#compression, ...(signal && { signal }) },
    );
    // What is there already may have been compressed otherwise.
    const there = outcome === 'exists' ? await this.#repository.storage.stat(name, signal && { signal }) : undefined;
    const object: WalObject = { name, kind, timeline, start, end, storedBytes: there?.bytes ?? storedBytes };
    if (outcome === 'exists' && !(await this.read(object, signal)).equals(bytes)) {
      throw new SpillwayError('SPW_WAL_CONFLICT', `WAL ${fileName} was refused`, {
        why: 'the repository holds WAL of that name with other content',
      });
    }
    return { object, created: outcome === 'created' };
  }

  /** For pieces of which every byte is durable in another object, and found to be the same there. */
  async remove(pieces: readonly WalObject[], signal?: AbortSignal): Promise<void> {
    const gone = pieces.filter(({ kind }) => kind === 'piece');
    for (const piece of gone) {
      // One that was locked because it is as long as a part is put out of sight. The last one makes all of them last.
      const options = { hide: true, soon: piece !== gone.at(-1), ...(signal && { signal }) };
      await removeIfPermitted(this.#repository.storage, piece.name, options);
    }
  }

  /** Undefined where the repository has none. */
  async readHistory(timeline: TimelineId, signal?: AbortSignal): Promise<Buffer | undefined> {
    try {
      const name = this.#name(timeline, historyName(timeline));
      return Buffer.concat(await this.#repository.read('walHistory', name, signal));
    } catch (error) {
      if (isSpillwayError(error, 'SPW_OBJECT_MISSING')) return undefined;
      throw error;
    }
  }

  /** Refuses a history that differs from the one there: two servers were promoted to one timeline number. */
  async writeHistory(timeline: TimelineId, content: Uint8Array, signal?: AbortSignal): Promise<void> {
    const fileName = historyName(timeline);
    const name = this.#name(timeline, fileName);
    const { outcome } = await this.#repository.write('walHistory', name, [content], signal && { signal });
    if (outcome === 'exists' && !(await this.readHistory(timeline, signal))?.equals(content)) {
      throw new SpillwayError('SPW_WAL_CONFLICT', `${fileName} was refused`, {
        why: `the repository holds another history of timeline ${timeline}: two servers were promoted to the same timeline`,
      });
    }
  }

  /** A `.backup` or `.partial` file. Durable when it returns; other content under a name that is taken is refused. */
  async writeBeside(
    file: BesideFile,
    content: Uint8Array,
    signal?: AbortSignal,
  ): Promise<{ readonly object: StoredObject; readonly created: boolean }> {
    const name = this.#name(file.timeline, file.name);
    const frames: Uint8Array[] = [];
    for (let at = 0; at < content.byteLength || at === 0; at += WAL_FRAME_BYTES) {
      frames.push(content.subarray(at, at + WAL_FRAME_BYTES));
    }
    const { outcome, storedBytes } = await this.#repository.write(file.kind, name, frames, signal && { signal });
    if (outcome === 'exists' && !(await this.readBeside(file, signal))?.equals(content)) {
      throw new SpillwayError('SPW_WAL_CONFLICT', `${file.name} was refused`, {
        why: 'the repository holds a file of that name with other content',
      });
    }
    return { object: { name, storedBytes }, created: outcome === 'created' };
  }

  /** Undefined where the repository has none. */
  async readBeside(file: BesideFile, signal?: AbortSignal): Promise<Buffer | undefined> {
    try {
      return Buffer.concat(await this.#repository.read(file.kind, this.#name(file.timeline, file.name), signal));
    } catch (error) {
      if (isSpillwayError(error, 'SPW_OBJECT_MISSING')) return undefined;
      throw error;
    }
  }

  /** Everything that is neither a segment nor a piece. */
  async *listBeside(signal?: AbortSignal): AsyncIterable<
    (BesideFile | { readonly kind: 'walHistory'; readonly timeline: TimelineId; readonly name: string }) & {
      readonly object: StoredObject;
    }
  > {
    for await (const { name, bytes } of this.#repository.storage.list(this.#prefix, signal && { signal })) {
      const [, folder = '', file = '', suffix = ''] =
        /([0-9A-F]{8})\/([^/]+\.(history|backup|partial|gap))$/.exec(name) ?? [];
      const kind = besideKinds.get(suffix);
      if (kind === undefined) continue;
      const object = { name, storedBytes: bytes };
      yield { kind, timeline: timelineId(Number.parseInt(folder, 16)), name: file, object };
    }
  }

  /** What is stored under PostgreSQL's name of a file; undefined where nothing is. */
  async stat(timeline: TimelineId, fileName: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    const found = await this.#repository.storage.stat(this.#name(timeline, fileName), signal && { signal });
    return found && { name: found.name, storedBytes: found.bytes };
  }

  #name(timeline: TimelineId, fileName: string): string {
    return `${this.#prefix}${hex(timeline)}/${fileName}`;
  }

  #parse(name: string, fileName: string, storedBytes: number): WalObject | undefined {
    const match = /^([0-9A-F]{24})(?:\.([0-9A-F]{8})-([0-9A-F]{8}))?$/.exec(fileName);
    const segment = match?.[1] === undefined ? undefined : parseSegmentName(match[1], this.segmentSize);
    if (match === null || segment === undefined) return undefined;
    const { timeline, start } = segment;
    const [, , from, to] = match;
    if (from === undefined || to === undefined) {
      return { name, kind: 'segment', timeline, start, end: lsn(start + BigInt(this.segmentSize)), storedBytes };
    }
    const at = (offset: string): Lsn => lsn(start + BigInt(`0x${offset}`));
    return { name, kind: 'piece', timeline, start: at(from), end: at(to), storedBytes };
  }
}

const besideKinds = new Map<string, BesideFile['kind'] | 'walHistory'>([
  ['history', 'walHistory'],
  ['backup', 'walBackup'],
  ['partial', 'walPartial'],
  ['gap', 'walGap'],
]);

const kindOf = ({ kind }: WalObject): 'walSegment' | 'walPiece' => (kind === 'segment' ? 'walSegment' : 'walPiece');

function parseStamp(object: WalObject, frame: Uint8Array): WalStamp {
  const stamp = JSON.parse(Buffer.from(frame).toString('utf8')) as WalStamp;
  if (parseLsn(stamp.start_lsn) !== object.start) throw otherWal(object);
  return stamp;
}

const otherWal = ({ name }: WalObject): SpillwayError => damaged(name, 'it holds other WAL than its name says');

const hex = (value: number): string => value.toString(16).toUpperCase().padStart(8, '0');

const byStart = (a: WalObject, b: WalObject): number =>
  a.start === b.start ? Number(b.end - a.end) : a.start < b.start ? -1 : 1;
