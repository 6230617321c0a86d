// What the catalogs say of a table: its columns and key, and what depends on it. Read the same way from the live database and
// from the moment's, so that both can be compared.
//
// The session has an empty search_path (`openTableSession`): PostgreSQL then writes every name with its schema, and nothing
// that somebody put into a schema of that path can take the place of a function or an operator of ours.

import type { Session } from '../../postgres/connection.ts';
import { connect } from '../../postgres/connection.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import type { AskedTable, TableName } from './name.ts';

export interface Column {
  readonly number: number;
  readonly name: string;
  /** With its schema and length: `pg_catalog.numeric(10,2)` is written `numeric(10,2)`. */
  readonly type: string;
  readonly type_oid: string;
  readonly type_modifier: number;
  /** Where it is not that of the type. */
  readonly collation: string | null;
  readonly not_null: boolean;
  /** `a` always, `d` by default, empty for none. */
  readonly identity: string;
  /** `s` stored, `v` virtual, empty for none. */
  readonly generated: string;
  /** The expression of its default; null for none. */
  readonly default: string | null;
  /** Whether its type has a binary form. */
  readonly binary: boolean;
  /** Of type oid or lo: it may stand for a large object, whose content lies elsewhere. */
  readonly may_name_large_object: boolean;
}

export interface KeyColumn {
  readonly name: string;
  /** Its operator of equality, as it is written in SQL: `OPERATOR(pg_catalog.=)`. */
  readonly equals: string;
}

export interface ForeignKey {
  readonly name: string;
  readonly from: TableName;
  readonly from_oid: string;
  readonly to: TableName;
  readonly to_oid: string;
  readonly columns: readonly string[];
  readonly references: readonly string[];
  /** How each column is compared with the one it references, that one on the left: `OPERATOR(pg_catalog.=)`. */
  readonly equals: readonly string[];
  readonly match_full: boolean;
  /** As `ALTER TABLE … ADD CONSTRAINT` takes it. */
  readonly definition: string;
  readonly validated: boolean;
}

/** PostgreSQL checks it by triggers of its own, which a swap keeps from firing. */
export interface DeferrableKey {
  readonly name: string;
  /** `u` unique, `p` primary, `x` exclusion. */
  readonly kind: string;
  readonly columns: readonly string[];
  readonly nulls_distinct: boolean;
}

export interface OwnSequence extends TableName {
  /** The column that takes its default from it. */
  readonly column: string;
}

export interface Trigger {
  readonly relation: TableName;
  readonly name: string;
  /** `O` fires as usual, `R` on replicas, `A` always, `D` never. */
  readonly enabled: string;
}

/** Something that stands or falls with the table. */
export interface Dependent {
  readonly kind:
    | 'view'
    | 'materialized view'
    | 'partition'
    | 'partition of'
    | 'child'
    | 'parent'
    | 'publication'
    | 'policy'
    | 'trigger'
    | 'sequence'
    | 'foreign key';
  readonly name: string;
}

export interface Relation extends TableName {
  readonly oid: string;
  /** pg_class.relkind: `r` a table, `p` a partitioned one. */
  readonly kind: string;
  /** `p` permanent, `u` unlogged, `t` temporary. */
  readonly persistence: string;
  readonly owner: string;
  readonly row_security: boolean;
  readonly columns: readonly Column[];
  /** The primary key; empty where there is none that equality can be asked of. */
  readonly key: readonly KeyColumn[];
  /** Those that come from it and those that point at it. */
  readonly foreign_keys: readonly ForeignKey[];
  readonly deferrable_keys: readonly DeferrableKey[];
  readonly sequences: readonly OwnSequence[];
  readonly triggers: readonly Trigger[];
  /** Rules that are carried out even on replicas. */
  readonly lasting_rules: readonly string[];
  /** A partitioned table's, however deep; foreign tables among them are said apart. */
  readonly partitions: readonly TableName[];
  readonly foreign_partitions: readonly TableName[];
  readonly dependents: readonly Dependent[];
}

