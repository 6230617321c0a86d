// Whether the canary is off, installed, refused, silent or fresh, as `check` and `doctor` tell it.
//
// 1. Off is a choice, and no fault: what comes of it is told, and how to turn it on.
// 2. Fresh is what the row says by the server's own clock, whoever wrote it: also a writer that this configuration knows
//    nothing of, and one whose row came to a standby. An idle cluster has one every few minutes all the same.
// 3. Otherwise it is told what keeps it: the role, a table that nobody made, a writer that is gone.

import type { Session } from '../../postgres/connection.ts';
import { type Asked, type CanaryRow, judgeTable, lookAtTable, readClock, readRow, type TableFacts } from './table.ts';

/** A canary that is this much older than it should be is silent. */
const SILENT_TIMES = 3;
const SILENT_MS_MIN = 600_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

export interface CanaryFacts {
  readonly table: TableFacts;
  readonly row: CanaryRow | undefined;
  /** The server's. */
  readonly clock: Date;
}

export interface CanaryStanding {
  readonly kind: 'off' | 'fresh' | 'standby' | 'missing' | 'refused' | 'unwritten' | 'silent';
  readonly status: 'ok' | 'warning';
  readonly message: string;
  readonly hint?: string;
}

export const silentAfterMs = (intervalMs: number): number => Math.max(SILENT_MS_MIN, SILENT_TIMES * intervalMs);

export async function lookAtCanary(session: Session, options: Asked = {}): Promise<CanaryFacts> {
  const table = await lookAtTable(session, options);
  const row = await readRow(session, options);
  return { table, row, clock: new Date(await readClock(session, options)) };
}

export const TURN_ON = 'canary: {} under the cluster in the configuration, and spillway wal receive running';
const WRITE = 'see what spillway wal receive says of it, or run spillway canary';

/** Pure. `intervalMs` is null where the configuration has no canary. */
export function judgeCanary({ table, row, clock }: CanaryFacts, intervalMs: number | null): CanaryStanding {
  const written = row === undefined || row.sequence === 0 ? undefined : row;
  const ageMs = written && clock.getTime() - Date.parse(written.written_at);
  if (written !== undefined && ageMs !== undefined && ageMs <= silentAfterMs(intervalMs ?? 0)) {
    const whose = intervalMs === null ? ', by a writer that this configuration does not know' : '';
    return { kind: 'fresh', status: 'ok', message: `fresh: number ${written.sequence}, ${ago(ageMs)}${whose}` };
  }
  if (intervalMs === null) {
    const since = ageMs === undefined ? '' : `; the last was ${ago(ageMs)}`;
    return {
      kind: 'off',
      status: 'ok',
      message: `off: loss is told by clocks alone${since}; to turn it on: ${TURN_ON}`,
    };
  }
  const verdict = judgeTable(table);
  switch (verdict.kind) {
    case 'standby':
      return { kind: 'standby', status: 'ok', message: 'not written now: the server is a standby' };
    case 'refused':
      return { kind: 'refused', status: 'warning', message: `none is written: ${verdict.why}`, hint: verdict.hint };
    case 'make':
      return {
        kind: 'missing',
        status: 'warning',
        message: 'not installed: there is no table spillway.canary yet',
        hint: 'spillway wal receive makes it when it runs, or spillway canary',
      };
    case 'ready':
      return written === undefined || ageMs === undefined
        ? { kind: 'unwritten', status: 'warning', message: 'installed, and never written', hint: WRITE }
        : {
            kind: 'silent',
            status: 'warning',
            message: `silent: the last, number ${written.sequence}, was ${ago(ageMs)}`,
            hint: WRITE,
          };
  }
}

function ago(ms: number): string {
  if (ms < 2 * MINUTE_MS) return `${Math.max(0, Math.round(ms / 1000))} s ago`;
  if (ms < 2 * HOUR_MS) return `${Math.round(ms / MINUTE_MS)} min ago`;
  return ms < 2 * DAY_MS ? `${Math.round(ms / HOUR_MS)} h ago` : `${Math.round(ms / DAY_MS)} days ago`;
}
