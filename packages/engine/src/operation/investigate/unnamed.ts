// Files without a name, and their names when they were found out later. Pure.

import type { Catalog } from './catalog.ts';
import {
  keyOf,
  labelOf,
  type RelationLabel,
  sumOf,
  type TableRows,
  type TableTotal,
  type TransactionFound,
} from './describe.ts';

/** As `database file`. */
export function unnamedIn(found: readonly TransactionFound[], tables: readonly RelationLabel[]): ReadonlySet<string> {
  const unnamed = new Set<string>();
  for (const label of [...tables, ...found.flatMap((each) => [...each.tables, ...each.removed_files])]) {
    if (label.name === null) unnamed.add(`${label.database_oid} ${label.file}`);
  }
  return unnamed;
}

export class Renamer {
  /** Of before the stretch, and of the stretch itself: either may know a name. */
  readonly #catalogs: readonly Catalog[];

  constructor(...catalogs: readonly Catalog[]) {
    this.#catalogs = catalogs;
  }

  transaction(found: TransactionFound): TransactionFound {
    if (unnamedIn([found], []).size === 0) return found;
    const tables = this.#rows(found.tables);
    const less = (of: (row: TableRows) => number): number =>
      found.tables.reduce((sum, row) => sum + of(row), 0) - tables.reduce((sum, row) => sum + of(row), 0);
    return {
      ...found,
      tables,
      // What turned out to hold the long values of others has no rows of its own.
      inserts: found.inserts - less(({ inserts }) => inserts),
      updates: found.updates - less(({ updates }) => updates),
      deletes: found.deletes - less(({ deletes }) => deletes),
      removed_files: found.removed_files.flatMap((label) => {
        const named = this.#named(label);
        return named === undefined || named.kind === 'index' || named.kind === 'sequence' ? [] : [named];
      }),
    };
  }

  totals(tables: readonly TableTotal[]): readonly TableTotal[] {
    const totals = new Map<string, TableTotal>();
    for (const row of this.#rows(tables)) totals.set(keyOf(row), sumOf(row, totals.get(keyOf(row))));
    return [...totals.values()];
  }

  #rows<T extends TableRows>(rows: readonly T[]): readonly T[] {
    return rows.flatMap((row) => {
      const named = this.#named(row);
      return named === undefined ? [] : [{ ...row, ...named }];
    });
  }

  /** Undefined where it is no relation of its own. */
  #named(label: RelationLabel): RelationLabel | undefined {
    if (label.file === null) return onlyLabel(label);
    for (const catalog of this.#catalogs) {
      const relation = catalog.relationOfFile({
        tablespace: 0,
        database: label.database_oid,
        number: label.file,
      });
      if (relation === undefined) continue;
      if (relation.kind === 't') return undefined;
      const named = labelOf(relation, catalog);
      return { ...named, database: named.database ?? label.database };
    }
    return onlyLabel(label);
  }
}

const onlyLabel = ({
  database,
  database_oid: databaseOid,
  schema,
  name,
  kind,
  oid,
  file,
}: RelationLabel): RelationLabel => ({
  database,
  database_oid: databaseOid,
  schema,
  name,
  kind,
  oid,
  file,
});
