// What a backup taken from a standby has to see to beside what PostgreSQL sees to itself.
//
// 1. It starts at the last restartpoint: replay must be past it. (On a standby nobody can make a checkpoint.)
// 2. A promotion meanwhile voids it, and so does another timeline of the primary: the copy would be of two histories.
//    PostgreSQL refuses to stop a backup after a promotion; asked before, it can be said plainly.
// 3. pg_backup_stop does not switch WAL there. It need not: WAL is stored in pieces, up to any position.
// full_page_writes of the primary are looked at by `readServer`, and by PostgreSQL at the start and the stop.

import { SpillwayError } from '@spillway/contract';
import type { Session } from '../../postgres/connection.ts';
import { describeServer } from '../../postgres/failure.ts';
import { formatLsn, type Lsn, type TimelineId } from '../../postgres/lsn.ts';
import { pause } from '../pause.ts';

const LOOK_AGAIN_MS = 100;
const REPLAY_WAIT_MS_MAX = 60_000;

export async function untilReplayed(session: Session, startLsn: Lsn, signal: AbortSignal): Promise<void> {
  for (const began = performance.now(); ; ) {
    const [row] = await session.query<{ replayed: boolean | null }>(
      'SELECT pg_catalog.pg_last_wal_replay_lsn() >= $1::pg_lsn AS replayed',
      [formatLsn(startLsn)],
      { signal },
    );
    if (row?.replayed === true) return;
    if (performance.now() - began > REPLAY_WAIT_MS_MAX) {
      throw new SpillwayError('SPW_BACKUP_VOID', `the backup of ${describeServer(session.settings)} is void`, {
        why: `the standby did not replay WAL up to ${formatLsn(startLsn)} within ${REPLAY_WAIT_MS_MAX / 1000} s`,
        hint: 'see whether replay is paused or behind on the standby, then run the backup again',
      });
    }
    await pause(LOOK_AGAIN_MS, signal);
  }
}

/** Before the stop. Throws SPW_BACKUP_VOID where the standby is one no more. */
export async function refusePromoted(session: Session, signal: AbortSignal): Promise<void> {
  const [row] = await session.query<{ standby: boolean }>('SELECT pg_catalog.pg_is_in_recovery() AS standby', [], {
    signal,
  });
  if (row?.standby !== true) throw voided(session, 'the standby was promoted during the backup');
}

/** After the stop. Throws SPW_BACKUP_VOID where its end lies on another timeline than its start. */
export async function refuseOtherTimeline(session: Session, timeline: TimelineId, signal: AbortSignal): Promise<void> {
  const [row] = await session.query<{ timeline: number }>(
    'SELECT min_recovery_end_timeline AS timeline FROM pg_catalog.pg_control_recovery()',
    [],
    { signal },
  );
  // 0 once it is no standby any more: then pg_backup_stop was the last that it did as one.
  if (row === undefined || row.timeline === 0 || row.timeline === timeline) return;
  throw voided(session, `the primary went over from timeline ${timeline} to ${row.timeline} during the backup`);
}

const voided = (session: Session, why: string): SpillwayError =>
  new SpillwayError('SPW_BACKUP_VOID', `the backup of ${describeServer(session.settings)} is void`, { why });
