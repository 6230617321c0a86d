// How near a replication slot is to being lost, or the server's disk to being full because of it.
//
// The slot keeps WAL for a receiver that is away, up to max_slot_wal_keep_size; past that the server removes it, and the
// slot is lost. Without a limit it keeps WAL until the disk is full, which stops the server. Both are told long before.

import { setTimeout as wait } from 'node:timers/promises';
import { isSpillwayError, type Report } from '@spillway/contract';
import { connect } from '../../postgres/connection.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';

export interface SlotState {
  /** `reserved`, `extended`, `unreserved` or `lost`; null where the slot keeps nothing yet. */
  readonly walStatus: string | null;
  /** What can still be written before it is lost; undefined where there is no limit. */
  readonly safeBytes: number | undefined;
  readonly limitBytes: number | undefined;
  /** What it keeps. */
  readonly heldBytes: number;
}

/** Of the limit: with less than this left it is time to act. */
const SAFE_PART = 0.5;
const HELD_WARN_BYTES = 8 * 1024 ** 3;
const TIMEOUT_MS = 5_000;
const INTERVAL_MS = 60_000;

/** What is to be said of it; undefined where all is well. */
export function slotNotice(slot: string, state: SlotState): string | undefined {
  const { walStatus, safeBytes, limitBytes, heldBytes } = state;
  const held = `The replication slot ${slot} holds back ${mebibytes(heldBytes)} of WAL`;
  if (walStatus === 'lost') return `The replication slot ${slot} is lost: WAL that was not received yet is gone.`;
  if (walStatus === 'unreserved') {
    return `${held}, more than max_slot_wal_keep_size allows: the next checkpoint may remove it, and then WAL is missing. Raise max_slot_wal_keep_size now, and reload.`;
  }
  if (safeBytes !== undefined && limitBytes !== undefined && safeBytes < limitBytes * SAFE_PART) {
    return `${held}; ${mebibytes(Math.max(0, safeBytes))} more, and it is lost (max_slot_wal_keep_size is ${mebibytes(limitBytes)}).`;
  }
  if (limitBytes === undefined && heldBytes > HELD_WARN_BYTES) {
    return `${held}, and nothing limits it: watch the free space of pg_wal, or set max_slot_wal_keep_size.`;
  }
  return undefined;
}

/** Tells when the slot is near its end, from now on every minute, until it is disposed of. */
export function watchSlot(connection: ConnectionSettings, slot: string, report: Report): AsyncDisposable {
  const ending = new AbortController();
  const { signal } = ending;
  const watch = async (): Promise<void> => {
    while (!signal.aborted) {
      const state = await readSlotState(connection, slot, signal);
      const message = state && slotNotice(slot, state);
      if (message !== undefined) report({ type: 'notice', level: 'warning', message });
      await wait(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    }
  };
  const watching = watch();
  // Thrown where it is awaited.
  watching.catch(() => undefined);
  return {
    async [Symbol.asyncDispose]() {
      ending.abort();
      await watching;
    },
  };
}

/** Undefined where there is no such slot, or this user may not ask. */
export async function readSlotState(
  connection: ConnectionSettings,
  slot: string,
  signal?: AbortSignal,
): Promise<SlotState | undefined> {
  try {
    await using session = await connect(connection, { timeoutMs: TIMEOUT_MS, ...(signal && { signal }) });
    const [row] = await session.query<Record<'status' | 'safe' | 'max' | 'held', string | null>>(SQL, [slot], {
      timeoutMs: TIMEOUT_MS,
      ...(signal && { signal }),
    });
    if (row === undefined) return undefined;
    const limit = Number(row.max);
    return {
      walStatus: row.status,
      safeBytes: row.safe === null ? undefined : Number(row.safe),
      limitBytes: limit < 0 ? undefined : limit * 1024 ** 2,
      heldBytes: Number(row.held ?? 0),
    };
  } catch (error) {
    // A role that may only replicate cannot ask: streaming goes on, and `spillway check` tells what is missing.
    if (isSpillwayError(error) || signal?.aborted === true) return undefined;
    throw error;
  }
}

const SQL = `
  SELECT wal_status AS status, safe_wal_size::text AS safe,
         (SELECT setting FROM pg_settings WHERE name = 'max_slot_wal_keep_size') AS max,
         (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END - restart_lsn)::text AS held
    FROM pg_replication_slots WHERE slot_name = $1`;

const mebibytes = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MiB`;
