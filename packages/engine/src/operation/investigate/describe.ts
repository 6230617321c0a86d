// What a transaction did, in the words of an operator: rows by table, and what it dropped, truncated, rewrote, created, altered.
// Pure.
//
// How a definition changed is read from rows of pg_class, one relation at a time:
//   dropped     its row was removed
//   truncated   its row got another file, and no copy of it was made: TRUNCATE gives a table a new, empty file. With wal_level
//               logical a record says so as well
//   rewritten   the same, with a table pg_temp_<oid> made and dropped beside it: VACUUM FULL, CLUSTER, ALTER TABLE that
//               changes a type, REFRESH MATERIALIZED VIEW. No row is lost, so what the copy got counts as no inserts
//   created     a row was added
//   altered     other sessions were told to read its definition anew, and catalogs changed; what ANALYZE writes is no such change
// A file that the commit removed and that no such row explains is told by its name or number: it was dropped, truncated or rewritten.
// What the transaction made and removed itself is left out, and so is what is temporary.

import type { RelationFile } from '../../postgres/record-parts.ts';
import type { Catalog, CatalogEvent, Relation } from './catalog.ts';
import { addRows, type EndedTransaction, noRows, type RowCounts } from './ledger.ts';

/** A relation as far as it is known. */
export interface RelationLabel {
  readonly database: string | null;
  readonly database_oid: number;
  readonly schema: string | null;
  readonly name: string | null;
  readonly kind: RelationKind | null;
  readonly oid: number | null;
  /** The number of its file, where the relation is not known. */
  readonly file: number | null;
}

export type RelationKind =
  | 'table'
  | 'partitioned table'
  | 'materialized view'
  | 'foreign table'
  | 'view'
  | 'sequence'
  | 'index';

export interface TableRows extends RelationLabel {
  readonly inserts: number;
  readonly updates: number;
  readonly deletes: number;
}

export interface TableTotal extends TableRows {
  readonly transactions: number;
}

export interface LostRelation extends RelationLabel {
  /** As far as VACUUM and ANALYZE knew; null where neither ran. */
  readonly rows_before: number | null;
}

export interface TransactionFound {
  /** The lower 32 bits. */
  readonly xid: string;
  readonly committed_at: string;
  /** Where its commit record begins: a recovery that ends before it does not have it. */
  readonly commit_lsn: string;
  readonly end_lsn: string;
  /** False where it may have begun before what was read: then it did at least this. */
  readonly whole: boolean;
  readonly prepared: boolean;
  readonly inserts: number;
  readonly updates: number;
  readonly deletes: number;
  readonly tables: readonly TableRows[];
  readonly dropped: readonly LostRelation[];
  readonly truncated: readonly LostRelation[];
  readonly rewritten: readonly RelationLabel[];
  readonly removed_files: readonly RelationLabel[];
  readonly created: readonly RelationLabel[];
  readonly altered: readonly RelationLabel[];
  readonly databases_dropped: readonly string[];
  readonly databases_created: readonly string[];
  /** It changed catalogs, and no relation: a function, a type, a role. */
  readonly other_definitions: boolean;
}

export function describeTransaction(
  ended: EndedTransaction,
  catalog: Catalog,
): Omit<TransactionFound, 'commit_lsn' | 'end_lsn' | 'committed_at'> {
  const definitions = describeDefinitions(ended, catalog);
  const { tables, catalogRows } = countTables(ended, catalog, definitions.copies);
  const sum = noRows();
  for (const { counts } of tables) addRows(sum, counts);
  if (ended.work !== undefined) addRows(sum, ended.work.further);
  const databases = ended.work?.databases ?? [];
  const ofDatabases = (wanted: 'created' | 'dropped'): readonly string[] =>
    databases
      .filter(({ operation }) => operation === wanted)
      .map(({ database }) => catalog.databaseName(database) ?? String(database));
  const { dropped, truncated, rewritten, removed_files: removedFiles, created, altered } = definitions;
  const isDefinition = catalogRows > 0;
  return {
    xid: String(ended.xid),
    whole: ended.whole,
    prepared: ended.prepared,
    inserts: sum.insert,
    updates: sum.update,
    deletes: sum.delete,
    tables: tables.map(({ label, counts }) => ({
      ...label,
      inserts: counts.insert,
      updates: counts.update,
      deletes: counts.delete,
    })),
    dropped,
    truncated,
    rewritten,
    removed_files: removedFiles,
    created,
    altered: isDefinition ? altered : [],
    databases_dropped: ofDatabases('dropped'),
    databases_created: ofDatabases('created'),
    other_definitions:
      isDefinition && databases.length === 0 && (ended.work?.events ?? []).length === 0 && altered.length === 0,
  };
}

