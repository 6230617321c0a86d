// Reads WAL: the heads of segments, the records, and the few records that recovery targets speak of.
//
// 1. WAL is pages of 8 KiB, each with a head that names its version, timeline and address; the first page of a segment
//    has a longer one with the system identifier and the sizes. A page whose address is not its own is an old one that
//    was recycled: there WAL ends.
// 2. A record begins at a multiple of eight and goes on behind the head of the next page, over segments too. One that
//    lies in a single page is a slice of what was given; only the others are copied together.
// 3. The end of WAL is where no record can be: a length of zero, a link to the previous record that does not fit, a
//    continuation that does not fit. A record whose CRC is wrong is given as such, and is the last.
// Positions are plain numbers inside (exact up to 8 PiB of WAL), Lsn outside.
// Sources: src/include/access/{xlog_internal,xlogrecord,xact}.h, src/backend/access/transam/xlogreader.c

import { SpillwayError } from '@spillway/contract';
import { fromTimestamp } from './copyframes.ts';
import { crc32cFinish, crc32cStart, crc32cUpdate } from './crc32c.ts';
import { formatLsn, lsn, segmentName, segmentSize, type Lsn, type SegmentSize, type TimelineId } from './lsn.ts';
import { u32, u64, u8 } from './record-fields.ts';

export interface WalRecord {
  readonly lsn: Lsn;
  /** Where the next record can begin: rounded up to eight; after a switch the start of the next segment. */
  readonly endLsn: Lsn;
  readonly previousLsn: Lsn;
  /** Bytes of the whole record. */
  readonly length: number;
  /** 0 is XLOG, 1 is Transaction: src/include/access/rmgrlist.h */
  readonly resourceManager: number;
  readonly info: number;
  /** 0 for none. */
  readonly xid: number;
  readonly crcOk: boolean;
  /** The major version that wrote it. */
  readonly major: number;
  /** The main data: what belongs to no page. A view of what was given where the record lies in one page. */
  readonly data: Uint8Array;
  /** The whole record, its head first; a view as well. */
  readonly bytes: Uint8Array;
}

export interface WalChunk {
  /** A multiple of 8 KiB. Each chunk but the last is whole pages, and the next one goes on where it ends. */
  readonly start: Lsn;
  /** Its records are views of it; once the next chunk is asked for nothing else needs it. */
  readonly bytes: Uint8Array;
}

export interface SegmentExpectation {
  readonly systemIdentifier: string;
  readonly timeline: TimelineId;
  readonly start: Lsn;
  readonly segmentSize: SegmentSize;
  /** Any of 15 to 18 if not given. */
  readonly postgresMajor?: number;
}

/**
 * Checks that `bytes`, the beginning of a segment, is what it ought to be. Throws SPW_WAL_INVALID. The timeline in the
 * head may be an earlier one: the segment in which a timeline begins starts with bytes of the old one.
 */
export function checkSegmentHeader(bytes: Uint8Array, expected: SegmentExpectation): void {
  const refuse = (why: string): never => {
    const name = segmentName(expected.timeline, expected.start, expected.segmentSize);
    throw new SpillwayError('SPW_WAL_INVALID', `the WAL segment ${name} is not what its name says`, { why });
  };
  if (bytes.byteLength < LONG_HEAD) return refuse(`it has only ${bytes.byteLength} bytes`);
  const view = viewOf(bytes);
  const magic = view.getUint16(0, true);
  const major = majors.get(magic);
  if (major === undefined || major !== (expected.postgresMajor ?? major)) {
    return refuse(
      `its page magic ${magic.toString(16)} is not that of PostgreSQL ${expected.postgresMajor ?? '15 to 18'}`,
    );
  }
  if ((view.getUint16(2, true) & FLAG_LONG_HEAD) === 0) return refuse('it has no long page head');
  const timeline = view.getUint32(4, true);
  if (timeline > expected.timeline || timeline === 0) return refuse(`it belongs to timeline ${timeline}`);
  const address = lsn(view.getBigUint64(8, true));
  if (address !== expected.start) return refuse(`its address is ${formatLsn(address)}`);
  const system = view.getBigUint64(24, true).toString();
  if (system !== expected.systemIdentifier) return refuse(`it was written by the system ${system}`);
  const size = view.getUint32(32, true);
  if (size !== expected.segmentSize) return refuse(`its segment size is ${size}`);
  const pageSize = view.getUint32(36, true);
  if (pageSize !== PAGE) return refuse(`its page size is ${pageSize}`);
}

/** The records from `startLsn` on, until WAL or what was given ends. `startLsn` is that of a record or of a page. */
export function* records(read: Iterable<WalChunk>, startLsn: Lsn): Generator<WalRecord, void, undefined> {
  const reader = new RecordReader(Number(startLsn));
  for (const chunk of read) {
    yield* reader.feed(chunk);
    if (reader.ended) return;
  }
}

