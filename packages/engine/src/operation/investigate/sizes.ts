// How many rows tables have that came empty into what was read: made there, or truncated there. Pure.
//
// VACUUM and ANALYZE count rows, and often neither has run on a table that is dropped soon after it was made. But its rows are known
// where all that was done to it has been read.

import { keyOf, type LostRelation, type TransactionFound } from './describe.ts';

type Described = Pick<TransactionFound, 'whole' | 'tables' | 'created' | 'truncated' | 'dropped'>;

export class Sizes {
  readonly #rows = new Map<string, number>();

  /** WAL is missing: nothing is known any more. */
  forget(): void {
    this.#rows.clear();
  }

  /** Of transactions in the order of their commits: the same with the rows of dropped and truncated tables, where they are known. */
  follow<T extends Described>(found: T): T {
    const counted = { ...found, dropped: this.#count(found.dropped), truncated: this.#count(found.truncated) };
    if (found.whole) for (const each of found.created) this.#rows.set(keyOf(each), 0);
    // Rows that the same transaction put in before it truncated the table count as rows of afterwards: rather too many than too few.
    if (found.whole) for (const each of found.truncated) this.#rows.set(keyOf(each), 0);
    for (const each of found.dropped) this.#rows.delete(keyOf(each));
    for (const row of found.tables) {
      const before = this.#rows.get(keyOf(row));
      if (before !== undefined) this.#rows.set(keyOf(row), Math.max(0, before + row.inserts - row.deletes));
    }
    return counted;
  }

  #count(lost: readonly LostRelation[]): readonly LostRelation[] {
    return lost.map((each) =>
      each.rows_before === null ? { ...each, rows_before: this.#rows.get(keyOf(each)) ?? null } : each,
    );
  }
}
