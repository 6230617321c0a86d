// The rows of the moment in a file: CSV with a heading line, written by COPY; plain SQL or an archive of pg_dump, with the
// definition. The live server is not asked.
//
// A file that is there is never overwritten. It is written under another name, flushed, and gets its own when it is whole;
// only its owner can read it.

import { link, open, rm, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { type Report, SpillwayError } from '@spillway/contract';
import { runClient } from '../../postgres/client-process.ts';
import type { Session } from '../../postgres/connection.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import { dumpedTables } from './define.ts';
import { showName } from './name.ts';
import { counted } from './pour.ts';
import type { Relation } from './relation.ts';
import { copyOutCsv } from './statements.ts';

export type FileFormat = 'csv' | 'sql' | 'custom';

const FORMATS: Readonly<Record<string, FileFormat>> = {
  '.csv': 'csv',
  '.sql': 'sql',
  '.dump': 'custom',
  '.custom': 'custom',
};

/** By the ending. Throws SPW_USAGE. */
export function fileFormat(path: string, tables: number): FileFormat {
  const format = FORMATS[extname(path).toLowerCase()];
  if (format === undefined) {
    throw new SpillwayError('SPW_USAGE', `--file ${basename(path)} does not tell its format`, {
      why: 'it goes by the ending',
      hint: 'end it in .csv (rows), .sql (plain SQL), or .dump (an archive for pg_restore)',
    });
  }
  if (format === 'csv' && tables > 1) {
    throw new SpillwayError('SPW_USAGE', `--file ${basename(path)} cannot hold ${tables} tables`, {
      why: 'CSV has the columns of one',
      hint: 'name one table, or end the file in .sql or .dump',
    });
  }
  return format;
}

/** Throws SPW_USAGE where something is there, or the folder is not. */
export async function refuseExisting(path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new SpillwayError('SPW_USAGE', `${path} cannot be written`, { cause: error });
  });
  if (found !== undefined) throw exists(path);
  const folder = await stat(dirname(path)).catch(() => undefined);
  if (folder?.isDirectory() === true) return;
  throw new SpillwayError('SPW_USAGE', `${path} cannot be written`, { why: `there is no folder ${dirname(path)}` });
}

const exists = (path: string): SpillwayError =>
  new SpillwayError('SPW_USAGE', `${path} is there already`, {
    why: 'nothing is overwritten',
    hint: 'name another file, or remove it',
  });

export interface WriteFileWish {
  readonly path: string;
  readonly format: FileFormat;
  readonly moment: Session;
  readonly connection: ConnectionSettings;
  readonly tables: readonly Relation[];
  readonly findDump: () => Promise<string>;
  readonly signal: AbortSignal;
  readonly report: Report;
}

/** Gives its length. */
export async function writeTables(wish: WriteFileWish): Promise<number> {
  const { path, signal } = wish;
  const part = join(dirname(path), `.${basename(path)}.${process.pid}.part`);
  const file = await open(part, 'wx', 0o600).catch((cause: unknown) => {
    throw new SpillwayError('SPW_USAGE', `${path} cannot be written`, { cause });
  });
  try {
    let bytes = 0;
    try {
      const write = async (piece: Buffer): Promise<void> => {
        signal.throwIfAborted();
        await file.writeFile(piece);
        bytes += piece.length;
      };
      await produce(wish, write);
      await file.sync();
    } finally {
      await file.close();
    }
    // A link, unlike a new name, never takes the place of a file that came there meanwhile.
    await link(part, path).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'EEXIST'
        ? exists(path)
        : new SpillwayError('SPW_USAGE', `${path} cannot be written`, { cause: error });
    });
    return bytes;
  } finally {
    await rm(part, { force: true });
  }
}

async function produce(wish: WriteFileWish, write: (piece: Buffer) => Promise<void>): Promise<void> {
  const { format, moment, connection, tables, signal, report } = wish;
  if (format === 'csv') {
    for (const table of tables) {
      const rows = moment.copyOut(copyOutCsv(table), { signal });
      for await (const piece of counted(rows, `writing ${showName(table)}`, report)) await write(piece);
    }
    return;
  }
  await runClient({
    program: await wish.findDump(),
    arguments: [
      `--format=${format === 'sql' ? 'plain' : 'custom'}`,
      '--no-publications',
      '--no-subscriptions',
      ...dumpedTables(tables),
    ],
    connection,
    onOutput: write,
    failure: 'SPW_DUMP_FAILED',
    what: `${tables.map(showName).join(', ')} could not be written to a file`,
    signal,
  });
}
