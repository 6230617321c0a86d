// What relations are called, from the catalogs' own rows: those of a backup, and those that WAL changed since.
//
// 1. Of pg_class, pg_namespace and pg_database every row that was seen is kept by its page and place. A backup gives them to begin
//    with. A record puts one in; an update may leave out what the new row shares with the old one, which is then taken from there;
//    an image of a page sets all of its rows. Rows that were removed stay: the removal may be rolled back, and nobody reads them
//    but the next update.
// 2. Read from a checkpoint on, that is right whatever happened between the backup and the checkpoint, because the first change of
//    each page after a checkpoint brings its image (full_page_writes). What was created in between and not touched since is not
//    known.
// 3. A file belongs to one relation for good, so a name once learned stays, also when the relation is gone; of a relation that was
//    renamed the newest name counts.
// 4. Where a row cannot be made out (VACUUM FULL of pg_class writes it into another file before it says so) nothing is known, and
//    so it is told: never a name that might be another's.

import { type ClassRow, classRow, isLive, namedRow, ROW_HEAD, rowsOnPage } from '../../postgres/catalog-rows.ts';
import { restorePage } from '../../postgres/page-image.ts';
import { firstFile, type RowContent, rowChange, type WalChange } from '../../postgres/record-change.ts';
import { BLOCK_BYTES, recordParts, type RelationFile } from '../../postgres/record-parts.ts';
import type { WalRecord } from '../../postgres/walrecord.ts';

export interface Relation extends ClassRow {
  readonly database: number;
}

/** What a record did to a row of pg_class. */
export type CatalogEvent =
  | { readonly operation: 'created'; readonly after: Relation }
  | { readonly operation: 'changed'; readonly before: Relation | undefined; readonly after: Relation }
  | { readonly operation: 'dropped'; readonly before: Relation };

const CLASS = 1259;
const NAMESPACE = 2615;
const DATABASE = 1262;

type Kind = 'class' | 'namespace' | 'database';
/** By block and place on it. */
type Rows = Map<number, Map<number, Uint8Array>>;

export class Catalog {
  #major: number;
  /** Numbers of files that may be catalogs, so that other records cost one look. */
  readonly #numbers = new Set([CLASS, NAMESPACE, DATABASE]);
  readonly #maps = new Map<number, ReadonlyMap<number, number>>();
  readonly #rows = new Map<string, Rows>();
  readonly #ofFile = new Map<number, Map<number, Relation>>();
  readonly #ofOid = new Map<number, Map<number, Relation>>();
  readonly #schemas = new Map<number, Map<number, string>>();
  readonly #databases = new Map<number, string>();

  /** `major`: of the server that wrote the files it is to load; the WAL says its own. */
  constructor(major = 0) {
    this.#major = major;
  }

  /** Which files the catalogs have that pg_class does not tell; database 0 has those that all share. */
  setMap(database: number, files: ReadonlyMap<number, number>): void {
    this.#maps.set(database, files);
    for (const oid of [CLASS, DATABASE]) {
      const file = files.get(oid);
      if (file !== undefined) this.#numbers.add(file);
    }
  }

  /** The number of the file that holds a catalog of the database, as far as is known by now. */
  fileOf(database: number, kind: Kind): number {
    if (kind === 'namespace') return this.#ofOid.get(database)?.get(NAMESPACE)?.file ?? NAMESPACE;
    const oid = kind === 'class' ? CLASS : DATABASE;
    return this.#maps.get(database)?.get(oid) ?? oid;
  }

