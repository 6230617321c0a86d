import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CHUNK_BYTES, CHUNK_ID_BYTES, chunkCount } from '../../format/chunk.ts';
import type { BackupSummary, Entry, FileEntry, Manifest } from '../../format/manifest.ts';
import { Reuse, type ServerNow, whyReadAll } from './reuse.ts';

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
  const known = { system_identifier: '7', timeline: 2, postgres_version: 170_003, damaged_pages: [], ...summary };
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

const now: ServerNow = { systemIdentifier: '7', timeline: 2, postgresVersion: 170_003, nowNs: READ_AT + SECOND };

test('a file that was let alone is taken over, with its own chunks', () => {
  const before = fileOf({ path: 'base/5/1', bytes: CHUNK_BYTES + 1 });
  const folder: Entry = { kind: 'directory', path: 'base/5', mode: 0o700, uid: 26, gid: 26 };
  const reuse = new Reuse(manifestOf([folder, before, fileOf(), fileOf({ path: 'base/5/3' })]));
  assert.deepEqual([...new Set(reuse.unchanged(fileOf()))], [3, 4, 5]);
  assert.equal(reuse.unchanged(fileOf())?.length, 3 * CHUNK_ID_BYTES);
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
    assert.equal(new Reuse(manifestOf([fileOf()])).unchanged(fileOf(change)), undefined);
  });
}

test('the same path in a tablespace and in the data directory are two files', () => {
  const reuse = new Reuse(manifestOf([fileOf({ bytes: 1 }), fileOf({ tablespace: 16_400, bytes: 1 })]));
  assert.equal(reuse.unchanged(fileOf({ bytes: 1 }))?.[0], 1);
  assert.equal(reuse.unchanged(fileOf({ tablespace: 16_400, bytes: 1 }))?.[0], 2);
});

test('a change of mode or owner needs no reading', () => {
  assert.ok(new Reuse(manifestOf([fileOf()])).unchanged(fileOf({ mode: 0o640, uid: 1, gid: 1 })) !== undefined);
});

test('a file touched within two seconds of the reading, or after it, is read', () => {
  const offset = fc.bigInt({ min: -10n * SECOND, max: 10n * SECOND });
  fc.assert(
    fc.property(offset, offset, (mtime, ctime) => {
      const file = fileOf({ mtime: String(READ_AT + mtime), ctime: String(READ_AT + ctime) });
      const safe = mtime < -2n * SECOND && ctime < -2n * SECOND;
      assert.equal(new Reuse(manifestOf([file])).unchanged(file) !== undefined, safe);
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
  const reuse = new Reuse(manifestOf([fileOf(), fileOf({ path: 'base/5/2' })], { damaged_pages }));
  assert.equal(reuse.unchanged(fileOf()), undefined);
  assert.ok(reuse.unchanged(fileOf({ path: 'base/5/2' })) !== undefined);
});

const reasons: readonly (readonly [string, Partial<ServerNow>, Partial<BackupSummary>, number, RegExp | undefined])[] =
  [
    ['nothing changed', {}, {}, CHUNK_BYTES, undefined],
    ['a minor version changed', { postgresVersion: 170_004 }, {}, CHUNK_BYTES, undefined],
    ['the clock stands where it stood', { nowNs: READ_AT }, {}, CHUNK_BYTES, undefined],
    ['the system changed', { systemIdentifier: '8' }, {}, CHUNK_BYTES, /system/],
    ['the timeline changed', { timeline: 3 }, {}, CHUNK_BYTES, /timeline/],
    ['the timeline went back', { timeline: 1 }, {}, CHUNK_BYTES, /timeline/],
    ['the major version changed', { postgresVersion: 180_003 }, {}, CHUNK_BYTES, /version/],
    ['the chunks were of another length', {}, {}, CHUNK_BYTES * 2, /length/],
    ['the clock was set back', { nowNs: READ_AT - 1n }, {}, CHUNK_BYTES, /clock/],
  ];
for (const [what, change, summary, chunkBytes, expected] of reasons) {
  test(`${expected === undefined ? 'files may be taken over' : 'every file is read'} when ${what}`, () => {
    const why = whyReadAll(manifestOf([], summary, chunkBytes), { ...now, ...change });
    if (expected === undefined) assert.equal(why, undefined);
    else assert.match(why ?? '', expected);
  });
}
