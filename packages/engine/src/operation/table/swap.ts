// Exchanges the rows of live tables for those of the moment. The tables themselves stay: so do their oid and all that hangs on
// it, foreign keys that point at them, views, grants, policies, triggers, statistics, publications, their place in a partition
// tree (decision 21 tells why, and why not by renaming). Only rows that differ are touched.
//
//   1  stage      the rows of the moment into a temporary table, one for each table
//   2  compare    in one snapshot, without a lock; the difference is shown, and whoever asked confirms it
//   3  lock       the tables against writers, those joined to them by foreign keys too; readers go on
//   4  look again the definition and the difference must be those that were shown, else nothing is done, and what has changed
//                 meanwhile is told. With `isLocked` 3 comes before 2, and writers wait all along
//   5  exchange   rows added or changed since are moved into a new table beside, those changed or missing are put in. Triggers
//                 do not fire (session_replication_role), not those of foreign keys either: nothing cascades
//   6  check      foreign keys both ways, and deferrable keys, are checked by queries; a row too many undoes all of it
//   7  sequences  that are behind the rows are set forward
// Invariant: 3 to 7 are one transaction of all tables. Whatever fails leaves the live tables as they were.

import { SpillwayError } from '@spillway/contract';
import { sqlState } from '../../postgres/failure.ts';
import type { TableWork } from './act.ts';
import { definitionOf, gone, pourInto, type PutByTable, type PutRows } from './beside.ts';
import { define } from './define.ts';
import { compared, differs, type FoundDifference, findDifference, takeSamples } from './difference.ts';
import { analyze, dress, inTransaction } from './live.ts';
import {
  quoteIdentifier,
  quoteLiteral,
  quoteName,
  showIdentifier,
  showName,
  type TableName,
  timeWord,
} from './name.ts';
import { type TablePlan, unfit } from './plan.ts';
import { pour } from './pour.ts';
import { type ForeignKey, readRelation, type Relation } from './relation.ts';
import { advanceSequences } from './sequences.ts';
import {
  type Compared,
  isNotAside,
  makeStage,
  orphansLeftBy,
  orphansOf,
  putAside,
  putBack,
  repeatedKeys,
  rowsOf,
  takeAway,
  type Workspace,
  workspace,
} from './statements.ts';

export interface StagedTable {
  readonly plan: TablePlan;
  readonly live: Relation;
  readonly compared: Compared;
  readonly work: Workspace;
  readonly rows: number;
}

/** 1: temporary, so it goes with the session. */
export async function stageTables(work: TableWork): Promise<readonly StagedTable[]> {
  const staged: StagedTable[] = [];
  for (const [number, plan] of work.plans.entries()) {
    const { live, map } = plan;
    if (live === undefined || map === null) continue;
    const place = workspace(number);
    await work.live.query(makeStage(place, map), [], work);
    const rows = await work.phases.run(
      `rows of ${showName(plan.moment)}`,
      () =>
        pour(
          { from: work.moment, to: work.live, signal: work.signal, report: work.report },
          plan.moment,
          place.stage,
          map,
        ),
      (count) => count,
    );
    await work.live.query(`ANALYZE ${place.stage}`, [], work);
    staged.push({ plan, live, compared: compared({ live, map }), work: place, rows });
  }
  return staged;
}

/** 2, by the oid of the moment's table. */
export async function compareTables(
  work: TableWork,
  staged: readonly StagedTable[],
): Promise<ReadonlyMap<string, FoundDifference>> {
  return work.phases.run('compare', async () => {
    const found = new Map<string, FoundDifference>();
    for (const { plan, compared: table, work: place } of staged) {
      found.set(plan.moment.oid, await findDifference(work.live, place, table, work.signal));
    }
    return found;
  });
}

export type ShownDifferences = ReadonlyMap<string, FoundDifference>;

export interface Swapped {
  readonly put: PutByTable;
  readonly shown: ShownDifferences;
  /** Rows moved into the table beside, by the oid of the moment's table. */
  readonly kept: ReadonlyMap<string, number>;
}

