// Who did what: changes gathered by transaction until it ends.
//
// 1. Changes stand under the xid of their record, which is that of the subtransaction. The commit names the subtransactions that
//    it takes along; one that was rolled back has gone by then.
// 2. Bounded: a transaction that ended is forgotten, and so is one that a crash broke off, once a snapshot of the running ones or
//    a checkpoint of a shutdown shows that it runs no more. A transaction that touches more than 10,000 relations has the rest of
//    them counted together.
// 3. A transaction is whole when it cannot have begun before the reading did: the xid is at or after the next one to be given out
//    there.

import type { Lsn } from '../../postgres/lsn.ts';
import { changeOf, type RowOperation, type TransactionEnded } from '../../postgres/record-change.ts';
import type { RelationFile } from '../../postgres/record-parts.ts';
import type { WalRecord } from '../../postgres/walrecord.ts';
import type { Catalog, CatalogEvent } from './catalog.ts';

export interface RowCounts {
  insert: number;
  update: number;
  delete: number;
}

export interface Work {
  readonly rows: ReadonlyMap<RelationFile, RowCounts>;
  /** Rows of relations beyond the bound. */
  readonly further: RowCounts;
  /** In the order in which they happened. */
  readonly events: readonly (CatalogEvent & { readonly lsn: Lsn })[];
  readonly truncated: readonly { readonly database: number; readonly relation: number }[];
  readonly createdFiles: readonly RelationFile[];
  readonly databases: readonly { readonly operation: 'created' | 'dropped'; readonly database: number }[];
}

export interface EndedTransaction extends TransactionEnded {
  /** Of the record of its end. */
  readonly lsn: Lsn;
  readonly endLsn: Lsn;
  readonly whole: boolean;
  readonly work: Work | undefined;
}

const RELATIONS_MAX = 10_000;

interface OpenWork extends Work {
  readonly rows: Map<RelationFile, RowCounts>;
  readonly events: (CatalogEvent & { readonly lsn: Lsn })[];
  readonly truncated: { database: number; relation: number }[];
  readonly createdFiles: RelationFile[];
  readonly databases: { operation: 'created' | 'dropped'; database: number }[];
  lastFile: RelationFile | undefined;
  lastCounts: RowCounts | undefined;
}

export class Ledger {
  readonly #catalog: Catalog;
  readonly #open = new Map<number, OpenWork>();
  /** One object for each file, so that it can be a key. */
  readonly #files = new Map<number, RelationFile[]>();
  #lastXid = 0;
  #lastWork: OpenWork | undefined;
  #wholeFrom: number | undefined;

  /** `wholeFrom`: the next xid to be given out where the reading begins; where it is not known the WAL tells it soon. */
  constructor(catalog: Catalog, wholeFrom?: number) {
    this.#catalog = catalog;
    this.#wholeFrom = wholeFrom;
  }

  /** Transactions that wrote and whose end was not read. */
  get unfinished(): number {
    return this.#open.size;
  }

  /** Forgets what is open, and what is whole: WAL is missing behind it. */
  interrupt(): void {
    this.#open.clear();
    this.#lastWork = undefined;
    this.#wholeFrom = undefined;
  }

