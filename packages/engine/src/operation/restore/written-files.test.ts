import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { WrittenFiles } from './written-files.ts';

const folder = await mkdtemp(join(tmpdir(), 'spillway-written-'));
after(() => rm(folder, { recursive: true }));
const MIB = 1024 * 1024;

test('more files than are open at once get what is theirs', async () => {
  const paths = Array.from({ length: 300 }, (_, n) => join(folder, String(n)));
  for (const path of paths) await writeFile(path, Buffer.alloc(8));
  const files = new WrittenFiles();
  for (const turn of [0, 1]) {
    for (const [n, path] of paths.entries()) files.write(path, Buffer.of(n % 256, turn), turn * 2);
    await files.settle();
  }
  await files.close();
  for (const [n, path] of paths.entries()) {
    assert.deepEqual([...(await readFile(path))], [n % 256, 0, n % 256, 1, 0, 0, 0, 0]);
  }
});

test('what was written is synced meanwhile, one sync a file at a time, and its descriptor stays open until then', async () => {
  const path = join(folder, 'large');
  await writeFile(path, '');
  let running = 0;
  const syncs: PromiseWithResolvers<void>[] = [];
  const files = new WrittenFiles(async () => {
    running += 1;
    assert.equal(running, 1);
    const sync = Promise.withResolvers<void>();
    syncs.push(sync);
    await sync.promise;
    running -= 1;
  });
  for (let n = 0; n < 80; n++) files.write(path, Buffer.alloc(MIB, n), n * MIB);
  assert.equal(syncs.length, 1);
  const closing = files.close();
  syncs[0]?.resolve();
  await closing;
  assert.equal((await readFile(path)).length, 80 * MIB);
});

test('data that the disk did not take ends the restore, though no later sync would tell', async () => {
  const path = join(folder, 'failing');
  await writeFile(path, '');
  const files = new WrittenFiles(() => Promise.reject(new Error('EIO: i/o error, fdatasync')));
  for (let n = 0; n < 33; n++) files.write(path, Buffer.alloc(MIB), n * MIB);
  await assert.rejects(
    files.close(),
    (error) =>
      isSpillwayError(error, 'SPW_RESTORE_FAILED') && /failing could not be written to its disk/.test(error.message),
  );
});
