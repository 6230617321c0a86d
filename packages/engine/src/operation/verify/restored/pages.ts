// The checksums of all pages of a restored cluster that was shut down: by pg_checksums, or where that is not here by our own
// reading of every relation's files.
//
// After a clean stop nothing was torn and nothing waits to be replayed: a page with a wrong checksum is a damaged page. Where a
// server runs, one that is wrong is read again: wrong three times it is damaged.

import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as yieldToOthers, setTimeout as pause } from 'node:timers/promises';
import { runClient } from '../../../postgres/client-process.ts';
import { relationFile } from '../../../postgres/exclusion.ts';
import { allocatePages } from '../../../postgres/page-sum.ts';
import { verifyPages } from '../../../postgres/page.ts';
import type { Findings } from '../findings.ts';

const READ_BYTES = 1024 * 1024;
const LOOKS = 3;
const LOOK_AGAIN_MS = 100;

export interface WrongPage {
  /** Relative to the data directory. */
  readonly path: string;
  readonly block: number;
}

/** Gives the number of pages that were looked at. */
export async function runPgChecksums(options: {
  readonly binDirectory: string;
  readonly directory: string;
  readonly runAs: { readonly uid: number; readonly gid: number } | undefined;
  readonly signal: AbortSignal;
  readonly onWrong: (page: WrongPage) => void;
}): Promise<number> {
  let said = '';
  let wrong = 0;
  await runClient({
    program: join(options.binDirectory, 'pg_checksums'),
    arguments: ['--check', '-D', options.directory],
    ...(options.runAs === undefined ? {} : { runAs: options.runAs }),
    onOutput: async (bytes) => {
      said = (said + bytes.toString('latin1')).slice(-READ_BYTES);
    },
    onLine: (line) => {
      const page = parseWrongPage(line, options.directory);
      if (page === undefined) return;
      wrong++;
      options.onWrong(page);
    },
    isError: (line) => parseWrongPage(line, options.directory) === undefined && /: error: /.test(line),
    // It ends with 1 where it found something, and where it could not look: then it said another error.
    okCodes: [0, 1],
    failure: 'SPW_POSTGRES_FAILED',
    what: 'pg_checksums could not look at the restored cluster',
    signal: options.signal,
  });
  return Number(/Blocks scanned:\s+(\d+)/.exec(said)?.[1] ?? wrong);
}

/** `…: error: checksum verification failed in file "…/base/5/16384", block 3: calculated checksum …` */
export function parseWrongPage(line: string, directory: string): WrongPage | undefined {
  const [, file, block] = /checksum verification failed in file "(.+)", block (\d+):/.exec(line) ?? [];
  if (file === undefined) return undefined;
  return { path: file.startsWith(`${directory}/`) ? file.slice(directory.length + 1) : file, block: Number(block) };
}

/** The same by our own reading. */
export async function readAllPages(options: {
  readonly directory: string;
  readonly blockBytes: number;
  /** Pages in a file of a relation. */
  readonly fileBlocks: number;
  /** A server runs in it: a page that it is just writing is read again, and a file that it dropped is none. */
  readonly isRunning?: boolean;
  readonly signal: AbortSignal;
  readonly onWrong: (page: WrongPage) => void;
  readonly onRead: (bytes: number) => void;
}): Promise<number> {
  const { directory, blockBytes, fileBlocks, isRunning = false, signal } = options;
  const buffer = allocatePages(READ_BYTES);
  const looks = isRunning ? LOOKS : 1;
  let pages = 0;
  for await (const path of relationFiles(directory)) {
    signal.throwIfAborted();
    await using file = await openFile(join(directory, path), isRunning);
    if (file === undefined) continue;
    const segment = relationFile(path)?.segment ?? 0;
    const first = segment * fileBlocks;
    let wrong: number[] = [];
    for (let at = 0; ; at += READ_BYTES) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES, at);
      if (bytesRead < blockBytes) break;
      pages += verifyPages(
        buffer.subarray(0, bytesRead),
        first + at / blockBytes,
        (block) => wrong.push(block - first),
        blockBytes,
      );
      options.onRead(bytesRead);
      if (bytesRead < READ_BYTES) break;
      await yieldToOthers(undefined, { signal });
    }
    for (let look = 1; wrong.length > 0 && look < looks; look++) {
      await pause(LOOK_AGAIN_MS, undefined, { signal });
      const again: number[] = [];
      for (const block of wrong) {
        const { bytesRead } = await file.read(buffer, 0, blockBytes, block * blockBytes);
        if (bytesRead < blockBytes) continue;
        verifyPages(buffer.subarray(0, blockBytes), first + block, () => again.push(block), blockBytes);
      }
      wrong = again;
    }
    for (const block of wrong) options.onWrong({ path, block });
  }
  return pages;
}

async function openFile(path: string, isRunning: boolean): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (isRunning && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Below `global`, `base` and the tablespaces, whose links are followed. */
async function* relationFiles(directory: string): AsyncGenerator<string, void, undefined> {
  const below = async function* (folder: string): AsyncGenerator<string, void, undefined> {
    for (const entry of await readdir(join(directory, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory() || entry.isSymbolicLink()) yield* below(path);
      else if (relationFile(path) !== undefined) yield path;
    }
  };
  for (const folder of ['global', 'base', 'pg_tblspc']) yield* below(folder);
}

export function addWrongPage(findings: Findings, backup: string, { path, block }: WrongPage, blockBytes: number): void {
  findings.add(
    { kind: 'page', object: `${path}, block ${block}`, chunk: null, problem: 'the page has a wrong checksum' },
    { backup, file: path, tablespace: null, offset: block * blockBytes, bytes: blockBytes },
  );
}
