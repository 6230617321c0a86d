// What a WAL record did, as far as an investigation asks: rows, files, databases, and the ends of transactions.
//
// 1. Rows: heap inserts (many in one record for COPY), updates and deletes, by the relation of the first block. Locks, in-place
//    updates, pruning, freezing and everything of indexes change no row. An insert that ON CONFLICT took back counts as minus
//    one; a row that an UPDATE moved to another partition is an update of the one it left, and an insert into the other.
// 2. The end of a transaction names its subtransactions and the files that it removed. It is at the end that they are removed,
//    so a DROP and the old file of a TRUNCATE stand there.
// 3. What every standby needs to know which transactions run: checkpoints, and snapshots of the running ones.
// Layouts are those of 15 to 18; where they differ it is said.
// Sources: src/include/access/{rmgrlist,heapam_xlog,xact}.h, src/include/catalog/{storage_xlog,pg_control}.h,
// src/include/commands/dbcommands_xlog.h, src/include/storage/{standbydefs,sinval}.h, src/include/utils/relmapper.h

import { lsn, type Lsn } from './lsn.ts';
import { i64, malformed, slice, u16, u32, u64, u8 } from './record-fields.ts';
import { type RecordParts, type RelationFile, recordParts } from './record-parts.ts';
import type { WalRecord } from './walrecord.ts';

export interface TransactionEnded {
  readonly kind: 'ended';
  readonly outcome: 'commit' | 'abort';
  /** Of the prepared transaction for COMMIT PREPARED and ROLLBACK PREPARED. */
  readonly xid: number;
  readonly prepared: boolean;
  /** Since 1970, by the clock of the server. */
  readonly atMicros: bigint;
  readonly subtransactions: readonly number[];
  readonly removedFiles: readonly RelationFile[];
  /** Relations whose definition is to be read anew, by oid; those of system catalogs too. */
  readonly redefined: readonly { readonly database: number; readonly relation: number }[];
}

export type RowOperation = 'insert' | 'update' | 'delete';

export type WalChange =
  | { readonly kind: 'rows'; readonly operation: RowOperation; readonly file: RelationFile; readonly count: number }
  /** Written for logical decoding alone (wal_level logical), and then by oid. */
  | { readonly kind: 'truncated'; readonly database: number; readonly relations: readonly number[] }
  | { readonly kind: 'file-created'; readonly file: RelationFile }
  | { readonly kind: 'database'; readonly operation: 'created' | 'dropped'; readonly database: number }
  | TransactionEnded
  /** Every transaction before `oldestXid` has ended, and its end stands before this. */
  | { readonly kind: 'running'; readonly nextXid: number; readonly oldestXid: number }
  | {
      readonly kind: 'checkpoint';
      readonly redo: Lsn;
      readonly nextXid: number;
      /** Seconds since 1970. */
      readonly at: number;
    }
  /** Files of the catalogs that pg_class does not tell, by oid; database 0 has those that all share. */
  | { readonly kind: 'mapped'; readonly database: number; readonly files: ReadonlyMap<number, number> };

/** Undefined where the record is about something else. Throws SPW_WAL_INVALID where it is not what it says. */
export function changeOf(record: WalRecord): WalChange | undefined {
  switch (record.resourceManager) {
    case HEAP:
      return heapChange(record);
    case HEAP2:
      if ((record.info & HEAP_OPERATION) !== MULTI_INSERT) return undefined;
      return rows('insert', firstFile(record.bytes), u16(record.data, 2));
    case XACT:
      return transactionEnded(record);
    case XLOG:
      return checkpoint(record);
    case SMGR:
      return fileCreated(record);
    case STANDBY:
      if ((record.info & OPERATION) !== RUNNING_XACTS) return undefined;
      return { kind: 'running', nextXid: u32(record.data, 12), oldestXid: u32(record.data, 16) };
    case DATABASE:
      return databaseChange(record);
    case RELMAP:
      return {
        kind: 'mapped',
        database: u32(record.data, 0),
        files: parseFileMap(slice(record.data, 12, u32(record.data, 8))),
      };
    default:
      return undefined;
  }
}

/** `pg_filenode.map`: pairs of oid and file. Throws SPW_WAL_INVALID. */
export function parseFileMap(bytes: Uint8Array): ReadonlyMap<number, number> {
  if (u32(bytes, 0) !== MAP_MAGIC) throw malformed('a map of catalogs does not begin as one');
  const count = u32(bytes, 4);
  if (count > MAP_ENTRIES_MAX) throw malformed(`a map of catalogs has ${count} entries`);
  return new Map(Array.from({ length: count }, (_, index) => [u32(bytes, 8 + index * 8), u32(bytes, 12 + index * 8)]));
}

