import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CHUNK_BYTES, CHUNK_ID_BYTES, chunkCount } from '../../format/chunk.ts';
import type { Entry, FileEntry } from '../../format/entry.ts';
import { compareTasks, laidFiles, wantedChunks } from './chunks.ts';

const file = (path: string, bytes: number): FileEntry => ({
  kind: 'file',
  path,
  bytes,
  mode: 0o600,
  uid: 0,
  gid: 0,
  mtime: '0',
  ctime: '0',
  inode: '0',
});
const layout = { directory: '/data', tablespaces: new Map<number, string>(), walDirectory: undefined };
const nothing = { isShell: () => false };

test('what is left out and pg_control take their numbers, and are not laid', () => {
  const entries: readonly Entry[] = [
    file('backup_label', 100),
    file('base/1/1', CHUNK_BYTES + 1),
    { kind: 'link', path: 'x', target: '/y' },
    file('global/pg_control', 8192),
    file('global/1', 5),
  ];
  const files = [...laidFiles({ entries }, layout, nothing, new Map([['/data/global/1', 3]]))];
  assert.deepEqual(
    files.map(({ path, chunk, old }) => [path, chunk, old]),
    [
      ['/data/base/1/1', 1, undefined],
      ['/data/global/1', 4, 3],
    ],
  );
});

const sizes = fc
  .integer({ min: 0, max: 9 })
  .chain((chunks) => fc.integer({ min: 0, max: CHUNK_BYTES }).map((rest) => chunks * CHUNK_BYTES + rest));
const plans = fc.array(fc.record({ bytes: sizes, old: fc.option(sizes, { nil: undefined }), shell: fc.boolean() }), {
  maxLength: 12,
});

test('every chunk is fetched anyway, or compared, and never both; a shell neither', () => {
  fc.assert(
    fc.property(plans, (all) => {
      const entries = all.map(({ bytes }, i) => file(`base/1/${i}`, bytes));
      const there = new Map(
        all.flatMap(({ old }, i) => (old === undefined ? [] : [[`/data/base/1/${i}`, old] as const])),
      );
      const isShell = ({ path }: FileEntry): boolean => all[Number(path.slice('base/1/'.length))]?.shell === true;
      const files = [...laidFiles({ entries }, layout, { isShell }, there)];
      const chunks = all.reduce((sum, { bytes }) => sum + chunkCount(bytes), 0);
      const wanted = wantedChunks(files, chunks);
      const compared = new Uint8Array(chunks);
      for (const { items } of compareTasks(files, new Uint8Array(chunks * CHUNK_ID_BYTES))) {
        for (const { chunk, bytes, offset, ids, path } of items) {
          assert.equal(offset % CHUNK_BYTES, 0);
          assert.equal(ids.length, chunkCount(bytes) * CHUNK_ID_BYTES);
          const entry = files.find((each) => each.path === path)?.entry;
          assert.ok(offset + bytes === entry?.bytes || (offset + bytes) % CHUNK_BYTES === 0);
          for (let i = 0; i < chunkCount(bytes); i++) compared[chunk + i] = (compared[chunk + i] ?? 0) + 1;
        }
      }
      for (const { entry, chunk, shell, old } of files) {
        for (let i = 0; i < chunkCount(entry.bytes); i++) {
          const both = [wanted[chunk + i], compared[chunk + i]];
          const isThere = old !== undefined && i * CHUNK_BYTES < old;
          assert.deepEqual(both, shell ? [0, 0] : isThere ? [0, 1] : [1, 0]);
        }
      }
    }),
  );
});
