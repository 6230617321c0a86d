// Objects cut short and bits flipped, in every kind of object: what is read is either exactly what was written, or an
// error of damage that names the object. Then the same through whole operations.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { differences, fingerprint, type Random, seededRandom } from '@spillway/lab';
import { chunkId, idKey, newKeyRing } from '../src/codec/keys.ts';
import { CHUNK_ID_BYTES } from '../src/format/chunk.ts';
import type { Entry } from '../src/format/entry.ts';
import type { Manifest } from '../src/format/manifest.ts';
import { initRepository, listBackups, openRepository, Repository } from '../src/index.ts';
import { admitSystem, listSystems } from '../src/operation/system.ts';
import { WalArchive } from '../src/operation/wal/archive.ts';
import { lsn, segmentSize, timelineId } from '../src/postgres/lsn.ts';
import { readChunk, readIndex, writeIndex } from '../src/repository/index-store.ts';
import { takeLock } from '../src/repository/lock.ts';
import { readManifest, writeManifest } from '../src/repository/manifest-store.ts';
import { PackWriter } from '../src/repository/pack-writer.ts';
import { makeStage, type Stage } from './operation-stage.ts';
import { assembled } from './stored-wal.ts';

const SYSTEM = '7300000000000000001';
const SEGMENT = segmentSize(1024 * 1024);
const EDGE = 56;
const INSIDE = 20;

const golden = JSON.parse(
  await readFile(new URL('../src/format/golden/manifest.json', import.meta.url), 'utf8'),
) as Manifest;
const random = seededRandom();

suite(`an object that was harmed (seed ${random.seed})`, () => {
  const kinds = ['packs/', 'index/', 'clusters/main/backups/', 'clusters/main/systems/', 'clusters/main/wal/'] as const;
  let root: string;
  let repository: Repository;
  let archive: WalArchive;
  let intact: string;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'spw-damage-'));
    repository = new Repository({ id: 'x', location: { kind: 'filesystem', path: root }, keys: newKeyRing() });
    archive = new WalArchive(repository, 'main', SYSTEM, SEGMENT);
    await admitSystem(repository, 'main', { systemIdentifier: SYSTEM, segmentBytes: SEGMENT });
    await writeBackup(repository);
    const wal = Buffer.concat([randomBytes(2000), Buffer.alloc(SEGMENT - 2000, 'wal')]);
    const sentAt = new Date('2026-11-23T18:15:00Z');
    await archive.write(timelineId(1), lsn(0x2000000n), wal, sentAt);
    await archive.write(timelineId(1), lsn(0x2100000n), wal.subarray(0, 9000), sentAt);
    await archive.writeHistory(timelineId(2), Buffer.from('1\t0/3000000\tno recovery target specified\n'));
    intact = await readEverything();
  });
  after(() => rm(root, { recursive: true, force: true }));

  /** Everything that the repository is there to give back, as one digest. */
  async function readEverything(): Promise<string> {
    const hash = createHash('sha256');
    hash.update(JSON.stringify(await listSystems(repository, 'main')));
    const { head, entries, chunkIds } = await readManifest(repository, 'main', golden.head.summary.id);
    hash.update(JSON.stringify({ head, entries }));
    const index = await readIndex(repository);
    for (let at = 0; at < chunkIds.length; at += CHUNK_ID_BYTES) {
      hash.update(await readChunk(repository, index, chunkIds, at));
    }
    for (const start of [0x2000000n, 0x2100000n]) {
      const segment = await assembled(archive, timelineId(1), lsn(start));
      assert.ok(segment !== undefined);
      hash.update(segment.bytes).update(`${segment.end} ${segment.sentAt}`);
    }
    hash.update((await archive.readHistory(timelineId(2))) ?? '');
    return hash.digest('hex');
  }

  for (const kind of kinds) {
    test(`${kind} is read as it was written or not at all, wherever it was cut or had a bit flipped`, async (t) => {
      let noticed = 0;
      let harmless = 0;
      for (const path of await filesBelow(join(root, kind))) {
        const bytes = await readFile(path);
        for (const harm of harms(bytes, random)) {
          await rm(path);
          await writeFile(path, harm.bytes);
          try {
            assert.equal(await readEverything(), intact, `${path} ${harm.what} was read as something else`);
            harmless++;
          } catch (error) {
            if (!isSpillwayError(error)) throw error;
            // The format stands in byte 8 of the head, before anything is authenticated.
            const asNewer = harm.what.includes(' byte 8 ') && error.code === 'SPW_REPOSITORY_NEWER';
            assert.ok(error.exitCode === 13 || asNewer, `${path} ${harm.what}: ${error.stack}`);
            noticed++;
          }
        }
        await rm(path);
        await writeFile(path, bytes);
      }
      t.diagnostic(`${noticed} noticed, ${harmless} without effect`);
      // What a damaged index held is read from the packs themselves.
      assert.equal(noticed > 0, kind !== 'index/');
      assert.equal(await readEverything(), intact);
    });
  }

  test('a lock that was harmed is held by nobody known, and free once it stood still for long', async () => {
    const [folder, name] = [join(root, 'locks/harmed'), '000000000007'];
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, name), 'no lock at all');
    const options = { holder: 'test', staleMs: 200 };
    await assert.rejects(takeLock(repository, 'harmed', options), { code: 'SPW_LOCKED' });
    await using lock = await takeLock(repository, 'harmed', { ...options, waitMs: 60_000 });
    await lock.assertHeld();
    assert.ok(!(await readdir(folder)).includes(name));
  });

  test('the head and the key slots open the repository as before, or not at all', async () => {
    const path = join(root, 'other');
    await mkdir(path);
    const location = { kind: 'filesystem', path } as const;
    const passphrase = 'a passphrase of more than 32 characters';
    await initRepository({ location, passphrase });
    const { id } = await openRepository({ location, secret: { kind: 'passphrase', passphrase } });
    for (const file of [join(path, 'spillway.json'), ...(await filesBelow(join(path, 'keys')))]) {
      const bytes = await readFile(file);
      for (const offset of Array.from({ length: 8 }, () => random.between(0, bytes.length - 1))) {
        const flipped = Buffer.from(bytes);
        flipped.writeUInt8(flipped.readUInt8(offset) ^ (1 << random.between(0, 7)), offset);
        await rm(file);
        await writeFile(file, flipped);
        try {
          assert.equal((await openRepository({ location, secret: { kind: 'passphrase', passphrase } })).id, id);
        } catch (error) {
          // Before any key is known, a changed bit may also look like a wrong secret or a newer format.
          const codes = ['SPW_OBJECT_DAMAGED', 'SPW_KEY_WRONG', 'SPW_REPOSITORY_NEWER'] as const;
          if (!isSpillwayError(error, ...codes)) throw error;
        }
      }
      await rm(file);
      await writeFile(file, bytes);
    }
  });
});