/** Oids below are given out by initdb: FirstNormalObjectId. */
const FIRST_OWN_OID = 16_384;
/** pg_statistic and pg_statistic_ext_data, and what holds their long values. */
const STATISTICS: ReadonlySet<number> = new Set([2619, 2840, 3429, 3430]);
const LABELS_MAX = 1000;
/** What a table is called while it is written anew: make_new_heap in src/backend/commands/cluster.c */
const copyName = /^pg_temp_(\d+)$/;

interface Counted {
  readonly label: RelationLabel;
  readonly counts: RowCounts;
}

function countTables(
  { work }: EndedTransaction,
  catalog: Catalog,
  copies: ReadonlySet<string>,
): { readonly tables: readonly Counted[]; readonly catalogRows: number } {
  const tables = new Map<string, Counted>();
  let catalogRows = 0;
  for (const [file, counts] of work?.rows ?? []) {
    const relation = catalog.relationOfFile(file);
    const oid = relation?.oid ?? file.number;
    if (oid < FIRST_OWN_OID) {
      if (!STATISTICS.has(oid)) catalogRows += counts.insert + counts.update + counts.delete;
      continue;
    }
    if (relation?.kind === 't' || copies.has(placeOf(file))) continue;
    const label = relation === undefined ? unknownLabel(file, catalog) : labelOf(relation, catalog);
    const key = keyOf(label);
    const there = tables.get(key);
    if (there === undefined) tables.set(key, { label, counts: { ...counts } });
    else addRows(there.counts, counts);
  }
  return { tables: [...tables.values()].toSorted((a, b) => weight(b.counts) - weight(a.counts)), catalogRows };
}

const weight = (counts: Readonly<RowCounts>): number => counts.delete * 4 + counts.update * 2 + counts.insert;

interface Definitions
  extends Pick<TransactionFound, 'dropped' | 'truncated' | 'rewritten' | 'removed_files' | 'created' | 'altered'> {
  /** Files that rewritten tables were copied into, and those of tables that were made and dropped. */
  readonly copies: ReadonlySet<string>;
}

function describeDefinitions({ work, removedFiles, redefined }: EndedTransaction, catalog: Catalog): Definitions {
  const events = work?.events ?? [];
  const made = new Map<string, Relation>();
  const gone = new Map<string, Relation>();
  const refiled = new Map<string, Relation>();
  const explained = new Set<string>();
  const copies = new Set<string>();
  const copied = new Set<string>();
  const passing = new Set<string>();
  for (const event of events) {
    if (event.operation !== 'created') continue;
    const of = copyName.exec(event.after.name)?.[1];
    if (of === undefined) continue;
    copied.add(`${event.after.database} ${of}`);
    copies.add(fileKey(event.after));
  }
  for (const event of events) note(event);
  const createdFiles = new Set((work?.createdFiles ?? []).map(placeOf));
  const logged = (work?.truncated ?? []).map(({ database, relation }) => `${database} ${relation}`);
  const dropped = [...gone.values()].filter((each) => isTable(each) && each.persistence !== 't');
  const isRewritten = (relation: Relation): boolean => copied.has(idOf(relation)) && !logged.includes(idOf(relation));
  const renewed = [...refiled.values()].filter((each) => hasRows(each) && !made.has(idOf(each)));
  const truncated = new Map(renewed.filter((each) => !isRewritten(each)).map((each) => [idOf(each), each]));
  for (const { database, relation } of work?.truncated ?? []) {
    const known = catalog.relationOf(database, relation);
    const id = `${database} ${relation}`;
    // Sequences that it restarts stand behind the tables.
    if (known !== undefined && hasRows(known) && !truncated.has(id) && !made.has(id)) truncated.set(id, known);
  }
  const others = [...gone.values()].filter((each) => ['i', 'I', 'S', 'v'].includes(each.kind));
  const lost = [...dropped, ...(dropped.length === 0 && copied.size === 0 ? others : [])];
  const created = [...made.values()].filter(
    (each) =>
      (isTable(each) || each.kind === 'v') &&
      each.persistence !== 't' &&
      !copyName.test(each.name) &&
      !passing.has(idOf(each)),
  );
  // Also what was made and dropped, and the copies: of those nothing is said.
  const told = new Set([...gone.values(), ...made.values(), ...renewed, ...truncated.values()].map(idOf));
  return {
    dropped: cut(lost).map((each) => lostLabel(each, catalog)),
    truncated: cut([...truncated.values()]).map((each) => lostLabel(each, catalog)),
    rewritten: cut(renewed.filter(isRewritten)).map((each) => labelOf(each, catalog)),
    created: cut(created).map((each) => labelOf(each, catalog)),
    removed_files: cut(removedFiles.filter(isUnexplained)).map((file) => {
      const relation = catalog.relationOfFile(file);
      return relation === undefined ? unknownLabel(file, catalog) : labelOf(relation, catalog);
    }),
    altered: cut(redefined.flatMap(({ database, relation }) => alteredOne(database, relation))),
    copies,
  };

  function note(event: CatalogEvent): void {
    const relation = event.operation === 'dropped' ? event.before : event.after;
    const id = idOf(relation);
    if (event.operation === 'created') made.set(id, relation);
    if (event.operation === 'dropped') {
      explained.add(fileKey(relation));
      if (!made.has(id)) gone.set(id, relation);
      else if (!copyName.test(relation.name)) {
        // Made and dropped: nothing of it is left. A copy has got the file of what it is a copy of by now.
        passing.add(id);
        copies.add(fileKey(relation));
      }
    }
    if (event.operation !== 'changed' || event.after.file === 0) return;
    explained.add(fileKey(event.after));
    const { before } = event;
    if (before === undefined) return;
    explained.add(fileKey(before));
    if (before.file !== 0 && before.file !== event.after.file && !refiled.has(id)) refiled.set(id, before);
  }

  function isUnexplained(file: RelationFile): boolean {
    if (explained.has(placeOf(file)) || createdFiles.has(placeOf(file))) return false;
    const relation = catalog.relationOfFile(file);
    return relation === undefined ? true : isTable(relation) && relation.oid >= FIRST_OWN_OID;
  }

  function alteredOne(database: number, oid: number): readonly RelationLabel[] {
    const relation = oid < FIRST_OWN_OID ? undefined : catalog.relationOf(database, oid);
    if (relation === undefined || !(isTable(relation) || relation.kind === 'v') || relation.persistence === 't')
      return [];
    const id = idOf(relation);
    if (told.has(id)) return [];
    told.add(id);
    return [labelOf(relation, catalog)];
  }
}

