// Which column of the moment goes into which column of the live table, whatever was changed in between. Pure.
//
// 1. Where both are the same table (same oid, same cluster), a column is the one with the same number: a column that was
//    renamed since is still itself, and one that was dropped and made anew is not. What is left goes by name.
// 2. Between other tables (one that was dropped and made again) columns go by name.
// 3. Generated columns of the target are not fed: it reckons them itself.
// 4. A column of another type goes through text, and PostgreSQL refuses what does not fit.
// 5. What the target has and the moment had not takes its default, or keeps what it has where the row stays; where it must not
//    be null and has no default, there is nothing to put there, and that is said instead of guessed.
// Rows travel in PostgreSQL's binary form only where both ends are of one major version and every type is the very same.

import { type Column, type Relation } from './relation.ts';
import { showIdentifier } from './name.ts';

export interface ColumnPair {
  /** In the moment's table. */
  readonly from: Column;
  readonly to: Column;
}

export interface ColumnMap {
  /** In the order of the target. */
  readonly pairs: readonly ColumnPair[];
  /** Of the target alone, not generated: filled by default, or kept. */
  readonly added: readonly Column[];
  /** Of the moment alone: their values have no place in the target. */
  readonly dropped: readonly Column[];
  readonly format: 'binary' | 'text';
  /** What was changed since, in sentences. */
  readonly notes: readonly string[];
  /** Why rows of the moment cannot be put into the target; empty where they can. */
  readonly refusals: readonly string[];
}

export interface MapWish {
  readonly moment: Pick<Relation, 'columns'>;
  readonly target: Pick<Relation, 'columns'>;
  /** Whether both are one and the same table, at two times. */
  readonly isSameTable: boolean;
  readonly isSameMajor: boolean;
}

export function mapColumns({ moment, target, isSameTable, isSameMajor }: MapWish): ColumnMap {
  const partners = pairUp(moment.columns, target.columns, isSameTable);
  const pairs: ColumnPair[] = [];
  const added: Column[] = [];
  const notes: string[] = [];
  const refusals: string[] = [];
  for (const to of target.columns) {
    const from = partners.get(to);
    if (to.generated !== '') {
      if (from !== undefined && from.generated === '') {
        notes.push(`Column ${showIdentifier(to.name)} is generated now: its old values are reckoned anew.`);
      }
      continue;
    }
    if (from === undefined) {
      added.push(to);
      const filled = fill(to);
      if (filled === undefined) {
        refusals.push(
          `column ${showIdentifier(to.name)} was added since, must not be null and has no default: give it one (ALTER TABLE … ALTER COLUMN … SET DEFAULT …)`,
        );
      } else notes.push(`Column ${showIdentifier(to.name)} was added since: rows that come back get ${filled}.`);
      continue;
    }
    if (from.name !== to.name) {
      notes.push(`Column ${showIdentifier(from.name)} was renamed to ${showIdentifier(to.name)} since.`);
    }
    if (!isSameType(from, to)) {
      notes.push(
        `Column ${showIdentifier(to.name)} was ${from.type} and is ${to.type} now: its values go through text.`,
      );
    }
    pairs.push({ from, to });
  }
  const used = new Set(partners.values());
  const dropped = moment.columns.filter((column) => !used.has(column));
  for (const column of dropped) {
    notes.push(`Column ${showIdentifier(column.name)} was dropped since: its values have no place.`);
  }
  if (pairs.length === 0) refusals.push('no column of that moment is there any more');
  const isBinary = isSameMajor && pairs.every(({ from, to }) => isSameType(from, to) && from.binary && to.binary);
  return { pairs, added, dropped, format: isBinary ? 'binary' : 'text', notes, refusals };
}

/** By number first, where numbers mean something; then by name, of what is left on both sides. */
function pairUp(
  moment: readonly Column[],
  target: readonly Column[],
  isSameTable: boolean,
): ReadonlyMap<Column, Column> {
  const partners = new Map<Column, Column>();
  const taken = new Set<Column>();
  const rounds: readonly ((from: Column, to: Column) => boolean)[] = [
    ...(isSameTable ? [(from: Column, to: Column) => from.number === to.number] : []),
    (from, to) => from.name === to.name,
  ];
  for (const isPartner of rounds) {
    for (const to of target) {
      if (partners.has(to)) continue;
      const from = moment.find((each) => !taken.has(each) && isPartner(each, to));
      if (from === undefined) continue;
      partners.set(to, from);
      taken.add(from);
    }
  }
  return partners;
}

const isSameType = (a: Column, b: Column): boolean =>
  a.type_oid === b.type_oid && a.type_modifier === b.type_modifier && a.type === b.type;

function fill(column: Column): string | undefined {
  if (column.identity !== '') return 'the next number of its identity';
  if (column.default !== null) return `its default, ${column.default}`;
  return column.not_null ? undefined : 'null';
}
