// A backup is good only when its WAL is stored (rule 8): with WAL that nobody stores there is no backup.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listBackups } from '../src/operation/backups.ts';
import { walLockPurpose } from '../src/operation/wal/receive.ts';
import { takeLock } from '../src/repository/lock.ts';
import { makeStage } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';

test('a backup whose WAL does not reach the repository is not recorded, and says how far the WAL reaches', async () => {
  await using stage = await makeStage();
  const { repository } = stage;
  const good = await stage.backup();
  {
    // A receiver that lives and stores nothing.
    await using _ = await takeLock(repository, walLockPurpose(stage.name), { holder: 'receiver that hangs' });
    await assert.rejects(stage.backup({ walTimeoutMs: 300 }), {
      code: 'SPW_WAL_WAIT',
      why: /was not in the repository/,
    });
  }
  const listed = await listBackups({ repository, cluster: stage.name });
  assert.deepEqual(
    listed.map(({ id }) => id),
    [good.id],
  );
});

test('a receiver that is started while a backup receives its own WAL waits for its end, and goes on', async () => {
  await using stage = await makeStage();
  const held = await takeLock(stage.repository, walLockPurpose(stage.name), {
    holder: 'WAL of a backup of cluster main',
  });
  const receiving = stage.receive();
  await waitFor('the receiver to wait', () =>
    receiving.events.some((event) => event.type === 'notice' && event.message.startsWith('Waiting for the lock')),
  );
  await held[Symbol.asyncDispose]();
  await stage.caughtUp(receiving);
  await receiving.stop();
});
