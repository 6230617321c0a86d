// Verification of what a real cluster left in a repository: whole it passes, and of every harm it names the object, the
// files and backups that are hurt, and what is still good.

import assert from 'node:assert/strict';
import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, suite, test } from 'node:test';
import type { BackupSummary } from '../src/format/manifest.ts';
import { INDEX, manifestName, packName } from '../src/format/names.ts';
import { expire, type ExpireSummary } from '../src/operation/expire/run.ts';
import { CHUNK_ID_BYTES } from '../src/format/chunk.ts';
import { type VerifyOptions, type VerifySummary, verify } from '../src/operation/verify/run.ts';
import { listEvidence, provenBackups } from '../src/repository/evidence.ts';
import { readIndex, writeIndex } from '../src/repository/index-store.ts';
import { readManifest } from '../src/repository/manifest-store.ts';
import { PackWriter } from '../src/repository/pack-writer.ts';
import { Repository } from '../src/repository/repository.ts';
import type { Storage } from '../src/storage/port.ts';
import { makeStage, type Stage } from './operation-stage.ts';

const hexIds = (ids: Uint8Array): readonly string[] =>
  Array.from({ length: ids.length / CHUNK_ID_BYTES }, (_, n) =>
    Buffer.from(ids.subarray(n * CHUNK_ID_BYTES, (n + 1) * CHUNK_ID_BYTES)).toString('hex'),
  );

