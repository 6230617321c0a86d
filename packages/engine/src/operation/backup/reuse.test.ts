import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CHUNK_BYTES, CHUNK_ID_BYTES, chunkCount } from '../../format/chunk.ts';
import type { Entry, FileEntry } from '../../format/entry.ts';
import type { BackupSummary, Manifest } from '../../format/manifest.ts';
import { ChangedBlocks, type ContentsRow } from '../../postgres/walsummary.ts';
import {
  compareEntries,
  Reuse,
  type ReuseRules,
  type ServerNow,
  type TakenOver,
  whyReadAll,
  whyTimesTellNothing,
} from './reuse.ts';

const SECOND = 1_000_000_000n;
const READ_AT = 1_790_000_000n * SECOND;
const LONG_AGO = String(READ_AT - 3600n * SECOND);

const fileOf = (change: Partial<FileEntry> = {}): FileEntry => ({
  kind: 'file',
  path: 'base/5/16384',
  mode: 0o600,
  uid: 26,
  gid: 26,
  bytes: 3 * CHUNK_BYTES - 1,
  mtime: LONG_AGO,
  ctime: LONG_AGO,
  inode: '77',
  ...change,
});

function manifestOf(
  entries: readonly Entry[],
  summary: Partial<BackupSummary> = {},
  chunkBytes = CHUNK_BYTES,
): Manifest {
  const chunks = entries.reduce((sum, entry) => sum + (entry.kind === 'file' ? chunkCount(entry.bytes) : 0), 0);
  // Each id tells its number, so that a wrong one shows.
  const chunkIds = new Uint8Array(chunks * CHUNK_ID_BYTES).map((_, at) => 1 + Math.floor(at / CHUNK_ID_BYTES));
  const known = {
    system_identifier: '7',
    timeline: 2,
    postgres_version: 170_003,
    checksums: true,
    damaged_pages: [],
    damaged_page_count: 0,
    ...summary,
  };
  return {
    head: {
      summary: known as unknown as BackupSummary,
      chunk_bytes: chunkBytes,
      backup_label: '',
      tablespace_map: '',
      read_started_at: String(READ_AT),
      standby_parameters: {
        max_connections: 100,
        max_worker_processes: 8,
        max_wal_senders: 10,
        max_prepared_transactions: 0,
        max_locks_per_transaction: 64,
      },
    },
    entries,
    chunkIds,
  };
}

const now: ServerNow = { systemIdentifier: '7', timeline: 2, postgresVersion: 170_003, checksums: true };
const rules: ReuseRules = { byTimes: true, isStored: () => true };

/** The ids of a file that need not be read at all. */
function unchanged(reuse: Reuse, file: FileEntry): Uint8Array | undefined {
  const taken = reuse.find(file);
  return taken === undefined || taken.toRead.length > 0 ? undefined : taken.ids;
}

test('a file that was let alone is taken over, with its own chunks', () => {
  const before = fileOf({ path: 'base/5/1', bytes: CHUNK_BYTES + 1 });
  const folder: Entry = { kind: 'directory', path: 'base/5', mode: 0o700, uid: 26, gid: 26 };
  const reuse = new Reuse(manifestOf([folder, before, fileOf(), fileOf({ path: 'base/5/3' })]), rules);
  assert.deepEqual([...new Set(unchanged(reuse, fileOf()))], [3, 4, 5]);
  assert.equal(unchanged(reuse, fileOf())?.length, 3 * CHUNK_ID_BYTES);
});

const changes: readonly (readonly [string, Partial<FileEntry>])[] = [
  ['another size', { bytes: 3 * CHUNK_BYTES }],
  ['another mtime', { mtime: String(BigInt(LONG_AGO) + 1n) }],
  ['an earlier mtime', { mtime: String(BigInt(LONG_AGO) - 1n) }],
  ['another ctime', { ctime: String(BigInt(LONG_AGO) + 1n) }],
  ['another inode', { inode: '78' }],
  ['another path', { path: 'base/5/16385' }],
  ['another tablespace', { tablespace: 16_400 }],
];
for (const [what, change] of changes) {
  test(`a file with ${what} is read`, () => {
    assert.equal(unchanged(new Reuse(manifestOf([fileOf()]), rules), fileOf(change)), undefined);
  });
}

