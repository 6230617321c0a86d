// Which transactions are told, and in which order: the most destructive first. Pure.
//
// 1. A dropped database, and tables dropped or truncated of which nobody counted the rows, come first: they may be everything.
// 2. Then by rows that are gone: deleted, and those of dropped and truncated tables as far as they had been counted.
// 3. Then by rows updated, inserted, and the order in which they were committed.

import type { RelationLabel, TableRows, TransactionFound } from './describe.ts';

export const changeKinds = ['delete', 'update', 'insert', 'truncate', 'drop', 'rewrite', 'create', 'alter'] as const;
export type ChangeKind = (typeof changeKinds)[number];

export interface Wanted {
  /** `schema.name`, a name alone, or the number of a file. */
  readonly table?: string | undefined;
  /** Any of them; none stands for all. */
  readonly kinds?: readonly ChangeKind[] | undefined;
  /** Rows that a transaction did one of the kinds to; dropped and truncated tables that nobody counted are enough for any. */
  readonly minimumRows?: number | undefined;
}

export function isWanted(found: TransactionFound, { table, kinds = changeKinds, minimumRows = 0 }: Wanted): boolean {
  const isMeant = table === undefined ? () => true : (label: RelationLabel) => isNamed(label, table);
  const rows = found.tables.filter(isMeant);
  const sum = (of: (row: TableRows) => number): number => rows.reduce((total, row) => total + of(row), 0);
  return kinds.some((kind) => {
    const done = doneOf(kind);
    return done > 0 && done >= minimumRows;
  });

  function doneOf(kind: ChangeKind): number {
    switch (kind) {
      case 'delete':
        return table === undefined ? found.deletes : sum(({ deletes }) => deletes);
      case 'update':
        return table === undefined ? found.updates : sum(({ updates }) => updates);
      case 'insert':
        return table === undefined ? found.inserts : sum(({ inserts }) => inserts);
      case 'truncate':
        return lostRows([...found.truncated.filter(isMeant), ...removed()]);
      case 'drop':
        return table === undefined && found.databases_dropped.length > 0
          ? Number.POSITIVE_INFINITY
          : lostRows([...found.dropped.filter(isMeant), ...removed()]);
      case 'rewrite':
        return found.rewritten.filter(isMeant).length + found.removed_files.filter(isMeant).length;
      case 'create':
        return found.created.filter(isMeant).length + (table === undefined ? found.databases_created.length : 0);
      case 'alter':
        return found.altered.filter(isMeant).length + (table === undefined && found.other_definitions ? 1 : 0);
    }
  }

  function removed(): readonly { readonly rows_before: null }[] {
    return found.removed_files.filter(isMeant).map(() => ({ rows_before: null }));
  }
}

/** Infinite where somebody dropped or truncated what nobody had counted. At least one for each. */
function lostRows(lost: readonly { readonly rows_before: number | null }[]): number {
  return lost.reduce((sum, { rows_before: rows }) => sum + Math.max(1, rows ?? Number.POSITIVE_INFINITY), 0);
}

export function isNamed({ schema, name, file }: RelationLabel, wanted: string): boolean {
  if (name === null) return String(file) === wanted;
  return wanted === name || (schema !== null && wanted === `${schema}.${name}`);
}

/** Rows that are gone, as far as that can be told. */
export const destroyed = (found: TransactionFound): number =>
  found.databases_dropped.length > 0
    ? Number.POSITIVE_INFINITY
    : found.deletes + lostRows([...found.dropped, ...found.truncated]);

/** For sorting: the more destructive one first. */
export function byHarm(one: TransactionFound, other: TransactionFound): number {
  const [a, b] = [destroyed(one), destroyed(other)];
  if (a !== b) return a > b ? -1 : 1;
  if (one.updates !== other.updates) return other.updates - one.updates;
  if (one.inserts !== other.inserts) return other.inserts - one.inserts;
  return one.committed_at < other.committed_at ? -1 : one.committed_at === other.committed_at ? 0 : 1;
}

/** The most harmful of any number, in memory for twice as many as are kept. */
export class Worst {
  leftOut = 0;
  readonly #limit: number;
  #kept: TransactionFound[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(found: TransactionFound): void {
    this.#kept.push(found);
    if (this.#kept.length >= this.#limit * 2) this.#cut();
  }

  take(): readonly TransactionFound[] {
    this.#cut();
    return this.#kept;
  }

  #cut(): void {
    this.#kept.sort(byHarm);
    this.leftOut += Math.max(0, this.#kept.length - this.#limit);
    this.#kept = this.#kept.slice(0, this.#limit);
  }
}
