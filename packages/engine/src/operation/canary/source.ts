// How the source stands now: what it has flushed, how far its receivers and its archive are, what its slot holds back, and
// the newest canary in it. One session, a few short questions; what a role may not see is left out.

import { connect } from '../../postgres/connection.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import { readSlotState, type SlotState } from '../wal/slot-watch.ts';
import { type CanaryRow, lookAtTable, readClock, readMoment, readRow } from './table.ts';

const TIMEOUT_MS = 5_000;

export interface SourceFacts {
  readonly inRecovery: boolean;
  /** Null of a standby. */
  readonly flushedLsn: string | null;
  readonly timeline: number | null;
  /** The server's clock. */
  readonly clock: string | null;
  readonly canary: CanaryRow | undefined;
  readonly slot: SlotState | undefined;
  /** Standbys and receivers; positions are null where the role may not see them. */
  readonly replication: readonly {
    readonly name: string;
    readonly state: string | null;
    readonly sync_state: string | null;
    readonly flushed_lsn: string | null;
    readonly behind_bytes: number | null;
    readonly behind_seconds: number | null;
  }[];
  readonly archive: {
    readonly mode: string;
    readonly last_archived_wal: string | null;
    readonly last_archived_at: string | null;
    readonly last_failed_at: string | null;
    readonly failed_count: number;
  };
  /** Rows deleted since the statistics began, in all databases. */
  readonly deletedRows: number;
  readonly statisticsSince: string | null;
}

export async function readSource(
  connection: ConnectionSettings,
  slot: string,
  signal?: AbortSignal,
): Promise<SourceFacts> {
  const asked = { timeoutMs: TIMEOUT_MS, ...(signal && { signal }) };
  const [slotState, rest] = await Promise.all([
    readSlotState(connection, slot, signal),
    (async () => {
      await using session = await connect(connection, asked);
      const { inRecovery } = await lookAtTable(session, asked);
      const canary = await readRow(session, asked);
      const moment = inRecovery ? undefined : await readMoment(session, asked);
      const replication = await session.query<SourceFacts['replication'][number]>(REPLICATION, [], asked);
      const [archive] = await session.query<ArchiveRow>(ARCHIVE, [], asked);
      const [deleted] = await session.query<{ readonly deleted: string | null; readonly since: Date | null }>(
        'SELECT sum(tup_deleted)::text AS deleted, max(stats_reset) AS since FROM pg_catalog.pg_stat_database',
        [],
        asked,
      );
      return { inRecovery, canary, moment, replication, archive, deleted };
    })(),
  ]);
  const { inRecovery, canary, moment, replication, archive, deleted } = rest;
  return {
    inRecovery,
    flushedLsn: moment?.flushed ?? null,
    timeline: moment?.timeline ?? null,
    clock: moment?.clock ?? null,
    canary,
    slot: slotState,
    replication: replication.map((each) => ({
      ...each,
      behind_bytes: numberOf(each.behind_bytes),
      behind_seconds: numberOf(each.behind_seconds),
    })),
    archive: {
      mode: archive?.mode ?? 'off',
      last_archived_wal: archive?.last_archived_wal ?? null,
      last_archived_at: archive?.last_archived_time?.toISOString() ?? null,
      last_failed_at: archive?.last_failed_time?.toISOString() ?? null,
      failed_count: Number(archive?.failed_count ?? 0),
    },
    deletedRows: Number(deleted?.deleted ?? 0),
    statisticsSince: deleted?.since?.toISOString() ?? null,
  };
}

/** The canary of a server alone: of a restored cluster, or of a source that still lives. Throws where it does not answer. */
export async function readCanaryAt(
  connection: ConnectionSettings,
  signal?: AbortSignal,
): Promise<(CanaryRow & { readonly timeline: number | null; readonly clock: string }) | undefined> {
  const asked = { timeoutMs: TIMEOUT_MS, ...(signal && { signal }) };
  await using session = await connect(connection, asked);
  const row = await readRow(session, asked);
  if (row === undefined) return undefined;
  const { inRecovery } = await lookAtTable(session, asked);
  if (!inRecovery) {
    const { timeline, clock } = await readMoment(session, asked);
    return { ...row, timeline, clock };
  }
  return { ...row, timeline: null, clock: await readClock(session, asked) };
}

interface ArchiveRow {
  readonly mode: string;
  readonly last_archived_wal: string | null;
  readonly last_archived_time: Date | null;
  readonly last_failed_time: Date | null;
  readonly failed_count: string;
}

const numberOf = (value: string | number | null): number | null => (value === null ? null : Math.max(0, Number(value)));

const REPLICATION = `
  SELECT application_name::text AS name, state, sync_state, flush_lsn::text AS flushed_lsn,
         pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_flush_lsn() END,
                         flush_lsn)::text AS behind_bytes,
         round(extract(epoch FROM flush_lag), 3)::text AS behind_seconds
    FROM pg_catalog.pg_stat_replication ORDER BY 1 LIMIT 20`;

const ARCHIVE = `
  SELECT current_setting('archive_mode') AS mode, last_archived_wal, last_archived_time, last_failed_time,
         failed_count::text
    FROM pg_catalog.pg_stat_archiver`;
