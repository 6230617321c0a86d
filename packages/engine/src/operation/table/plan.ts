// What is done with each table, decided from what both catalogs say, before anything is made. Pure.
//
//   table of the moment \ live   there                        gone
//   beside                       like: LIKE the live one,     define: from pg_dump of the moment, and renamed
//                                in the moment's shape
//   swap                         contents: the rows that      define: from pg_dump of the moment, under its own name
//                                differ are exchanged
//   file                         rows, or pg_dump: the live database is not asked
//
// Tables come in the order of their foreign keys, those that are pointed at first. What cannot be done, or would do harm
// that nobody asked for, is refused here with the reason.

import { SpillwayError } from '@spillway/contract';
import type { RecoveryTarget } from '../restore/target.ts';
import { type ColumnMap, mapColumns } from './columns.ts';
import {
  type AskedTable,
  freeName,
  momentWord,
  quoteName,
  showIdentifier,
  showName,
  type TableName,
  timeWord,
} from './name.ts';
import type { ForeignKey, Relation } from './relation.ts';

export type How = 'beside' | 'swap' | 'file';
export type Way = 'like' | 'define' | 'contents' | 'file';

export interface TableFound {
  readonly asked: AskedTable;
  readonly moment: Relation;
  /** Undefined where it is gone, or the live database was not asked. */
  readonly live: Relation | undefined;
}

export interface TablePlan extends TableFound {
  readonly way: Way;
  /** Where its rows go: the table beside, or its own name. Null for a file. */
  readonly into: TableName | null;
  /** Where the rows are kept that the swap takes away. */
  readonly kept: TableName | null;
  /** Into the live table; null where there is none. */
  readonly map: ColumnMap | null;
  readonly notes: readonly string[];
}

export interface PlanWish {
  readonly how: How;
  readonly tables: readonly TableFound[];
  readonly target: RecoveryTarget;
  /** The moment that was reached. */
  readonly reachedAt: Date;
  readonly now: Date;
  readonly isSameMajor: boolean;
  /** What there is in the live database; indexes count too. */
  readonly taken: readonly TableName[];
  /** The name of the table beside, where one was said. */
  readonly as: string | undefined;
  readonly isUnlogged: boolean;
  /** Publications that take in every table, of the database or of a schema (null for all). */
  readonly publications: readonly { readonly name: string; readonly schema: string | null }[];
}

/** Throws SPW_TABLE_UNFIT, SPW_USAGE. */
export function planTables(wish: PlanWish): readonly TablePlan[] {
  refuseTwice(wish.tables);
  if (wish.as !== undefined && (wish.how !== 'beside' || wish.tables.length > 1)) {
    throw new SpillwayError('SPW_USAGE', '--as names one table that is put beside', {
      why: wish.how === 'beside' ? `${wish.tables.length} tables were named` : 'nothing is put beside',
    });
  }
  const taken = [...wish.taken];
  return byDependency(wish.tables).map((table) => planTable(wish, table, taken));
}

function planTable(wish: PlanWish, table: TableFound, taken: TableName[]): TablePlan {
  const { moment, live } = table;
  refuseUnfit(table, wish.how);
  const map =
    live === undefined
      ? null
      : mapColumns({
          moment,
          target: live,
          isSameTable: live.oid === moment.oid,
          isSameMajor: wish.isSameMajor,
        });
  const common = { ...table, map, into: null, kept: null, notes: [...notesOf(wish, table)] };
  if (wish.how === 'file') return { ...common, way: 'file' };
  const name = (base: TableName, word: string): TableName => {
    const there = taken.filter(({ schema }) => schema === base.schema).map((each) => each.name);
    const made = { schema: base.schema, name: freeName(base.name, word, new Set(there)) };
    taken.push(made);
    return made;
  };
  if (wish.how === 'swap') {
    if (live === undefined) return { ...common, way: 'define', into: pick(moment) };
    if (map !== null && map.refusals.length > 0) throw unfit(live, 'cannot be swapped', map.refusals.join('; '));
    const kept = name(live, `before_${timeWord(wish.now)}`);
    refusePublished(wish, kept);
    return { ...common, way: 'contents', into: pick(live), kept, notes: [...common.notes, ...(map?.notes ?? [])] };
  }
  const into =
    wish.as === undefined ? name(moment, momentWord(wish.target, wish.reachedAt)) : asNamed(wish.as, moment, taken);
  refusePublished(wish, into);
  return { ...common, way: live === undefined ? 'define' : 'like', into };
}

const isThere = (names: readonly TableName[], { schema, name }: TableName): boolean =>
  names.some((each) => each.schema === schema && each.name === name);

const pick = ({ schema, name }: TableName): TableName => ({ schema, name });

function asNamed(name: string, { schema }: TableName, taken: readonly TableName[]): TableName {
  const made = { schema, name };
  if (!isThere(taken, made)) return made;
  throw new SpillwayError('SPW_USAGE', `--as ${name} is taken`, {
    why: `${showName(made)} is there already`,
    hint: 'name another, or leave --as out',
  });
}

/** Those that are pointed at first; of a circle, whichever was named first. */
export function byDependency(tables: readonly TableFound[]): readonly TableFound[] {
  const ordered: TableFound[] = [];
  const visited = new Set<TableFound>();
  const visit = (table: TableFound): void => {
    if (visited.has(table)) return;
    visited.add(table);
    const targets = new Set(
      table.moment.foreign_keys.filter((key) => key.from_oid === table.moment.oid).map((key) => key.to_oid),
    );
    for (const other of tables) if (targets.has(other.moment.oid)) visit(other);
    ordered.push(table);
  };
  for (const table of tables) visit(table);
  return ordered;
}