export interface SwapWish {
  readonly isLocked: boolean;
  readonly lockTimeoutMs: number;
  /** Shows the difference, and throws where that is not wanted. Called once, with nothing locked unless `isLocked`. */
  readonly confirm: (shown: ShownDifferences) => Promise<void>;
}

export async function swapTables(work: TableWork, { isLocked, lockTimeoutMs, confirm }: SwapWish): Promise<Swapped> {
  const { live, signal } = work;
  const staged = await stageTables(work);
  const definition = await definitionOf(work, work.plans);
  let shown: ShownDifferences = new Map();
  if (!isLocked) {
    shown = await inTransaction(live, 'ISOLATION LEVEL REPEATABLE READ', signal, () => compareTables(work, staged));
    await confirm(shown);
  }
  const done = await inTransaction(live, '', signal, async () => {
    await lock(work, staged, lockTimeoutMs);
    for (const table of staged) await refuseRedefined(work, table);
    if (isLocked) {
      shown = await compareTables(work, staged);
      await confirm(shown);
    } else await work.phases.run('look again', () => refuseChanged(work, staged, shown));
    return exchange(work, staged, shown, definition);
  });
  await work.phases.run('statistics', () =>
    analyze(live, [...staged.map((table) => table.live), ...gone(work.plans)], work.report, signal),
  );
  return { ...done, shown };
}

/** 3: in the order of their oids, so that two swaps cannot wait for each other. */
async function lock(work: TableWork, staged: readonly StagedTable[], timeoutMs: number): Promise<void> {
  const { live: session, signal } = work;
  const own = new Set(staged.map(({ live }) => live.oid));
  const wanted = new Map<string, string>();
  for (const { live } of staged) {
    for (const key of live.foreign_keys) {
      for (const [oid, name] of [
        [key.from_oid, key.from],
        [key.to_oid, key.to],
      ] as const) {
        if (!own.has(oid)) wanted.set(oid, `LOCK TABLE ${quoteName(name)} IN SHARE MODE`);
      }
    }
    wanted.set(live.oid, `LOCK TABLE ${rowsOf(live)} IN SHARE ROW EXCLUSIVE MODE`);
  }
  const inOrder = [...wanted].toSorted(([a], [b]) => Number(a) - Number(b));
  await work.phases.run('lock', async () => {
    await session.query(`SET LOCAL lock_timeout = ${timeoutMs}`, [], { signal });
    try {
      for (const [, statement] of inOrder) await session.query(statement, [], { signal });
    } catch (error) {
      const state = error instanceof SpillwayError ? sqlState(error.cause) : undefined;
      if (state !== '55P03' && state !== '40P01') throw error;
      await session.query('ROLLBACK', [], { signal });
      throw new SpillwayError(
        'SPW_TABLE_BUSY',
        `${staged.map(({ live }) => showName(live)).join(', ')} could not be locked`,
        {
          cause: error,
          why: await whoHolds(work, [...wanted.keys()], timeoutMs),
          hint: 'nothing was changed; let the transactions end that write there, and run it again',
        },
      );
    }
  });
}

async function whoHolds({ live, signal }: TableWork, oids: readonly string[], timeoutMs: number): Promise<string> {
  const holders = await live.query<{ pid: number; who: string; state: string | null; seconds: string }>(
    `SELECT DISTINCT a.pid, pg_catalog.concat_ws(' ', a.usename, nullif(a.application_name, '')) AS who, a.state,
            coalesce(pg_catalog.round(extract(epoch FROM pg_catalog.now() - a.xact_start)), 0)::text AS seconds
       FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
      WHERE l.locktype = 'relation' AND l.granted AND l.relation = ANY ($1::pg_catalog.oid[]) AND l.pid <> pg_catalog.pg_backend_pid()
        AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
        AND l.mode NOT IN ('AccessShareLock', 'RowShareLock') ORDER BY 1 LIMIT 5`,
    [oids],
    { signal },
  );
  const told = holders.map(
    ({ pid, who, state, seconds }) => `${who} (pid ${pid}, ${state ?? 'unknown'}, ${seconds} s)`,
  );
  return `writers had it for ${timeoutMs / 1000} s${told.length === 0 ? '' : `: ${told.join('; ')}`}`;
}

