// Puts the rows of the moment beside the live tables, all tables in one transaction: either all are there or none.
//
//   1  the table: LIKE the live one and then in the shape of the moment; or, where that is gone, by its own definition
//   2  its rows
//   3  of a table that was gone: indexes, keys and triggers, and its sequences; then its new name
//   4  foreign keys among the tables that were put beside, which PostgreSQL checks: their rows fit each other
// Nothing of the live tables is touched, and nothing ties a new table to them: no default asks a live sequence.

import { isSpillwayError, SpillwayError } from '@spillway/contract';
import type { TableWork } from './act.ts';
import { mapColumns } from './columns.ts';
import { define, readDefinition } from './define.ts';
import { analyze, dress, inTransaction } from './live.ts';
import { quoteIdentifier, quoteLiteral, quoteName, showName, type TableName } from './name.ts';
import type { TablePlan } from './plan.ts';
import { pour } from './pour.ts';
import { type Relation, readRelation } from './relation.ts';
import { addForeignKey, makeLike, reshape } from './statements.ts';

export interface PutRows {
  readonly rows: number;
  readonly format: 'binary' | 'text';
  readonly notes: readonly string[];
}

/** By the oid of the moment's table. */
export type PutByTable = ReadonlyMap<string, PutRows>;

export async function putBeside(work: TableWork): Promise<PutByTable> {
  const { live, plans, phases, signal, report } = work;
  const definition = await definitionOf(work, plans);
  const put = await inTransaction(live, '', signal, async () => {
    const done = new Map<string, PutRows>();
    if (definition !== undefined) await define(live, definition.before, gone(plans), signal);
    for (const plan of plans) {
      if (plan.way === 'like') await makeBeside(work, plan);
      done.set(plan.moment.oid, await pourInto(work, plan, plan.way === 'like' ? into(plan) : plan.moment));
    }
    await phases.run('keys', async () => {
      if (definition !== undefined && !work.isBare) await define(live, definition.after, gone(plans), signal);
      if (!work.isBare) await joinTables(work);
    });
    for (const plan of plans) {
      if (plan.way === 'define') {
        await live.query(`ALTER TABLE ${quoteName(plan.moment)} RENAME TO ${quoteIdentifier(into(plan).name)}`, [], {
          signal,
        });
      }
    }
    return done;
  });
  await phases.run('statistics', () => analyze(live, plans.map(into), report, signal));
  return put;
}

/** Of the tables that are gone; undefined where none is. */
export async function definitionOf(
  work: Pick<TableWork, 'phases' | 'findDump' | 'scratch' | 'signal'>,
  plans: readonly TablePlan[],
): Promise<Awaited<ReturnType<typeof readDefinition>> | undefined> {
  const tables = gone(plans);
  if (tables.length === 0) return undefined;
  return work.phases.run('definition', async () =>
    readDefinition({
      program: await work.findDump(),
      connection: work.scratch.connection,
      tables,
      signal: work.signal,
    }),
  );
}

export const gone = (plans: readonly TablePlan[]): readonly Relation[] =>
  plans.filter(({ way }) => way === 'define').map(({ moment }) => moment);

/** Copies the rows of the moment into a table of the live database that has its columns by now. */
export async function pourInto(work: TableWork, { moment }: TablePlan, target: TableName): Promise<PutRows> {
  const { live, phases, signal } = work;
  const made = await readRelation(live, await oidOf(work, target), signal);
  const map = mapColumns({ moment, target: made, isSameTable: false, isSameMajor: work.isSameMajor });
  const rows = await phases.run(
    `rows of ${showName(moment)}`,
    () => pour({ from: work.moment, to: live, signal, report: work.report }, moment, quoteName(target), map),
    (count) => count,
  );
  return { rows, format: map.format, notes: [] };
}

async function oidOf({ live, signal }: TableWork, { schema, name }: TableName): Promise<string> {
  const [row] = await live.query<{ oid: string }>(
    `SELECT c.oid::text AS oid FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2`,
    [schema, name],
    { signal },
  );
  if (row !== undefined) return row.oid;
  throw new SpillwayError('SPW_POSTGRES_FAILED', `${showName({ schema, name })} was made and is not there`);
}

function into(plan: TablePlan): TableName {
  if (plan.into === null) throw new TypeError(`${showName(plan.moment)} goes nowhere`);
  return plan.into;
}

async function makeBeside(work: TableWork, plan: TablePlan): Promise<void> {
  const { live: session, signal } = work;
  const { live, map, moment } = plan;
  if (live === undefined || map === null) throw new TypeError(`${showName(moment)} is not in the live database`);
  const table = into(plan);
  const run = (sql: string): Promise<unknown> => session.query(sql, [], { signal });
  try {
    await run(makeLike(table, live, work));
    for (const statement of reshape(table, moment, map, live)) await run(statement);
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_POSTGRES_FAILED')) throw error;
    throw new SpillwayError('SPW_TABLE_UNFIT', `${showName(moment)} cannot be put beside in the shape that it had`, {
      cause: error,
      why: error.why ?? error.message,
      hint: work.isBare ? 'use --file' : 'leave indexes and constraints out with --without-indexes, or use --file',
    });
  }
  await dress(session, table, live, work.facts, signal);
  const told = `${showName(moment)} as of ${work.told}, put here by spillway restore --table`;
  await run(`COMMENT ON TABLE ${quoteName(table)} IS ${quoteLiteral(told)}`);
}

/** The keys that the live tables have as well: then the tables beside have the unique index that each needs. */
async function joinTables({ live, plans, signal }: TableWork): Promise<void> {
  for (const plan of plans) {
    if (plan.way !== 'like') continue;
    for (const key of plan.moment.foreign_keys) {
      const target = plans.find((other) => other.way === 'like' && other.moment.oid === key.to_oid);
      if (key.from_oid !== plan.moment.oid || target === undefined || !key.validated) continue;
      if (
        plan.live?.foreign_keys.some(({ name, from_oid: from }) => name === key.name && from === plan.live?.oid) !==
        true
      ) {
        continue;
      }
      await live.query(addForeignKey(into(plan), into(target), key), [], { signal });
    }
  }
}
