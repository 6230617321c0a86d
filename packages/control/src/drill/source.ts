// What the source says at the drill's moment: the same queries that the restored database will be asked.
//
// Where one must be equal, they are asked in one snapshot, and the drill recovers to exactly the position that it stands
// for (`askAtMoment`). Where the source is only an estimate (`within`, at another moment), an ordinary session is enough.
// A query that fails there fails its check, and keeps the others from nothing.

import { type Drill, isSpillwayError, type Report, type SqlCheck } from '@spillway/contract';
import { askAtMoment, connect, type ConnectionSettings, type Repository, type Session } from '@spillway/engine';
import { asksSource, type Rows } from './expectation.ts';

const ROWS_MAX = 10_000;

export interface SourceAnswers {
  /** By check; a sentence where it failed. */
  readonly answers: ReadonlyMap<string, Rows | string>;
  /** Null where no moment was held. */
  readonly moment: {
    readonly lsn: string;
    readonly timeline: number;
    readonly running: readonly string[];
    readonly lossSeconds: number;
  } | null;
}

export interface SourceOptions {
  readonly repository: Repository;
  readonly cluster: string;
  readonly connection: ConnectionSettings;
  readonly walTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export async function askSource(drill: Drill, options: SourceOptions): Promise<SourceAnswers> {
  const checks = drill.checks.filter(asksSource);
  if (checks.length === 0) return { answers: new Map(), moment: null };
  const exact = checks.filter(({ expectation }) => expectation.kind === 'equals_source');
  const answers = new Map<string, Rows | string>();
  const database = (check: SqlCheck | undefined): string | undefined => check?.database ?? drill.database;
  const held = drill.target === 'latest' ? (exact[0] ?? checks[0]) : undefined;
  const into = (check: SqlCheck): ConnectionSettings => {
    const named = database(check);
    return { ...options.connection, ...(named === undefined ? {} : { database: named }) };
  };
  if (held !== undefined) {
    const here = checks.filter((check) => database(check) === database(held));
    const queries = here.map(askedAs);
    const { answer, ...moment } = await askAtMoment(
      { ...options, connection: into(held), queries },
      async (session) => {
        const asked: (readonly [string, Rows | string])[] = [];
        for (const check of here) asked.push([check.name, await inSavepoint(session, check, options.signal)]);
        return asked;
      },
    );
    for (const [name, rows] of answer) answers.set(name, rows);
    const { lsn, timeline, running, lossSeconds } = moment;
    await askOthers();
    return { answers, moment: { lsn, timeline, running, lossSeconds } };
  }
  await askOthers();
  return { answers, moment: null };

  async function askOthers(): Promise<void> {
    for (const check of checks.filter(({ name }) => !answers.has(name))) {
      await using session = await connect(into(check), { signal: options.signal });
      await session.query("SET TimeZone = 'UTC'");
      await session.query('BEGIN READ ONLY');
      answers.set(check.name, await inSavepoint(session, check, options.signal));
    }
  }
}

/** As it is sent, here and there. For equality each row is text as PostgreSQL writes it: no type loses anything on the way. */
export function askedAs({ sql, expectation }: SqlCheck): string {
  const query = sql.trim().replace(/;\s*$/, '');
  return expectation.kind === 'equals_source'
    ? `SELECT asked::text AS row FROM (${query}\n) AS asked LIMIT ${ROWS_MAX + 1}`
    : query;
}

/** Throws where it is not one statement that gives a moderate number of rows. */
export function rowsOf(rows: Rows | undefined): Rows | string {
  if (!Array.isArray(rows)) return 'it is several statements, and a check is one';
  return rows.length > ROWS_MAX ? `it gives more than ${ROWS_MAX} rows; ask for a count or a sum` : rows;
}

async function inSavepoint(session: Session, check: SqlCheck, signal: AbortSignal): Promise<Rows | string> {
  await session.query('SAVEPOINT one');
  await session.query(`SET LOCAL statement_timeout = ${check.timeoutMs}`);
  try {
    const rows = rowsOf(await session.query<Record<string, unknown>>(askedAs(check), [], { signal }));
    await session.query('RELEASE one');
    return rows;
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_POSTGRES_FAILED')) throw error;
    await session.query('ROLLBACK TO one');
    return error.why ?? error.message;
  }
}