function heapChange(record: WalRecord): WalChange | undefined {
  switch (record.info & HEAP_OPERATION) {
    case INSERT:
      return rows('insert', firstFile(record.bytes), 1);
    case UPDATE:
    case HOT_UPDATE:
      return rows('update', firstFile(record.bytes), 1);
    case DELETE: {
      const flags = u8(record.data, 7);
      const file = firstFile(record.bytes);
      if ((flags & DELETE_IS_SUPER) !== 0) return rows('insert', file, -1);
      return rows((flags & DELETE_IS_PARTITION_MOVE) === 0 ? 'delete' : 'update', file, 1);
    }
    case TRUNCATE: {
      const count = u32(record.data, 4);
      return { kind: 'truncated', database: u32(record.data, 0), relations: oids(record.data, 12, count) };
    }
    default:
      return undefined;
  }
}

function rows(operation: RowOperation, file: RelationFile | undefined, count: number): WalChange {
  if (file === undefined) throw malformed('it changes rows of no block');
  return { kind: 'rows', operation, file, count };
}

/** The relation of the first block without a look at the rest: of millions of records nothing more is asked. */
export function firstFile(bytes: Uint8Array): RelationFile | undefined {
  if ((bytes[24] ?? 255) > 32) return undefined;
  const flags = u8(bytes, 25);
  let at = 28;
  if ((flags & 0x10) !== 0) {
    const info = u8(bytes, 32);
    at += 5 + ((info & 0x01) !== 0 && (info & 0x1c) !== 0 ? 2 : 0);
  }
  if ((flags & 0x80) !== 0) throw malformed('its first block is of the relation of the one before');
  return { tablespace: u32(bytes, at), database: u32(bytes, at + 4), number: u32(bytes, at + 8) };
}

function transactionEnded(record: WalRecord): TransactionEnded | undefined {
  const operation = record.info & XACT_OPERATION;
  const outcome = outcomes.get(operation);
  if (outcome === undefined) return undefined;
  const prepared = operation === 0x30 || operation === 0x40;
  const { data } = record;
  const ended = {
    kind: 'ended' as const,
    outcome,
    prepared,
    atMicros: i64(data, 0) + POSTGRES_EPOCH_MICROS,
    xid: record.xid,
  };
  if ((record.info & XACT_HAS_INFO) === 0) {
    return { ...ended, subtransactions: [], removedFiles: [], redefined: [] };
  }
  const has = u32(data, 8);
  let at = 12;
  /** Parts are there in this order; each but the first begins with how many it has. */
  const list = <T>(flag: number, bytes: number, read: (at: number) => T): readonly T[] => {
    if ((has & flag) === 0) return [];
    const count = u32(data, at);
    const items = slice(data, at + 4, count * bytes);
    const from = at + 4;
    at = from + items.byteLength;
    return Array.from({ length: count }, (_, index) => read(from + index * bytes));
  };
  if ((has & HAS_DATABASE) !== 0) at += 8;
  const subtransactions = list(HAS_SUBTRANSACTIONS, 4, (place) => u32(data, place));
  const removedFiles = list(HAS_FILES, 12, (place) => fileAt(data, place));
  list(HAS_DROPPED_STATISTICS, record.major >= 18 ? 16 : 12, () => undefined);
  const messages = list(HAS_INVALIDATIONS, 16, (place) =>
    u8(data, place) === RELATION_INVALIDATED
      ? { database: u32(data, place + 4), relation: u32(data, place + 8) }
      : undefined,
  );
  const xid = prepared && (has & HAS_PREPARED) !== 0 ? u32(data, at) : record.xid;
  return { ...ended, xid, subtransactions, removedFiles, redefined: messages.filter((each) => each !== undefined) };
}

function checkpoint(record: WalRecord): WalChange | undefined {
  const operation = record.info & OPERATION;
  if (operation !== CHECKPOINT_SHUTDOWN && operation !== CHECKPOINT_ONLINE) return undefined;
  const { data } = record;
  return { kind: 'checkpoint', redo: lsn(u64(data, 0)), nextXid: u32(data, 24), at: Number(i64(data, 64)) };
}

function fileCreated(record: WalRecord): WalChange | undefined {
  if ((record.info & OPERATION) !== SMGR_CREATE || u32(record.data, 12) !== 0) return undefined;
  return { kind: 'file-created', file: fileAt(record.data, 0) };
}

function databaseChange(record: WalRecord): WalChange | undefined {
  const operation = record.info & OPERATION;
  if (operation > DATABASE_DROP) return undefined;
  const done = operation === DATABASE_DROP ? 'dropped' : 'created';
  return { kind: 'database', operation: done, database: u32(record.data, 0) };
}

/** A row that a heap record of a catalog wrote or removed, with where. */
export interface RowPlace {
  readonly block: number;
  readonly offset: number;
}

/** How a heap record of a catalog changed a row; of an image the content is in the image. */
export type RowChange =
  | { readonly operation: 'insert'; readonly at: RowPlace; readonly content: RowContent | undefined }
  | {
      readonly operation: 'update';
      readonly from: RowPlace;
      readonly at: RowPlace;
      readonly content: RowContent | undefined;
    }
  | { readonly operation: 'delete'; readonly at: RowPlace }
  /** The bytes behind the head of the row. */
  | { readonly operation: 'in-place'; readonly at: RowPlace; readonly bytes: Uint8Array | undefined };

