import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHUNK_BYTES, CHUNK_ID_BYTES } from '../../format/chunk.ts';
import type { Entry, FileEntry } from '../../format/manifest.ts';
import { assembleEntries, joinStretches } from './assemble.ts';
import type { CopiedItem } from './copy-worker.ts';

const fileOf = (bytes: number, path = 'base/5/1'): FileEntry => ({
  kind: 'file',
  path,
  mode: 0o600,
  uid: 26,
  gid: 26,
  bytes,
  mtime: '1',
  ctime: '2',
  inode: '3',
});

/** Ids that tell their number: `marks` one a chunk. */
const idsOf = (...marks: readonly number[]): Uint8Array =>
  Uint8Array.from(marks.flatMap((mark) => Array.from({ length: CHUNK_ID_BYTES }, () => mark)));

const stretch = (chunk: number, bytes: number | undefined, ...marks: readonly number[]): CopiedItem => ({
  file: 0,
  offset: chunk * CHUNK_BYTES,
  bytes,
  ids: idsOf(...marks),
});

const cases: readonly {
  readonly name: string;
  readonly scanned: number;
  readonly stretches: readonly CopiedItem[];
  readonly bytes: number | undefined;
  readonly marks?: readonly number[];
}[] = [
  {
    name: 'as it was seen',
    scanned: 3 * CHUNK_BYTES - 5,
    stretches: [stretch(0, 2 * CHUNK_BYTES, 1, 2), stretch(2, CHUNK_BYTES - 5, 3)],
    bytes: 3 * CHUNK_BYTES - 5,
    marks: [1, 2, 3],
  },
  {
    name: 'in stretches that came back in another order',
    scanned: 3 * CHUNK_BYTES,
    stretches: [stretch(2, CHUNK_BYTES, 3), stretch(0, 2 * CHUNK_BYTES, 1, 2)],
    bytes: 3 * CHUNK_BYTES,
    marks: [1, 2, 3],
  },
  { name: 'empty', scanned: 0, stretches: [stretch(0, 0)], bytes: 0, marks: [] },
  { name: 'empty and gone', scanned: 0, stretches: [stretch(0, undefined)], bytes: 0, marks: [] },
  { name: 'gone before it was read', scanned: 9, stretches: [stretch(0, undefined)], bytes: undefined },
  {
    name: 'gone after its first stretch',
    scanned: 2 * CHUNK_BYTES,
    stretches: [stretch(0, CHUNK_BYTES, 1), stretch(1, undefined)],
    bytes: CHUNK_BYTES,
    marks: [1],
  },
  {
    name: 'cut within its first stretch',
    scanned: 3 * CHUNK_BYTES,
    stretches: [stretch(0, 7, 1), stretch(2, 0)],
    bytes: 7,
    marks: [1],
  },
  { name: 'cut to nothing', scanned: 3 * CHUNK_BYTES, stretches: [stretch(0, 0), stretch(2, 0)], bytes: 0, marks: [] },
  {
    name: 'cut and grown again between two stretches',
    scanned: 4 * CHUNK_BYTES,
    stretches: [stretch(0, 7, 1), stretch(2, CHUNK_BYTES, 3)],
    bytes: 3 * CHUNK_BYTES,
    marks: [1, 0, 3],
  },
];

for (const { name, scanned, stretches, bytes, marks = [] } of cases) {
  test(`a file that is ${name} is kept as it was read`, () => {
    const joined = joinStretches(fileOf(scanned), stretches);
    if (bytes === undefined) assert.equal(joined, undefined);
    else assert.deepEqual(joined, { file: fileOf(bytes), ids: idsOf(...marks) });
  });
}

test('the ids stand in the order of the entries, and what is gone has none', () => {
  const folder: Entry = { kind: 'directory', path: 'base', mode: 0o700, uid: 26, gid: 26 };
  const link: Entry = { kind: 'link', path: 'pg_log', target: '/var/log' };
  const entries: readonly Entry[] = [folder, fileOf(1, 'a'), fileOf(1, 'gone'), link, fileOf(1, 'b')];
  const { entries: kept, chunkIds } = assembleEntries(entries, (index, file) =>
    file.path === 'gone' ? undefined : { file: { ...file, bytes: 2 }, ids: idsOf(index) },
  );
  assert.deepEqual(
    kept.map((entry) => entry.path),
    ['base', 'a', 'pg_log', 'b'],
  );
  assert.deepEqual(new Uint8Array(chunkIds), idsOf(1, 4));
  assert.deepEqual(kept[1], fileOf(2, 'a'));
});

test('what was taken over unread stands among what was read', () => {
  const taken = { ids: idsOf(7, 0, 8, 0), until: 3 * CHUNK_BYTES };
  const read = [stretch(1, CHUNK_BYTES, 2), stretch(3, 5, 4)];
  const whole = joinStretches(fileOf(3 * CHUNK_BYTES + 5), read, taken);
  assert.deepEqual(whole, { file: fileOf(3 * CHUNK_BYTES + 5), ids: idsOf(7, 2, 8, 4) });
  // Cut meanwhile: what was taken over stays, what was cut away reads as zeros.
  const cut = joinStretches(fileOf(3 * CHUNK_BYTES + 5), [stretch(1, 0), stretch(3, 0)], taken);
  assert.deepEqual(cut, { file: fileOf(3 * CHUNK_BYTES), ids: idsOf(7, 0, 8) });
  // Gone meanwhile.
  const gone = [stretch(1, undefined), stretch(3, undefined)];
  assert.equal(joinStretches(fileOf(3 * CHUNK_BYTES + 5), gone, taken), undefined);
});
