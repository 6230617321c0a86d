// The SQL of a table's restore. Pure: names and columns in, statements out, every name quoted.
//
// The rows of the moment stand in a temporary table of the live session, the stage; what differs from them, in another, the
// difference: one row for each that was added, changed or is missing, by where it lies (tableoid and ctid), so that it can
// be taken away or put in without comparing again. Rows are compared as stored (`*=`), which every type knows, json too.
// Without a key whole rows are compared as text, the first with the first of its equals: what was changed then counts as
// one that was added and one that is missing.

import type { ColumnMap } from './columns.ts';
import { quoteIdentifier, quoteName, type TableName } from './name.ts';
import type { Column, DeferrableKey, ForeignKey, KeyColumn, Relation } from './relation.ts';

/** Temporary tables of one table's restore, numbered so that several stand side by side. */
export interface Workspace {
  readonly stage: string;
  readonly difference: string;
}

export const workspace = (number: number): Workspace => ({
  stage: `pg_temp.spillway_stage_${number}`,
  difference: `pg_temp.spillway_difference_${number}`,
});

/** Its own rows: a partitioned table has none but those of its partitions, children that inherit are tables of their own. */
export const rowsOf = (relation: Pick<Relation, 'kind' | 'schema' | 'name'>): string =>
  relation.kind === 'p' ? quoteName(relation) : `ONLY ${quoteName(relation)}`;

const listed = (columns: readonly Pick<Column, 'name'>[], alias?: string): string =>
  columns.map(({ name }) => `${alias === undefined ? '' : `${alias}.`}${quoteIdentifier(name)}`).join(', ');

export const defineColumn = ({ name, type, collation }: Column): string =>
  `${quoteIdentifier(name)} ${type}${collation === null ? '' : ` COLLATE ${collation}`}`;

export const makeStage = ({ stage }: Workspace, { pairs }: ColumnMap): string =>
  `CREATE TEMPORARY TABLE ${stage} (${pairs.map(({ to }) => defineColumn(to)).join(', ')})`;

const copyFormat = (format: ColumnMap['format']): string => (format === 'binary' ? ' (FORMAT binary)' : '');

export const copyOut = (moment: Relation, columns: readonly Column[], format: ColumnMap['format']): string =>
  `COPY (SELECT ${listed(columns)} FROM ${rowsOf(moment)}) TO STDOUT${copyFormat(format)}`;

export const copyOutCsv = (moment: Relation): string =>
  `COPY (SELECT ${listed(moment.columns)} FROM ${rowsOf(moment)}) TO STDOUT (FORMAT csv, HEADER true)`;

export const copyIn = (into: string, columns: readonly Column[], format: ColumnMap['format']): string =>
  `COPY ${into} (${listed(columns)}) FROM STDIN${copyFormat(format)}`;

export interface Compared {
  readonly live: Relation;
  readonly map: ColumnMap;
  /** Empty where rows are compared as wholes. */
  readonly key: readonly KeyColumn[];
}

/** The key, where every column of it is among those that both have. */
export const usableKey = ({ key }: Relation, { pairs }: ColumnMap): readonly KeyColumn[] =>
  key.every(({ name }) => pairs.some(({ to }) => to.name === name)) ? key : [];

const joinedByKey = (key: readonly KeyColumn[], left: string, right: string): string =>
  key
    .map(({ name, equals }) => `${left}.${quoteIdentifier(name)} ${equals} ${right}.${quoteIdentifier(name)}`)
    .join(' AND ');

/** With the cast it is one value; without, PostgreSQL would compare column by column, with operators of each type. */
const imageOf = (columns: string): string => `ROW(${columns})::pg_catalog.record`;

