// Servers started, watched and stopped as children of this process.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseControlFile } from '../src/postgres/control.ts';
import { connect } from '../src/postgres/connection.ts';
import {
  findPrograms,
  isServerRunning,
  serverProcess,
  startServer,
  type ServerOptions,
} from '../src/postgres/server.ts';
import { freePort, makeCluster, type Throwaway } from './throwaway.ts';

let cluster: Throwaway;
let options: ServerOptions;

before(async () => {
  cluster = await makeCluster();
  options = {
    binDirectory: cluster.binDirectory,
    dataDirectory: cluster.dataDirectory,
    port: await freePort(),
    socketDirectory: cluster.folder,
    logFile: join(cluster.folder, 'server.log'),
    settings: { listen_addresses: '127.0.0.1', fsync: 'off' },
    environment: cluster.environment,
  };
});

after(async () => {
  await cluster[Symbol.asyncDispose]();
});

test('programs are found in a named folder, along a search path, and by major', async () => {
  const { binDirectory, major } = cluster;
  const found = await findPrograms({ binDirectory });
  assert.equal(found.major, major);
  assert.match(found.version, new RegExp(`^${major}\\.\\d+$`));
  assert.deepEqual(await findPrograms({ searchPath: ['/no/such/folder', binDirectory], major }), found);
  await assert.rejects(findPrograms({ binDirectory, major: 99 }), { code: 'SPW_POSTGRES_PROGRAM', why: /found only/ });
  await assert.rejects(findPrograms({ binDirectory: '/no/such/folder' }), { code: 'SPW_POSTGRES_PROGRAM' });
});

test('a server is started, becomes ready, is seen to run, and stops', async () => {
  assert.equal(await isServerRunning(cluster.dataDirectory), false);
  const server = await startServer(options);
  assert.equal(await server.waitUntilReady(), 'ready');
  assert.equal(await serverProcess(cluster.dataDirectory), server.pid);
  await assert.rejects(startServer(options), { code: 'SPW_SERVER_RUNNING' });
  assert.equal((await stat(`/proc/${server.pid}`)).uid, (await stat(cluster.dataDirectory)).uid, 'runs as the owner');
  const environment = await readFile(`/proc/${server.pid}/environ`, 'utf8');
  assert.doesNotMatch(environment, /npm_|HOME=/, 'nothing of our environment is handed on');
  await using session = await connect({ host: cluster.folder, port: options.port, user: 'postgres' });
  assert.equal((await session.query('SELECT 1')).length, 1);
  assert.deepEqual(await server.stop('fast'), { code: 0, signal: null });
  assert.deepEqual(await server.stop('fast'), { code: 0, signal: null });
  assert.equal(await isServerRunning(cluster.dataDirectory), false);
});

test('a smart stop that takes too long is told, and an abort ends the server', async () => {
  const controller = new AbortController();
  const server = await startServer({ ...options, signal: controller.signal });
  await server.waitUntilReady();
  await using session = await connect({ host: '127.0.0.1', port: options.port, user: 'postgres' });
  await session.query('SELECT 1');
  await assert.rejects(server.stop('smart', { timeoutMs: 100 }), { code: 'SPW_POSTGRES_UNREACHABLE' });
  controller.abort();
  await server.exited;
  const control = parseControlFile(await readFile(join(cluster.dataDirectory, 'global', 'pg_control')));
  assert.equal(control.state, 'in production', 'stopped without a shutdown checkpoint');
});

test('a server that cannot start is told with the last lines of its log', async () => {
  const server = await startServer({ ...options, settings: { ...options.settings, shared_buffers: 'many' } });
  await assert.rejects(server.waitUntilReady(), { code: 'SPW_POSTGRES_FAILED', why: /shared_buffers/ });
  await assert.rejects(startServer({ ...options, binDirectory: '/no/such/folder' }), { code: 'SPW_POSTGRES_PROGRAM' });
  await assert.rejects(startServer({ ...options, dataDirectory: '/no/such/folder' }), { code: 'SPW_DATA_DIRECTORY' });
});

test('a number in postmaster.pid that another program has got does not count', async () => {
  const file = join(cluster.dataDirectory, 'postmaster.pid');
  const other = spawn('sleep', ['600'], { cwd: '/', stdio: 'ignore' });
  try {
    await writeFile(file, `${other.pid}\n${cluster.dataDirectory}\n0\n5432\n\n\n\nready   \n`);
    assert.equal(await isServerRunning(cluster.dataDirectory), false);
    await writeFile(file, '');
    assert.equal(await isServerRunning(cluster.dataDirectory), false);
    // The same number, and its program lives in the folder: that is a server.
    const inside = spawn('sleep', ['600'], { cwd: cluster.dataDirectory, stdio: 'ignore' });
    try {
      await writeFile(file, `${inside.pid}\n`);
      assert.equal(await isServerRunning(cluster.dataDirectory), true);
    } finally {
      inside.kill();
    }
  } finally {
    other.kill();
    await rm(file);
  }
});
