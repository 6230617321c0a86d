// How a server is, in one short session: whether it answers, whether it takes writes, on which timeline, and how much it does.
//
// One question, and once a minute what its statements cost (`statements.ts`), bounded in time; what a role may not see is left out by the server itself. A server that does not answer is an
// answer too: it is told as not up, with the reason.

import { isSpillwayError } from '@spillway/contract';
import { connect, type ConnectionSettings } from '@spillway/engine';
import { readStatements, type Statements } from './statements.ts';

const TIMEOUT_MS = 5000;

export interface ServerFigures {
  readonly inRecovery: boolean;
  readonly timeline: number;
  /** Of clients, without workers. */
  readonly connections: number;
  readonly connectionsMax: number;
  readonly longestTransactionSeconds: number;
  readonly committed: number;
  readonly rolledBack: number;
  readonly blocksHit: number;
  readonly blocksRead: number;
  readonly deadlocks: number;
}

export interface ServerSeen {
  /** `host:port`. */
  readonly server: string;
  /** Undefined where it does not answer. */
  readonly figures: ServerFigures | undefined;
  readonly problem: string | null;
  /** Absent where it does not answer. */
  readonly statements?: Statements;
}

/** `known`: the statements of the reading before, which are not read anew each time. */
export async function probeServer(
  connection: ConnectionSettings,
  signal: AbortSignal,
  known?: Statements,
): Promise<ServerSeen> {
  const server = `${connection.host}:${connection.port}`;
  const asked = { timeoutMs: TIMEOUT_MS, signal };
  try {
    await using session = await connect(connection, asked);
    const [row] = await session.query<Row>(FIGURES, [], asked);
    const statements = await readStatements(session, known, signal, Date.now());
    return { server, figures: row && figuresOf(row), problem: null, statements };
  } catch (error) {
    if (!isSpillwayError(error) || error.code === 'SPW_INTERRUPTED') throw error;
    return { server, figures: undefined, problem: error.message };
  }
}

type Row = Readonly<Record<Exclude<keyof ServerFigures, 'inRecovery'>, string | null>> & {
  readonly inRecovery: boolean;
};

const figuresOf = (row: Row): ServerFigures => ({
  inRecovery: row.inRecovery,
  timeline: Number(row.timeline),
  connections: Number(row.connections),
  connectionsMax: Number(row.connectionsMax),
  longestTransactionSeconds: Math.max(0, Number(row.longestTransactionSeconds ?? 0)),
  committed: Number(row.committed ?? 0),
  rolledBack: Number(row.rolledBack ?? 0),
  blocksHit: Number(row.blocksHit ?? 0),
  blocksRead: Number(row.blocksRead ?? 0),
  deadlocks: Number(row.deadlocks ?? 0),
});

const FIGURES = `
  SELECT s.in_recovery AS "inRecovery",
         CASE WHEN s.in_recovery THEN (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint())::text
              ELSE (('x' || substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::bit(32)::int)::text
         END AS timeline,
         a.connections::text AS connections, current_setting('max_connections') AS "connectionsMax",
         a.longest::text AS "longestTransactionSeconds",
         d.committed::text AS committed, d.rolled_back::text AS "rolledBack", d.hit::text AS "blocksHit",
         d.read::text AS "blocksRead", d.deadlocks::text AS deadlocks
    FROM (SELECT pg_catalog.pg_is_in_recovery() AS in_recovery) s,
         (SELECT count(*) AS connections,
                 extract(epoch FROM max(clock_timestamp() - xact_start) FILTER (WHERE pid <> pg_backend_pid())) AS longest
            FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend') a,
         (SELECT sum(xact_commit) AS committed, sum(xact_rollback) AS rolled_back, sum(blks_hit) AS hit,
                 sum(blks_read) AS read, sum(deadlocks) AS deadlocks FROM pg_catalog.pg_stat_database) d`;
