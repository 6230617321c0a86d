// Asks the server what the doctor wants to know. Only views that every PostgreSQL from 15 on has; nothing is changed.

import { readServer } from '../../postgres/basebackup.ts';
import type { Session } from '../../postgres/connection.ts';
import type { ServerState } from './facts.ts';

interface StateRow {
  readonly clock_ms: string;
  readonly last_failed_wal: string | null;
  readonly last_failed_ms: string | null;
  readonly last_archived_ms: string | null;
}

interface SlotRow {
  readonly slot_name: string;
  readonly active: boolean;
  readonly wal_status: string | null;
  readonly held: string | null;
  readonly safe: string | null;
}

const NAMES = [
  'wal_level',
  'max_wal_senders',
  'max_replication_slots',
  'max_slot_wal_keep_size',
  'fsync',
  'full_page_writes',
  'wal_log_hints',
  'archive_mode',
  'archive_command',
  'archive_timeout',
  'summarize_wal',
];

export async function gatherServer(
  session: Session,
  signal?: AbortSignal,
): Promise<{ readonly state: ServerState; readonly dataDirectory: string }> {
  const options = signal === undefined ? {} : { signal };
  const facts = await readServer(session, options);
  const settings = await session.query<{ name: string; setting: string }>(
    'SELECT name, setting FROM pg_catalog.pg_settings WHERE name = ANY ($1)',
    [NAMES],
    options,
  );
  const [row] = await session.query<StateRow>(
    `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::text AS clock_ms, last_failed_wal,
            (extract(epoch FROM last_failed_time) * 1000)::text AS last_failed_ms,
            (extract(epoch FROM last_archived_time) * 1000)::text AS last_archived_ms
       FROM pg_catalog.pg_stat_archiver`,
    [],
    options,
  );
  const slots = await session.query<SlotRow>(
    `SELECT slot_name::text, active, wal_status, safe_wal_size::text AS safe,
            pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END,
                            restart_lsn)::text AS held
       FROM pg_catalog.pg_replication_slots ORDER BY 1`,
    [],
    options,
  );
  return {
    dataDirectory: facts.dataDirectory,
    state: {
      versionNumber: facts.versionNumber,
      inRecovery: facts.inRecovery,
      clock: moment(row?.clock_ms) ?? new Date(),
      checksums: facts.dataChecksums,
      settings: new Map(settings.map(({ name, setting }) => [name, setting])),
      archiver: {
        lastFailedWal: row?.last_failed_wal ?? undefined,
        lastFailedAt: moment(row?.last_failed_ms),
        lastArchivedAt: moment(row?.last_archived_ms),
      },
      slots: slots.map((slot) => ({
        name: slot.slot_name,
        active: slot.active,
        walStatus: slot.wal_status ?? undefined,
        heldBytes: Math.max(0, Number(slot.held ?? 0)),
        safeBytes: slot.safe === null ? undefined : Number(slot.safe),
      })),
    },
  };
}

const moment = (milliseconds: string | null | undefined): Date | undefined =>
  milliseconds === null || milliseconds === undefined ? undefined : new Date(Math.round(Number(milliseconds)));
