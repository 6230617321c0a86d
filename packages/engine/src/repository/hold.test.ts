import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { isSpillwayError, type OperationEvent, type Report } from '@spillway/contract';
import { newKeyRing } from '../codec/keys.ts';
import { dumpName, lockPrefix, manifestName } from '../format/names.ts';
import { concernedHolders } from './condemned.ts';
import { heldBackups, holdBackup, type Hold, holdDump } from './hold.ts';
import { listHolders, takeLock } from './lock.ts';
import { Repository } from './repository.ts';
import { folderOf } from '../storage/port.ts';

const root = await mkdtemp(join(tmpdir(), 'spillway-hold-'));
after(() => rm(root, { recursive: true, force: true }));

const ID = '20261123T181500Z-1a2b3c4d';

async function repositoryWith(id: string): Promise<Repository> {
  const location = { kind: 'filesystem', path: await mkdtemp(join(root, 'r-')) } as const;
  const repository = new Repository({ id: 'test', location, keys: newKeyRing() });
  await repository.storage.put(manifestName('eu-west', id), [Buffer.from('a manifest')]);
  return repository;
}
const hold = (repository: Repository, backupId = ID, report: Report = () => undefined): Promise<Hold> =>
  holdBackup({ repository, cluster: 'eu-west', backupId, signal: new AbortController().signal, report });
async function locks(repository: Repository): Promise<number> {
  let found = 0;
  for await (const _ of repository.storage.list('locks/')) found += 1;
  return found;
}

test('many may hold one backup, and it is held until the last lets go, of which nothing remains', async () => {
  const repository = await repositoryWith(ID);
  const holds = [await hold(repository), await hold(repository)];
  assert.deepEqual([...(await heldBackups(repository, 'eu-west')).keys()], [ID]);
  // A cluster of which the name is the beginning of another's is another.
  assert.deepEqual([...(await heldBackups(repository, 'eu')).keys()], []);
  await holds[0]?.[Symbol.asyncDispose]();
  assert.deepEqual([...(await heldBackups(repository, 'eu-west')).keys()], [ID]);
  await holds[1]?.[Symbol.asyncDispose]();
  assert.deepEqual([...(await heldBackups(repository, 'eu-west')).keys()], []);
  assert.equal(await locks(repository), 0);
});

test('a backup that was removed cannot be held', async () => {
  const repository = await repositoryWith(ID);
  await assert.rejects(hold(repository, '20261123T181500Z-00000000'), (error) =>
    isSpillwayError(error, 'SPW_BACKUP_UNKNOWN'),
  );
  assert.equal(await locks(repository), 0);
});

test('who reads a dump counts among those whose packs must stay, and holds no backup of that cluster', async () => {
  const repository = await repositoryWith(ID);
  await repository.storage.put(dumpName('eu-west', ID), [Buffer.from('a dump')]);
  const reading = { repository, cluster: 'eu-west', signal: new AbortController().signal, report: () => undefined };
  const held = await holdDump({ ...reading, dumpId: ID });
  assert.deepEqual(
    (await concernedHolders(repository)).map(({ holder }) => holder),
    [`reader of dump ${ID} of cluster eu-west`],
  );
  assert.equal((await heldBackups(repository, 'eu-west')).size, 0);
  assert.equal((await listHolders(repository)).length, 1);
  await held[Symbol.asyncDispose]();
  await assert.rejects(holdDump({ ...reading, dumpId: '20261123T181500Z-00000000' }), (error) =>
    isSpillwayError(error, 'SPW_DUMP_UNKNOWN'),
  );
  assert.equal(await locks(repository), 0);
});

test('the hold of a process that is gone is taken away', async () => {
  const repository = await repositoryWith(ID);
  for (const kind of ['restore', 'read-dump']) {
    const purpose = `${kind}-eu-west-${ID}-00112233`;
    const lock = await takeLock(repository, purpose, { holder: kind });
    const frames = await repository.read('lock', `${lockPrefix(purpose)}000000000001`);
    const record = JSON.parse(Buffer.from(frames[0] ?? []).toString()) as object;
    await lock[Symbol.asyncDispose]();
    // No process has this number.
    const dead = Buffer.from(JSON.stringify({ ...record, pid: 0x3f_ff_ff_ff }));
    await repository.write('lock', `${lockPrefix(purpose)}000000000003`, [dead]);
  }
  assert.equal((await heldBackups(repository, 'eu-west')).size, 0);
  assert.equal(await locks(repository), 0);
});

test('where the repository cannot be written to, nothing is held, and that is said', async () => {
  const repository = await repositoryWith(ID);
  // A file in the place of the folder: also root cannot write there.
  const folder = join(folderOf(repository.location) ?? '', 'locks');
  await mkdir(dirname(folder), { recursive: true });
  await writeFile(folder, '');
  await chmod(folder, 0o400);
  const told: OperationEvent[] = [];
  await using held = await hold(repository, ID, (event) => void told.push(event));
  assert.equal(held.lost, undefined);
  assert.match(told[0]?.type === 'notice' ? told[0].message : '', /is not marked as in use/);
});
