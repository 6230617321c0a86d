// Sequences behind the columns of a table that came back: never behind the numbers that its rows have.
//
// A sequence that the moment had further along than the live one (it was restarted, or its table made anew) is set to where it
// was; one that has gone on since stays where it is, as numbers that were given out are not given out again.

import type { Session } from '../../postgres/connection.ts';
import { quoteName, showName } from './name.ts';
import type { OwnSequence, Relation } from './relation.ts';

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

/** Gives what was set, in sentences. `partner` names a live column's column of the moment. */
export async function advanceSequences(
  sessions: { readonly moment: Session; readonly live: Session; readonly signal: AbortSignal },
  moment: Pick<Relation, 'sequences'>,
  live: Pick<Relation, 'sequences'>,
  partner: (column: string) => string | undefined,
): Promise<readonly string[]> {
  const { signal } = sessions;
  const set: string[] = [];
  for (const sequence of live.sequences) {
    const before = moment.sequences.find(({ column }) => column === partner(sequence.column));
    if (before === undefined) continue;
    const then = await readState(sessions.moment, before, signal);
    const now = await readState(sessions.live, sequence, signal);
    if (then === undefined || now === undefined || !isBehind(now, then)) continue;
    await sessions.live.query(
      'SELECT pg_catalog.setval($1::pg_catalog.regclass, $2::int8, $3)',
      [quoteName(sequence), then.last, then.is_called],
      { signal },
    );
    set.push(`Sequence ${showName(sequence)} was at ${now.last}, behind the rows: set to ${then.last}.`);
  }
  return set;
}

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