test('the same path in a tablespace and in the data directory are two files', () => {
  const reuse = new Reuse(manifestOf([fileOf({ bytes: 1 }), fileOf({ tablespace: 16_400, bytes: 1 })]), rules);
  assert.equal(unchanged(reuse, fileOf({ bytes: 1 }))?.[0], 1);
  assert.equal(unchanged(reuse, fileOf({ tablespace: 16_400, bytes: 1 }))?.[0], 2);
});

test('a change of mode or owner needs no reading', () => {
  assert.ok(unchanged(new Reuse(manifestOf([fileOf()]), rules), fileOf({ mode: 0o640, uid: 1, gid: 1 })) !== undefined);
});

test('a file touched within two seconds of the reading, or after it, is read', () => {
  const offset = fc.bigInt({ min: -10n * SECOND, max: 10n * SECOND });
  fc.assert(
    fc.property(offset, offset, (mtime, ctime) => {
      const file = fileOf({ mtime: String(READ_AT + mtime), ctime: String(READ_AT + ctime) });
      const safe = mtime < -2n * SECOND && ctime < -2n * SECOND;
      assert.equal(unchanged(new Reuse(manifestOf([file]), rules), file) !== undefined, safe);
    }),
    {
      examples: [
        [-2n * SECOND, -2n * SECOND],
        [-2n * SECOND - 1n, -2n * SECOND - 1n],
      ],
    },
  );
});

test('a file with a damaged page is read again, so that its damage is told again', () => {
  const damaged_pages = [{ file: 'base/5/16384', block: 3 }];
  const reuse = new Reuse(manifestOf([fileOf(), fileOf({ path: 'base/5/2' })], { damaged_pages }), rules);
  assert.equal(unchanged(reuse, fileOf()), undefined);
  assert.ok(unchanged(reuse, fileOf({ path: 'base/5/2' })) !== undefined);
});

const reasons: readonly (readonly [string, Partial<ServerNow>, Partial<BackupSummary>, number, RegExp | undefined])[] =
  [
    ['nothing changed', {}, {}, CHUNK_BYTES, undefined],
    ['a minor version changed', { postgresVersion: 170_004 }, {}, CHUNK_BYTES, undefined],
    ['the system changed', { systemIdentifier: '8' }, {}, CHUNK_BYTES, /system/],
    ['the timeline changed', { timeline: 3 }, {}, CHUNK_BYTES, /timeline/],
    ['the timeline went back', { timeline: 1 }, {}, CHUNK_BYTES, /timeline/],
    ['the major version changed', { postgresVersion: 180_003 }, {}, CHUNK_BYTES, /version/],
    ['the chunks were of another length', {}, {}, CHUNK_BYTES * 2, /length/],
    ['checksums were switched on', {}, { checksums: false }, CHUNK_BYTES, /checksums/],
    ['not all damage is named', {}, { damaged_page_count: 1 }, CHUNK_BYTES, /damaged/],
  ];
for (const [what, change, summary, chunkBytes, expected] of reasons) {
  test(`${expected === undefined ? 'files may be taken over' : 'every file is read'} when ${what}`, () => {
    const why = whyReadAll(manifestOf([], summary, chunkBytes), { ...now, ...change });
    if (expected === undefined) assert.equal(why, undefined);
    else assert.match(why ?? '', expected);
  });
}

test('times tell nothing once the clock was set back', () => {
  assert.equal(whyTimesTellNothing(manifestOf([]), READ_AT), undefined);
  assert.match(whyTimesTellNothing(manifestOf([]), READ_AT - 1n) ?? '', /clock/);
  assert.equal(unchanged(new Reuse(manifestOf([fileOf()]), { ...rules, byTimes: false }), fileOf()), undefined);
});

test('a chunk that the repository lost is read, and no other', () => {
  const isStored = (_: Uint8Array, at: number): boolean => at !== CHUNK_ID_BYTES;
  const taken = new Reuse(manifestOf([fileOf()]), { ...rules, isStored }).find(fileOf());
  assert.deepEqual(taken?.toRead, [[1, 2]]);
  assert.deepEqual(marks(taken), [1, 0, 3]);
});

