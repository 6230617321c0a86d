// Writes a dump out as files that need nothing of Spillway: plain SQL through gzip, or pg_dump's own archives.
//
// A file is written under a temporary name, synced, and only then given its own; one that is there is never overwritten.
// One database is one file: `backup_full_20240115_020000.sql.gz`, or `backup_schema_…`, by when the dump began, in UTC. Of
// several each has the database's name behind the time. Roles and tablespaces are a file of their own.

import { createReadStream } from 'node:fs';
import { link, open, rm, stat } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createGunzip, createGzip } from 'node:zlib';
import { SpillwayError } from '@spillway/contract';
import type { DumpStream, DumpSummary } from '../../format/dump.ts';
import { runClient } from '../../postgres/client-process.ts';
import { type ClientPrograms, findClientPrograms } from '../../postgres/client-programs.ts';
import { majorOf, openDump, type WorkOnDump } from './dumps.ts';
import { readStream } from './read.ts';
import { planDatabases } from './restore.ts';

export type ExportFormat = 'sql.gz' | 'custom';

export interface ExportOptions extends WorkOnDump {
  readonly format: ExportFormat;
  /** A folder that is there. */
  readonly folder: string;
  /** By default all of the dump, and its globals. */
  readonly databases?: readonly string[];
}

export interface ExportSummary {
  readonly dump: string;
  readonly folder: string;
  readonly files: readonly { readonly file: string; readonly database: string | null; readonly bytes: number }[];
  readonly duration_seconds: number;
}

export async function exportDump(options: ExportOptions): Promise<ExportSummary> {
  const began = performance.now();
  const { format, folder, signal } = options;
  await using opened = await openDump(options);
  const { manifest, reading } = opened;
  const { summary, streams } = manifest.head;
  const wanted = new Set(planDatabases(summary, options).map(({ database }) => database.name));
  const tools = format === 'custom' ? undefined : await findClientPrograms(['pg_restore'], majorOf(summary), options);
  const files: ExportSummary['files'][number][] = [];
  for (const [number, stream] of streams.entries()) {
    if (stream.kind === 'globals' ? options.databases !== undefined : !wanted.has(stream.database)) continue;
    const file = exportName(summary, stream, format, wanted.size > 1);
    const target = join(folder, file);
    const temporary = join(folder, `.${file}.${randomUUID().slice(0, 8)}`);
    try {
      const content = (): AsyncGenerator<Uint8Array, void, undefined> => readStream(reading, number);
      if (format === 'custom' && stream.kind === 'database') await writeSynced(temporary, content());
      else await writeGzip(temporary, tools, stream, content, signal);
      await nameIt(temporary, target, folder);
    } finally {
      await rm(temporary, { force: true });
    }
    const { size } = await stat(target);
    files.push({ file, database: stream.kind === 'database' ? stream.database : null, bytes: size });
  }
  return { dump: summary.id, folder, files, duration_seconds: (performance.now() - began) / 1000 };
}

/** The plan's name for a file. */
export function exportName(summary: DumpSummary, stream: DumpStream, format: ExportFormat, several: boolean): string {
  const [, date = '', time = ''] = /^(\d{8})T(\d{6})Z/.exec(summary.id) ?? [];
  const base = `backup_${summary.source === 'schema' ? 'schema' : 'full'}_${date}_${time}`;
  if (stream.kind === 'globals') return `${base}.globals.sql.gz`;
  const database = several ? `_${encodeURIComponent(stream.database).replaceAll(/[.!'()*~]/g, percent)}` : '';
  return `${base}${database}.${format === 'custom' ? 'dump' : 'sql.gz'}`;
}

const percent = (character: string): string =>
  `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;

async function writeGzip(
  path: string,
  tools: ClientPrograms | undefined,
  stream: DumpStream,
  content: () => AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  // A stream of Node does its work on a thread of the pool.
  const gzip = createGzip({ level: constants.Z_DEFAULT_COMPRESSION, chunkSize: 256 * 1024 });
  const writing = writeSynced(path, gzip);
  writing.catch((error: Error) => gzip.destroy(error));
  const add = async (bytes: Uint8Array): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    gzip.write(bytes, (error) => (error ? reject(error) : resolve()));
    await promise;
  };
  try {
    if (stream.kind === 'globals' || tools === undefined) for await (const bytes of content()) await add(bytes);
    else {
      await runClient({
        program: join(tools.binDirectory, 'pg_restore'),
        arguments: ['--file=-'],
        input: content(),
        onOutput: add,
        failure: 'SPW_RESTORE_FAILED',
        what: `database ${stream.database} was not exported`,
        signal,
      });
    }
    gzip.end();
  } catch (error) {
    gzip.destroy();
    await writing.catch(() => undefined);
    throw error;
  }
  await writing;
  // Read back whole: what it says about itself fits what is in it.
  await pipeline(
    createReadStream(path),
    createGunzip(),
    async (plain) => {
      for await (const _ of plain as AsyncIterable<Buffer>);
    },
    { signal },
  );
}

async function writeSynced(path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  for await (const each of bytes) await file.writeFile(each);
  await file.sync();
}

/** As a second link, which fails where the name is taken; the temporary name is removed by the caller. */
async function nameIt(temporary: string, target: string, folder: string): Promise<void> {
  try {
    await link(temporary, target);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', `${target} was not written`, {
      why: 'there is a file of that name, and nothing is overwritten',
      hint: 'move it away, or export to another folder',
    });
  }
  await using directory = await open(folder, 'r');
  await directory.sync();
}
