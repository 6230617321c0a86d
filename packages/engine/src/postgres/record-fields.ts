// Little-endian fields of WAL records and pages, each either there as a whole or SPW_WAL_INVALID.
//
// WAL with a right checksum can still be of a kind that nobody foresaw, an extension's for one: what reads beyond its end must
// say so, and neither take zeros for content nor end the program.

import { SpillwayError } from '@spillway/contract';

export function u8(bytes: Uint8Array, at: number): number {
  const value = bytes[at];
  if (value === undefined) throw torn(bytes, at + 1);
  return value;
}

export function u16(bytes: Uint8Array, at: number): number {
  const high = bytes[at + 1];
  if (high === undefined) throw torn(bytes, at + 2);
  return (bytes[at] ?? 0) | (high << 8);
}

export function u32(bytes: Uint8Array, at: number): number {
  const high = bytes[at + 3];
  if (high === undefined) throw torn(bytes, at + 4);
  return ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | (high << 24)) >>> 0;
}

export const u64 = (bytes: Uint8Array, at: number): bigint =>
  (BigInt(u32(bytes, at + 4)) << 32n) | BigInt(u32(bytes, at));

export const i64 = (bytes: Uint8Array, at: number): bigint => BigInt.asIntN(64, u64(bytes, at));

export function f32(bytes: Uint8Array, at: number): number {
  new DataView(scratch).setUint32(0, u32(bytes, at));
  return new DataView(scratch).getFloat32(0);
}

/** A view of `length` bytes. */
export function slice(bytes: Uint8Array, at: number, length: number): Uint8Array {
  if (at < 0 || length < 0 || at + length > bytes.byteLength) throw torn(bytes, at + length);
  return bytes.subarray(at, at + length);
}

export const malformed = (why: string): SpillwayError =>
  new SpillwayError('SPW_WAL_INVALID', 'a WAL record is not what its head says', { why });

const scratch = new ArrayBuffer(4);

const torn = (bytes: Uint8Array, needed: number): SpillwayError =>
  malformed(`it needs ${needed} bytes of ${bytes.byteLength}`);
