// The bytes of a spool segment: a head, then records, each `length, CRC-32, payload` with both numbers as 32 bits, the
// lowest byte first. The CRC covers the length too. What follows the last whole record is a tail: a write that a crash
// cut short, or damage.

import { crc32 } from 'node:zlib';

export const SEGMENT_HEAD = Buffer.from('WSPOOL1\n', 'latin1');
export const RECORD_HEAD_BYTES = 8;
export const RECORD_BYTES_MAX = 16 * 1024 * 1024;

export function encodeRecord(payload: Buffer): Buffer {
  if (payload.length === 0 || payload.length > RECORD_BYTES_MAX) {
    throw new RangeError(`a record of ${payload.length} bytes: 1 to ${RECORD_BYTES_MAX} are possible`);
  }
  const record = Buffer.allocUnsafe(RECORD_HEAD_BYTES + payload.length);
  record.writeUInt32LE(payload.length, 0);
  payload.copy(record, RECORD_HEAD_BYTES);
  record.writeUInt32LE(checksum(record), 4);
  return record;
}

export interface Scan {
  /** Where each whole record begins. */
  readonly offsets: readonly number[];
  /** The end of the last whole record; what comes after it is no record. */
  readonly end: number;
}

/** Finds the whole records of a segment. */
export function scanSegment(bytes: Buffer): Scan {
  const offsets: number[] = [];
  if (!bytes.subarray(0, SEGMENT_HEAD.length).equals(SEGMENT_HEAD)) return { offsets, end: 0 };
  let end = SEGMENT_HEAD.length;
  for (let payload = payloadAt(bytes, end); payload !== undefined; payload = payloadAt(bytes, end)) {
    offsets.push(end);
    end += RECORD_HEAD_BYTES + payload.length;
  }
  return { offsets, end };
}

/** The payload of the record that begins there; undefined where none does. */
export function payloadAt(bytes: Buffer, offset: number): Buffer | undefined {
  if (offset + RECORD_HEAD_BYTES > bytes.length) return undefined;
  const length = bytes.readUInt32LE(offset);
  const end = offset + RECORD_HEAD_BYTES + length;
  if (length === 0 || length > RECORD_BYTES_MAX || end > bytes.length) return undefined;
  const record = bytes.subarray(offset, end);
  return record.readUInt32LE(4) === checksum(record) ? record.subarray(RECORD_HEAD_BYTES) : undefined;
}

function checksum(record: Buffer): number {
  return crc32(record.subarray(RECORD_HEAD_BYTES), crc32(record.subarray(0, 4)));
}
