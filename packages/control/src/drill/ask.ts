// The checks of a drill file, asked of the restored database, in the order of the file.
//
// Each query runs in a transaction of its own that is rolled back, with the time-out of its check. What a check meets with is
// its result: a query that fails, a command that ends badly or a service that stays silent fails that check and no other.

import { type Drill, type DrillCheck, isSpillwayError, type SqlCheck } from '@spillway/contract';
import { connect, type ConnectionSettings, type Session } from '@spillway/engine';
import type { CheckOutcome } from './checklist.ts';
import { type CommandPlace, runCommand } from './commands.ts';
import {
  executionTime,
  indexesInPlan,
  judgePlan,
  judgeRows,
  judgeTimes,
  type Rows,
  type Verdict,
} from './expectation.ts';
import { findObjects, judgeObjects, type JudgedObjects } from './objects.ts';
import { askedAs, rowsOf, type SourceAnswers } from './source.ts';
import { checkByHttp } from './web.ts';

export interface AskPlace {
  readonly drill: Drill;
  /** To the restored server, for our own sessions. */
  readonly connection: ConnectionSettings;
  /** The same for commands, which may not take a socket. */
  readonly overTcp: ConnectionSettings;
  readonly source: SourceAnswers;
  /** Transactions that make the comparison with the source inexact; none in all but the rarest case. */
  readonly inexact: readonly string[];
  readonly commands: Omit<CommandPlace, 'connection'>;
  readonly signal: AbortSignal;
}

export async function askCheck(check: DrillCheck, place: AskPlace): Promise<CheckOutcome> {
  const about = check.kind === 'sql' ? check.expectation.kind : null;
  return timed({ name: check.name, kind: check.kind, about }, () => {
    switch (check.kind) {
      case 'sql':
        return askSql(check, place);
      case 'shell':
        return askShell(check.command, check.timeoutMs, commandPlace(check.database, place), place.signal);
      case 'http':
        return checkByHttp(check, commandPlace(check.database, place), place.signal);
    }
  });
}

/** One outcome for each kind of object that is expected of the database. */
export async function askObjects(database: string, place: AskPlace): Promise<readonly CheckOutcome[]> {
  const expected = place.drill.objects[database];
  if (expected === undefined) return [];
  const began = performance.now();
  const parts = ['tables', 'indexes', 'constraints', 'extensions'] as const;
  const outcome = (part: (typeof parts)[number], verdict: Verdict): CheckOutcome => ({
    name: `${part} of ${database}`,
    kind: 'objects',
    about: part,
    ...verdict,
    seconds: secondsSince(began),
  });
  let judged: JudgedObjects;
  try {
    await using session = await connect({ ...place.connection, database }, { signal: place.signal });
    judged = judgeObjects(expected, await findObjects(session, expected));
  } catch (error) {
    const why = asFinding(error);
    const count = Object.keys(expected.tables).length;
    return [outcome('tables', { result: 'failed', expected: `${count} tables`, found: why })];
  }
  const isAsked = (part: (typeof parts)[number]): boolean =>
    part === 'tables'
      ? Object.keys(expected.tables).length > 0
      : part === 'extensions'
        ? expected.extensions.length > 0
        : Object.values(expected.tables).some((its) => its[part].length > 0);
  return parts.filter(isAsked).map((part) => outcome(part, judged[part]));
}

/** Runs it, and gives it its time. */
export async function timed(
  told: Pick<CheckOutcome, 'name' | 'kind' | 'about'>,
  check: () => Promise<Verdict>,
): Promise<CheckOutcome> {
  const began = performance.now();
  const verdict = await check();
  return { ...told, ...verdict, seconds: secondsSince(began) };
}

export const secondsSince = (began: number): number => Math.round(performance.now() - began) / 1000;

async function askSql(check: SqlCheck, place: AskPlace): Promise<Verdict> {
  const { expectation, timeoutMs } = check;
  const source = place.source.answers.get(check.name);
  if (typeof source === 'string') return broken(check, `the source failed: ${source}`);
  if (expectation.kind === 'equals_source' && place.inexact.length > 0) {
    const which = place.inexact.slice(0, 3).join(', ');
    return broken(check, `the source cannot be compared: transaction ${which} was in the midst of its commit`);
  }
  const database = check.database ?? place.drill.database;
  try {
    await using session = await connect(
      { ...place.connection, ...(database === undefined ? {} : { database }) },
      { signal: place.signal },
    );
    await session.query("SET TimeZone = 'UTC'");
    await session.query(`SET statement_timeout = ${timeoutMs}`);
    await session.query('BEGIN');
    return await judgeAnswer(check, session, source, place.signal);
  } catch (error) {
    return broken(check, asFinding(error));
  }
}

