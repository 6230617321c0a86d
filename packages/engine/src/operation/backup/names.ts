// The names of databases and tablespaces, whose files the file system knows by number alone, and the folder's mode.
//
// They are asked for at the end of the copy, in the session of the backup: a restore of single databases, or one that
// moves tablespaces, is told names by people.

import type { ManifestHead } from '../../format/manifest.ts';
import type { Session } from '../../postgres/connection.ts';

type Names = Required<Pick<ManifestHead, 'databases' | 'tablespace_names' | 'data_directory_mode'>>;

export async function readNames(session: Pick<Session, 'query'>): Promise<Names> {
  const databases = await session.query<{ oid: number; name: string }>(
    'SELECT oid::int8::float8 AS oid, datname::text AS name FROM pg_catalog.pg_database ORDER BY oid',
  );
  const tablespaces = await session.query<{ oid: number; name: string }>(
    'SELECT oid::int8::float8 AS oid, spcname::text AS name FROM pg_catalog.pg_tablespace ORDER BY oid',
  );
  const [directory] = await session.query<{ mode: string }>(
    "SELECT pg_catalog.current_setting('data_directory_mode') AS mode",
  );
  return {
    databases: databases.map(({ oid, name }) => ({ oid, name })),
    tablespace_names: Object.fromEntries(tablespaces.map(({ oid, name }) => [String(oid), name])),
    data_directory_mode: Number.parseInt(directory?.mode ?? '0700', 8),
  };
}
