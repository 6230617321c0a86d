// Whether the restored files are whole: the checksum of every page, and the structure of tables and indexes.
//
//   1  a checkpoint, so that what the server holds in memory is in its files
//   2  every page is read and its checksum computed anew, beside the server that runs
//   3  where the extension is installed, amcheck goes through every table and B-tree index of every database
// A cluster without checksums has none to compare: then amcheck alone speaks, and where that is not installed nobody does.

import { isSpillwayError, type Report } from '@spillway/contract';
import { connect, type ConnectionSettings, readAllPages, type Session } from '@spillway/engine';
import type { Verdict } from './expectation.ts';

const SHOWN = 5;

/** Undefined where the cluster has no checksums. */
export async function checkPages(
  session: Session,
  dataDirectory: string,
  { signal, report }: { readonly signal: AbortSignal; readonly report: Report },
): Promise<Verdict | undefined> {
  const [row] = await session.query<{ on: boolean; page: number; segment: number }>(
    `SELECT current_setting('data_checksums') = 'on' AS on, current_setting('block_size')::int4 AS page,
            (SELECT setting::int4 FROM pg_settings WHERE name = 'segment_size') AS segment`,
  );
  if (row === undefined || !row.on) return undefined;
  await session.query('CHECKPOINT');
  let [done, damaged] = [0, 0];
  const shown: string[] = [];
  const pages = await readAllPages({
    directory: dataDirectory,
    blockBytes: row.page,
    fileBlocks: row.segment,
    isRunning: true,
    signal,
    onWrong: ({ path, block }) => {
      damaged += 1;
      if (shown.length < SHOWN) shown.push(`page ${block} of ${path}`);
    },
    onRead: (bytes) => report({ type: 'progress', phase: 'checking pages', done_bytes: (done += bytes) }),
  });
  const expected = 'the right checksum on every page';
  if (damaged === 0)
    return { result: 'passed', expected, found: `all ${pages} pages have the checksum that they ought to` };
  return { result: 'failed', expected, found: `${damaged} of ${pages} pages are damaged: ${shown.join(', ')}` };
}

/** Undefined where no database has the extension to offer. */
export async function checkStructure(
  connection: ConnectionSettings,
  databases: readonly string[],
  { signal, report }: { readonly signal: AbortSignal; readonly report: Report },
): Promise<Verdict | undefined> {
  let checked = 0;
  const faults: string[] = [];
  for (const database of databases) {
    report({ type: 'progress', phase: 'checking structure', done_bytes: 0, detail: database });
    await using session = await connect({ ...connection, database }, { signal });
    const [offer] = await session.query<{ installed: boolean }>(
      "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'amcheck') AS installed",
    );
    if (offer?.installed !== true) return undefined;
    try {
      await session.query('SET default_transaction_read_only = off');
      await session.query('CREATE EXTENSION IF NOT EXISTS amcheck');
    } catch (error) {
      if (!isSpillwayError(error, 'SPW_POSTGRES_FAILED')) throw error;
      const why = error.why ?? error.message;
      report({ type: 'notice', level: 'warning', message: `amcheck could not be asked in ${database}: ${why}.` });
      return undefined;
    }
    const [schema] = await session.query<{ name: string }>(
      `SELECT quote_ident(nspname) AS name FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
        WHERE extname = 'amcheck'`,
    );
    for (const { oid, name, kind } of await relationsOf(session)) {
      signal.throwIfAborted();
      checked += 1;
      const fault = await amcheck(session, schema?.name ?? 'public', oid, kind, signal);
      if (fault !== undefined) faults.push(`${name} in ${database}: ${fault}`);
    }
  }
  const expected = 'tables and B-tree indexes that amcheck finds whole';
  if (faults.length === 0) return { result: 'passed', expected, found: `all ${checked} relations are whole` };
  const more = faults.length > SHOWN ? `; and ${faults.length - SHOWN} more` : '';
  return { result: 'failed', expected, found: `${faults.slice(0, SHOWN).join('; ')}${more}` };
}

interface Relation {
  readonly oid: string;
  readonly name: string;
  readonly kind: 'table' | 'index';
}

const relationsOf = (session: Session): Promise<readonly Relation[]> =>
  session.query<Relation>(
    `SELECT pg_class.oid::text AS oid, pg_class.oid::regclass::text AS name,
            CASE WHEN relkind = 'i' THEN 'index' ELSE 'table' END AS kind
       FROM pg_class JOIN pg_am ON pg_am.oid = relam LEFT JOIN pg_index ON indexrelid = pg_class.oid
      WHERE relpersistence = 'p'
        AND (relkind IN ('r', 'm', 't') AND amname = 'heap' OR relkind = 'i' AND amname = 'btree' AND indisvalid)
      ORDER BY pg_class.oid`,
  );

async function amcheck(
  session: Session,
  schema: string,
  oid: string,
  kind: Relation['kind'],
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    if (kind === 'index') {
      await session.query(`SELECT ${schema}.bt_index_check(${oid}::regclass, true)`, [], { signal });
      return undefined;
    }
    const [row] = await session.query<{ message: string }>(
      `SELECT format('block %s, tuple %s: %s', blkno, offnum, msg) AS message
         FROM ${schema}.verify_heapam(${oid}::regclass, on_error_stop => true)`,
      [],
      { signal },
    );
    return row?.message;
  } catch (error) {
    // That the server could not read it is a finding; that it is gone is not one.
    if (isSpillwayError(error, 'SPW_POSTGRES_FAILED')) return error.why ?? error.message;
    throw error;
  }
}