const BLOCK = 8192;
const SEGMENT_BLOCKS = 4 * 32;
/** Of each chunk of a file the mark of its id. */
const marks = (taken: TakenOver | undefined): readonly (number | undefined)[] =>
  Array.from({ length: (taken?.ids.length ?? 0) / CHUNK_ID_BYTES }, (_, n) => taken?.ids[n * CHUNK_ID_BYTES]);

const relation = (bytes: number, path = 'base/5/16384'): FileEntry =>
  fileOf({ bytes, path, mtime: String(READ_AT), ctime: String(READ_AT) });
const row = (change: Partial<ContentsRow> = {}): ContentsRow => ({
  tablespace: 1663,
  database: 5,
  filenode: 16_384,
  fork: 0,
  limit: null,
  granules: null,
  ...change,
});

function byBlocks(before: FileEntry, after: FileEntry, ...rows: readonly ContentsRow[]): TakenOver | undefined {
  const blocks = new ChangedBlocks(32);
  for (const each of rows) blocks.add(each);
  const changed = { blocks, blockBytes: BLOCK, segmentBlocks: SEGMENT_BLOCKS };
  return new Reuse(manifestOf([before]), { ...rules, byTimes: false, changed }).find(after);
}

const FOUR = 4 * CHUNK_BYTES;
const blockCases: readonly {
  readonly name: string;
  readonly path?: string;
  readonly before?: number;
  readonly after?: number;
  readonly rows?: readonly Partial<ContentsRow>[];
  /** What is taken over, by the marks of its chunks; undefined: nothing. */
  readonly expected: readonly number[] | undefined;
}[] = [
  { name: 'in which no block was changed', expected: [1, 2, 3, 4] },
  { name: 'of which others were changed', rows: [{ filenode: 7, granules: [0] }], expected: [1, 2, 3, 4] },
  { name: 'with a changed chunk', rows: [{ granules: [1] }], expected: [1, 0, 3, 4] },
  { name: 'changed in all chunks', rows: [{ granules: [0, 1] }, { granules: [2, 3] }], expected: undefined },
  { name: 'changed in two summaries', rows: [{ granules: [3] }, { granules: [0] }], expected: [0, 2, 3, 0] },
  { name: 'that grew within its last chunk', before: FOUR - BLOCK, after: FOUR, expected: [1, 2, 3, 0] },
  { name: 'that grew by chunks', before: 2 * CHUNK_BYTES, expected: [1, 2, 0, 0] },
  { name: 'that was cut', after: 2 * CHUNK_BYTES, rows: [{ limit: 64 }], expected: [1, 2] },
  { name: 'cut within a chunk and grown again', rows: [{ limit: 33 }], expected: [1, 0, 0, 0] },
  { name: 'cut where a chunk ends and grown again', rows: [{ limit: 64 }], expected: [1, 2, 0, 0] },
  { name: 'cut twice', rows: [{ limit: 96 }, { limit: 32 }], expected: [1, 0, 0, 0] },
  { name: 'made anew', rows: [{ limit: 0 }], expected: undefined },
  { name: 'of a database copied as files', rows: [{ filenode: 0, limit: 0 }], expected: undefined },
  {
    name: 'of which a database elsewhere was copied',
    rows: [{ filenode: 0, limit: 0, tablespace: 16_400 }],
    expected: [1, 2, 3, 4],
  },
  { name: 'in a second segment', path: 'base/5/16384.1', rows: [{ granules: [1, 6] }], expected: [1, 2, 0, 4] },
  { name: 'in a segment after the limit', path: 'base/5/16384.1', rows: [{ limit: 128 }], expected: undefined },
  {
    name: 'in a tablespace',
    path: 'pg_tblspc/16400/PG_18_202506291/5/16384',
    rows: [{ tablespace: 16_400, granules: [0] }, { granules: [1] }],
    expected: [0, 2, 3, 4],
  },
  {
    name: 'that all databases share',
    path: 'global/1262',
    rows: [{ tablespace: 1664, database: 0, filenode: 1262, granules: [0] }],
    expected: [0, 2, 3, 4],
  },
  { name: 'that is a free space map', path: 'base/5/16384_fsm', expected: undefined },
  { name: 'that is a visibility map', path: 'base/5/16384_vm', expected: undefined },
  { name: 'that is an init fork', path: 'base/5/16384_init', rows: [{ granules: [0] }], expected: [1, 2, 3, 4] },
  { name: 'that is no relation', path: 'base/5/pg_filenode.map', expected: undefined },
  { name: 'that ends within a block', before: FOUR - 1, after: FOUR - 1, expected: undefined },
];
for (const { name, path, before = FOUR, after = FOUR, rows = [], expected } of blockCases) {
  test(`by WAL summaries, of a file ${name} the rest is taken over`, () => {
    const taken = byBlocks(relation(before, path), relation(after, path), ...rows.map(row));
    if (expected === undefined) return assert.equal(taken, undefined);
    assert.deepEqual(marks(taken), expected);
    const toRead = (taken?.toRead ?? []).flatMap(([from, to]) => Array.from({ length: to - from }, (_, n) => from + n));
    assert.deepEqual(
      toRead,
      expected.flatMap((mark, chunk) => (mark === 0 ? [chunk] : [])),
    );
    assert.equal(taken?.chunks, expected.filter((mark) => mark !== 0).length);
  });
}

