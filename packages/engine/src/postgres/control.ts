// Reads global/pg_control of PostgreSQL 15 to 18.
//
// The file is a C struct in the byte order of the machine (little-endian is assumed and checked by the version), padded
// to 8 KiB: src/include/catalog/pg_control.h. 15 and 16 have version 1300. 17 (1700) put the checkpoint's wal_level where
// there was padding, so nothing moves; 18 (1800) put one byte, default_char_signedness, before the nonce, so that only
// the place of the CRC moves.
// Invariant: nothing is read from a file whose CRC does not fit; a file caught half-written is told apart by that.

import { SpillwayError } from '@spillway/contract';
import { crc32c } from './crc32c.ts';
import { lsn, segmentSize, timelineId, type Lsn, type SegmentSize, type TimelineId } from './lsn.ts';

export interface ControlData {
  /** A 64-bit number in decimal, as pg_controldata prints it. */
  readonly systemIdentifier: string;
  readonly pgControlVersion: number;
  readonly catalogVersion: number;
  readonly state: ClusterState;
  /** When the file was last written; whole seconds. */
  readonly modifiedAt: Date;
  /** The place of the latest checkpoint's record. */
  readonly checkPoint: Lsn;
  /** Where replay from that checkpoint begins. */
  readonly redo: Lsn;
  readonly timeline: TimelineId;
  readonly previousTimeline: TimelineId;
  readonly fullPageWrites: boolean;
  /** The next transaction id with its epoch. */
  readonly nextXid: bigint;
  readonly checkPointAt: Date;
  /** 0/0 unless the cluster is (or was copied while) recovering; it is not consistent before this. */
  readonly minRecoveryPoint: Lsn;
  readonly minRecoveryTimeline: number;
  readonly backupStart: Lsn;
  readonly backupEnd: Lsn;
  readonly backupEndRequired: boolean;
  readonly walLevel: 'minimal' | 'replica' | 'logical';
  readonly walLogHints: boolean;
  readonly maxConnections: number;
  readonly maxWorkerProcesses: number;
  readonly maxWalSenders: number;
  readonly maxPreparedTransactions: number;
  readonly maxLocksPerTransaction: number;
  /** Bytes of a page. */
  readonly blockSize: number;
  /** Pages in a file of a relation; a larger relation goes on in `.1`, `.2`. */
  readonly relationSegmentBlocks: number;
  readonly walBlockSize: number;
  readonly walSegmentSize: SegmentSize;
  /** 0 where pages have no checksums. */
  readonly dataChecksumVersion: number;
}

export type ClusterState = (typeof states)[number];

/** In the order of DBState; the words are those of pg_controldata. */
const states = [
  'starting up',
  'shut down',
  'shut down in recovery',
  'shutting down',
  'in crash recovery',
  'in archive recovery',
  'in production',
] as const;

const walLevels = ['minimal', 'replica', 'logical'] as const;

/** Where the CRC stands: it covers everything before it. */
const crcOffsets: ReadonlyMap<number, number> = new Map([
  [1300, 288],
  [1700, 288],
  [1800, 292],
]);

/** Proves that a double is laid out as here: FLOATFORMAT_VALUE. */
const FLOAT_PROOF = 1_234_567;

/** Throws SPW_DATA_DIRECTORY where it is not a whole, valid control file of a known version. */
export function parseControlFile(bytes: Uint8Array): ControlData {
  if (bytes.byteLength < 296) throw invalid(`it has only ${bytes.byteLength} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u32 = (offset: number): number => view.getUint32(offset, true);
  const i32 = (offset: number): number => view.getInt32(offset, true);
  const position = (offset: number): Lsn => lsn(view.getBigUint64(offset, true));
  const time = (offset: number): Date => new Date(Number(view.getBigInt64(offset, true)) * 1000);

  const pgControlVersion = u32(8);
  const crcOffset = crcOffsets.get(pgControlVersion);
  if (crcOffset === undefined) {
    throw invalid(`its version ${pgControlVersion} is not that of PostgreSQL 15 to 18`);
  }
  if (crc32c(bytes, 0, crcOffset) !== u32(crcOffset)) throw invalid('its CRC does not fit: it is torn or damaged');
  if (view.getFloat64(208, true) !== FLOAT_PROOF) throw invalid('it was written by a machine of another kind');

  return {
    systemIdentifier: view.getBigUint64(0, true).toString(),
    pgControlVersion,
    catalogVersion: u32(12),
    state: named(states, u32(16), 'state'),
    modifiedAt: time(24),
    checkPoint: position(32),
    redo: position(40),
    timeline: timelineId(u32(48)),
    previousTimeline: timelineId(u32(52)),
    fullPageWrites: view.getUint8(56) === 1,
    nextXid: view.getBigUint64(64, true),
    checkPointAt: time(104),
    minRecoveryPoint: position(136),
    minRecoveryTimeline: u32(144),
    backupStart: position(152),
    backupEnd: position(160),
    backupEndRequired: view.getUint8(168) === 1,
    walLevel: named(walLevels, u32(172), 'wal_level'),
    walLogHints: view.getUint8(176) === 1,
    maxConnections: i32(180),
    maxWorkerProcesses: i32(184),
    maxWalSenders: i32(188),
    maxPreparedTransactions: i32(192),
    maxLocksPerTransaction: i32(196),
    blockSize: u32(216),
    relationSegmentBlocks: u32(220),
    walBlockSize: u32(224),
    walSegmentSize: segmentSize(u32(228)),
    dataChecksumVersion: u32(252),
  };
}

function named<Name>(names: readonly Name[], index: number, what: string): Name {
  const name = names[index];
  if (name === undefined) throw invalid(`it has the unknown ${what} ${index}`);
  return name;
}

const invalid = (why: string): SpillwayError =>
  new SpillwayError('SPW_DATA_DIRECTORY', 'global/pg_control could not be read', { why });