suite('operations on what was harmed', () => {
  let stage: Stage;
  let before1: string;

  before(async () => {
    stage = await makeStage();
    await stage.cluster.query(
      'CREATE TABLE held AS SELECT n, md5(n::text) AS words FROM generate_series(1, 5000) AS n',
    );
    before1 = (await stage.backup()).id;
    const receiving = stage.receive();
    for (let segment = 0; segment < 4; segment += 1) {
      await stage.cluster.query('UPDATE held SET words = md5(words); SELECT pg_switch_wal()');
    }
    await stage.caughtUp(receiving);
    await receiving.stop();
  });
  after(() => stage[Symbol.asyncDispose]());

  test('a recovery that comes to damaged WAL fails as damaged, and names it', async () => {
    const folder = join(stage.repositoryPath, 'clusters/main/wal');
    const segments = (await filesBelow(folder)).filter((path) => /\/[0-9A-F]{24}$/.test(path)).toSorted();
    const victim = segments.at(-3) ?? '';
    await harmed(victim, async () => {
      await assert.rejects(stage.restore(), (error: unknown) => {
        assert.ok(isSpillwayError(error, 'SPW_OBJECT_DAMAGED'), String(error));
        assert.equal(error.exitCode, 13);
        assert.match(error.why ?? '', new RegExp(victim.slice(-24)));
        return true;
      });
    });
  });

  test('a backup whose manifest is damaged is passed over for the one before it, and that is said', async () => {
    await using extra = await makeBackup();
    const path = join(stage.repositoryPath, 'clusters/main/backups', extra.id);
    // At its end, where the list of backups does not look.
    await harmed(path, async () => {
      assert.deepEqual(await listedIds(), [before1, extra.id]);
      const { plan } = await stage.plan();
      assert.equal(plan.backup.id, before1);
      assert.match(plan.notes.join(' '), new RegExp(`${extra.id} was passed over`));
      await assert.rejects(stage.plan({ backupId: extra.id }), { code: 'SPW_OBJECT_MISSING', exitCode: 13 });
      const restored = await stage.restore();
      const expected = await fingerprint(stage.cluster.connection);
      assert.deepEqual(differences(expected, await fingerprint(restored.cluster.connection)), []);
    });
  });

  test('where every manifest is damaged, that is said, and not that there is no backup', async () => {
    const path = join(stage.repositoryPath, 'clusters/main/backups', before1);
    const bytes = await readFile(path);
    await rm(path);
    await writeFile(path, bytes.subarray(0, 100));
    await assert.rejects(stage.plan(), { code: 'SPW_OBJECT_DAMAGED' });
    await assert.rejects(stage.plan({ backupId: before1 }), { code: 'SPW_OBJECT_DAMAGED' });
    await rm(path);
    await writeFile(path, bytes);
  });

  test('a damaged pack, index or manifest does not shut off backups, and the next full one is whole', async () => {
    for (const kind of ['packs', 'index', 'clusters/main/backups']) {
      for (const path of await filesBelow(join(stage.repositoryPath, kind))) {
        const bytes = await readFile(path);
        await rm(path);
        await writeFile(path, bytes.subarray(0, bytes.length >> 1));
      }
    }
    const { id } = await stage.backup();
    const restored = await stage.restore();
    assert.equal(restored.planned.plan.backup.id, id);
    const expected = await fingerprint(stage.cluster.connection);
    assert.deepEqual(differences(expected, await fingerprint(restored.cluster.connection)), []);
  });

  const listedIds = async (): Promise<readonly string[]> =>
    (await listBackups({ repository: stage.repository, cluster: stage.name })).map(({ id }) => id);

  async function makeBackup(): Promise<{ readonly id: string } & AsyncDisposable> {
    const { id } = await stage.backup();
    const path = join(stage.repositoryPath, 'clusters/main/backups', id);
    return { id, [Symbol.asyncDispose]: () => rm(path, { force: true }) };
  }
});