/** The same over chunks that have to be waited for. */
export async function* recordsOf(
  read: AsyncIterable<WalChunk>,
  startLsn: Lsn,
): AsyncGenerator<WalRecord, void, undefined> {
  for await (const some of recordsByChunk(read, startLsn)) yield* some;
}

/**
 * The same, those that end in one chunk at a time, each to be gone through before the next: to wait for each record by
 * itself takes longer than to read it.
 */
export async function* recordsByChunk(
  read: AsyncIterable<WalChunk>,
  startLsn: Lsn,
): AsyncGenerator<Iterable<WalRecord>, void, undefined> {
  const reader = new RecordReader(Number(startLsn));
  for await (const chunk of read) {
    yield reader.feed(chunk);
    if (reader.ended) return;
  }
}

export interface TransactionEnd {
  /** Of the top-level transaction; of the prepared one for COMMIT PREPARED and ROLLBACK PREPARED. */
  readonly xid: number;
  /** By the clock of the server, which may step back. */
  readonly at: Date;
  /** The same moment in microseconds since 1970, as exact as PostgreSQL compares it. */
  readonly atMicros: bigint;
  readonly kind: 'commit' | 'abort';
}

/** The record that `bytes` are, wherever they are from. */
export const readRecord = (bytes: Uint8Array, place: Lsn, major: number): WalRecord =>
  new ReadRecord(bytes, Number(place), Number(place) + align(bytes.byteLength), major, segmentSize(16 * 1024 * 1024));

/** What the record says of the end of a transaction; undefined where it is about something else. */
export function commitTime(record: WalRecord): TransactionEnd | undefined {
  if (record.resourceManager !== RM_XACT || record.data.byteLength < 8) return undefined;
  const kind = transactionEnds.get(record.info & XACT_OPERATION);
  if (kind === undefined) return undefined;
  const timestamp = viewOf(record.data).getBigInt64(0, true);
  const atMicros = timestamp + POSTGRES_EPOCH_MICROS;
  return { xid: preparedXid(record) ?? record.xid, at: fromTimestamp(timestamp), atMicros, kind };
}

/** The name and time of a restore point (pg_create_restore_point); undefined where the record is none. */
export function restorePointName(record: WalRecord): { readonly name: string; readonly at: Date } | undefined {
  if (record.resourceManager !== RM_XLOG || (record.info & INFO_OPERATION) !== XLOG_RESTORE_POINT) return undefined;
  const name = record.data.subarray(8);
  const end = name.indexOf(0);
  return {
    name: new TextDecoder().decode(end === -1 ? name : name.subarray(0, end)),
    at: fromTimestamp(viewOf(record.data).getBigInt64(0, true)),
  };
}

/** PostgreSQL counts from 2000. */
const POSTGRES_EPOCH_MICROS = BigInt(Date.UTC(2000, 0, 1)) * 1000n;

/** XLOG_PAGE_MAGIC of each major. */
const majors: ReadonlyMap<number, number> = new Map([
  [0xd110, 15],
  [0xd113, 16],
  [0xd116, 17],
  [0xd118, 18],
]);

const PAGE = 8192;
const SHORT_HEAD = 24;
const LONG_HEAD = 40;
const FLAG_CONTINUATION = 0x0001;
const FLAG_LONG_HEAD = 0x0002;
const FLAG_OVERWRITTEN = 0x0008;

const RECORD_HEAD = 24;
const RECORD_PREVIOUS = 8;
/** Where xl_crc stands; it covers what follows it, then what is before it. */
const RECORD_CRC = 20;

const RM_XLOG = 0;
const RM_XACT = 1;
const INFO_OPERATION = 0xf0;
const XLOG_SWITCH = 0x40;
const XLOG_RESTORE_POINT = 0x70;
const XACT_OPERATION = 0x70;
const XACT_HAS_INFO = 0x80;

const transactionEnds: ReadonlyMap<number, 'commit' | 'abort'> = new Map([
  [0x00, 'commit'],
  [0x30, 'commit'],
  [0x20, 'abort'],
  [0x40, 'abort'],
]);

interface Pending {
  readonly lsn: number;
  readonly length: number;
  readonly pieces: Uint8Array[];
  /** How many of them are copies. */
  kept: number;
  missing: number;
}

class RecordReader {
  ended = false;
  /** Where the next record is looked for; nothing before it is read. */
  #position: number;
  #pending: Pending | undefined;
  /** The last record, to which the next one must link; undefined before the first. */
  #previous: number | undefined;
  #segmentSize: number = segmentSize(16 * 1024 * 1024);
  #major = 0;
  #expected: number | undefined;

  constructor(start: number) {
    this.#position = start;
  }