export function makeDifference({ stage, difference }: Workspace, { live, map, key }: Compared): string {
  const columns = map.pairs.map(({ to }) => to);
  const image = (alias: string): string => imageOf(listed(columns, alias));
  const digest = `pg_catalog.hashtextextended(pg_catalog.concat(kind, ' ', live_text, ' ', moment_text) COLLATE "C", 0)`;
  const texts = (l: string, m: string): string => `(${l}.*)::text AS live_text, (${m}.*)::text AS moment_text`;
  const kind = `CASE WHEN m.ctid IS NULL THEN 'added' WHEN l.ctid IS NULL THEN 'missing' ELSE 'changed' END AS kind`;
  const numbered = (rows: string, alias: string, system: string): string =>
    `(SELECT ${system}, w.whole, pg_catalog.row_number() OVER (PARTITION BY w.whole COLLATE "C") AS turn
        FROM ${rows} AS ${alias} CROSS JOIN LATERAL (SELECT (${image(alias)})::text AS whole) AS w)`;
  const compared =
    key.length > 0
      ? `SELECT ${kind}, l.tableoid AS live_table, l.ctid AS live_row, m.ctid AS moment_row, ${texts('l', 'm')}
           FROM ${rowsOf(live)} AS l FULL JOIN ${stage} AS m ON ${joinedByKey(key, 'l', 'm')}
          WHERE l.ctid IS NULL OR m.ctid IS NULL OR NOT (${image('l')} OPERATOR(pg_catalog.*=) ${image('m')})`
      : `SELECT ${kind}, l.live_table, l.ctid AS live_row, m.ctid AS moment_row, l.whole AS live_text, m.whole AS moment_text
           FROM ${numbered(rowsOf(live), 'l', 'l.tableoid AS live_table, l.ctid')} AS l
           FULL JOIN ${numbered(stage, 'm', 'm.ctid')} AS m
             ON l.whole OPERATOR(pg_catalog.=) m.whole COLLATE "C" AND l.turn = m.turn
          WHERE l.ctid IS NULL OR m.ctid IS NULL`;
  return `CREATE TEMPORARY TABLE ${difference} AS
    SELECT kind, live_table, live_row, moment_row, ${digest} AS digest FROM (${compared}) AS compared`;
}

/** Counts by kind, and a sum over what differs: the same where exactly the same rows differ in the same way. */
export const countDifference = ({ stage, difference }: Workspace): string => `
  SELECT (SELECT pg_catalog.count(*)::text FROM ${stage}) AS moment,
         pg_catalog.count(*) FILTER (WHERE kind = 'added')::text AS added,
         pg_catalog.count(*) FILTER (WHERE kind = 'changed')::text AS changed,
         pg_catalog.count(*) FILTER (WHERE kind = 'missing')::text AS missing,
         coalesce(pg_catalog.sum(digest), 0)::text AS digest FROM ${difference}`;

const besideLive = ({ stage, difference }: Workspace, live: Relation): string =>
  `${difference} AS d LEFT JOIN ${rowsOf(live)} AS l ON l.tableoid = d.live_table AND l.ctid = d.live_row
     LEFT JOIN ${stage} AS m ON m.ctid = d.moment_row`;

/** In how many of the changed rows each column differs; one count a column, in the order of the map. */
export const countChanges = (work: Workspace, { live, map }: Compared): string => `
  SELECT ARRAY[${map.pairs
    .map(({ to }) => quoteIdentifier(to.name))
    .map(
      (name) =>
        `pg_catalog.count(*) FILTER (WHERE NOT (${imageOf(`l.${name}`)} OPERATOR(pg_catalog.*=) ${imageOf(`m.${name}`)}))::text`,
    )
    .join(', ')}] AS counts FROM ${besideLive(work, live)} WHERE d.kind = 'changed'`;

/** A few rows of each kind, by their key, or as wholes. */
export const sampleRows = (work: Workspace, { live, map, key }: Compared, most: number, condition = ''): string => {
  const text =
    key.length > 0
      ? `pg_catalog.concat_ws(', ', ${key.map(({ name }) => `coalesce(l.${quoteIdentifier(name)}::text, m.${quoteIdentifier(name)}::text)`).join(', ')})`
      : `coalesce(ROW(${listed(
          map.pairs.map(({ to }) => to),
          'l',
        )})::text, '')`;
  const whole = key.length > 0 ? text : `CASE WHEN d.kind = 'added' THEN ${text} ELSE (m.*)::text END`;
  return ['added', 'changed', 'missing']
    .map(
      (kind) =>
        `(SELECT d.kind, pg_catalog.left(${whole}, 120) AS text FROM ${besideLive(work, live)}
           WHERE d.kind = '${kind}'${condition} ORDER BY d.live_table, d.live_row, d.moment_row LIMIT ${most})`,
    )
    .join(' UNION ALL ');
};

