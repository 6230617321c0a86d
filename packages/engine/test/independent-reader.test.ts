// The reader that was written from docs/repository-format.md alone must read what the engine writes.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chunkId, idKey } from '../src/codec/keys.ts';
import { combineRecoveryShares } from '../src/codec/recovery-shares.ts';
import { CHUNK_BYTES, CHUNK_ID_BYTES, ZERO_CHUNK_ID } from '../src/format/chunk.ts';
import type { Entry } from '../src/format/entry.ts';
import type { Manifest } from '../src/format/manifest.ts';
import { WalArchive } from '../src/operation/wal/archive.ts';
import { lsn, segmentSize, timelineId } from '../src/postgres/lsn.ts';
import { planDataKeyRotation, rotateDataKey } from '../src/repository/data-key.ts';
import { evidenceHead, evidenceObjectName, listEvidence, writeEvidence } from '../src/repository/evidence.ts';
import { writeIndex } from '../src/repository/index-store.ts';
import { addSplitKeySlot } from '../src/repository/key-slots.ts';
import { writeManifest } from '../src/repository/manifest-store.ts';
import { PackWriter } from '../src/repository/pack-writer.ts';
import { initRepository, openRepository, Repository } from '../src/repository/repository.ts';

const READER = fileURLToPath(new URL('../../../tools/independent-reader/read.mjs', import.meta.url));
const PASSPHRASE = 'a passphrase für den unabhängigen Leser';
const BACKUP = '20261123T181500Z-1a2b3c4d';
const SYSTEM = '7300000000000000001';
const SEGMENT = segmentSize(1024 * 1024);

const golden = JSON.parse(
  await readFile(new URL('../src/format/golden/manifest.json', import.meta.url), 'utf8'),
) as Manifest;
const root = await mkdtemp(join(tmpdir(), 'spillway-reader-'));
after(() => rm(root, { recursive: true, force: true }));
const at = (...parts: readonly string[]): string => join(root, ...parts);

/** Path, by tablespace where it lies in one, and content. */
const files = new Map<string, Buffer>([
  ['PG_VERSION', Buffer.from('18\n')],
  ['global/pg_control', randomBytes(8192)],
  ['base/5/empty', Buffer.alloc(0)],
  ['base/5/zeros', Buffer.alloc(CHUNK_BYTES + 8192)],
  ['base/5/one-chunk', randomBytes(CHUNK_BYTES)],
  ['base/5/words', Buffer.from('compressible '.repeat(80_000))],
  ['base/5/mixed', Buffer.concat([randomBytes(CHUNK_BYTES), Buffer.alloc(CHUNK_BYTES), randomBytes(5)])],
  ['16400:PG_18_202506291/5/16401', randomBytes(300_000)],
]);
const history = Buffer.from('1\t0/3000000\tno recovery target specified\n');
const segment = randomBytes(SEGMENT);
const piece = randomBytes(20_000);

before(async () => {
  await mkdir(at('repository'));
  const location = { kind: 'filesystem', path: at('repository') } as const;
  const { recoveryKey } = await initRepository({ location, passphrase: PASSPHRASE });
  await writeFile(at('passphrase'), `${PASSPHRASE.normalize('NFD')}\n`);
  await writeFile(at('recovery-key'), `${recoveryKey.toLowerCase().replaceAll('0', 'o')}\n`);
  await writeFile(at('wrong'), `${PASSPHRASE}?\n`);
  const repository = await openRepository({ location, secret: { kind: 'recovery-key', recoveryKey } });
  await writeBackup(repository);
  const archive = new WalArchive(repository, 'main', SYSTEM, SEGMENT);
  const sentAt = new Date('2026-11-23T18:15:00Z');
  await archive.write(timelineId(1), lsn(0x2000000n), segment, sentAt);
  await archive.write(timelineId(1), lsn(0x2100000n), piece.subarray(0, 12_000), sentAt);
  await archive.write(timelineId(1), lsn(0x2100000n + 8_000n), piece.subarray(8_000), sentAt);
  await archive.write(timelineId(1), lsn(0x2100000n + 30_000n), piece, sentAt);
  await archive.writeHistory(timelineId(2), history);
});

