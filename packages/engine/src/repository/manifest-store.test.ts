import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { newKeyRing } from '../codec/keys.ts';
import { sealObject } from '../codec/seal.ts';
import { CHUNK_BYTES, CHUNK_ID_BYTES } from '../format/chunk.ts';
import type { BackupSummary, Manifest } from '../format/manifest.ts';
import { manifestName } from '../format/names.ts';
import { chooseById, listManifests, readManifest, writeManifest } from './manifest-store.ts';
import { Repository } from './repository.ts';
import { folderOf } from '../storage/port.ts';

const golden = JSON.parse(
  await readFile(new URL('../format/golden/manifest.json', import.meta.url), 'utf8'),
) as Manifest & { readonly frames: unknown };

const root = await mkdtemp(join(tmpdir(), 'spillway-manifests-'));
after(() => rm(root, { recursive: true, force: true }));

const newRepository = async (): Promise<Repository> => {
  const location = { kind: 'filesystem', path: await mkdtemp(join(root, 'r-')) } as const;
  return new Repository({ id: 'test', location, keys: newKeyRing() });
};
const manifest = (id: string, startedAt: string, links = 0): Manifest => ({
  head: {
    ...golden.head,
    summary: {
      ...golden.head.summary,
      taken_from: 'primary',
      unchanged_by: null,
      unchanged_chunks: null,
      damaged_page_count: 1,
      id,
      started_at: startedAt,
    },
  },
  entries: [
    ...golden.entries,
    ...Array.from({ length: links }, (_, n) => ({ kind: 'link' as const, path: `pg_tblspc/${n}`, target: '/srv' })),
  ],
  chunkIds: new Uint8Array(2 * CHUNK_ID_BYTES).fill(7),
});
const file = (repository: Repository, id: string): string =>
  join(folderOf(repository.location) ?? '', manifestName('main', id));

test('a manifest is read back as it was written, and its id is never used twice', async () => {
  const repository = await newRepository();
  const written = manifest('20261123T181500Z-1a2b3c4d', '2026-11-23T18:15:00.000Z', 10_000);
  assert.ok((await writeManifest(repository, written)) > 0);
  const read = await readManifest(repository, 'main', written.head.summary.id);
  assert.deepEqual(
    { ...read, entries: [...read.entries], chunkIds: new Uint8Array(read.chunkIds) },
    { ...written, entries: [...written.entries] },
  );
  await assert.rejects(writeManifest(repository, written), (error) => isSpillwayError(error, 'SPW_OBJECT_EXISTS'));
  await assert.rejects(readManifest(repository, 'main', 'none'), (error) =>
    isSpillwayError(error, 'SPW_OBJECT_MISSING'),
  );
});

test('backups are listed oldest first by when they began, whatever their names', async () => {
  const repository = await newRepository();
  assert.deepEqual(await listManifests(repository, 'main'), { heads: [], unreadable: [] });
  const times = { c: '2026-11-21T00:00:00.000Z', a: '2026-11-22T00:00:00.000Z', b: '2026-11-23T00:00:00.000Z' };
  for (const [id, time] of Object.entries(times)) await writeManifest(repository, manifest(id, time));
  const { heads, unreadable } = await listManifests(repository, 'main');
  assert.deepEqual(
    heads.map(({ summary }) => summary.id),
    ['c', 'a', 'b'],
  );
  assert.deepEqual(heads[0], manifest('c', times.c).head);
  assert.deepEqual(unreadable, []);
});

test('a manifest that cannot be read does not hide the others', async () => {
  const repository = await newRepository();
  for (const id of ['good-1', 'empty', 'no-object', 'newer', 'swapped', 'no-head', 'no-json', 'good-2']) {
    await writeManifest(repository, manifest(id, '2026-11-23T00:00:00.000Z'));
    await chmod(file(repository, id), 0o600);
  }
  await truncate(file(repository, 'empty'), 0);
  await writeFile(file(repository, 'no-object'), 'x'.repeat(1000));
  const newer = await readFile(file(repository, 'newer'));
  newer.writeUInt8(2, 8);
  await writeFile(file(repository, 'newer'), newer);
  await writeFile(file(repository, 'swapped'), await readFile(file(repository, 'good-1')));
  for (const [id, frame] of [
    ['no-head', '{}'],
    ['no-json', '{'],
  ] as const) {
    const frames = [Buffer.from(frame), Buffer.from('[]')];
    await writeFile(
      file(repository, id),
      await sealObject(repository.keys, 'manifest', manifestName('main', id), frames),
    );
  }
  const { heads, unreadable } = await listManifests(repository, 'main');
  assert.deepEqual(heads.map(({ summary }) => summary.id).toSorted(), ['good-1', 'good-2']);
  assert.deepEqual(
    unreadable.map(({ id, error }) => [id, error.code]),
    [
      ['empty', 'SPW_OBJECT_DAMAGED'],
      ['newer', 'SPW_REPOSITORY_NEWER'],
      ['no-head', 'SPW_OBJECT_DAMAGED'],
      ['no-json', 'SPW_OBJECT_DAMAGED'],
      ['no-object', 'SPW_OBJECT_DAMAGED'],
      ['swapped', 'SPW_OBJECT_DAMAGED'],
    ],
  );
});

test('a head longer than the first read is read whole', async () => {
  const repository = await newRepository();
  const written = manifest('a', '2026-11-23T00:00:00.000Z');
  // Random digits, so that zstd leaves more than the first read of them.
  const label = Array.from({ length: 300_000 }, () => Math.random().toString(36)[2] ?? '').join('');
  await writeManifest(repository, { ...written, head: { ...written.head, backup_label: label } });
  const { heads, unreadable } = await listManifests(repository, 'main');
  assert.deepEqual(unreadable, []);
  assert.equal(heads[0]?.backup_label, label);
});

test('a manifest whose frames do not fit its files is damage', async () => {
  const repository = await newRepository();
  const written = manifest('a', '2026-11-23T00:00:00.000Z');
  await writeManifest(repository, { ...written, chunkIds: new Uint8Array(CHUNK_ID_BYTES) });
  await writeManifest(repository, {
    ...manifest('b', ''),
    head: { ...manifest('b', '').head, chunk_bytes: CHUNK_BYTES / 2 },
  });
  for (const id of ['a', 'b']) {
    await assert.rejects(readManifest(repository, 'main', id), (error) => isSpillwayError(error, 'SPW_OBJECT_DAMAGED'));
  }
});

test('a backup is chosen by the beginning of its id or of its hexadecimal end', () => {
  const backups = ['20261123T181500Z-1a2b3c4d', '20261123T191500Z-1a000000', '20261124T181500Z-ffffffff'].map(
    (id): BackupSummary => ({ ...golden.head.summary, id }),
  );
  const cases: readonly (readonly [id: string, chosen: number | RegExp])[] = [
    ['20261123T181500Z-1a2b3c4d', 0],
    ['1a2', 0],
    ['1a0', 1],
    ['f', 2],
    ['20261124', 2],
    ['20261123', /2 backups/],
    ['1a', /2 backups/],
    ['2', /3 backups/],
    ['', /3 backups/],
    ['beef', /no backup/],
    ['181500', /no backup/],
  ];
  for (const [id, chosen] of cases) {
    if (typeof chosen === 'number') assert.equal(chooseById(backups, 'main', id), backups[chosen], id);
    else {
      assert.throws(
        () => chooseById(backups, 'main', id),
        (error) => isSpillwayError(error, 'SPW_BACKUP_UNKNOWN') && chosen.test(error.why ?? ''),
        id,
      );
    }
  }
});