/** A session in which names mean what they say, rows are never filtered, and text is exact. */
export async function openTableSession(connection: ConnectionSettings, signal: AbortSignal): Promise<Session> {
  const session = await connect(connection, { signal });
  try {
    const settings: Readonly<Record<string, string>> = {
      search_path: '',
      row_security: 'off',
      extra_float_digits: '3',
      IntervalStyle: 'iso_8601',
      TimeZone: 'UTC',
    };
    await session.query(
      `SELECT ${Object.keys(settings)
        .map((_, index) => `pg_catalog.set_config($${2 * index + 1}, $${2 * index + 2}, false)`)
        .join(', ')}`,
      Object.entries(settings).flat(),
      { signal },
    );
    return session;
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}

export interface FoundName extends TableName {
  readonly oid: string;
  readonly kind: string;
}

/** Everything in the database that has rows or looks like it, by name: to find a table, or names near to it. */
export async function listRelations(session: Session, signal: AbortSignal): Promise<readonly FoundName[]> {
  return session.query<FoundName>(
    `SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind
       FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname NOT LIKE 'pg\\_temp\\_%'
      ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`,
    [],
    { signal },
  );
}

/** The one that is meant: by its full name; without a schema the one in `public`, or the only one of that name. */
export function findNamed(found: readonly FoundName[], asked: AskedTable): FoundName | 'ambiguous' | undefined {
  const named = found.filter(({ name }) => name === asked.name);
  if (asked.schema !== undefined) return named.find(({ schema }) => schema === asked.schema);
  return named.find(({ schema }) => schema === 'public') ?? (named.length > 1 ? 'ambiguous' : named[0]);
}

export async function readRelation(session: Session, oid: string, signal: AbortSignal): Promise<Relation> {
  const ask = <Row>(sql: string): Promise<readonly Row[]> => session.query<Row>(sql, [oid], { signal });
  const [own] = await ask<Omit<Relation, 'columns' | 'key'>>(relationQuery);
  if (own === undefined) throw new TypeError(`there is no relation ${oid}`);
  return {
    ...own,
    columns: await ask<Column>(columnsQuery),
    key: wholeKey(await ask<KeyColumn & { readonly columns: number }>(keyQuery)),
    foreign_keys: await ask<ForeignKey>(foreignKeysQuery),
    deferrable_keys: await ask<DeferrableKey>(deferrableKeysQuery),
    sequences: await ask<OwnSequence>(sequencesQuery),
    triggers: await ask<Trigger>(triggersQuery),
    lasting_rules: (await ask<{ name: string }>(rulesQuery)).map(({ name }) => name),
    partitions: await ask<TableName>(partitionsOf("<> 'f'")),
    foreign_partitions: await ask<TableName>(partitionsOf("= 'f'")),
    dependents: await ask<Dependent>(dependentsQuery),
  };
}

/** An operator that is not found (a key of periods, say) leaves a hole, and half a key is none. */
const wholeKey = (columns: readonly (KeyColumn & { readonly columns: number })[]): readonly KeyColumn[] =>
  columns.length === columns[0]?.columns ? columns.map(({ name, equals }) => ({ name, equals })) : [];

const relationQuery = `
  SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relpersistence AS persistence,
         pg_catalog.pg_get_userbyid(c.relowner) AS owner, c.relrowsecurity AS row_security
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = $1`;

const columnsQuery = `
  SELECT a.attnum::int4 AS number, a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
         a.atttypid::text AS type_oid, a.atttypmod AS type_modifier, a.attnotnull AS not_null, a.attidentity AS identity,
         a.attgenerated AS generated, t.typsend <> 0 AND t.typreceive <> 0 AS binary,
         CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END AS "default",
         t.typname IN ('oid', 'lo') AS may_name_large_object,
         CASE WHEN a.attcollation NOT IN (0, t.typcollation)
              THEN pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname) END AS collation
    FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_catalog.pg_collation AS co ON co.oid = a.attcollation
    LEFT JOIN pg_catalog.pg_namespace AS cn ON cn.oid = co.collnamespace
   WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`;

const keyQuery = `
  SELECT a.attname AS name, i.indnkeyatts::int4 AS columns,
         'OPERATOR(' || pg_catalog.quote_ident(pn.nspname) || '.' || p.oprname || ')' AS equals
    FROM pg_catalog.pg_index AS i
   CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(i.indkey::int2[]), pg_catalog.unnest(i.indclass::oid[]))
              WITH ORDINALITY AS k (number, class, place)
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
    JOIN pg_catalog.pg_opclass AS o ON o.oid = k.class
    JOIN pg_catalog.pg_am AS m ON m.oid = o.opcmethod AND m.amname = 'btree'
    JOIN pg_catalog.pg_amop AS e ON e.amopfamily = o.opcfamily AND e.amoplefttype = o.opcintype
     AND e.amoprighttype = o.opcintype AND e.amopstrategy = 3
    JOIN pg_catalog.pg_operator AS p ON p.oid = e.amopopr JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.oprnamespace
   WHERE i.indrelid = $1 AND i.indisprimary AND i.indisvalid AND k.place <= i.indnkeyatts ORDER BY k.place`;

const columnNames = (numbers: string, relation: string): string => `
  ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(${numbers}) WITH ORDINALITY AS u (number, place)
          JOIN pg_catalog.pg_attribute AS a ON a.attrelid = ${relation} AND a.attnum = u.number ORDER BY u.place)`;

const foreignKeysQuery = `
  SELECT k.conname AS name, k.conrelid::text AS from_oid, k.confrelid::text AS to_oid, k.convalidated AS validated,
         pg_catalog.json_build_object('schema', fn.nspname, 'name', f.relname) AS "from",
         pg_catalog.json_build_object('schema', tn.nspname, 'name', t.relname) AS "to",
         ${columnNames('k.conkey', 'k.conrelid')} AS columns, ${columnNames('k.confkey', 'k.confrelid')} AS "references",
         ARRAY(SELECT 'OPERATOR(' || pg_catalog.quote_ident(pn.nspname) || '.' || p.oprname || ')'
                 FROM pg_catalog.unnest(k.conpfeqop) WITH ORDINALITY AS u (operator, place)
                 JOIN pg_catalog.pg_operator AS p ON p.oid = u.operator
                 JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.oprnamespace ORDER BY u.place) AS equals,
         k.confmatchtype = 'f' AS match_full, pg_catalog.pg_get_constraintdef(k.oid) AS definition
    FROM pg_catalog.pg_constraint AS k
    JOIN pg_catalog.pg_class AS f ON f.oid = k.conrelid JOIN pg_catalog.pg_namespace AS fn ON fn.oid = f.relnamespace
    JOIN pg_catalog.pg_class AS t ON t.oid = k.confrelid JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.relnamespace
   WHERE k.contype = 'f' AND (k.conrelid = $1 OR k.confrelid = $1)
     AND (k.conparentid = 0 OR f.relispartition AND k.conrelid = $1 OR t.relispartition AND k.confrelid = $1) ORDER BY k.conname COLLATE "C", k.oid`;

const deferrableKeysQuery = `
  SELECT k.conname AS name, k.contype AS kind, NOT i.indnullsnotdistinct AS nulls_distinct,
         ${columnNames('k.conkey', 'k.conrelid')} AS columns
    FROM pg_catalog.pg_constraint AS k JOIN pg_catalog.pg_index AS i ON i.indexrelid = k.conindid
   WHERE k.conrelid = $1 AND k.condeferrable AND k.contype IN ('u', 'p', 'x') ORDER BY k.conname COLLATE "C"`;

// Of a default as well as of SERIAL and IDENTITY.
const sequencesQuery = `
  SELECT DISTINCT n.nspname AS schema, s.relname AS name, a.attname AS "column"
    FROM pg_catalog.pg_class AS s JOIN pg_catalog.pg_namespace AS n ON n.oid = s.relnamespace
    JOIN (SELECT objid AS sequence, refobjid AS relation, refobjsubid AS number FROM pg_catalog.pg_depend
           WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
             AND deptype IN ('a', 'i')
           UNION ALL
          SELECT e.refobjid, d.adrelid, d.adnum FROM pg_catalog.pg_attrdef AS d JOIN pg_catalog.pg_depend AS e
              ON e.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND e.objid = d.oid
             AND e.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass) AS o ON o.sequence = s.oid
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = o.relation AND a.attnum = o.number
   WHERE s.relkind = 'S' AND o.relation = $1 ORDER BY 1, 2, 3`;

const ofTheTree = `(SELECT t.relid FROM pg_catalog.pg_partition_tree($1::pg_catalog.oid) AS t UNION SELECT $1::pg_catalog.oid)`;

const triggersQuery = `
  SELECT pg_catalog.json_build_object('schema', n.nspname, 'name', c.relname) AS relation, g.tgname AS name,
         g.tgenabled AS enabled
    FROM pg_catalog.pg_trigger AS g JOIN pg_catalog.pg_class AS c ON c.oid = g.tgrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
   WHERE NOT g.tgisinternal AND g.tgrelid IN ${ofTheTree} ORDER BY n.nspname, c.relname, g.tgname`;

const rulesQuery = `
  SELECT r.rulename AS name FROM pg_catalog.pg_rewrite AS r
   WHERE r.ev_class IN ${ofTheTree} AND r.ev_enabled IN ('A', 'R') ORDER BY 1`;

const partitionsOf = (kind: string): string => `
  SELECT n.nspname AS schema, c.relname AS name FROM pg_catalog.pg_partition_tree($1::pg_catalog.oid) AS t
    JOIN pg_catalog.pg_class AS c ON c.oid = t.relid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
   WHERE t.relid <> $1 AND c.relkind ${kind} ORDER BY t.level, 1, 2`;

const named = (schema: string, name: string): string =>
  `pg_catalog.quote_ident(${schema}) || '.' || pg_catalog.quote_ident(${name})`;

// Foreign keys, triggers and sequences are known in more detail, and are put into the list by whoever shows it.
const dependentsQuery = `
  SELECT DISTINCT CASE v.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END AS kind, ${named('n.nspname', 'v.relname')} AS name
    FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid
    JOIN pg_catalog.pg_class AS v ON v.oid = r.ev_class JOIN pg_catalog.pg_namespace AS n ON n.oid = v.relnamespace
   WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
     AND d.refobjid = $1 AND v.oid <> $1 AND v.relkind IN ('v', 'm')
  UNION ALL
  SELECT CASE WHEN c.relispartition THEN 'partition' ELSE 'child' END, ${named('n.nspname', 'c.relname')}
    FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE i.inhparent = $1
  UNION ALL
  SELECT CASE WHEN c.relispartition THEN 'partition of' ELSE 'parent' END, ${named('n.nspname', 'p.relname')}
    FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
    JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent
    JOIN pg_catalog.pg_namespace AS n ON n.oid = p.relnamespace WHERE i.inhrelid = $1
  UNION ALL
  SELECT 'publication', p.pubname FROM pg_catalog.pg_publication AS p
   WHERE p.oid IN (SELECT r.prpubid FROM pg_catalog.pg_publication_rel AS r WHERE r.prrelid = $1)
  UNION ALL
  SELECT 'policy', y.polname FROM pg_catalog.pg_policy AS y WHERE y.polrelid = $1
  ORDER BY 1, 2`;