async function judgeAnswer(
  check: SqlCheck,
  session: Session,
  source: Rows | undefined,
  signal: AbortSignal,
): Promise<Verdict> {
  const { expectation } = check;
  const query = askedAs(check);
  const ask = (sql: string): Promise<Rows> => session.query<Record<string, unknown>>(sql, [], { signal });
  switch (expectation.kind) {
    case 'plan_uses_index': {
      const plan = planOf(await ask(`EXPLAIN (FORMAT JSON) ${query}`));
      return judgePlan(expectation.of, await indexesOf(session, expectation.of), indexesInPlan(plan));
    }
    case 'faster_than': {
      const times: number[] = [];
      for (let run = 0; run < expectation.runs; run++) {
        const time = executionTime(planOf(await ask(`EXPLAIN (ANALYZE, FORMAT JSON) ${query}`)));
        if (time !== undefined) times.push(time);
      }
      return judgeTimes(expectation.limitMs, times);
    }
    default: {
      const restored = rowsOf(await ask(query));
      return typeof restored === 'string' ? broken(check, restored) : judgeRows(expectation, { restored, source });
    }
  }
}

const planOf = (rows: Rows): unknown => rows[0]?.['QUERY PLAN'];

/** An index with those of its partitions, or all indexes of a table and its partitions; undefined where neither is there. */
async function indexesOf(session: Session, name: string): Promise<readonly string[] | undefined> {
  const [there] = await session.query<{ oid: string | null }>('SELECT to_regclass($1)::oid::text AS oid', [name]);
  if (there === undefined || there.oid === null) return undefined;
  const rows = await session.query<{ name: string }>(
    `WITH tree AS (SELECT relid::oid AS oid FROM pg_partition_tree($1::oid) UNION SELECT $1::oid)
     SELECT relname AS name FROM tree JOIN pg_class USING (oid) WHERE relkind IN ('i', 'I')
      UNION SELECT relname FROM tree JOIN pg_index ON indrelid = tree.oid JOIN pg_class ON pg_class.oid = indexrelid`,
    [there.oid],
  );
  return rows.map(({ name: index }) => index);
}

async function askShell(
  command: string,
  timeoutMs: number,
  place: CommandPlace,
  signal: AbortSignal,
): Promise<Verdict> {
  const { end, output } = await runCommand(command, place, { timeoutMs, signal });
  const said = output === '' ? '' : `; it said: ${output.slice(-300).replaceAll(/\s*\n\s*/g, ' | ')}`;
  const expected = 'exit code 0';
  if (end === undefined) return { result: 'failed', expected, found: `no end within ${timeoutMs / 1000} s${said}` };
  if (end.code === 0) return { result: 'passed', expected, found: expected };
  return { result: 'failed', expected, found: `${end.signal ?? `exit code ${end.code}`}${said}` };
}

function commandPlace(database: string | undefined, { drill, overTcp, commands }: AskPlace): CommandPlace {
  const named = database ?? drill.database;
  return { ...commands, connection: { ...overTcp, ...(named === undefined ? {} : { database: named }) } };
}

const broken = ({ expectation }: SqlCheck, found: string): Verdict => ({
  result: 'failed',
  expected: WORDS[expectation.kind],
  found,
});

const WORDS: Readonly<Record<SqlCheck['expectation']['kind'], string>> = {
  equals_source: 'as the source',
  within: 'near the source',
  at_least: 'a number',
  at_most: 'a number',
  equals: 'a value',
  is_true: 'true',
  plan_uses_index: 'a plan',
  faster_than: 'a time',
};

/** The sentence of what PostgreSQL answered; anything that is not its answer ends the drill. */
function asFinding(error: unknown): string {
  if (isSpillwayError(error, 'SPW_POSTGRES_FAILED', 'SPW_POSTGRES_DENIED', 'SPW_POSTGRES_UNREACHABLE')) {
    return error.why ?? error.message;
  }
  throw error;
}
