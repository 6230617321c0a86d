// Reads pages of a cluster's files over an ordinary session, by pg_read_binary_file: for a page that came torn over the
// network and must be read again. The function is a superuser's, and can be granted.

import type { QueryOptions, Session } from './connection.ts';

export type Asking = Pick<Session, 'query'>;

export async function mayReadPages(session: Asking, options: QueryOptions = {}): Promise<boolean> {
  const [row] = await session.query<{ may: boolean }>(
    `SELECT pg_catalog.has_function_privilege(
       'pg_catalog.pg_read_binary_file(text,bigint,bigint,boolean)', 'EXECUTE') AS may`,
    [],
    options,
  );
  return row?.may === true;
}

/** What lets `user` read pages again. */
export const grantReadPages = (user: string): string =>
  `GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean) TO "${user}"`;

/** Undefined where the file is gone, or ends before all of it. `path` is relative to the data directory. */
export async function readPiece(
  session: Asking,
  path: string,
  offset: number,
  bytes: number,
  options: QueryOptions = {},
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const [row] = await session.query<{ piece: Uint8Array | null }>(
    'SELECT pg_catalog.pg_read_binary_file($1, $2, $3, true) AS piece',
    [path, offset, bytes],
    options,
  );
  // In memory of its own, because pages are verified as words.
  return row?.piece?.byteLength === bytes ? new Uint8Array(row.piece) : undefined;
}
