// What differs between a live table and the moment's rows, found where the live table is, and never held in our memory.
//
// The rows of the moment are copied into a temporary table of the live session (not logged, seen by nobody else, gone with the
// session) and joined with the live ones. Only counts, the columns that differ and a few keys come here; the rows that differ
// stay there, so that a swap can take them.

import type { Session } from '../../postgres/connection.ts';
import type { KeyColumn } from './relation.ts';
import {
  type Compared,
  countChanges,
  countDifference,
  makeDifference,
  sampleRows,
  usableKey,
  type Workspace,
} from './statements.ts';

const SAMPLES = 5;

export interface TableDifference {
  /** Columns by which rows were matched; empty where whole rows were compared. */
  readonly key: readonly string[];
  /** Rows of the moment. */
  readonly moment: number;
  readonly same: number;
  /** In the live table and not in that of the moment. */
  readonly added: number;
  readonly changed: number;
  /** In that of the moment and not in the live table. */
  readonly missing: number;
  readonly changed_columns: readonly { readonly name: string; readonly rows: number }[];
  /** A few, by their keys, or as wholes. */
  readonly samples: {
    readonly added: readonly string[];
    readonly changed: readonly string[];
    readonly missing: readonly string[];
  };
}

export interface FoundDifference {
  readonly told: TableDifference;
  /** The same where exactly the same rows differ in the same way. */
  readonly digest: string;
}

export const compared = (table: Omit<Compared, 'key'>): Compared => ({
  ...table,
  key: usableKey(table.live, table.map),
});

export async function findDifference(
  session: Session,
  work: Workspace,
  table: Compared,
  signal: AbortSignal,
): Promise<FoundDifference> {
  const { key, map } = table;
  await session.query(makeDifference(work, table), [], { signal });
  await session.query(`ANALYZE ${work.difference}`, [], { signal });
  const [counts] = await session.query<Record<'moment' | 'added' | 'changed' | 'missing' | 'digest', string>>(
    countDifference(work),
    [],
    { signal },
  );
  if (counts === undefined) throw new TypeError('a count gave no row');
  const [moment, added, changed, missing] = [counts.moment, counts.added, counts.changed, counts.missing].map(
    Number,
  ) as [number, number, number, number];
  const [changes] =
    changed === 0 ? [] : await session.query<{ counts: readonly string[] }>(countChanges(work, table), [], { signal });
  return {
    digest: [counts.digest, counts.added, counts.changed, counts.missing].join(' '),
    told: {
      key: key.map(({ name }: KeyColumn) => name),
      moment,
      same: moment - changed - missing,
      added,
      changed,
      missing,
      changed_columns: map.pairs
        .map(({ to }, index) => ({ name: to.name, rows: Number(changes?.counts[index] ?? 0) }))
        .filter(({ rows }) => rows > 0),
      samples: await takeSamples(session, work, table, signal),
    },
  };
}

/** A few rows of each kind; `condition` narrows the rows of the difference. */
export async function takeSamples(
  session: Session,
  work: Workspace,
  table: Compared,
  signal: AbortSignal,
  condition = '',
): Promise<TableDifference['samples']> {
  const rows = await session.query<{ kind: keyof TableDifference['samples']; text: string }>(
    sampleRows(work, table, SAMPLES, condition),
    [],
    { signal },
  );
  const of = (wanted: string): readonly string[] => rows.filter(({ kind }) => kind === wanted).map(({ text }) => text);
  return { added: of('added'), changed: of('changed'), missing: of('missing') };
}

export const differs = ({ added, changed, missing }: TableDifference): boolean => added + changed + missing > 0;