/** A row as an insert or update tells it: what it shares with the row before it, where it stands on the same page, is left out. */
export interface RowContent {
  readonly infomask2: number;
  readonly infomask: number;
  /** t_hoff: the length of its head. */
  readonly headBytes: number;
  /** From behind the fixed part of the head: the bitmap of nulls, then the columns less prefix and suffix. */
  readonly bytes: Uint8Array;
  readonly prefix: number;
  readonly suffix: number;
}

/** Undefined where the record changes no single row. Throws SPW_WAL_INVALID. */
export function rowChange(record: WalRecord, parts: RecordParts = recordParts(record.bytes)): RowChange | undefined {
  const { data } = parts;
  const [block, other] = parts.blocks;
  if (record.resourceManager !== HEAP || block === undefined) return undefined;
  const content = block.image === undefined || block.data.byteLength > 0 ? block.data : undefined;
  switch (record.info & HEAP_OPERATION) {
    case INSERT:
      return {
        operation: 'insert',
        at: { block: block.block, offset: u16(data, 0) },
        content: content && rowContent(content, 0),
      };
    case UPDATE:
    case HOT_UPDATE:
      return {
        operation: 'update',
        from: { block: (other ?? block).block, offset: u16(data, 4) },
        at: { block: block.block, offset: u16(data, 12) },
        content: content && rowContent(content, u8(data, 7)),
      };
    case DELETE:
      return { operation: 'delete', at: { block: block.block, offset: u16(data, 4) } };
    case IN_PLACE:
      return { operation: 'in-place', at: { block: block.block, offset: u16(data, 0) }, bytes: content };
    default:
      return undefined;
  }
}

function rowContent(bytes: Uint8Array, flags: number): RowContent {
  let at = 0;
  const length = (flag: number): number => {
    if ((flags & flag) === 0) return 0;
    at += 2;
    return u16(bytes, at - 2);
  };
  const prefix = length(UPDATE_PREFIX);
  const suffix = length(UPDATE_SUFFIX);
  return {
    infomask2: u16(bytes, at),
    infomask: u16(bytes, at + 2),
    headBytes: u8(bytes, at + 4),
    bytes: bytes.subarray(at + 5),
    prefix,
    suffix,
  };
}

const fileAt = (bytes: Uint8Array, at: number): RelationFile => ({
  tablespace: u32(bytes, at),
  database: u32(bytes, at + 4),
  number: u32(bytes, at + 8),
});

function oids(bytes: Uint8Array, at: number, count: number): readonly number[] {
  slice(bytes, at, count * 4);
  return Array.from({ length: count }, (_, index) => u32(bytes, at + index * 4));
}

const POSTGRES_EPOCH_MICROS = BigInt(Date.UTC(2000, 0, 1)) * 1000n;

const XLOG = 0;
const XACT = 1;
const SMGR = 2;
const DATABASE = 4;
const RELMAP = 7;
const STANDBY = 8;
const HEAP2 = 9;
const HEAP = 10;

const OPERATION = 0xf0;
const CHECKPOINT_SHUTDOWN = 0x00;
const CHECKPOINT_ONLINE = 0x10;
const SMGR_CREATE = 0x10;
const RUNNING_XACTS = 0x10;
const DATABASE_DROP = 0x20;

const HEAP_OPERATION = 0x70;
const INSERT = 0x00;
const DELETE = 0x10;
const UPDATE = 0x20;
const TRUNCATE = 0x30;
const HOT_UPDATE = 0x40;
const IN_PLACE = 0x70;
const MULTI_INSERT = 0x50;
const DELETE_IS_SUPER = 0x08;
const DELETE_IS_PARTITION_MOVE = 0x10;
const UPDATE_PREFIX = 0x20;
const UPDATE_SUFFIX = 0x40;

const XACT_OPERATION = 0x70;
const XACT_HAS_INFO = 0x80;
const outcomes: ReadonlyMap<number, 'commit' | 'abort'> = new Map([
  [0x00, 'commit'],
  [0x30, 'commit'],
  [0x20, 'abort'],
  [0x40, 'abort'],
]);
const HAS_DATABASE = 1;
const HAS_SUBTRANSACTIONS = 1 << 1;
const HAS_FILES = 1 << 2;
const HAS_INVALIDATIONS = 1 << 3;
const HAS_PREPARED = 1 << 4;
const HAS_DROPPED_STATISTICS = 1 << 8;
/** SHAREDINVALRELCACHE_ID, -2 in a byte. */
const RELATION_INVALIDATED = 0xfe;

const MAP_MAGIC = 0x59_27_17;
/** RELMAPPER_MAX_MAPPINGS. */
const MAP_ENTRIES_MAX = 64;
