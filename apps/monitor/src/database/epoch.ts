// Which server may be written to: only a primary, and never one of an older epoch than was seen before.
//
// The epoch is PostgreSQL's own: the system identifier, which all servers of one lineage share, and the timeline, which
// rises with every promotion, also with that of a restored cluster. So an old primary that comes back after a failover has
// a lower timeline than its successor, and gets nothing.
// Invariant: the epoch on disk is at least that of every server that was ever written to, for it is written first.

import { readIfThere, writeDurably } from '../durable-file.ts';

export interface Epoch {
  readonly system: string;
  readonly timeline: number;
}

export interface Server extends Epoch {
  readonly inRecovery: boolean;
  /** `default_transaction_read_only`: how a primary is fenced without stopping it. */
  readonly readOnly: boolean;
  readonly version: string;
}

export type Judgement = { readonly may: true; readonly epoch: Epoch } | { readonly may: false; readonly why: string };

/** `accept` is the system identifier that the operator named as the successor of another. */
export function judge(server: Server, seen: Epoch | undefined, accept: string | undefined): Judgement {
  if (server.inRecovery) return { may: false, why: 'the server is in recovery: a standby, or a restore under way' };
  if (server.readOnly) return { may: false, why: 'the server takes no writes: default_transaction_read_only is on' };
  const { system, timeline } = server;
  if (seen !== undefined && seen.system !== system && accept !== system) {
    return {
      may: false,
      why:
        `the server is of another system, ${system}, than the one written to before, ${seen.system}; ` +
        `where it is meant to take its place, start the monitor with MONITOR_ACCEPT_SYSTEM=${system}`,
    };
  }
  if (seen?.system === system && timeline < seen.timeline) {
    return {
      may: false,
      why: `the server is on timeline ${timeline}, and timeline ${seen.timeline} was written to before: an old primary`,
    };
  }
  return { may: true, epoch: { system, timeline } };
}

/** What the server says of itself, as one row. A walfile's name begins with the timeline in hexadecimal. */
export const serverQuery = `
  SELECT pg_is_in_recovery() AS "inRecovery",
         current_setting('default_transaction_read_only') = 'on' AS "readOnly",
         (SELECT system_identifier::text FROM pg_control_system()) AS system,
         CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
              ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int END AS timeline,
         current_setting('server_version') AS version`;

/** The highest epoch seen, kept in a file. */
export class EpochMemory {
  readonly #file: string;
  #seen: Epoch | undefined;

  private constructor(file: string, seen: Epoch | undefined) {
    this.#file = file;
    this.#seen = seen;
  }

  static async open(file: string): Promise<EpochMemory> {
    const text = await readIfThere(file);
    return new EpochMemory(file, text === undefined ? undefined : parseEpoch(text, file));
  }

  get seen(): Epoch | undefined {
    return this.#seen;
  }

  async remember(epoch: Epoch): Promise<void> {
    if (this.#seen?.system === epoch.system && this.#seen.timeline === epoch.timeline) return;
    await writeDurably(this.#file, `${JSON.stringify(epoch)}\n`);
    this.#seen = epoch;
  }
}

function parseEpoch(text: string, file: string): Epoch {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${file} holds no epoch; see what became of it before you remove it`, { cause });
  }
  if (
    typeof read === 'object' &&
    read !== null &&
    'system' in read &&
    'timeline' in read &&
    typeof read.system === 'string' &&
    typeof read.timeline === 'number'
  ) {
    return { system: read.system, timeline: read.timeline };
  }
  throw new Error(`${file} holds no epoch; see what became of it before you remove it`);
}
