import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { descendantsOf, isAlive, s3ServerInstalled, startS3Server, untilGone } from '@spillway/lab';

const skip = s3ServerInstalled() ? false : 'Ceph is not installed';

test('an S3 server that is stopped leaves neither process nor folder', { skip }, async () => {
  const server = await startS3Server();
  const daemons = descendantsOf(process.pid);
  assert.ok(daemons.length >= 4, `${daemons.length} processes`);
  const folder = await folderOf(daemons.map(({ pid }) => pid));
  assert.ok(existsSync(folder), folder);
  const bucket = await server.makeBucket();
  assert.equal((await fetch(`${server.endpoint}/${bucket}`)).status, 403);
  await assert.rejects(server.makeBucket('Not A Bucket'), /cannot make the bucket/);
  await server.stop();
  assert.deepEqual(daemons.filter(isAlive), []);
  await assert.rejects(fetch(server.endpoint), TypeError);
  assert.equal(existsSync(folder), false);
});

test('an S3 server ends with whoever started it, however that ends', { skip }, async () => {
  const program = `
    import { startS3Server } from '@spillway/lab';
    console.log((await startS3Server()).endpoint);
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  assert.ok(child.pid !== undefined);
  await once(child.stdout, 'data');
  const daemons = descendantsOf(child.pid);
  const folder = await folderOf(daemons.map(({ pid }) => pid));
  child.kill('SIGKILL');
  await untilGone(daemons);
  await rm(folder, { recursive: true });
});

/** The folder that the daemons were started with. */
async function folderOf(pids: readonly number[]): Promise<string> {
  const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'args=', '-p', pids.join()]);
  const name = /spillway-s3-\w+/.exec(stdout)?.[0];
  assert.ok(name !== undefined && (await readdir(tmpdir())).includes(name), stdout);
  return join(tmpdir(), name);
}
