// Rows of the few catalogs that name things, out of their pages: pg_class, pg_namespace, pg_database.
//
// Their first columns have fixed widths and are never null, so they stand at fixed places behind the head of the row. pg_class
// got one more column before relkind with 18.
// A row that is none (too short, no name) is undefined: what is read may be a page that a copy caught half written.
// Sources: src/include/catalog/pg_{class,namespace,database}.h, src/include/access/htup_details.h, src/include/storage/bufpage.h

import { f32, u16, u32, u8 } from './record-fields.ts';
import { BLOCK_BYTES } from './record-parts.ts';

export interface ClassRow {
  readonly oid: number;
  readonly name: string;
  readonly namespace: number;
  /** Zero where it has none, or one that the map of catalogs tells. */
  readonly file: number;
  /** As far as VACUUM and ANALYZE know; undefined where neither ran. */
  readonly rows: number | undefined;
  /** r table, p partitioned table, m materialized view, t toast, i index, I partitioned index, S sequence, v view, … */
  readonly kind: string;
  /** p permanent, u unlogged, t temporary */
  readonly persistence: string;
}

export interface NamedRow {
  readonly oid: number;
  readonly name: string;
}

/** `row`: with its head. */
export function classRow(row: Uint8Array, major: number): ClassRow | undefined {
  const at = headOf(row);
  const moved = major >= 18 ? 4 : 0;
  const named = namedRow(row);
  if (named === undefined || at + 116 + moved > row.byteLength) return undefined;
  const kind = String.fromCodePoint(u8(row, at + 115 + moved));
  if (!/[rpmtiISvcf]/.test(kind)) return undefined;
  const rows = f32(row, at + 100);
  return {
    ...named,
    namespace: u32(row, at + 68),
    file: u32(row, at + 88),
    rows: rows >= 0 ? Math.round(rows) : undefined,
    kind,
    persistence: String.fromCodePoint(u8(row, at + 114 + moved)),
  };
}

/** What begins with an oid and a name, as pg_namespace and pg_database do. */
export function namedRow(row: Uint8Array): NamedRow | undefined {
  const at = headOf(row);
  if (at + 68 > row.byteLength) return undefined;
  const name = row.subarray(at + 4, at + 68);
  const end = name.indexOf(0);
  if (end < 1) return undefined;
  return { oid: u32(row, at), name: new TextDecoder().decode(name.subarray(0, end)) };
}

/** The rows on a heap page, dead ones too, by their line pointers. */
export function* rowsOnPage(page: Uint8Array): Generator<{ readonly offset: number; readonly row: Uint8Array }> {
  if (page.byteLength < BLOCK_BYTES) return;
  const lower = Math.min(u16(page, 12), BLOCK_BYTES);
  for (let at = PAGE_HEAD, offset = 1; at + 4 <= lower; at += 4, offset++) {
    const pointer = u32(page, at);
    const start = pointer & 0x7fff;
    const length = pointer >>> 17;
    if (((pointer >>> 15) & 3) !== POINTS || length < ROW_HEAD || start + length > BLOCK_BYTES) continue;
    yield { offset, row: page.subarray(start, start + length) };
  }
}

/** Whether no transaction is on record to have removed or replaced it. */
export const isLive = (row: Uint8Array): boolean => u32(row, 4) === 0 || (u16(row, 20) & XMAX_INVALID) !== 0;

const headOf = (row: Uint8Array): number => (row.byteLength < ROW_HEAD ? ROW_HEAD : u8(row, 22));

/** The fixed part of a row's head. */
export const ROW_HEAD = 23;
const PAGE_HEAD = 24;
const POINTS = 1;
const XMAX_INVALID = 0x0800;