async function refuseRedefined({ live: session, signal }: TableWork, { live }: StagedTable): Promise<void> {
  const now = await readRelation(session, live.oid, signal).catch((error: unknown) => {
    if (error instanceof TypeError) return undefined;
    throw error;
  });
  if (JSON.stringify(now) === JSON.stringify(live)) return;
  throw new SpillwayError('SPW_TABLE_CHANGED', `${showName(live)} was not swapped`, {
    why: 'its definition, or what depends on it, was changed since it was looked at',
    hint: 'run it again, and look at the difference anew',
  });
}

/** 4: says which rows it was, where they differ now and did not when the difference was shown. */
async function refuseChanged(work: TableWork, staged: readonly StagedTable[], shown: ShownDifferences): Promise<void> {
  for (const { plan, live, compared: table, work: place } of staged) {
    const before = shown.get(plan.moment.oid);
    await work.live.query(putAside(place), [], work);
    const now = await findDifference(work.live, place, table, work.signal);
    if (before === undefined || now.digest === before.digest) continue;
    const samples = await takeSamples(work.live, place, table, work.signal, isNotAside(place));
    const rows = [...samples.added, ...samples.changed, ...samples.missing];
    const count = ({ told }: FoundDifference): string =>
      `${told.added} added, ${told.changed} changed, ${told.missing} missing`;
    throw new SpillwayError(
      'SPW_TABLE_CHANGED',
      `${showName(live)} was not swapped: its rows were changed since the difference was shown`,
      {
        why: `then ${count(before)}; now ${count(now)}${rows.length === 0 ? '' : `; among those that differ now: ${rows.join(' | ')}`}`,
        hint: 'stop what writes there and run it again, or let writers wait all along with --lock',
      },
    );
  }
}

/** 5 to 7. */
async function exchange(
  work: TableWork,
  staged: readonly StagedTable[],
  shown: ShownDifferences,
  definition: Awaited<ReturnType<typeof definitionOf>>,
): Promise<Omit<Swapped, 'shown'>> {
  const { live: session, signal, phases, plans } = work;
  const run = (sql: string): Promise<unknown> => session.query(sql, [], { signal });
  const put = new Map<string, PutRows>();
  const kept = new Map<string, number>();
  if (definition !== undefined) {
    await define(session, definition.before, gone(plans), signal);
    for (const plan of plans)
      if (plan.way === 'define') put.set(plan.moment.oid, await pourInto(work, plan, plan.moment));
  }
  await run('SET LOCAL session_replication_role = replica');
  await phases.run(
    'exchange',
    async () => {
      let rows = 0;
      for (const table of staged) {
        const { plan, rows: all } = table;
        const difference = shown.get(plan.moment.oid)?.told;
        put.set(plan.moment.oid, { rows: all, format: plan.map?.format ?? 'text', notes: [] });
        if (difference === undefined || !differs(difference)) continue;
        const away = await exchangeRows(work, table, difference);
        if (away > 0) kept.set(plan.moment.oid, away);
        rows += away + difference.changed + difference.missing;
      }
      return rows;
    },
    (rows) => rows,
  );
  await run('SET LOCAL session_replication_role = origin');
  if (definition !== undefined) await define(session, definition.after, gone(plans), signal);
  await phases.run('check keys', async () => {
    for (const table of staged) {
      const { oid } = table.plan.moment;
      const difference = shown.get(oid)?.told;
      if (difference !== undefined && differs(difference)) await checkKeys(work, table, kept.has(oid));
    }
  });
  for (const plan of plans) {
    const before = put.get(plan.moment.oid);
    if (before === undefined) continue;
    put.set(plan.moment.oid, { ...before, notes: await setSequences(work, plan) });
  }
  return { put, kept };
}