/** Puts a difference aside, so that another can be made and held against it. */
export const putAside = ({ difference }: Workspace): string =>
  `ALTER TABLE ${difference} RENAME TO ${asideOf(difference)}`;

const asideOf = (difference: string): string => `${difference.slice('pg_temp.'.length)}_aside`;

/** As a condition on the rows of the difference, `d`. */
export const isNotAside = ({ difference }: Workspace): string =>
  ` AND NOT EXISTS (SELECT FROM pg_temp.${asideOf(difference)} AS a WHERE a.digest = d.digest)`;

/** Takes away what was added or changed since, and keeps it. */
export const takeAway = ({ difference }: Workspace, live: Relation, kept: TableName): string => `
  WITH taken AS (
    DELETE FROM ${rowsOf(live)} AS l USING ${difference} AS d
     WHERE d.kind IN ('added', 'changed') AND l.tableoid = d.live_table AND l.ctid = d.live_row
    RETURNING ${listed(live.columns, 'l')}),
  put AS (INSERT INTO ${quoteName(kept)} (${listed(live.columns)}) SELECT * FROM taken RETURNING 1)
  SELECT pg_catalog.count(*)::text AS rows FROM put`;

/**
 * Puts in what was changed or is missing. Columns that only the live table has keep what they had where the row was there,
 * and take their default where it was not. `kept` is null where nothing was taken away, and so nothing was changed.
 */
export function putBack(
  { stage, difference }: Workspace,
  compared: Compared,
  kept: TableName | null,
): readonly string[] {
  const { live, map, key } = compared;
  const columns = map.pairs.map(({ to }) => to);
  const put = (more: readonly Column[], from: string): string => `
    WITH put AS (INSERT INTO ${quoteName(live)} (${listed([...columns, ...more])}) OVERRIDING SYSTEM VALUE
      SELECT ${[listed(columns, 'm'), ...(more.length === 0 ? [] : [listed(more, 'k')])].join(', ')} FROM ${from} RETURNING 1)
    SELECT pg_catalog.count(*)::text AS rows FROM put`;
  const staged = `${difference} AS d JOIN ${stage} AS m ON m.ctid = d.moment_row`;
  if (map.added.length === 0 || key.length === 0 || kept === null) {
    return [put([], `${staged} WHERE d.kind IN ('changed', 'missing')`)];
  }
  return [
    put(map.added, `${staged} JOIN ${quoteName(kept)} AS k ON ${joinedByKey(key, 'k', 'm')} WHERE d.kind = 'changed'`),
    put([], `${staged} WHERE d.kind = 'missing'`),
  ];
}

const match = (key: ForeignKey, from: string, to: string): string =>
  key.columns
    .map(
      (name, index) =>
        `${to}.${quoteIdentifier(key.references[index] ?? '')} ${key.equals[index] ?? '='} ${from}.${quoteIdentifier(name)}`,
    )
    .join(' AND ');

const isSet = (key: ForeignKey, from: string): string =>
  key.columns.map((name) => `${from}.${quoteIdentifier(name)} IS NOT NULL`).join(' AND ');

/** Rows that point at nothing. */
export const orphansOf = (key: ForeignKey): string => `
  SELECT pg_catalog.count(*)::text AS rows FROM ${quoteName(key.from)} AS f
   WHERE ${isSet(key, 'f')} AND NOT EXISTS (SELECT FROM ${quoteName(key.to)} AS t WHERE ${match(key, 'f', 't')})`;

/** Of a table whose rows were taken away: those that point at one of these, and at nothing else. */
export const orphansLeftBy = (key: ForeignKey, kept: TableName): string =>
  `${orphansOf(key)} AND EXISTS (SELECT FROM ${quoteName(kept)} AS k WHERE ${match(key, 'f', 'k')})`;