async function writeBackup(repository: Repository): Promise<void> {
  const key = idKey(repository.keys);
  const writer = new PackWriter(repository, 3);
  const ids: Uint8Array[] = [];
  const attributes = { uid: 26, gid: 26 };
  const entries: Entry[] = ['global', 'base', 'base/5', 'pg_wal'].map((path) => ({
    kind: 'directory',
    path,
    mode: 0o700,
    ...attributes,
  }));
  entries.push({ kind: 'link', path: 'pg_log', target: '/var/log/postgresql' });
  for (const [name, content] of files) {
    const [path = '', tablespace] = name.split(':').toReversed();
    const where = tablespace === undefined ? {} : { tablespace: Number(tablespace) };
    entries.push({
      kind: 'file',
      path,
      ...where,
      mode: 0o640,
      ...attributes,
      bytes: content.length,
      mtime: '1',
      ctime: '2',
      inode: '3',
    });
    for (let offset = 0; offset < content.length; offset += CHUNK_BYTES) {
      const plain = content.subarray(offset, offset + CHUNK_BYTES);
      const zero = plain.every((byte) => byte === 0);
      const id = zero ? ZERO_CHUNK_ID : chunkId(key, plain);
      if (!zero) writer.add(id, plain);
      ids.push(id);
    }
    await writer.settle();
  }
  const directories = await writer.finish();
  await writeIndex(repository, directories.slice(0, 2));
  await writeIndex(repository, directories.slice(2));
  await writeManifest(repository, {
    head: golden.head,
    entries,
    chunkIds: Buffer.concat(ids, ids.length * CHUNK_ID_BYTES),
  });
}

function read(
  ...words: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const { promise, resolve } = Promise.withResolvers<{ code: number; out: string; err: string }>();
  execFile(process.execPath, [READER, at('repository'), ...words], (error, out, err) => {
    resolve({ code: error === null ? 0 : Number(error.code), out, err });
  });
  return promise;
}
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

for (const secret of ['passphrase', 'recovery-key']) {
  test(`the independent reader restores every byte of a backup with the ${secret}`, async () => {
    const { code, err } = await read('backup', 'main', BACKUP, at(`by-${secret}`), `--${secret}-file`, at(secret));
    assert.equal(code, 0, err);
    const data = at(`by-${secret}`, 'data');
    for (const [name, content] of files) {
      const [path = '', tablespace] = name.split(':').toReversed();
      const written = join(tablespace === undefined ? data : at(`by-${secret}`, 'tablespaces', tablespace), path);
      assert.equal(digest(await readFile(written)), digest(content), name);
      assert.equal((await stat(written)).mode & 0o7777, 0o640, name);
    }
    assert.equal(await readFile(join(data, 'backup_label'), 'utf8'), golden.head.backup_label);
    assert.equal(await readlink(join(data, 'pg_log')), '/var/log/postgresql');
    assert.deepEqual(await readdir(join(data, 'pg_wal')), []);
    assert.deepEqual(await readdir(join(data, 'pg_tblspc/16400')), ['PG_18_202506291']);
  });
}

test('the independent reader lists backups with all that the manifest says of them', async () => {
  const { code, out, err } = await read('list', '--passphrase-file', at('passphrase'));
  assert.equal(code, 0, err);
  assert.deepEqual(JSON.parse(out), golden.head.summary);
});

test('the independent reader writes whole segments, joins pieces up to their gap, and writes history files', async () => {
  const { code, err } = await read('wal', 'main', SYSTEM, at('wal'), '--passphrase-file', at('passphrase'));
  assert.equal(code, 0, err);
  const names = ['000000010000000000000020', '000000010000000000000021', '00000002.history'];
  assert.deepEqual(await readdir(at('wal')), names);
  const expected = [segment, Buffer.concat([piece, Buffer.alloc(SEGMENT - piece.length)]), history];
  for (const [n, name] of names.entries()) {
    assert.equal(digest(await readFile(at('wal', name))), digest(expected[n] ?? Buffer.alloc(0)), name);
  }
});

