// The live database: who it is, whether what is wished can be done there at all, and what new tables get from the old.

import { type Report, SpillwayError } from '@spillway/contract';
import type { Session } from '../../postgres/connection.ts';
import type { Repository } from '../../repository/repository.ts';
import { listSystems } from '../system.ts';
import { quoteIdentifier, quoteName, showName, type TableName } from './name.ts';
import type { How } from './plan.ts';
import type { Relation } from './relation.ts';

export interface LiveFacts {
  readonly major: number;
  readonly isSuperuser: boolean;
  /** Null where the server does not tell. */
  readonly systemIdentifier: string | null;
}

/** Throws where nothing can be written there, or it is another cluster than the repository's. */
export async function examineLive(
  session: Session,
  of: { readonly repository: Repository; readonly cluster: string; readonly how: How; readonly signal: AbortSignal },
): Promise<LiveFacts> {
  const { signal } = of;
  const [row] = await session.query<{
    version: number;
    recovering: boolean;
    superuser: boolean;
    may_replicate: boolean;
    may_tell: boolean;
  }>(
    `SELECT pg_catalog.current_setting('server_version_num')::int4 AS version, pg_catalog.pg_is_in_recovery() AS recovering,
            (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS superuser,
            pg_catalog.has_parameter_privilege('session_replication_role', 'SET') AS may_replicate,
            pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS may_tell`,
    [],
    { signal },
  );
  if (row === undefined) throw new SpillwayError('SPW_POSTGRES_FAILED', 'the server told nothing of itself');
  if (row.recovering) {
    throw new SpillwayError('SPW_POSTGRES_UNSUITABLE', 'no table can be put into the live server', {
      why: 'it is a standby, and takes no writes',
      hint: 'name the primary in the configuration, or use --file',
    });
  }
  const [system] = row.may_tell
    ? await session.query<{ value: string }>(
        'SELECT system_identifier::text AS value FROM pg_catalog.pg_control_system()',
        [],
        { signal },
      )
    : [];
  const systemIdentifier = system?.value ?? null;
  const known = await listSystems(of.repository, of.cluster, signal);
  if (systemIdentifier !== null && !known.some((record) => record.system_identifier === systemIdentifier)) {
    throw new SpillwayError('SPW_SYSTEM_MISMATCH', `the server is not cluster ${of.cluster}`, {
      why: `its system identifier is ${systemIdentifier}, which the repository does not know under this name`,
      hint: 'check the connection; --file needs no live server',
    });
  }
  if (of.how === 'swap' && !row.may_replicate) {
    const user = session.settings.user;
    throw new SpillwayError('SPW_POSTGRES_DENIED', 'no table can be swapped', {
      why: `user ${user} may not set session_replication_role, without which triggers would act on what is exchanged`,
      hint: `as a superuser: GRANT SET ON PARAMETER session_replication_role TO ${quoteIdentifier(user)}; or put it beside`,
    });
  }
  return { major: Math.trunc(row.version / 10_000), isSuperuser: row.superuser, systemIdentifier };
}

/** Every name that a new table of those schemas cannot have; types have names of the same kind. */
export const listTaken = (
  session: Session,
  schemas: readonly string[],
  signal: AbortSignal,
): Promise<readonly TableName[]> =>
  session.query<TableName>(
    `SELECT n.nspname AS schema, o.name FROM pg_catalog.pg_namespace AS n
       JOIN (SELECT relnamespace AS schema, relname AS name FROM pg_catalog.pg_class
              UNION SELECT typnamespace, typname FROM pg_catalog.pg_type) AS o ON o.schema = n.oid
      WHERE n.nspname = ANY ($1)`,
    [schemas],
    { signal },
  );

/** Publications that take in tables by themselves. */
export const listPublications = (
  session: Session,
  signal: AbortSignal,
): Promise<readonly { readonly name: string; readonly schema: string | null }[]> =>
  session.query<{ name: string; schema: string | null }>(
    `SELECT pubname AS name, NULL AS schema FROM pg_catalog.pg_publication WHERE puballtables
      UNION ALL
     SELECT p.pubname, n.nspname FROM pg_catalog.pg_publication_namespace AS s
       JOIN pg_catalog.pg_publication AS p ON p.oid = s.pnpubid JOIN pg_catalog.pg_namespace AS n ON n.oid = s.pnnspid`,
    [],
    { signal },
  );

/**
 * A new table shows its rows to nobody who could not see the old one's: it belongs to the same owner, gives nobody else any
 * right, and lets nobody but him by where the old one had policies.
 */
export async function dress(
  session: Session,
  made: TableName,
  live: Relation,
  { isSuperuser }: LiveFacts,
  signal: AbortSignal,
): Promise<void> {
  const run = (sql: string): Promise<unknown> => session.query(sql, [], { signal });
  const granted = await session.query<{ grantee: string | null }>(
    `SELECT DISTINCT CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee)::text END AS grantee
       FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
       CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
      WHERE n.nspname = $1 AND c.relname = $2 AND a.grantee <> c.relowner`,
    [made.schema, made.name],
    { signal },
  );
  for (const { grantee } of granted) {
    await run(`REVOKE ALL ON ${quoteName(made)} FROM ${grantee === null ? 'PUBLIC' : quoteIdentifier(grantee)}`);
  }
  if (live.row_security) await run(`ALTER TABLE ${quoteName(made)} ENABLE ROW LEVEL SECURITY`);
  // Only a superuser may give a table away for certain; a refusal in here would end the whole transaction.
  if (isSuperuser) await run(`ALTER TABLE ${quoteName(made)} OWNER TO ${quoteIdentifier(live.owner)}`);
}

/** Runs `work` in a transaction; what it did is undone where it throws. */
export async function inTransaction<Result>(
  session: Session,
  mode: '' | 'ISOLATION LEVEL REPEATABLE READ',
  signal: AbortSignal,
  work: () => Promise<Result>,
): Promise<Result> {
  await session.query(`BEGIN ${mode}`, [], { signal });
  try {
    const result = await work();
    await session.query('COMMIT', [], { signal });
    return result;
  } catch (error) {
    // A session that is lost has undone it already.
    await session.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Fresh statistics; without them the next query plans badly, which is a pity and no failure. */
export async function analyze(
  session: Session,
  tables: readonly TableName[],
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  for (const table of tables) {
    try {
      await session.query(`ANALYZE ${quoteName(table)}`, [], { signal });
    } catch (error) {
      signal.throwIfAborted();
      const why = error instanceof SpillwayError ? (error.why ?? error.message) : String(error);
      report({ type: 'notice', level: 'warning', message: `Statistics of ${showName(table)} were not made: ${why}.` });
    }
  }
}
