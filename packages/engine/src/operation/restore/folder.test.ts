import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { chooseMode, type FolderState, linkTarget, type RestoreMode } from './folder.ts';
import { type Marker, parseMarker } from './marker.ts';
import { findShortage } from './reckon.ts';

const marker: Marker = {
  repository: 'r',
  cluster: 'main',
  backup: 'b',
  system_identifier: '1',
  started_at: '2026-11-23T00:00:00.000Z',
  folders: ['/spaces/1'],
};
const cluster: FolderState = { kind: 'cluster', systemIdentifier: '1' };
const foreign: FolderState = { kind: 'foreign', names: ['a', 'b', 'c', 'd'] };
const wish = { directory: '/data', delta: false, repositoryId: 'r', cluster: 'main' };

const modes: readonly (readonly [
  name: string,
  state: FolderState,
  more: Partial<typeof wish>,
  mode: RestoreMode | RegExp,
])[] = [
  ['an empty folder', { kind: 'empty' }, {}, 'fresh'],
  ['an empty folder with delta', { kind: 'empty' }, { delta: true }, 'fresh'],
  ['a data directory', cluster, {}, /holds a PostgreSQL data directory/],
  ['a data directory with delta', cluster, { delta: true }, 'delta'],
  ['something else', foreign, {}, /holds a, b, c and 1 more/],
  ['something else with delta', foreign, { delta: true }, /no PostgreSQL data directory/],
  ['an unfinished restore', { kind: 'interrupted', marker }, {}, 'resume'],
  ['an unfinished restore with delta', { kind: 'interrupted', marker }, { delta: true }, 'resume'],
  [
    'one of another repository',
    { kind: 'interrupted', marker },
    { repositoryId: 's', delta: true },
    /from repository r/,
  ],
  ['one of another cluster', { kind: 'interrupted', marker }, { cluster: 'other' }, /of cluster main/],
];
for (const [name, state, more, mode] of modes) {
  test(`${name}: ${mode instanceof RegExp ? 'refused' : mode}`, () => {
    const choose = (): RestoreMode => chooseMode(state, { ...wish, ...more });
    if (mode instanceof RegExp) assert.throws(choose, { code: 'SPW_FOLDER_NOT_EMPTY', why: mode });
    else assert.equal(choose(), mode);
  });
}

test('a marker is read back; half of one, or another thing, is none', () => {
  const text = JSON.stringify(marker);
  assert.deepEqual(parseMarker(text), marker);
  for (const other of ['', text.slice(0, 40), '[]', '{}', 'null', JSON.stringify({ ...marker, folders: [1] })]) {
    assert.equal(parseMarker(other), undefined, other);
  }
});

const need = (path: string, bytes: number): { readonly path: string; readonly bytes: number } => ({ path, bytes });
const disk = (device: bigint, freeBytes: number): { readonly device: bigint; readonly freeBytes: number } => ({
  device,
  freeBytes,
});

test('what goes onto one file system counts together', () => {
  const needs = [need('/data', 60), need('/spaces/1', 30), need('/spaces/2', 50)];
  const apart = [disk(1n, 60), disk(2n, 30), disk(3n, 50)];
  assert.equal(findShortage(needs, apart), undefined);
  assert.deepEqual(findShortage(needs, [disk(1n, 100), disk(2n, 30), disk(1n, 100)]), {
    path: '/data',
    needed: 110,
    free: 100,
  });
  assert.deepEqual(findShortage(needs, [disk(1n, 60), disk(2n, 29), disk(3n, 50)]), {
    path: '/spaces/1',
    needed: 30,
    free: 29,
  });
});

test('a link that cannot be looked at is not taken for none', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-link-'));
  try {
    await mkdir(join(folder, 'plain'));
    await symlink('/elsewhere', join(folder, 'link'));
    await symlink('loop', join(folder, 'loop'));
    assert.equal(await linkTarget(join(folder, 'link')), '/elsewhere');
    for (const none of ['plain', 'nothing', 'nothing/below'])
      assert.equal(await linkTarget(join(folder, none)), undefined);
    // A circle of links is in the way, which no right of root overcomes.
    await assert.rejects(linkTarget(join(folder, 'loop', 'pg_wal')), { code: 'SPW_FOLDER_NOT_EMPTY' });
  } finally {
    await rm(folder, { recursive: true });
  }
});