/** Keys that more than one row has. */
export const repeatedKeys = (live: Relation, key: DeferrableKey): string => {
  const columns = key.columns.map(quoteIdentifier);
  const set = key.nulls_distinct ? ` WHERE ${columns.map((name) => `${name} IS NOT NULL`).join(' AND ')}` : '';
  return `SELECT pg_catalog.count(*)::text AS rows
    FROM (SELECT FROM ${rowsOf(live)}${set} GROUP BY ${columns.join(', ')} HAVING pg_catalog.count(*) > 1) AS repeated`;
};

/** A table for the moment's rows in the live one's image, without what would tie it to the live one or its sequences. */
export const makeLike = (
  into: TableName,
  live: TableName,
  { isBare, isUnlogged }: { readonly isBare: boolean; readonly isUnlogged: boolean },
): string =>
  `CREATE ${isUnlogged ? 'UNLOGGED ' : ''}TABLE ${quoteName(into)} (LIKE ${quoteName(live)} INCLUDING ALL
     EXCLUDING DEFAULTS EXCLUDING IDENTITY EXCLUDING GENERATED${isBare ? ' EXCLUDING INDEXES EXCLUDING CONSTRAINTS EXCLUDING STATISTICS' : ''})`;

/** From the live table's columns to those of the moment. The table is empty. */
export function reshape(into: TableName, moment: Relation, map: ColumnMap, live: Relation): readonly string[] {
  const table = `ALTER TABLE ${quoteName(into)}`;
  const partner = new Map(map.pairs.map(({ from, to }) => [to.name, from]));
  for (const to of live.columns) {
    if (to.generated === '' || partner.has(to.name)) continue;
    const from = moment.columns.find(({ name }) => name === to.name);
    if (from !== undefined) partner.set(to.name, from);
  }
  const gone = live.columns.filter(({ name }) => !partner.has(name));
  const staying = live.columns.flatMap((to) => {
    const from = partner.get(to.name);
    return from === undefined ? [] : [{ from, to }];
  });
  const renamed = staying.filter(({ from, to }) => from.name !== to.name);
  const there = new Set(staying.map(({ from }) => from));
  return [
    ...gone.map(({ name }) => `${table} DROP COLUMN ${quoteIdentifier(name)}`),
    // Twice, so that two columns can take each other's names.
    ...renamed.map(({ to }, index) => `${table} RENAME COLUMN ${quoteIdentifier(to.name)} TO spillway_column_${index}`),
    ...renamed.map(
      ({ from }, index) => `${table} RENAME COLUMN spillway_column_${index} TO ${quoteIdentifier(from.name)}`,
    ),
    ...staying
      .filter(({ from, to }) => from.type !== to.type || from.collation !== to.collation)
      .map(
        ({ from }) =>
          `${table} ALTER COLUMN ${quoteIdentifier(from.name)} TYPE ${from.type}${from.collation === null ? '' : ` COLLATE ${from.collation}`} USING NULL::${from.type}`,
      ),
    ...moment.columns
      .filter((column) => !there.has(column))
      .map((column) => `${table} ADD COLUMN ${defineColumn(column)}${column.not_null ? ' NOT NULL' : ''}`),
    ...staying
      .filter(({ from, to }) => from.not_null !== to.not_null)
      .map(
        ({ from }) => `${table} ALTER COLUMN ${quoteIdentifier(from.name)} ${from.not_null ? 'SET' : 'DROP'} NOT NULL`,
      ),
  ];
}

/** Proves that the rows of two tables that were put beside fit each other. */
export const addForeignKey = (from: TableName, to: TableName, key: ForeignKey): string =>
  `ALTER TABLE ${quoteName(from)} ADD FOREIGN KEY (${key.columns.map(quoteIdentifier).join(', ')})
     REFERENCES ${quoteName(to)} (${key.references.map(quoteIdentifier).join(', ')})${key.match_full ? ' MATCH FULL' : ''}`;