test('it checks the signature of each record of evidence, and their chain', async () => {
  const location = { kind: 'filesystem', path: at('repository') } as const;
  const repository = await openRepository({ location, secret: { kind: 'passphrase', passphrase: PASSPHRASE } });
  const times = { started_at: '2026-11-23T18:00:00.000Z', finished_at: '2026-11-23T18:01:00.000Z' };
  const about = {
    kind: 'verification',
    cluster: 'main',
    backup: BACKUP,
    level: 'data',
    details: { note: 'é' },
  } as const;
  for (const result of ['passed', 'failed', 'passed'] as const) {
    await writeEvidence(repository, { ...about, ...times, result });
  }
  const secret = ['--passphrase-file', at('passphrase')];
  const { code, out } = await read('evidence', 'main', ...secret);
  const lines = out.trim().split('\n');
  const head = await evidenceHead(repository, 'main');
  assert.equal(lines.pop(), `head ${head?.sequence}:${head?.sha256}`);
  assert.equal(code, 0);
  const { records } = await listEvidence(repository, 'main');
  const inOrder = records.toSorted((a, b) => (a.sequence ?? 0) - (b.sequence ?? 0));
  assert.deepEqual(
    lines.map((line) => JSON.parse(line) as unknown),
    inOrder.map((record) => ({ ...record, format: 1, repository: repository.id })),
  );
  const [, second] = inOrder;
  assert.ok(second !== undefined);
  await rm(at('repository', evidenceObjectName(second)));
  const short = await read('evidence', 'main', ...secret);
  assert.equal(short.code, 1);
  assert.match(short.err, /records 2 to 2 are missing/);
});

test('the independent reader finds its way from a slot of the first data key to the newest, linked and cut', async () => {
  const location = { kind: 'filesystem', path: at('repository') } as const;
  const recoveryKey = await readFile(at('recovery-key'), 'utf8');
  const secret = { kind: 'recovery-key', recoveryKey } as const;
  const repository = await openRepository({ location, secret });
  const split = await addSplitKeySlot({ repository, shares: 4, threshold: 3 });
  await writeFile(at('shares'), `# of four\n${split.shares.slice(1).join('\n')}\n`);
  const shared = {
    kind: 'recovery-key',
    recoveryKey: await combineRecoveryShares(given(split.shares.slice(0, 3))),
  } as const;
  // Slots of the passphrase and of the shares stay under the first key; then those of the recovery key and the shares get it.
  await rotateDataKey({ repository, secrets: [] });
  await repository.write('system', 'clusters/main/systems/1', [Buffer.from('by key 2')]);
  const listing = async (name: string): Promise<string> => {
    const { code, out, err } = await read(
      'list',
      ...(name === 'passphrase' ? ['--passphrase-file'] : ['--recovery-key-file']),
      at(name),
    );
    return code === 0 ? (JSON.parse(out) as { id: string }).id : err;
  };
  for (const name of ['passphrase', 'recovery-key', 'shares']) assert.equal(await listing(name), BACKUP, name);
  const { others } = await planDataKeyRotation({ repository, secrets: [secret, shared] });
  // Broken off before the new slots stood under keys/: the old ones lead on by what the ring object holds.
  const dying = new Repository(repository.handle);
  Object.defineProperty(dying, 'storage', { value: withoutNewSlots(repository.storage) });
  await assert.rejects(rotateDataKey({ repository: dying, secrets: [secret, shared], cutOff: others }), /no new slots/);
  for (const name of ['recovery-key', 'shares']) assert.equal(await listing(name), BACKUP, name);
  assert.match(await listing('passphrase'), /data key 3 was made without this secret/);
});

const given = (shares: readonly string[]) => shares.map((text, i) => ({ text, where: `share ${i + 1}` }));

const withoutNewSlots = (storage: Repository['storage']): Repository['storage'] => ({
  description: storage.description,
  get: (...words) => storage.get(...words),
  put: (name, ...more) =>
    name.startsWith('keys/') ? Promise.reject(new Error('no new slots')) : storage.put(name, ...more),
  list: (...words) => storage.list(...words),
  stat: (...words) => storage.stat(...words),
  remove: (...words) => storage.remove(...words),
});

test('the independent reader refuses a wrong passphrase and a damaged pack', async () => {
  const wrong = await read('list', '--passphrase-file', at('wrong'));
  assert.deepEqual([wrong.code, wrong.out], [1, '']);
  assert.match(wrong.err, /opens no key slot/);
  const [folder = ''] = await readdir(at('repository/packs'));
  const [pack = ''] = await readdir(at('repository/packs', folder));
  const path = at('repository/packs', folder, pack);
  const bytes = await readFile(path);
  // The first sealed byte: whichever pack this is, it belongs to a chunk of the backup.
  bytes.writeUInt8(bytes.readUInt8(56) ^ 1, 56);
  await rm(path);
  await writeFile(path, bytes);
  const damaged = await read('backup', 'main', BACKUP, at('damaged'), '--recovery-key-file', at('recovery-key'));
  assert.equal(damaged.code, 1);
  assert.match(damaged.err, new RegExp(`packs/${folder}/${pack} is damaged at byte 48`));
});