  /** Takes the rows of a file as a backup has it. */
  load(database: number, kind: Kind, file: Uint8Array): void {
    const rows = this.#rowsOf(database, this.fileOf(database, kind));
    for (let at = 0; at + BLOCK_BYTES <= file.byteLength; at += BLOCK_BYTES) {
      rows.set(at / BLOCK_BYTES, this.#learnPage(database, kind, file.subarray(at, at + BLOCK_BYTES)));
    }
  }

  setDatabase(oid: number, name: string): void {
    this.#databases.set(oid, name);
  }

  /** Follows a record; gives what it did to a row of pg_class. Throws SPW_WAL_INVALID where the record is broken. */
  follow(record: WalRecord, change: WalChange | undefined): CatalogEvent | undefined {
    this.#major = record.major;
    if (change?.kind === 'mapped') this.setMap(change.database, change.files);
    if (change?.kind === 'rows' && change.operation === 'insert' && change.count !== 1) return undefined;
    // Most records are of other relations; what is no change of rows may still bring an image.
    if (change?.kind === 'rows' ? this.#kindOf(change.file) === undefined : change !== undefined) return undefined;
    if (change === undefined && !this.#bringsImage(record)) return undefined;
    const parts = recordParts(record.bytes);
    let file: RelationFile | undefined;
    let kind: Kind | undefined;
    for (const block of parts.blocks) {
      if (block.fork !== 0) continue;
      const found = this.#kindOf(block.file);
      if (found === undefined) continue;
      file = block.file;
      kind = found;
    }
    if (file === undefined || kind === undefined) return undefined;
    const rows = this.#rowsOf(file.database, file.number);
    const row = rowChange(record, parts);
    const old = row?.operation === 'update' ? row.from : row?.operation === 'delete' ? row.at : undefined;
    // Before images are taken: one of the same record shows the page as it is afterwards.
    let before = old && rows.get(old.block)?.get(old.offset);
    for (const block of parts.blocks) {
      if (block.image === undefined || block.fork !== 0 || block.file.number !== file.number) continue;
      rows.set(block.block, this.#learnPage(file.database, kind, restorePage(block.image)));
    }
    if (row === undefined) return undefined;
    before = (old && rows.get(old.block)?.get(old.offset)) ?? before;
    if (row.operation === 'delete') {
      const dropped = kind === 'class' ? this.#relation(file.database, before) : undefined;
      return dropped && { operation: 'dropped', before: dropped };
    }
    const place = pageOf(rows, row.at.block);
    if (row.operation === 'in-place') {
      const there = place.get(row.at.offset);
      const head = there?.[22] ?? ROW_HEAD;
      if (there !== undefined && row.bytes !== undefined && head + row.bytes.byteLength <= there.byteLength) {
        const changed = Uint8Array.from(there);
        changed.set(row.bytes, head);
        place.set(row.at.offset, changed);
      }
      return undefined;
    }
    const after = row.content === undefined ? place.get(row.at.offset) : rebuild(row.content, before);
    if (after === undefined) place.delete(row.at.offset);
    else place.set(row.at.offset, after);
    if (after === undefined) return undefined;
    this.#learn(file.database, kind, after);
    if (kind !== 'class') return undefined;
    const relation = this.#relation(file.database, after);
    if (relation === undefined) return undefined;
    return row.operation === 'insert'
      ? { operation: 'created', after: relation }
      : { operation: 'changed', before: this.#relation(file.database, before), after: relation };
  }

  relationOfFile({ database, number }: RelationFile): Relation | undefined {
    return this.#ofFile.get(database)?.get(number) ?? this.#mapped(database, number);
  }

  relationOf(database: number, oid: number): Relation | undefined {
    return this.#ofOid.get(database)?.get(oid);
  }

  schemaOf({ database, namespace }: Relation): string | undefined {
    return this.#schemas.get(database)?.get(namespace);
  }

  databaseName(oid: number): string | undefined {
    return this.#databases.get(oid);
  }

  #mapped(database: number, number: number): Relation | undefined {
    for (const [oid, file] of this.#maps.get(database) ?? []) {
      if (file === number) return this.relationOf(database, oid);
    }
    return undefined;
  }

  #kindOf({ database, number }: RelationFile): Kind | undefined {
    if (!this.#numbers.has(number)) return undefined;
    if (database === 0) return number === this.fileOf(0, 'database') ? 'database' : undefined;
    if (number === this.fileOf(database, 'class')) return 'class';
    return number === this.fileOf(database, 'namespace') ? 'namespace' : undefined;
  }

  #rowsOf(database: number, number: number): Rows {
    const key = `${database}/${number}`;
    let rows = this.#rows.get(key);
    if (rows === undefined) this.#rows.set(key, (rows = new Map()));
    return rows;
  }

  #relation(database: number, row: Uint8Array | undefined): Relation | undefined {
    const read = row && classRow(row, this.#major);
    return read && { ...read, database };
  }

  #learnPage(database: number, kind: Kind, page: Uint8Array): Map<number, Uint8Array> {
    const rows = new Map<number, Uint8Array>();
    for (const { offset, row } of rowsOnPage(page)) rows.set(offset, row);
    for (const row of rows.values()) this.#learn(database, kind, row, isLive(row));
    return rows;
  }

  /** What a removed row says counts only where nothing newer is known. */
  #learn(database: number, kind: Kind, row: Uint8Array, live = true): void {
    const put = <T>(map: Map<number, T>, key: number, value: T, weak = !live): void => {
      if (!weak || !map.has(key)) map.set(key, value);
    };
    if (kind === 'class') {
      const relation = this.#relation(database, row);
      if (relation === undefined) return;
      put(inner(this.#ofOid, database), relation.oid, relation);
      // What a table is copied into while it is written anew gets the table's old file in exchange.
      const isCopy = /^pg_temp_\d+$/.test(relation.name);
      if (relation.file !== 0) put(inner(this.#ofFile, database), relation.file, relation, isCopy || !live);
      if (relation.oid === NAMESPACE) this.#numbers.add(relation.file);
      return;
    }
    const named = namedRow(row);
    if (named === undefined) return;
    if (kind === 'namespace') put(inner(this.#schemas, database), named.oid, named.name);
    else put(this.#databases, named.oid, named.name);
  }

  /** XLOG records of images alone, and heap records that change no row, such as locks and pruning. */
  #bringsImage({ resourceManager, bytes }: WalRecord): boolean {
    if (resourceManager !== 0 && resourceManager !== 9 && resourceManager !== 10) return false;
    const file = firstFile(bytes);
    return file !== undefined && this.#numbers.has(file.number);
  }
}

/** The row with its head; undefined where it shares bytes with one that is not known. */
function rebuild(content: RowContent, before: Uint8Array | undefined): Uint8Array | undefined {
  const { bytes, prefix, suffix, headBytes } = content;
  if (prefix + suffix > 0 && before === undefined) return undefined;
  const old = before ?? new Uint8Array();
  const shared = old.subarray(old[22] ?? 0);
  if (prefix > shared.byteLength || suffix > shared.byteLength) return undefined;
  const bitmap = prefix > 0 ? Math.max(0, headBytes - ROW_HEAD) : 0;
  const head = new Uint8Array(ROW_HEAD);
  const view = new DataView(head.buffer);
  view.setUint16(18, content.infomask2, true);
  view.setUint16(20, content.infomask, true);
  view.setUint8(22, headBytes);
  return Buffer.concat([
    head,
    bytes.subarray(0, bitmap),
    shared.subarray(0, prefix),
    bytes.subarray(bitmap),
    shared.subarray(shared.byteLength - suffix),
  ]);
}

function pageOf(rows: Rows, block: number): Map<number, Uint8Array> {
  let page = rows.get(block);
  if (page === undefined) rows.set(block, (page = new Map()));
  return page;
}

function inner<T>(maps: Map<number, Map<number, T>>, key: number): Map<number, T> {
  let map = maps.get(key);
  if (map === undefined) maps.set(key, (map = new Map()));
  return map;
}
