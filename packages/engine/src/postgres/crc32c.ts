// CRC-32C (Castagnoli), as PostgreSQL uses it for pg_control and for WAL records: src/port/pg_crc32c_sb8.c
//
// Slicing by eight: eight bytes a step through eight tables that are made once. A CRC is begun with `crc32cStart`, fed
// any number of times and ended with `crc32cFinish`, as a record may lie in several pieces.

export const crc32cStart = 0xffffffff | 0;

export const crc32cFinish = (crc: number): number => (crc ^ 0xffffffff) >>> 0;

/** The CRC of one piece, as an unsigned number. */
export const crc32c = (bytes: Uint8Array, start = 0, end = bytes.length): number =>
  crc32cFinish(crc32cUpdate(crc32cStart, bytes, start, end));

export function crc32cUpdate(begun: number, bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = begun;
  let at = start;
  for (const eight = end - 7; at < eight; at += 8) {
    const low =
      crc ^ (byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24));
    crc =
      entry(7 * 256 + (low & 0xff)) ^
      entry(6 * 256 + ((low >>> 8) & 0xff)) ^
      entry(5 * 256 + ((low >>> 16) & 0xff)) ^
      entry(4 * 256 + (low >>> 24)) ^
      entry(3 * 256 + byte(bytes, at + 4)) ^
      entry(2 * 256 + byte(bytes, at + 5)) ^
      entry(256 + byte(bytes, at + 6)) ^
      entry(byte(bytes, at + 7));
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ entry((crc ^ byte(bytes, at)) & 0xff);
  return crc;
}

/** The polynomial with its bits reversed. */
const POLYNOMIAL = 0x82f63b78;

const tables = makeTables();

function makeTables(): Int32Array {
  const made = new Int32Array(8 * 256);
  for (let index = 0; index < 256; index++) {
    let crc = index;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    made[index] = crc;
  }
  for (let index = 256; index < made.length; index++) {
    const before = made[index - 256] ?? 0;
    made[index] = (before >>> 8) ^ (made[before & 0xff] ?? 0);
  }
  return made;
}

// Inlined by V8; an index is never out of bounds.
const entry = (index: number): number => tables[index] ?? 0;
const byte = (bytes: Uint8Array, index: number): number => bytes[index] ?? 0;