/** Flips a bit near the end of the file for the time of `during`. */
async function harmed(path: string, during: () => Promise<void>): Promise<void> {
  const bytes = await readFile(path);
  const flipped = Buffer.from(bytes);
  flipped.writeUInt8(flipped.readUInt8(bytes.length - 20) ^ 4, bytes.length - 20);
  await rm(path);
  await writeFile(path, flipped);
  try {
    await during();
  } finally {
    await rm(path);
    await writeFile(path, bytes);
  }
}

/** Cuts and flips at every byte near both ends, where lengths and marks stand, and at random ones between. */
function* harms(bytes: Buffer, draw: Random): Iterable<{ readonly what: string; readonly bytes: Buffer }> {
  const offsets = new Set<number>();
  for (let at = 0; at < Math.min(EDGE, bytes.length); at += 1) offsets.add(at).add(bytes.length - 1 - at);
  for (let i = 0; i < INSIDE; i += 1) offsets.add(draw.between(0, bytes.length - 1));
  for (const offset of offsets) {
    yield { what: `cut to ${offset} bytes`, bytes: bytes.subarray(0, offset) };
    const bit = draw.between(0, 7);
    const flipped = Buffer.from(bytes);
    flipped.writeUInt8(flipped.readUInt8(offset) ^ (1 << bit), offset);
    yield { what: `bit ${bit} of byte ${offset} flipped`, bytes: flipped };
  }
  yield { what: 'made longer', bytes: Buffer.concat([bytes, bytes.subarray(0, 100)]) };
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

async function writeBackup(to: Repository): Promise<void> {
  const writer = new PackWriter(to, 1);
  const key = idKey(to.keys);
  const ids: Uint8Array[] = [];
  const entries: Entry[] = [];
  for (const [path, content] of [
    ['random', randomBytes(20_000)],
    ['words', Buffer.from('compressible '.repeat(5000))],
  ] as const) {
    const attributes = { uid: 26, gid: 26, mtime: '1', ctime: '2', inode: '3' };
    entries.push({ kind: 'file', path, mode: 0o600, bytes: content.length, ...attributes });
    const id = chunkId(key, content);
    writer.add(id, content);
    ids.push(id);
  }
  await writeIndex(to, await writer.finish());
  const chunkIds = Buffer.concat(ids, ids.length * CHUNK_ID_BYTES);
  await writeManifest(to, { head: golden.head, entries, chunkIds });
}