async function exchangeRows(
  work: TableWork,
  { live, plan, compared: table, work: place }: StagedTable,
  wanted: { readonly added: number; readonly changed: number; readonly missing: number },
): Promise<number> {
  const { live: session, signal } = work;
  const { kept } = plan;
  if (kept === null) throw new TypeError(`the rows of ${showName(live)} have no place to be kept`);
  const run = (sql: string): Promise<unknown> => session.query(sql, [], { signal });
  const count = async (sql: string): Promise<number> =>
    Number((await session.query<{ rows: string }>(sql, [], { signal }))[0]?.rows ?? 0);
  const isTaking = wanted.added + wanted.changed > 0;
  if (isTaking) await makeKept(work, live, kept);
  const unquiet = live.triggers.filter(({ enabled }) => enabled === 'A' || enabled === 'R');
  const setTriggers = async (how: (enabled: string) => string): Promise<void> => {
    for (const { relation, name, enabled } of unquiet) {
      await run(`ALTER TABLE ONLY ${quoteName(relation)} ${how(enabled)} TRIGGER ${quoteIdentifier(name)}`);
    }
  };
  await setTriggers(() => 'DISABLE');
  const away = isTaking ? await count(takeAway(place, live, kept)) : 0;
  if (isTaking) await run(`ANALYZE ${quoteName(kept)}`);
  let back = 0;
  for (const statement of putBack(place, table, isTaking ? kept : null)) back += await count(statement);
  await setTriggers((enabled) => (enabled === 'A' ? 'ENABLE ALWAYS' : 'ENABLE REPLICA'));
  if (away !== wanted.added + wanted.changed || back !== wanted.changed + wanted.missing) {
    throw unfit(live, 'was not swapped', `${away} rows were taken away and ${back} put in, other numbers than shown`);
  }
  return away;
}

async function makeKept(work: TableWork, live: Relation, kept: TableName): Promise<void> {
  const { live: session, signal } = work;
  const run = (sql: string): Promise<unknown> => session.query(sql, [], { signal });
  await run(`CREATE ${work.isUnlogged ? 'UNLOGGED ' : ''}TABLE ${quoteName(kept)} (LIKE ${quoteName(live)})`);
  await dress(session, kept, live, work.facts, signal);
  const told = `rows of ${showName(live)} that a swap with those of ${work.told} took away at ${timeWord(new Date())}`;
  await run(`COMMENT ON TABLE ${quoteName(kept)} IS ${quoteLiteral(told)}`);
}

/** 6: what PostgreSQL's own triggers would have seen to. */
async function checkKeys(work: TableWork, { live, plan }: StagedTable, isKept: boolean): Promise<void> {
  for (const key of live.deferrable_keys) {
    const [row] = await work.live.query<{ rows: string }>(repeatedKeys(live, key), [], work);
    if (Number(row?.rows ?? 0) === 0) continue;
    throw unfit(live, 'cannot be swapped', `${row?.rows} keys of ${showIdentifier(key.name)} would be there twice`);
  }
  for (const key of live.foreign_keys) {
    const broken: string[] = [];
    if (key.to_oid === live.oid && plan.kept !== null && isKept) broken.push(orphansLeftBy(key, plan.kept));
    if (key.from_oid === live.oid && key.validated) broken.push(orphansOf(key));
    for (const query of broken) {
      const [row] = await work.live.query<{ rows: string }>(query, [], work);
      if (Number(row?.rows ?? 0) > 0) throw orphaned(live, key, Number(row?.rows));
    }
  }
}

const orphaned = (live: TableName, key: ForeignKey, rows: number): SpillwayError =>
  unfit(
    live,
    'cannot be swapped',
    `${rows} ${rows === 1 ? 'row' : 'rows'} of ${showName(key.from)} would point at rows of ${showName(key.to)} that are not there (${showIdentifier(key.name)})`,
    `bring both back together: --table ${showName(key.to)} --table ${showName(key.from)}; or put it beside`,
  );

/** 7: columns of a table that was gone have the names of the moment. */
async function setSequences(work: TableWork, { moment, live, map }: TablePlan): Promise<readonly string[]> {
  const sessions = { moment: work.moment, live: work.live, signal: work.signal };
  if (live === undefined) {
    await advanceSequences({ ...sessions, partner: (name) => name, isNew: true }, moment, moment);
    return [];
  }
  const partner = (name: string): string | undefined => map?.pairs.find(({ to }) => to.name === name)?.from.name;
  return advanceSequences({ ...sessions, partner, isNew: false }, moment, live);
}