/** One for each relation, however it is known. */
export const keyOf = ({ database_oid: database, oid, file }: RelationLabel): string =>
  `${database} ${oid ?? `file ${file}`}`;

export const sumOf = (total: TableTotal, other: TableTotal | undefined): TableTotal =>
  other === undefined
    ? total
    : {
        ...total,
        inserts: total.inserts + other.inserts,
        updates: total.updates + other.updates,
        deletes: total.deletes + other.deletes,
        transactions: total.transactions + other.transactions,
      };

const hasRows = ({ kind }: Relation): boolean => kind === 'r' || kind === 'm';
const isTable = ({ kind }: Relation): boolean => kind === 'r' || kind === 'p' || kind === 'm' || kind === 'f';

const idOf = ({ database, oid }: Relation): string => `${database} ${oid}`;
const fileKey = ({ database, file }: Relation): string => `${database}/${file}`;
const placeOf = ({ database, number }: RelationFile): string => `${database}/${number}`;

const cut = <T>(list: readonly T[]): readonly T[] => list.slice(0, LABELS_MAX);

const kinds: ReadonlyMap<string, RelationKind> = new Map([
  ['r', 'table'],
  ['p', 'partitioned table'],
  ['m', 'materialized view'],
  ['f', 'foreign table'],
  ['v', 'view'],
  ['S', 'sequence'],
  ['i', 'index'],
  ['I', 'index'],
]);

export const labelOf = (relation: Relation, catalog: Catalog): RelationLabel => ({
  database: catalog.databaseName(relation.database) ?? null,
  database_oid: relation.database,
  schema: catalog.schemaOf(relation) ?? null,
  name: relation.name,
  kind: kinds.get(relation.kind) ?? null,
  oid: relation.oid,
  file: null,
});

const lostLabel = (relation: Relation, catalog: Catalog): LostRelation => ({
  ...labelOf(relation, catalog),
  // What has no rows of its own lost none: those of a partitioned table are in its partitions.
  rows_before: hasRows(relation) ? (relation.rows ?? null) : 0,
});

const unknownLabel = ({ database, number }: RelationFile, catalog: Catalog): RelationLabel => ({
  database: catalog.databaseName(database) ?? null,
  database_oid: database,
  schema: null,
  name: null,
  kind: null,
  oid: null,
  file: number,
});