/** As `scan.ts` walks: what is in a folder by name, then each of its folders. */
function walked(tree: Tree, folder = ''): string[] {
  const names = Object.keys(tree).toSorted();
  const paths = names.map((name) => (folder === '' ? name : `${folder}/${name}`));
  return [
    ...paths,
    ...names.flatMap((name, n) => {
      const inside = tree[name];
      return inside === undefined || inside === null ? [] : walked(inside, paths[n]);
    }),
  ];
}
interface Tree {
  readonly [name: string]: Tree | null;
}
const trees = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.dictionary(
    fc.string({ unit: fc.constantFrom('a', '1', '.', '_', 'é'), minLength: 1, maxLength: 2 }),
    fc.oneof({ maxDepth: 3 }, fc.constant(null), tie('tree')),
    { maxKeys: 5 },
  ),
})).tree;

test('the order of entries is that of a scan', () => {
  fc.assert(
    fc.property(trees, (tree) => {
      const paths = walked(tree);
      assert.deepEqual(
        paths.toSorted((a, b) => compareEntries({ path: a }, { path: b })),
        paths,
      );
    }),
  );
  assert.ok(compareEntries({ path: 'z' }, { tablespace: 1, path: 'a' }) < 0);
  assert.ok(compareEntries({ tablespace: 9, path: 'z' }, { tablespace: 10, path: 'a' }) < 0);
});

test('of two scans every file that stands in both is found, with its own chunks, and no other', () => {
  fc.assert(
    fc.property(trees, trees, fc.boolean(), (old, fresh, shuffled) => {
      const filesOf = (tree: Tree): FileEntry[] => walked(tree).map((path) => fileOf({ path, bytes: 1 }));
      // An older program may have written another order: then files may be missed, and are read.
      const before = shuffled ? filesOf(old).toReversed() : filesOf(old);
      const reuse = new Reuse(manifestOf(before), rules);
      for (const file of filesOf(fresh)) {
        const at = before.findIndex(({ path }) => path === file.path);
        const mark = unchanged(reuse, file)?.[0];
        if (shuffled) assert.ok(mark === undefined || mark === at + 1);
        else assert.equal(mark, at < 0 ? undefined : at + 1);
      }
    }),
  );
});

test('pg_control, which comes last whatever its name, hides nothing that comes after it by name', () => {
  const files = ['global/1262', 'pg_xact/0000'].map((path) => fileOf({ path, bytes: 1 }));
  const reuse = new Reuse(manifestOf([...files, fileOf({ path: 'global/pg_control', bytes: 1 })]), rules);
  assert.equal(unchanged(reuse, fileOf({ path: 'global/1262', bytes: 1 }))?.[0], 1);
  assert.equal(unchanged(reuse, fileOf({ path: 'pg_xact/0000', bytes: 1 }))?.[0], 2);
});
