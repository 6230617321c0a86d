// Pages that were torn on their way: what the server answers when it is asked again is made up here, so that they are torn
// every time. The chunk that is stored must be the one that was read again, and what cannot be had whole is reported.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chunkId, idKey } from '../src/codec/keys.ts';
import { openChunkTable } from '../src/operation/backup/source.ts';
import { type StreamCopied, StreamCopy } from '../src/operation/backup/stream-copy.ts';
import { type StreamedFile, StreamedTree } from '../src/operation/backup/streamed-tree.ts';
import { Crew } from '../src/operation/crew.ts';
import { checksumPage } from '../src/postgres/page.ts';
import type { Asking } from '../src/postgres/page-reader.ts';
import type { Repository } from '../src/repository/repository.ts';
import { makeRepository } from './operation-stage.ts';

const PAGE = 8192;
const PATH = 'base/5/16384';
const LSN = 0x1_0000_0042n;
const signal = new AbortController().signal;

let folder: string;
let repository: Repository;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spillway-torn-'));
  repository = await makeRepository(folder);
});
after(() => rm(folder, { recursive: true, force: true }));

/** Two pages; the second begins with LSN. */
function wholePages(): Buffer<ArrayBuffer> {
  const pages = Buffer.alloc(2 * PAGE, 7);
  for (const block of [0, 1]) {
    pages.writeUInt32LE(Number(LSN >> 32n), block * PAGE);
    pages.writeUInt32LE(Number(LSN & 0xffff_ffffn), block * PAGE + 4);
    pages.writeUInt16LE(checksumPage(pages, block * PAGE, block), block * PAGE + 8);
  }
  return pages;
}

function tornPages(): Buffer<ArrayBuffer> {
  return wholePages().fill(9, PAGE + 4096);
}

/** Answers each question for a piece with the next of `answers`, the last one again and again. */
function answering(answers: readonly (Uint8Array | null)[]): Asking & { readonly asked: unknown[] } {
  const asked: unknown[] = [];
  return {
    asked,
    query: async <Row>(_: string, parameters: readonly unknown[] = []): Promise<readonly Row[]> => {
      asked.push(parameters);
      return [{ piece: answers[Math.min(asked.length, answers.length) - 1] ?? null } as Row];
    },
  };
}

async function copyTorn(session: Asking | undefined): Promise<{ file: StreamedFile; copied: StreamCopied }> {
  await using crew = new Crew(new URL('../src/operation/backup/stream-worker.ts', import.meta.url), 1);
  const table = await openChunkTable({ repository, report: () => undefined }, 100, signal);
  const copy = new StreamCopy({
    crew,
    workers: 1,
    data: { repository: repository.handle, table: table.shared, level: 1, blockBytes: PAGE },
    room: 100,
    relationSegmentBlocks: 131_072,
    session,
    signal,
  });
  const told = {
    kind: 'file',
    path: PATH,
    mode: 0o600,
    uid: 0,
    gid: 0,
    bytes: 2 * PAGE,
    mtime: 0,
    target: '',
  } as const;
  const file = new StreamedTree().add(told, undefined);
  assert.ok(file !== undefined);
  const writer = copy.begin(file);
  await writer.write(tornPages());
  writer.end();
  return { file, copied: await copy.finish() };
}

const idOf = (content: Uint8Array): Uint8Array => chunkId(idKey(repository.keys), content);
const secondPage = (pages: Buffer<ArrayBuffer>): Uint8Array => new Uint8Array(pages.subarray(PAGE));

test('a page that is whole when it is read again takes the place of the torn one', async () => {
  // Torn once more before it comes whole.
  const session = answering([secondPage(tornPages()), secondPage(wholePages())]);
  const { file, copied } = await copyTorn(session);
  assert.deepEqual(copied.wrongPages, []);
  assert.deepEqual(Buffer.from(file.ids), Buffer.from(idOf(wholePages())));
  assert.deepEqual(session.asked, [
    [PATH, PAGE, PAGE],
    [PATH, PAGE, PAGE],
  ]);
});

test('a page that stays wrong is kept as it is and reported with its LSN', async () => {
  const session = answering([secondPage(tornPages())]);
  const { file, copied } = await copyTorn(session);
  assert.deepEqual(copied.wrongPages, [{ path: PATH, block: 1, lsn: LSN }]);
  assert.deepEqual(Buffer.from(file.ids), Buffer.from(idOf(tornPages())));
  assert.equal(session.asked.length, 3);
});

test('a page that nobody may read again is reported; one that is gone by then is not', async () => {
  assert.deepEqual((await copyTorn(undefined)).copied.wrongPages, [{ path: PATH, block: 1, lsn: LSN }]);
  assert.deepEqual((await copyTorn(answering([null]))).copied.wrongPages, []);
});
