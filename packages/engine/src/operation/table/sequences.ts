// Sequences behind the columns of a table that came back: never behind the numbers that its rows have.
//
// A sequence that the moment had further along than the live one (it was restarted, or its table made anew) is set to where it
// was; one that has gone on since stays where it is, as numbers that were given out are not given out again. A recovery
// leaves sequences up to 32 numbers ahead of what they gave out, so of a table that is there its rows are asked as well.

import type { Session } from '../../postgres/connection.ts';
import { quoteIdentifier, quoteName, showName } from './name.ts';
import type { OwnSequence, Relation } from './relation.ts';
import { rowsOf } from './statements.ts';

export interface SequenceState {
  /** Of 64 bits. */
  readonly last: string;
  readonly is_called: boolean;
  readonly ascending: boolean;
}

/** Whether the live one would give out numbers that the moment's had given out already. */
export function isBehind(live: SequenceState, moment: SequenceState): boolean {
  const [here, there] = [BigInt(live.last), BigInt(moment.last)];
  if (here === there) return moment.is_called && !live.is_called;
  return moment.ascending ? here < there : here > there;
}

/** Whether it would give out a number that a row has; `furthest` is the last of these, null where there is none. */
export const isBehindRows = (
  { last, is_called: isCalled, ascending }: SequenceState,
  furthest: string | null,
): boolean => {
  if (furthest === null) return false;
  const [here, row] = [BigInt(last), BigInt(furthest)];
  return here === row ? !isCalled : ascending ? here < row : here > row;
};

export interface SequencesWish {
  readonly moment: Session;
  readonly live: Session;
  readonly signal: AbortSignal;
  /** Names a live column's column of the moment. */
  readonly partner: (column: string) => string | undefined;
  /** Its sequences were made a moment ago, and gave out nothing. */
  readonly isNew: boolean;
}

/** Gives what was set, in sentences. */
export async function advanceSequences(
  sessions: SequencesWish,
  moment: Relation,
  live: Relation,
): Promise<readonly string[]> {
  const { signal, partner, isNew } = sessions;
  const set: string[] = [];
  for (const sequence of live.sequences) {
    const before = moment.sequences.find(({ column }) => column === partner(sequence.column));
    if (before === undefined) continue;
    const then = await readState(sessions.moment, before, signal);
    const now = await readState(sessions.live, sequence, signal);
    if (then === undefined || now === undefined || !isBehind(now, then)) continue;
    if (!isNew && !(await isNeeded(sessions, live, sequence, now))) continue;
    await sessions.live.query(
      'SELECT pg_catalog.setval($1::pg_catalog.regclass, $2::int8, $3)',
      [quoteName(sequence), then.last, then.is_called],
      { signal },
    );
    set.push(`Sequence ${showName(sequence)} was at ${now.last}, behind the rows: set to ${then.last}.`);
  }
  return set;
}

/** Of a column that is no whole number nobody can tell from the rows: then it is. */
async function isNeeded(
  { live: session, signal }: SequencesWish,
  live: Relation,
  { column }: OwnSequence,
  state: SequenceState,
): Promise<boolean> {
  const type = live.columns.find(({ name }) => name === column)?.type ?? '';
  if (!WHOLE_NUMBERS.has(type)) return true;
  const [row] = await session.query<{ furthest: string | null }>(
    `SELECT ${state.ascending ? 'pg_catalog.max' : 'pg_catalog.min'}(${quoteIdentifier(column)})::text AS furthest FROM ${rowsOf(live)}`,
    [],
    { signal },
  );
  return isBehindRows(state, row?.furthest ?? null);
}

const WHOLE_NUMBERS: ReadonlySet<string> = new Set(['smallint', 'integer', 'bigint']);

const readState = async (
  session: Session,
  sequence: OwnSequence,
  signal: AbortSignal,
): Promise<SequenceState | undefined> => {
  const [state] = await session.query<SequenceState>(
    `SELECT s.last_value::text AS last, s.is_called, q.seqincrement > 0 AS ascending
       FROM ${quoteName(sequence)} AS s, pg_catalog.pg_sequence AS q WHERE q.seqrelid = $1::pg_catalog.regclass`,
    [quoteName(sequence)],
    { signal },
  );
  return state;
};