  *feed(chunk: WalChunk): Generator<WalRecord, void, undefined> {
    const start = Number(chunk.start);
    if (start % PAGE !== 0 || start !== (this.#expected ?? start)) {
      throw new SpillwayError('SPW_INTERNAL', `WAL was given from ${formatLsn(chunk.start)}, out of order`);
    }
    const { bytes } = chunk;
    this.#expected = start + bytes.byteLength;
    this.#learnSegmentSize(bytes);
    for (let offset = 0; offset < bytes.byteLength && !this.ended; offset += PAGE) {
      if (start + offset + PAGE <= this.#position) continue;
      yield* this.#page(start + offset, bytes.subarray(offset, Math.min(offset + PAGE, bytes.byteLength)));
    }
    this.#keepPending();
  }

  /** Copies what a record that goes on in the next chunk has in this one. */
  #keepPending(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    pending.pieces.push(Buffer.concat(pending.pieces.splice(pending.kept)));
    pending.kept = pending.pieces.length;
  }

  #learnSegmentSize(bytes: Uint8Array): void {
    if (bytes.byteLength < LONG_HEAD) return;
    const view = viewOf(bytes);
    if (majors.has(view.getUint16(0, true)) && (view.getUint16(2, true) & FLAG_LONG_HEAD) !== 0) {
      this.#segmentSize = view.getUint32(32, true);
    }
  }

  *#page(address: number, page: Uint8Array): Generator<WalRecord, void, undefined> {
    const begin = this.#enter(address, page);
    if (begin === undefined) return;
    let at = begin;
    if (this.#pending !== undefined) {
      const record = this.#continue(this.#pending, address, page, at);
      if (record === undefined) return;
      at = record.end - address;
      yield record;
    }
    while (!this.ended && at < page.byteLength) {
      const record = this.#read(address, page, at);
      if (record === undefined) return;
      at = record.end - address;
      yield record;
    }
  }

  /** Checks the head of the page. Gives where its records, or the rest of the pending one, begin. */
  #enter(address: number, page: Uint8Array): number | undefined {
    if (page.byteLength < SHORT_HEAD) return this.#end();
    const view = viewOf(page);
    const major = majors.get(view.getUint16(0, true));
    const flags = view.getUint16(2, true);
    if (major === undefined || Number(view.getBigUint64(8, true)) !== address) return this.#end();
    this.#major = major;
    const head = (flags & FLAG_LONG_HEAD) === 0 ? SHORT_HEAD : LONG_HEAD;
    const rest = view.getUint32(16, true);
    if (this.#pending !== undefined) {
      if ((flags & FLAG_OVERWRITTEN) !== 0) {
        // The server crashed in the middle of that record, and wrote on from here.
        this.#pending = undefined;
        this.#previous = undefined;
        return head;
      }
      const fits = (flags & FLAG_CONTINUATION) !== 0 && rest === this.#pending.missing;
      return fits ? head : this.#end();
    }
    if (this.#position > address) return this.#position - address < head ? head : this.#position - address;
    // At the start of a page: what is left of a record that began before is passed over.
    const after = head + ((flags & FLAG_CONTINUATION) === 0 ? 0 : align(rest));
    this.#position = after < PAGE ? address + after : address + PAGE;
    return after < PAGE ? after : undefined;
  }

  /** Takes the rest of the pending record from this page; gives it when it is whole. */
  #continue(pending: Pending, address: number, page: Uint8Array, at: number): ReadRecord | undefined {
    const taken = Math.min(pending.missing, page.byteLength - at);
    pending.pieces.push(page.subarray(at, at + taken));
    pending.missing -= taken;
    if (pending.missing > 0) {
      // The rest of this page is not there: it is the end of what was given.
      if (page.byteLength < PAGE) this.ended = true;
      return undefined;
    }
    this.#pending = undefined;
    return this.#finish(pending.lsn, Buffer.concat(pending.pieces, pending.length), address + at + align(taken));
  }

  /** Reads the record that begins at `at`; undefined where it goes on in the next page, or WAL ends. */
  #read(address: number, page: Uint8Array, at: number): ReadRecord | undefined {
    if (at + 4 > page.byteLength) return this.#end();
    const length = u32(page, at);
    if (length < RECORD_HEAD) return this.#end();
    const place = address + at;
    if (at + length <= page.byteLength) {
      return this.#finish(place, page.subarray(at, at + length), place + align(length));
    }
    if (page.byteLength < PAGE) return this.#end();
    if (at + RECORD_HEAD <= page.byteLength && !this.#links(page.subarray(at), place)) return this.#end();
    const here = page.subarray(at);
    this.#pending = { lsn: place, length, pieces: [here], kept: 0, missing: length - here.byteLength };
    this.#position = address + PAGE;
    return undefined;
  }

  #finish(place: number, bytes: Uint8Array, end: number): ReadRecord | undefined {
    if (!this.#links(bytes, place)) return this.#end();
    const record = new ReadRecord(bytes, place, end, this.#major, this.#segmentSize);
    this.#previous = place;
    this.#position = record.end;
    if (!record.crcOk) this.ended = true;
    return record;
  }

  /** xl_prev is the previous record; before the first one read it is only known to lie before. */
  #links(bytes: Uint8Array, place: number): boolean {
    const previous = u32(bytes, RECORD_PREVIOUS + 4) * 2 ** 32 + u32(bytes, RECORD_PREVIOUS);
    return this.#previous === undefined ? previous < place : previous === this.#previous;
  }

  #end(): undefined {
    this.ended = true;
  }
}