suite('a verification', () => {
  let stage: Stage;
  let older: BackupSummary;
  let newer: BackupSummary;
  let path: string;
  let repository: Repository;
  let copies = 0;

  before(async () => {
    stage = await makeStage();
    await stage.cluster.query('CREATE TABLE t AS SELECT n, md5(n::text) AS word FROM generate_series(1, 50000) AS n');
    older = await stage.backup();
    await stage.cluster.query('CREATE TABLE u AS SELECT n, sha256(n::text::bytea) FROM generate_series(1, 20000) AS n');
    newer = await stage.backup();
  });
  after(() => stage[Symbol.asyncDispose]());
  beforeEach(async () => {
    path = join(stage.folder, `copy-${++copies}`);
    await cp(stage.repositoryPath, path, { recursive: true });
    repository = new Repository({ ...stage.repository.handle, location: { kind: 'filesystem', path } });
  });

  const run = (options: Partial<VerifyOptions> = {}): Promise<VerifySummary> =>
    verify({
      repository,
      cluster: stage.name,
      level: 'data',
      workers: 2,
      signal: new AbortController().signal,
      report: () => undefined,
      ...options,
    });
  const rewrite = async (name: string, change: (bytes: Buffer) => void): Promise<void> => {
    const file = join(path, name);
    const bytes = await readFile(file);
    change(bytes);
    await rm(file);
    await writeFile(file, bytes);
  };
  /** A chunk of `of` that `notOf` has not, or has. */
  async function chunkOf(
    of: BackupSummary,
    notOf?: BackupSummary,
  ): Promise<{ id: string; pack: string; offset: number }> {
    const index = await readIndex(repository);
    const { chunkIds } = await readManifest(repository, stage.name, of.id);
    const others = notOf === undefined ? [] : hexIds((await readManifest(repository, stage.name, notOf.id)).chunkIds);
    const known = new Set(others);
    for (let at = 0; at < chunkIds.length; at += CHUNK_ID_BYTES) {
      const id = Buffer.from(chunkIds.subarray(at, at + CHUNK_ID_BYTES)).toString('hex');
      const place = index.table.find(chunkIds, at);
      if (place === undefined || known.has(id)) continue;
      return { id, pack: index.packs[place.pack]?.packId ?? '', offset: place.offset };
    }
    throw new Error('there is no such chunk');
  }

  /** The repository, for a verification: once it has read the manifest whole, which it does after the index, `act` is done. */
  function onceRead(backup: BackupSummary, act: () => Promise<void>): Repository {
    const { storage } = repository;
    let [indexRead, done] = [false, false];
    const watched: Storage = {
      description: storage.description,
      put: (...words) => storage.put(...words),
      list: (...words) => storage.list(...words),
      stat: (...words) => storage.stat(...words),
      remove: (...words) => storage.remove(...words),
      get: async (name, options) => {
        const bytes = await storage.get(name, options);
        indexRead ||= name.startsWith(INDEX);
        if (indexRead && !done && name === manifestName(stage.name, backup.id)) {
          done = true;
          await act();
        }
        return bytes;
      },
    };
    return Object.assign(new Repository(repository.handle), { storage: watched });
  }

  test('of an intact repository passes at both levels, reads each chunk once, and leaves evidence', async () => {
    const structure = await run({ level: 'structure' });
    assert.equal(structure.result, 'passed', JSON.stringify(structure.findings));
    assert.deepEqual(
      structure.backups.map(({ id }) => id),
      [newer.id],
    );
    assert.equal(provenBackups((await listEvidence(repository, stage.name)).records).size, 0);
    const all = await run({ all: true });
    assert.equal(all.result, 'passed', JSON.stringify(all.findings));
    assert.deepEqual([all.next_good, all.backups.length], [newer.id, 2]);
    const index = await readIndex(repository);
    assert.equal(all.chunks, index.chunks);
    assert.ok(all.packs > 0 && all.wal_objects > 0 && all.packs === index.packs.length);
    const { records, unreadable } = await listEvidence(repository, stage.name);
    assert.deepEqual(unreadable, []);
    assert.deepEqual(provenBackups(records), new Set([older.id, newer.id]));
  });

  test('finds a flipped bit in a chunk of one backup, names file and range, and leaves the other good', async () => {
    const chunk = await chunkOf(newer, older);
    await rewrite(packName(chunk.pack), (bytes) =>
      bytes.writeUInt8(bytes.readUInt8(chunk.offset + 9) ^ 4, chunk.offset + 9),
    );
    assert.equal((await run({ level: 'structure', all: true })).result, 'passed');
    const found = await run({ all: true });
    assert.equal(found.result, 'failed');
    assert.equal(found.next_good, older.id);
    assert.equal(found.findings_total, 1, JSON.stringify(found.findings));
    const [finding] = found.findings;
    assert.deepEqual([finding?.kind, finding?.object, finding?.chunk], ['chunk', packName(chunk.pack), chunk.id]);
    assert.match(finding?.problem ?? '', /does not authenticate/);
    assert.ok((finding?.hurts.length ?? 0) > 0);
    const { entries } = await readManifest(repository, stage.name, newer.id);
    for (const { backup, file, offset, bytes } of finding?.hurts ?? []) {
      assert.equal(backup, newer.id);
      const entry = [...entries].find((each) => each.path === file);
      assert.ok(entry?.kind === 'file' && (offset ?? 0) + (bytes ?? 0) <= entry.bytes);
    }
    const { records } = await listEvidence(repository, stage.name);
    assert.deepEqual(provenBackups(records), new Set([older.id]));
    const notesOf = async (backupId: string): Promise<string> =>
      (await stage.plan({ repository, backupId, target: { kind: 'immediate' } })).plan.notes.join(' ');
    assert.match(await notesOf(newer.id), new RegExp(`newest verification of backup ${newer.id} failed`));
    assert.doesNotMatch(await notesOf(older.id), /failed/);
  });

  test('finds a chunk that both backups share once, with all that it hurts', async () => {
    const chunk = await chunkOf(older);
    await rewrite(packName(chunk.pack), (bytes) =>
      bytes.writeUInt8(bytes.readUInt8(chunk.offset + 9) ^ 4, chunk.offset + 9),
    );
    const found = await run({ all: true });
    const shared = found.findings.filter(({ chunk: id }) => id === chunk.id);
    assert.equal(shared.length, 1);
    assert.ok(shared[0]?.hurts.some(({ backup }) => backup === older.id));
    assert.equal(shared[0]?.hurts_total, shared[0]?.hurts.length);
  });

  test('beside an expiry is misled by nothing, finds the damage of what stays, and keeps what it reads', async () => {
    const stays = await chunkOf(newer, older);
    const goes = await chunkOf(older, newer);
    for (const { pack, offset } of [stays, goes]) {
      await rewrite(packName(pack), (bytes) => bytes.writeUInt8(bytes.readUInt8(offset + 9) ^ 4, offset + 9));
    }
    const packs = await readdir(join(path, 'packs'), { recursive: true });
    let expired: ExpireSummary | undefined;
    const watched = onceRead(older, async () => {
      expired = await expire({
        repository,
        cluster: stage.name,
        policy: { minimumProven: 1, keepCount: 1 },
        graceMs: 0,
        repackBelow: 0,
        repackBytesMax: 0,
        signal: new AbortController().signal,
        report: () => undefined,
      });
    });
    const found = await run({ repository: watched, all: true });
    assert.deepEqual(expired?.removed_backups, [older.id]);
    assert.deepEqual(await readdir(join(path, 'packs'), { recursive: true }), packs, 'they are held');
    assert.deepEqual(
      found.findings.map(({ chunk }) => chunk),
      [stays.id],
    );
    assert.deepEqual(
      found.backups.map(({ id, result }) => [id, result]),
      [[newer.id, 'failed']],
    );
    assert.ok(found.notices.some((notice) => notice.includes(`${older.id} was removed meanwhile`)));
  });

  test('forgets what it found of a backup that was removed meanwhile', async () => {
    const { pack } = await chunkOf(older, newer);
    await rm(join(path, packName(pack)));
    const watched = onceRead(older, () => repository.storage.remove(manifestName(stage.name, older.id)));
    const found = await run({ repository: watched, ids: [older.id] });
    assert.deepEqual([found.findings, found.findings_total, found.backups], [[], 0, []]);
    assert.deepEqual([found.result, found.notices], ['passed', [`${older.id} was removed meanwhile.`]]);
  });

  test('finds at level structure a pack that is gone and one that was cut short', async () => {
    const chunk = await chunkOf(newer, older);
    const file = join(path, packName(chunk.pack));
    for (const harm of [() => truncate(file, 5000), () => rm(file)]) {
      await harm();
      const found = await run({ level: 'structure' });
      assert.equal(found.result, 'failed');
      assert.ok(found.findings.some(({ chunk: id, object }) => id === chunk.id && object === packName(chunk.pack)));
      assert.ok(found.findings.every(({ hurts }) => hurts.every(({ backup }) => backup === newer.id)));
      assert.equal(found.next_good, null);
    }
  });

  test('finds a chunk that is another than its id says, though it authenticates', async () => {
    // A pack of our own that claims the id of a chunk whose real pack is taken away.
    const chunk = await chunkOf(newer, older);
    await rm(join(path, packName(chunk.pack)));
    const writer = new PackWriter(repository, 1);
    const { chunkIds } = await readManifest(repository, stage.name, newer.id);
    for (let at = 0; at < chunkIds.length; at += CHUNK_ID_BYTES) {
      if (Buffer.from(chunkIds.subarray(at, at + CHUNK_ID_BYTES)).toString('hex') !== chunk.id) continue;
      writer.add(chunkIds.subarray(at, at + CHUNK_ID_BYTES), Buffer.alloc(8192, 'x'));
      break;
    }
    await writeIndex(repository, await writer.finish());
    const found = await run({});
    const problems = found.findings.filter(({ chunk: id }) => id === chunk.id).map(({ problem }) => problem);
    assert.ok(
      problems.length > 0 && problems.every((problem) => /not the one of that id|wants/.test(problem)),
      problems.join(),
    );
  });

  test('finds damaged and missing WAL that a backup needs, and says which backup cannot be started', async () => {
    const folder = join(path, 'clusters', stage.name, 'wal');
    const names = (await readdir(folder, { recursive: true })).filter((name) => /[0-9A-F]{24}[^/]*$/.test(name));
    assert.ok(names.length > 0);
    for (const name of names) {
      const relative = `clusters/${stage.name}/wal/${name}`;
      await rewrite(relative, (bytes) => bytes.writeUInt8(bytes.readUInt8(90) ^ 1, 90));
    }
    const found = await run({ all: true });
    assert.ok(found.findings.every(({ kind }) => kind === 'wal'));
    assert.equal(found.findings_total, names.length);
    assert.deepEqual(
      found.backups.map(({ result }) => result),
      ['failed', 'failed'],
    );
    await rm(folder, { recursive: true });
    const gone = await run({ level: 'structure', ids: [older.id] });
    assert.match(gone.findings[0]?.problem ?? '', /WAL/);
    assert.equal(gone.backups[0]?.result, 'failed');
  });

  test('finds a manifest that cannot be read, and looks at the others all the same', async () => {
    await rewrite(`clusters/${stage.name}/backups/${newer.id}`, (bytes) =>
      bytes.writeUInt8(bytes.readUInt8(70) ^ 1, 70),
    );
    const found = await run({ all: true });
    assert.deepEqual(
      found.backups.map(({ id, result }) => [id, result]),
      [
        [older.id, 'passed'],
        [newer.id, 'failed'],
      ],
    );
    assert.equal(found.next_good, older.id);
    assert.equal(found.findings[0]?.kind, 'manifest');
  });

  test('tells of a pack that no index names, and does not call it damage', async () => {
    const writer = new PackWriter(repository, 1);
    writer.add(Buffer.alloc(CHUNK_ID_BYTES, 7), Buffer.alloc(8192, 'x'));
    const [directory] = await writer.finish();
    const found = await run({ all: true });
    assert.equal(found.result, 'passed');
    assert.ok(found.notices.some((notice) => notice.includes(directory?.packId ?? 'none')));
  });
});