function refuseTwice(tables: readonly TableFound[]): void {
  for (const [index, { moment, asked }] of tables.entries()) {
    const twice = tables.slice(index + 1).find((other) => other.moment.oid === moment.oid);
    if (twice !== undefined) {
      throw new SpillwayError('SPW_USAGE', `--table ${twice.asked.text} was named twice`, {
        why: `${asked.text} is the same table`,
      });
    }
    const part = tables.find((other) => moment.partitions.some((each) => showName(each) === showName(other.moment)));
    if (part !== undefined) {
      throw new SpillwayError('SPW_USAGE', `--table ${part.asked.text} is part of --table ${asked.text}`, {
        why: 'a partitioned table comes with all its partitions',
        hint: `leave --table ${part.asked.text} out`,
      });
    }
  }
}

const KINDS: Readonly<Record<string, string>> = {
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
  S: 'a sequence',
};

function refuseUnfit({ moment, live }: TableFound, how: How): void {
  const kind = KINDS[moment.kind];
  if (kind !== undefined) {
    throw unfit(moment, 'has no rows of its own', `at that moment it was ${kind}`, 'name the tables that it reads');
  }
  if (moment.persistence === 'u') {
    throw unfit(
      moment,
      'cannot be brought back',
      'at that moment it was UNLOGGED: PostgreSQL empties such tables in every recovery',
      'a dump holds its rows, where one was made: spillway dump list',
    );
  }
  if (moment.foreign_partitions.length > 0) {
    throw unfit(
      moment,
      'cannot be brought back whole',
      `its partitions ${list(moment.foreign_partitions)} are foreign tables: their rows are on another server`,
      'name its other partitions instead',
    );
  }
  if (live === undefined) return;
  const liveKind = KINDS[live.kind];
  if (liveKind !== undefined) {
    throw unfit(live, 'cannot be brought back there', `now it is ${liveKind}`, 'use --file');
  }
  if (how !== 'swap') return;
  if (live.foreign_partitions.length > 0) {
    throw unfit(
      live,
      'cannot be swapped',
      `its partitions ${list(live.foreign_partitions)} are foreign tables`,
      BESIDE,
    );
  }
  const period = live.foreign_keys.find(({ definition }) => /\bPERIOD\b/.test(definition));
  if (period !== undefined) {
    throw unfit(live, 'cannot be swapped', `foreign key ${showIdentifier(period.name)} is one of periods`, BESIDE);
  }
  const exclusion = live.deferrable_keys.find((key) => key.kind === 'x');
  if (exclusion !== undefined) {
    throw unfit(
      live,
      'cannot be swapped',
      `${showIdentifier(exclusion.name)} is a deferrable exclusion constraint`,
      BESIDE,
    );
  }
  if (live.lasting_rules.length > 0) {
    throw unfit(
      live,
      'cannot be swapped',
      `its rules ${live.lasting_rules.map(showIdentifier).join(', ')} (ENABLE ALWAYS or REPLICA) would rewrite what is done`,
      BESIDE,
    );
  }
}

const BESIDE = 'put it beside, and exchange the rows by hand';

const list = (names: readonly TableName[]): string => names.map(showName).join(', ');

export const unfit = (table: TableName, what: string, why: string, hint?: string): SpillwayError =>
  new SpillwayError('SPW_TABLE_UNFIT', `${showName(table)} ${what}`, { why, ...(hint === undefined ? {} : { hint }) });

/** A new table that is published stops every subscriber that lacks it. */
function refusePublished({ publications, isUnlogged }: PlanWish, made: TableName): void {
  if (isUnlogged) return;
  const found = publications.find(({ schema }) => schema === null || schema === made.schema);
  if (found === undefined) return;
  throw unfit(
    made,
    'was not made',
    `publication ${found.name} takes in every new table${found.schema === null ? '' : ` of schema ${made.schema}`}, and a subscriber that lacks one stops`,
    'add --unlogged (such tables are not published, and are emptied by a crash), or use --file',
  );
}

function* notesOf({ how, taken, tables }: PlanWish, { moment, live }: TableFound): Generator<string> {
  const objects = moment.columns.filter((column) => column.may_name_large_object);
  if (objects.length > 0) {
    yield `Large objects are not included: ${objects.map(({ name }) => showIdentifier(name)).join(', ')} of ${showName(moment)} may name some.`;
  }
  const children = moment.dependents.filter(({ kind }) => kind === 'child');
  if (children.length > 0) {
    yield `Rows of ${children.map(({ name }) => name).join(', ')}, which inherit from ${showName(moment)}, are not included: name them too.`;
  }
  if (how === 'file') return;
  if (live !== undefined && showName(live) !== showName(moment)) {
    yield `At that moment ${showName(live)} was called ${showName(moment)}.`;
  }
  if (live !== undefined) return;
  for (const key of pointingAt(moment, tables)) {
    if (isThere(taken, key.from)) {
      yield `Foreign key ${showIdentifier(key.name)} of ${showName(key.from)} pointed at it: ALTER TABLE ${quoteName(key.from)} ADD CONSTRAINT ${showIdentifier(key.name)} ${key.definition};`;
    }
  }
  for (const { kind, name } of moment.dependents) {
    if (kind.endsWith('view'))
      yield `${kind === 'view' ? 'View' : 'Materialized view'} ${name} read from it; it is not brought back with it.`;
  }
}

const pointingAt = (moment: Relation, tables: readonly TableFound[]): readonly ForeignKey[] =>
  moment.foreign_keys.filter(
    (key) =>
      key.to_oid === moment.oid &&
      key.from_oid !== moment.oid &&
      !tables.some((other) => other.moment.oid === key.from_oid && other.live === undefined),
  );
