// Whether the restored files are whole: the checksum of every page, and the structure of tables and indexes.
//
//   1  a checkpoint, so that what the server holds in memory is in its files
//   2  each file of a relation is read from the first page to the last, and the checksum of each page computed anew
//   3  a page that is wrong is read again, since the server may have been writing it: wrong three times it is damaged
//   4  where the extension is installed, amcheck goes through every table and B-tree index of every database
// A cluster without checksums has none to compare: then amcheck alone speaks, and where that is not installed nobody does.

import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isSpillwayError, type Report } from '@spillway/contract';
import { allocatePages, connect, type ConnectionSettings, type Session, verifyPages } from '@spillway/engine';
import type { Verdict } from './expectation.ts';

const READ_BYTES = 4 * 1024 * 1024;
const LOOKS = 3;
const LOOK_AGAIN_MS = 100;
const SHOWN = 5;

export interface Damage {
  readonly file: string;
  readonly block: number;
}

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
  let pages = 0;
  let damaged = 0;
  const shown: Damage[] = [];
  // One for all files: its memory is made for hashing, and costs more to make than a small file to read.
  const buffer = allocatePages(READ_BYTES);
  for (const file of await relationFiles(dataDirectory)) {
    signal.throwIfAborted();
    report({ type: 'progress', phase: 'checking pages', done_bytes: pages * row.page, detail: file });
    const first = segmentNumber(file) * row.segment;
    const { read, wrong } = await checkFile(join(dataDirectory, file), buffer, first, row.page, signal);
    pages += read;
    for (const block of await stillWrong(join(dataDirectory, file), buffer, first, row.page, wrong, signal)) {
      damaged += 1;
      if (shown.length < SHOWN) shown.push({ file, block });
    }
  }
  const expected = 'the right checksum on every page';
  if (damaged === 0)
    return { result: 'passed', expected, found: `all ${pages} pages have the checksum that they ought to` };
  const where = shown.map(({ file, block }) => `page ${block} of ${file}`).join(', ');
  return { result: 'failed', expected, found: `${damaged} of ${pages} pages are damaged: ${where}` };
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

const RELATION = /^\d+(?:_(?:fsm|vm|init))?(?:\.\d+)?$/;

const segmentNumber = (file: string): number => Number(/\.(\d+)$/.exec(file)?.[1] ?? 0);

/** Of all forks of all relations, from the data directory. */
async function relationFiles(dataDirectory: string): Promise<readonly string[]> {
  const folders = ['global'];
  for (const name of await readdir(join(dataDirectory, 'base'))) {
    if (/^\d+$/.test(name)) folders.push(`base/${name}`);
  }
  for (const space of await readdir(join(dataDirectory, 'pg_tblspc'))) {
    const path = `pg_tblspc/${space}`;
    for (const version of await readdir(join(dataDirectory, path))) {
      if (!version.startsWith('PG_')) continue;
      for (const name of await readdir(join(dataDirectory, path, version))) {
        if (/^\d+$/.test(name)) folders.push(`${path}/${version}/${name}`);
      }
    }
  }
  const files: string[] = [];
  for (const folder of folders) {
    for (const name of (await readdir(join(dataDirectory, folder))).toSorted()) {
      if (RELATION.test(name)) files.push(`${folder}/${name}`);
    }
  }
  return files;
}

async function checkFile(
  path: string,
  buffer: Buffer,
  firstBlock: number,
  pageBytes: number,
  signal: AbortSignal,
): Promise<{ readonly read: number; readonly wrong: readonly number[] }> {
  await using file = await openExisting(path);
  if (file === undefined) return { read: 0, wrong: [] };
  const wrong: number[] = [];
  let block = firstBlock;
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, READ_BYTES, (block - firstBlock) * pageBytes);
    const whole = Math.floor(bytesRead / pageBytes);
    if (whole === 0) return { read: block - firstBlock, wrong };
    verifyPages(buffer.subarray(0, whole * pageBytes), block, (number) => wrong.push(number), pageBytes);
    block += whole;
  }
}

async function stillWrong(
  path: string,
  buffer: Buffer,
  firstBlock: number,
  pageBytes: number,
  blocks: readonly number[],
  signal: AbortSignal,
): Promise<readonly number[]> {
  let wrong = blocks;
  for (let look = 1; look < LOOKS && wrong.length > 0; look++) {
    await pause(LOOK_AGAIN_MS, undefined, { signal });
    await using file = await openExisting(path);
    if (file === undefined) return [];
    const again: number[] = [];
    for (const block of wrong) {
      const { bytesRead } = await file.read(buffer, 0, pageBytes, (block - firstBlock) * pageBytes);
      if (bytesRead < pageBytes) continue;
      verifyPages(buffer.subarray(0, pageBytes), block, (number) => again.push(number), pageBytes);
    }
    wrong = again;
  }
  return wrong;
}

async function openExisting(path: string): Promise<Awaited<ReturnType<typeof open>> | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    // Dropped since the folder was listed.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
