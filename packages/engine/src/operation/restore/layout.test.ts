import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type LayoutWish, parseTablespaceMap, pathOf, planLayout, rewriteTablespaceMap } from './layout.ts';

const HEAD = {
  summary: {
    tablespaces: [
      { oid: 16400, path: '/old/fast', bytes: 1 },
      { oid: 16401, path: '/old/slow', bytes: 1 },
    ],
  },
  tablespace_names: { '1663': 'pg_default', '16400': 'fast', '16401': 'slow' },
};
const INTO = { directory: '/data' };

const moves: readonly (readonly [name: string, wish: Partial<LayoutWish>, fast: string, slow: string])[] = [
  ['nothing said', {}, '/old/fast', '/old/slow'],
  ['by name', { tablespaces: [{ which: 'fast', to: '/new' }] }, '/new', '/old/slow'],
  ['by oid', { tablespaces: [{ which: '16401', to: '/new/' }] }, '/old/fast', '/new'],
  ['by old path', { tablespaces: [{ which: '/old/slow', to: '/new' }] }, '/old/fast', '/new'],
  ['all into one folder', { tablespacesInto: '/all' }, '/all/16400', '/all/16401'],
  [
    'one named, the others into one folder',
    { tablespacesInto: '/all', tablespaces: [{ which: 'fast', to: '/new' }] },
    '/new',
    '/all/16401',
  ],
];
for (const [name, wish, fast, slow] of moves) {
  test(`tablespaces go where they are told: ${name}`, () => {
    const { tablespaces } = planLayout(HEAD, { ...INTO, ...wish });
    assert.deepEqual([tablespaces.get(16400), tablespaces.get(16401)], [fast, slow]);
  });
}

const refused: readonly (readonly [name: string, wish: Partial<LayoutWish>, why: RegExp])[] = [
  ['one that is not there', { tablespaces: [{ which: 'fats', to: '/new' }] }, /it has 16400 \(fast\) at \/old\/fast/],
  [
    'one that the backup only knows by name',
    { tablespaces: [{ which: 'pg_default', to: '/new' }] },
    /none of that name/,
  ],
  [
    'one named twice',
    {
      tablespaces: [
        { which: 'fast', to: '/a' },
        { which: '16400', to: '/b' },
      ],
    },
    /two places/,
  ],
  [
    'two in one place',
    {
      tablespaces: [
        { which: 'fast', to: '/a' },
        { which: 'slow', to: '/a/' },
      ],
    },
    /tablespace 16400 goes there/,
  ],
  ['one where another was', { tablespaces: [{ which: 'fast', to: '/old/slow' }] }, /tablespace 16401|tablespace 16400/],
  ['inside the data directory', { tablespaces: [{ which: 'fast', to: '/data/fast' }] }, /inside the data directory/],
  ['above the data directory', { tablespaces: [{ which: 'fast', to: '/' }] }, /is inside of it/],
  ['all into the data directory', { tablespacesInto: '/data' }, /inside the data directory/],
  [
    'one inside another',
    {
      tablespaces: [
        { which: 'fast', to: '/a' },
        { which: 'slow', to: '/a/b' },
      ],
    },
    /inside tablespace 16400/,
  ],
  ['pg_wal inside the data directory', { walDirectory: '/data/wal' }, /inside the data directory/],
  ['pg_wal in a tablespace', { walDirectory: '/old/fast/wal' }, /inside tablespace 16400/],
];
for (const [name, wish, why] of refused) {
  test(`a place is refused: ${name}`, () => {
    assert.throws(() => planLayout(HEAD, { ...INTO, ...wish }), { code: 'SPW_USAGE', why });
  });
}

test('a folder whose name only begins alike is not inside', () => {
  const { tablespaces } = planLayout(HEAD, { ...INTO, tablespaces: [{ which: 'fast', to: '/data-fast' }] });
  assert.equal(tablespaces.get(16400), '/data-fast');
});

test('what is below pg_wal goes where pg_wal goes, and nothing else', () => {
  const layout = planLayout(HEAD, { ...INTO, walDirectory: '/wal' });
  const folder = { kind: 'directory', mode: 0o700, uid: 0, gid: 0 } as const;
  assert.equal(pathOf(layout, { ...folder, path: 'pg_wal/archive_status' }), '/wal/archive_status');
  assert.equal(pathOf(layout, { ...folder, path: 'pg_walker/x' }), '/data/pg_walker/x');
  assert.equal(pathOf(layout, { ...folder, path: 'pg_wal/x', tablespace: 16400 }), '/old/fast/pg_wal/x');
});

test('a map is read as PostgreSQL writes it, with its backslashes', () => {
  const text = '16400 /old/with space\n16401 /old/line\\\nfeed and \\\\ back\n';
  assert.deepEqual(parseTablespaceMap(text), [
    { oid: 16400, path: '/old/with space' },
    { oid: 16401, path: '/old/line\nfeed and \\ back' },
  ]);
});

test('a map that is written again names the new places, whatever characters they have', () => {
  const path = fc
    .string({ unit: fc.constantFrom('a', ' ', '\\', '\n', '\r', '1', 'é'), minLength: 1 })
    .map((text) => `/${text}`);
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 9 }), path), { selector: ([oid]) => oid }), (all) => {
      const layout = { directory: '/data', tablespaces: new Map(all), walDirectory: undefined };
      const before = all.map(([oid]) => `${oid} /before\n`).join('');
      const after = rewriteTablespaceMap(before, layout);
      assert.deepEqual(
        parseTablespaceMap(after),
        all.map(([oid, to]) => ({ oid, path: to })),
      );
      assert.equal(rewriteTablespaceMap(after, layout), after);
    }),
  );
});