/**
 * A class, since an object with a getter of its own takes V8 several times as much memory. Positions are made when they are asked
 * for, and no view is: of millions of records few are looked at.
 */
class ReadRecord implements WalRecord {
  readonly length: number;
  readonly resourceManager: number;
  readonly info: number;
  readonly xid: number;
  readonly crcOk: boolean;
  readonly major: number;
  readonly bytes: Uint8Array;
  readonly #place: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, place: number, end: number, major: number, size: number) {
    this.bytes = bytes;
    this.info = u8(bytes, 16);
    this.resourceManager = u8(bytes, 17);
    const isSwitch = this.resourceManager === RM_XLOG && (this.info & INFO_OPERATION) === XLOG_SWITCH;
    const crc = crc32cUpdate(crc32cUpdate(crc32cStart, bytes, RECORD_HEAD), bytes, 0, RECORD_CRC);
    this.#place = place;
    this.#end = isSwitch ? Math.ceil(end / size) * size : end;
    this.length = bytes.byteLength;
    this.xid = u32(bytes, 4);
    this.crcOk = crc32cFinish(crc) === u32(bytes, RECORD_CRC);
    this.major = major;
  }

  get lsn(): Lsn {
    return lsn(BigInt(this.#place));
  }

  get endLsn(): Lsn {
    return lsn(BigInt(this.#end));
  }

  get previousLsn(): Lsn {
    return lsn(u64(this.bytes, RECORD_PREVIOUS));
  }

  get data(): Uint8Array {
    return this.bytes.subarray(this.bytes.byteLength - mainDataLength(this.bytes));
  }

  /** As a plain number, for the reader itself. */
  get end(): number {
    return this.#end;
  }
}

/** Walks over the heads of the blocks to that of the main data, which is the last; the data stands at the very end. */
function mainDataLength(bytes: Uint8Array): number {
  let at = RECORD_HEAD;
  while (at + 2 <= bytes.byteLength) {
    const id = u8(bytes, at);
    if (id === 255) return Math.min(u8(bytes, at + 1), bytes.byteLength - at - 2);
    if (id === 254 && at + 5 <= bytes.byteLength) return Math.min(u32(bytes, at + 1), bytes.byteLength - at - 5);
    if (id === 253) at += 3;
    else if (id === 252) at += 5;
    else if (id <= 32) at += blockHeadLength(bytes, at);
    else return 0;
  }
  return 0;
}

function blockHeadLength(bytes: Uint8Array, at: number): number {
  const flags = u8(bytes, at + 1);
  let length = 4;
  if ((flags & 0x10) !== 0 && at + length + 5 <= bytes.byteLength) {
    // An image: length, offset of the hole, and how it is packed; a packed one with a hole has two bytes more.
    const packing = u8(bytes, at + length + 4);
    length += 5 + ((packing & 0x01) !== 0 && (packing & 0x1c) !== 0 ? 2 : 0);
  }
  // The relation, unless it is that of the block before.
  if ((flags & 0x80) === 0) length += 12;
  return length + 4;
}

/** The transaction that COMMIT PREPARED or ROLLBACK PREPARED ends; it stands behind parts of changing length. */
function preparedXid(record: WalRecord): number | undefined {
  const operation = record.info & XACT_OPERATION;
  if ((operation !== 0x30 && operation !== 0x40) || (record.info & XACT_HAS_INFO) === 0) return undefined;
  const view = viewOf(record.data);
  const has = view.getUint32(8, true);
  let at = 12;
  const list = (flag: number, itemSize: number): void => {
    if ((has & flag) !== 0 && at + 4 <= view.byteLength) at += 4 + view.getInt32(at, true) * itemSize;
  };
  if ((has & 1) !== 0) at += 8; // database
  list(1 << 1, 4); // subtransactions
  list(1 << 2, 12); // relations dropped
  list(1 << 8, record.major >= 18 ? 16 : 12); // statistics dropped
  list(1 << 3, 16); // invalidations
  return (has & (1 << 4)) !== 0 && at + 4 <= view.byteLength ? view.getUint32(at, true) : undefined;
}

const align = (length: number): number => (length + 7) & ~7;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