  /** Gives the transaction that the record ends. Throws SPW_WAL_INVALID. */
  add(record: WalRecord): EndedTransaction | undefined {
    const change = changeOf(record);
    const event = this.#catalog.follow(record, change);
    if (change === undefined) return undefined;
    switch (change.kind) {
      case 'rows':
        if (record.xid === 0) return undefined;
        this.#count(this.#workOf(record.xid), change.file, change.operation, change.count);
        if (event !== undefined) put(this.#workOf(record.xid).events, { ...event, lsn: record.lsn });
        return undefined;
      case 'truncated':
        for (const relation of change.relations) {
          put(this.#workOf(record.xid).truncated, { database: change.database, relation });
        }
        return undefined;
      case 'file-created':
        if (record.xid !== 0) put(this.#workOf(record.xid).createdFiles, change.file);
        return undefined;
      case 'database':
        if (record.xid !== 0) put(this.#workOf(record.xid).databases, change);
        return undefined;
      case 'running':
        this.#wholeFrom ??= change.nextXid;
        this.#forgetBefore(change.oldestXid);
        return undefined;
      case 'checkpoint':
        this.#wholeFrom ??= change.nextXid;
        return undefined;
      case 'ended':
        return this.#end(record, change);
      case 'mapped':
        return undefined;
    }
  }

  #workOf(xid: number): OpenWork {
    if (this.#lastWork !== undefined && xid === this.#lastXid) return this.#lastWork;
    let work = this.#open.get(xid);
    if (work === undefined) this.#open.set(xid, (work = newWork()));
    this.#lastXid = xid;
    this.#lastWork = work;
    return work;
  }

  #count(work: OpenWork, file: RelationFile, operation: RowOperation, count: number): void {
    const last = work.lastFile;
    if (last === undefined || work.lastCounts === undefined || !isSame(last, file)) {
      const one = this.#one(file);
      work.lastFile = one;
      work.lastCounts = countsOf(work, one);
    }
    work.lastCounts[operation] += count;
  }

  #one(file: RelationFile): RelationFile {
    let ofNumber = this.#files.get(file.number);
    if (ofNumber === undefined) this.#files.set(file.number, (ofNumber = []));
    const there = ofNumber.find((each) => isSame(each, file));
    if (there !== undefined) return there;
    ofNumber.push(file);
    return file;
  }

  #end(record: WalRecord, change: TransactionEnded): EndedTransaction {
    const works = [change.xid, ...change.subtransactions].flatMap((xid) => this.#open.get(xid) ?? []);
    for (const xid of [change.xid, ...change.subtransactions]) this.#open.delete(xid);
    this.#lastWork = undefined;
    const [first, ...others] = works;
    const work = first;
    if (work !== undefined) for (const other of others) merge(work, other);
    const whole = this.#wholeFrom !== undefined && !isBefore(change.xid, this.#wholeFrom);
    return { ...change, lsn: record.lsn, endLsn: record.endLsn, whole, work };
  }

  #forgetBefore(oldest: number): void {
    for (const xid of this.#open.keys()) if (isBefore(xid, oldest)) this.#open.delete(xid);
    this.#lastWork = undefined;
  }
}

/** Transaction ids go round: half of them are before any one. */
export const isBefore = (xid: number, other: number): boolean => ((xid - other) | 0) < 0;

const isSame = (one: RelationFile, other: RelationFile): boolean =>
  one.number === other.number && one.database === other.database && one.tablespace === other.tablespace;

const newWork = (): OpenWork => ({
  rows: new Map(),
  further: noRows(),
  events: [],
  truncated: [],
  createdFiles: [],
  databases: [],
  lastFile: undefined,
  lastCounts: undefined,
});

export const noRows = (): RowCounts => ({ insert: 0, update: 0, delete: 0 });

function countsOf(work: OpenWork, file: RelationFile): RowCounts {
  let counts = work.rows.get(file);
  if (counts !== undefined) return counts;
  if (work.rows.size >= RELATIONS_MAX) return work.further;
  work.rows.set(file, (counts = noRows()));
  return counts;
}

function merge(into: OpenWork, from: OpenWork): void {
  for (const [file, counts] of from.rows) addRows(countsOf(into, file), counts);
  addRows(into.further, from.further);
  for (const event of from.events) put(into.events, event);
  into.events.sort((a, b) => (a.lsn < b.lsn ? -1 : 1));
  for (const each of from.truncated) put(into.truncated, each);
  for (const each of from.createdFiles) put(into.createdFiles, each);
  for (const each of from.databases) put(into.databases, each);
}

function put<T>(list: T[], item: T): void {
  if (list.length < RELATIONS_MAX) list.push(item);
}

export function addRows(into: RowCounts, from: Readonly<RowCounts>): void {
  into.insert += from.insert;
  into.update += from.update;
  into.delete += from.delete;
}
