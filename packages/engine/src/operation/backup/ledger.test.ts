import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CHUNK_BYTES, CHUNK_ID_BYTES, chunkCount } from '../../format/chunk.ts';
import type { Entry, FileEntry } from '../../format/entry.ts';
import type { CopiedItem } from './copy-worker.ts';
import { Ledger } from './ledger.ts';
import type { TakenOver } from './reuse.ts';

const control: FileEntry = { ...fileOf(5), path: 'global/pg_control' };

/** What a ledger says of the one file that it has, among others of a chunk each; undefined where it is gone. */
function kept(
  file: FileEntry,
  stretches: readonly CopiedItem[],
  taken?: TakenOver,
): { readonly file: FileEntry; readonly ids: Uint8Array } | undefined {
  const before = fileOf(1, 'a');
  const behind = fileOf(1, 'z');
  const ledger = new Ledger([before, file, behind], 1);
  if (taken !== undefined) ledger.takeOver(1, taken);
  for (const each of [0, 2]) ledger.copied({ ...stretch(0, 1, 101 + each), file: each });
  for (const each of stretches) ledger.copied({ ...each, file: 1 });
  const { entries, chunkIds } = ledger.assemble({ file: control, ids: idsOf(200) });
  const [first, ...others] = entries;
  const [last, second, found] = others.toReversed();
  assert.deepEqual([first, second, last], [before, behind, control]);
  assert.deepEqual(new Uint8Array(chunkIds.subarray(0, CHUNK_ID_BYTES)), idsOf(101));
  assert.deepEqual(new Uint8Array(chunkIds.subarray(chunkIds.length - 2 * CHUNK_ID_BYTES)), idsOf(103, 200));
  const ids = new Uint8Array(chunkIds.subarray(CHUNK_ID_BYTES, chunkIds.length - 2 * CHUNK_ID_BYTES));
  if (found?.kind !== 'file') {
    assert.equal(ids.length, 0);
    return undefined;
  }
  assert.equal(ids.length, chunkCount(found.bytes) * CHUNK_ID_BYTES);
  return { file: found, ids };
}

function fileOf(bytes: number, path = 'base/5/1'): FileEntry {
  return { kind: 'file', path, mode: 0o600, uid: 26, gid: 26, bytes, mtime: '1', ctime: '2', inode: '3' };
}

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
    const joined = kept(fileOf(scanned), stretches);
    if (bytes === undefined) assert.equal(joined, undefined);
    else assert.deepEqual(joined, { file: fileOf(bytes), ids: idsOf(...marks) });
  });
}

test('folders and links stay, what is gone has no ids, and the ids stand in the order of the entries', () => {
  const folder: Entry = { kind: 'directory', path: 'base', mode: 0o700, uid: 26, gid: 26 };
  const link: Entry = { kind: 'link', path: 'pg_log', target: '/var/log' };
  const ledger = new Ledger([folder, fileOf(1, 'a'), fileOf(1, 'gone'), link, fileOf(CHUNK_BYTES + 1, 'b')], 1);
  ledger.copied({ ...stretch(0, CHUNK_BYTES, 4), file: 4 });
  ledger.copied({ ...stretch(0, 1, 1), file: 1 });
  ledger.copied({ ...stretch(0, undefined), file: 2 });
  const { entries, chunkIds } = ledger.assemble({ file: control, ids: idsOf(9) });
  assert.deepEqual([...entries], [folder, fileOf(1, 'a'), link, fileOf(CHUNK_BYTES, 'b'), control]);
  assert.deepEqual(new Uint8Array(chunkIds), idsOf(1, 4, 9));
});

test('what is to be read is what was not taken over', () => {
  const ledger = new Ledger([fileOf(1, 'a'), fileOf(1, 'b'), fileOf(3 * CHUNK_BYTES, 'c')], 1);
  ledger.takeOver(1, { ids: idsOf(1), until: 1, chunks: 1, toRead: [] });
  ledger.takeOver(2, { ids: idsOf(1, 0, 3), until: 3 * CHUNK_BYTES, chunks: 2, toRead: [[1, 2]] });
  assert.deepEqual(
    [0, 1, 2].map((index) => ledger.toRead(index)),
    [undefined, [], [[1, 2]]],
  );
});

test('files of any size, copied in any order, are told as they were copied', () => {
  const mark = fc.integer({ min: 1, max: 255 });
  const arbitrary = fc.array(
    fc.record({ marks: fc.array(mark, { maxLength: 6 }), gone: fc.boolean(), readTo: fc.nat(6) }),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(arbitrary, fc.infiniteStream(fc.nat()), (files, dice) => {
      const scanned = files.map(({ marks }, n) => fileOf(marks.length * CHUNK_BYTES, `f${n}`));
      const ledger = new Ledger(scanned, 1);
      // A stretch a chunk; past where the file was cut there is nothing.
      const stretches = files.flatMap(({ marks, gone, readTo }, file) =>
        (marks.length === 0 ? [0] : marks).map((each, chunk): CopiedItem => {
          const cut = chunk >= readTo || marks.length === 0;
          const own = cut || gone ? idsOf() : idsOf(each);
          return { file, offset: chunk * CHUNK_BYTES, bytes: gone ? undefined : cut ? 0 : CHUNK_BYTES, ids: own };
        }),
      );
      const order = stretches.map((each) => ({ each, at: dice.next().value ?? 0 })).toSorted((a, b) => a.at - b.at);
      for (const { each } of order) ledger.copied(each);
      const { entries, chunkIds } = ledger.assemble({ file: control, ids: idsOf(77) });
      const there = files
        .map(({ marks, gone, readTo }, n) => ({ n, marks: marks.slice(0, readTo), gone: gone && marks.length > 0 }))
        .filter(({ gone }) => !gone);
      assert.deepEqual(
        [...entries],
        [...there.map(({ n, marks }) => fileOf(marks.length * CHUNK_BYTES, `f${n}`)), control],
      );
      assert.deepEqual(new Uint8Array(chunkIds), idsOf(...there.flatMap(({ marks }) => marks), 77));
    }),
  );
});

test('what was taken over unread stands among what was read', () => {
  const taken: TakenOver = {
    ids: idsOf(7, 0, 8, 0),
    until: 3 * CHUNK_BYTES,
    chunks: 2,
    toRead: [
      [1, 2],
      [3, 4],
    ],
  };
  const read = [stretch(1, CHUNK_BYTES, 2), stretch(3, 5, 4)];
  const whole = kept(fileOf(3 * CHUNK_BYTES + 5), read, taken);
  assert.deepEqual(whole, { file: fileOf(3 * CHUNK_BYTES + 5), ids: idsOf(7, 2, 8, 4) });
  // Cut meanwhile: what was taken over stays, what was cut away reads as zeros.
  const cut = kept(fileOf(3 * CHUNK_BYTES + 5), [stretch(1, 0), stretch(3, 0)], taken);
  assert.deepEqual(cut, { file: fileOf(3 * CHUNK_BYTES), ids: idsOf(7, 0, 8) });
  // Gone meanwhile.
  const gone = [stretch(1, undefined), stretch(3, undefined)];
  assert.equal(kept(fileOf(3 * CHUNK_BYTES + 5), gone, taken), undefined);
});
