// A backup that dies, or meets a full disk, at each of its puts in turn, in a process of its own. After each: the
// repository opens, what is listed is whole to the last chunk, earlier backups are as they were, the next one succeeds.

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type LabCluster, startCluster } from '@spillway/lab';
import { backup, initRepository, openRepository, type Repository } from '../src/index.ts';
import type { End, Order } from './fault-process.ts';
import { processFile } from './process-file.ts';
import { WholeBackups } from './whole-backups.ts';

const PROCESS = processFile(join(import.meta.dirname, 'fault-process.ts'));
const PASSPHRASE = 'a passphrase for backups that die on the way';
const CLUSTER = 'main';
/** No backup of so small a cluster makes more puts; one that did would make the sweep end unfinished. */
const PUTS_MAX = 60;

const root = await mkdtemp(join(tmpdir(), 'spw-fault-'));
const location = { kind: 'filesystem', path: join(root, 'repository') } as const;
let cluster: LabCluster;
let repository: Repository;
let whole: WholeBackups;

before(async () => {
  cluster = await startCluster({ walSegmentMegabytes: 1, settings: { min_wal_size: '2MB', max_wal_size: '8MB' } });
  await cluster.query('CREATE TABLE grown AS SELECT n, md5(n::text) AS words FROM generate_series(1, 20000) AS n');
  await mkdir(location.path);
  await initRepository({ location, passphrase: PASSPHRASE });
  repository = await openRepository({ location, secret: { kind: 'passphrase', passphrase: PASSPHRASE } });
  whole = new WholeBackups(repository, CLUSTER);
  await nextBackup('full');
});
after(async () => {
  await cluster.destroy();
  await rm(root, { recursive: true, force: true });
});

test('a backup succeeds behind the gap, where nobody held WAL back and the server removed what would come next', async () => {
  const oldest = async (): Promise<string> =>
    (await cluster.query<{ name: string }>('SELECT min(name) AS name FROM pg_ls_waldir() WHERE length(name) = 24'))[0]
      ?.name ?? '';
  const first = await oldest();
  for (let tries = 0; (await oldest()) <= first; tries += 1) {
    assert.ok(tries < 100, 'the server removes no WAL');
    await cluster.query('UPDATE grown SET n = n');
    await cluster.query('SELECT pg_switch_wal()');
    await cluster.query('CHECKPOINT');
  }
  const known = await wholeBackups();
  await nextBackup('full');
  assert.equal((await wholeBackups()).length, known.length + 1);
});

for (const what of ['kill', 'full'] as const) {
  const words = { kill: 'killed before any of its puts', full: 'that meets a full disk at every second of its puts' }[
    what
  ];
  test(`a backup ${words} harms nothing, and is listed only where it is whole`, async (t) => {
    let listed = await wholeBackups();
    let put = 1;
    // A disk that is full at a put is so at the next one too: every second one is enough.
    for (; put <= PUTS_MAX; put += what === 'kill' ? 1 : 2) {
      // New chunks, so that there are packs to write, and other ones each time.
      await cluster.query("UPDATE grown SET words = md5(words || 'again') WHERE n % 7 = 0");
      const end = await faultyBackup(put, what);
      const now = await wholeBackups();
      assert.deepEqual(now.slice(0, listed.length), listed, `earlier backups after put ${put}`);
      if (end === 'finished') break;
      if (what === 'full') {
        // The manifest is the last put but that of the lock's release, and a release may fail.
        assert.equal(now.length, listed.length, `a failed backup is listed after put ${put}`);
      }
      listed = now;
      // In between the next attempt is proof enough: it takes the lock over and meets the remains.
      if (put % 3 !== 0) continue;
      await nextBackup(put % 2 === 0 ? 'full' : 'incremental');
      listed = await wholeBackups();
      assert.equal(listed.length, now.length + 1);
    }
    assert.ok(put > 5 && put <= PUTS_MAX, `the sweep ended at put ${put}`);
    t.diagnostic(`up to put ${put}`);
  });
}

const wholeBackups = (): Promise<readonly string[]> => whole.list();

async function faultyBackup(put: number, what: 'kill' | 'full'): Promise<'finished' | 'struck'> {
  const child = fork(PROCESS, { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const order: Order = {
    handle: repository.handle,
    work: { operation: 'backup', type: put % 4 < 2 ? 'full' : 'incremental' },
    fault: { verbs: ['put'], call: put, what },
    cluster: { name: CLUSTER, connection: cluster.connection },
  };
  let answer: End | undefined;
  child.on('message', (message: End) => {
    answer = message;
  });
  child.send(order);
  const [code, signal] = await new Promise<readonly [number | null, string | null]>((resolve) => {
    child.once('close', (...how) => resolve(how));
  });
  if (what === 'kill') assert.ok(signal === 'SIGKILL' || answer?.code === undefined, answer?.stack);
  if (signal === 'SIGKILL') return 'struck';
  assert.equal(code, 0, `the process ended with ${code ?? signal}`);
  if (answer?.code === undefined) return 'finished';
  assert.deepEqual([answer.code, answer.exitCode], ['SPW_STORAGE_FULL', 21], answer.stack);
  return 'struck';
}

async function nextBackup(type: 'full' | 'incremental'): Promise<void> {
  await backup({
    repository,
    type,
    workers: 2,
    compressionLevel: 1,
    walTimeoutMs: 20_000,
    slot: 'fault',
    flushIntervalMs: 100,
    cluster: { name: CLUSTER, connection: cluster.connection },
    signal: new AbortController().signal,
    report: () => undefined,
  });
}
