// Rows from the moment's server into a table of the live one: one COPY reads, another writes, nothing in between but a
// counter of bytes. The slower end sets the pace.

import type { Report } from '@spillway/contract';
import type { Session } from '../../postgres/connection.ts';
import type { ColumnMap } from './columns.ts';
import { showName } from './name.ts';
import type { Relation } from './relation.ts';
import { copyIn, copyOut } from './statements.ts';

const REPORT_EVERY_MS = 100;

export interface Pouring {
  readonly from: Session;
  readonly to: Session;
  readonly signal: AbortSignal;
  readonly report: Report;
}

/** Gives the number of rows. `into` is written as it stands. */
export async function pour(
  { from, to, signal, report }: Pouring,
  moment: Relation,
  into: string,
  map: Pick<ColumnMap, 'pairs' | 'format'>,
): Promise<number> {
  const rows = from.copyOut(
    copyOut(
      moment,
      map.pairs.map((pair) => pair.from),
      map.format,
    ),
    { signal },
  );
  return to.copyIn(
    copyIn(
      into,
      map.pairs.map((pair) => pair.to),
      map.format,
    ),
    counted(rows, `copying ${showName(moment)}`, report),
    { signal },
  );
}

/** Passes on what comes, and tells how much that was. */
export async function* counted(
  source: AsyncIterable<Buffer>,
  phase: string,
  report: Report,
): AsyncGenerator<Buffer, void, undefined> {
  let done = 0;
  let told = Number.NEGATIVE_INFINITY;
  for await (const bytes of source) {
    yield bytes;
    done += bytes.length;
    const now = performance.now();
    if (now - told < REPORT_EVERY_MS) continue;
    told = now;
    report({ type: 'progress', phase, done_bytes: done });
  }
  report({ type: 'progress', phase, done_bytes: done });
}
