// Clusters are made, started, stopped, killed and removed, on every major that is here.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import pg from 'pg';
import {
  adoptCluster,
  chooseInstallation,
  descendantsOf,
  type Installation,
  isAlive,
  type LabCluster,
  listInstallations,
  markProcess,
  pickInstallation,
  startCluster,
} from '../src/index.ts';

const installations = await listInstallations();

for (const installation of installations) {
  test(`a ${installation.source} ${installation.version} cluster keeps committed rows through a kill and a restart`, async () => {
    await using cluster = await startCluster({ installation });
    const [settings] = await cluster.query(
      `SELECT current_setting('data_checksums') AS checksums, current_setting('fsync') AS fsync,
              current_setting('server_encoding') AS encoding, current_setting('listen_addresses') AS addresses`,
    );
    assert.deepEqual(settings, { checksums: 'on', fsync: 'on', encoding: 'UTF8', addresses: '127.0.0.1' });
    await cluster.query('CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)');
    await cluster.kill();
    assert.equal(cluster.running, false);
    await cluster.start();
    assert.deepEqual(await cluster.query('SELECT n FROM kept'), [{ n: 1 }]);
    for (const mode of ['smart', 'fast', 'immediate'] as const) {
      await cluster.stop(mode);
      assert.equal(cluster.pid, undefined, mode);
      await cluster.start();
    }
  });
}

for (const installation of installations) {
  test(`${installation.source} ${installation.version} clusters made from a template are strangers to one another`, async () => {
    const before = process.env['SPILLWAY_LAB_TEMPLATES'];
    const folder = await mkdtemp(join(tmpdir(), 'spillway-templates-'));
    await chmod(folder, 0o711);
    process.env['SPILLWAY_LAB_TEMPLATES'] = folder;
    try {
      const identifiers = new Set<string>();
      for (let n = 0; n < 2; n++) {
        await using cluster = await startCluster({ installation, walSegmentMegabytes: 1 });
        // Crash recovery compares the identifier of the WAL with that of pg_control.
        await cluster.query('CREATE TABLE kept AS SELECT 1 AS n');
        await cluster.kill();
        await cluster.start();
        assert.deepEqual(await cluster.query('SELECT n FROM kept'), [{ n: 1 }]);
        const [row] = await cluster.query<{ id: string }>(
          'SELECT system_identifier::text AS id FROM pg_control_system()',
        );
        identifiers.add(row?.id ?? '');
      }
      assert.equal(identifiers.size, 2);
      assert.equal((await readdir(folder)).length, 1, 'one initdb was enough');
    } finally {
      if (before === undefined) delete process.env['SPILLWAY_LAB_TEMPLATES'];
      else process.env['SPILLWAY_LAB_TEMPLATES'] = before;
      await rm(folder, { recursive: true, force: true });
    }
  });
}

test('a kill leaves no process of the server, and destroy leaves no file', async () => {
  const cluster = await startCluster();
  const client = await cluster.connect();
  assert.ok(cluster.pid !== undefined);
  const family = descendantsOf(cluster.pid);
  assert.ok(family.length >= 4, `only ${family.length} children were found`);
  await cluster.kill();
  assert.deepEqual(family.filter(isAlive), []);
  await client.end();
  await cluster.destroy();
  assert.equal(existsSync(cluster.directory), false);
});

test('a wrong password is refused, and a replication connection is let in', async () => {
  await using cluster = await startCluster();
  const wrong = new pg.Client({ ...cluster.connection, password: 'wrong' });
  await assert.rejects(wrong.connect(), /password authentication failed/);
  const replication = new pg.Client({ ...cluster.connection, replication: 'true' } as pg.ClientConfig);
  await replication.connect();
  const { rows } = await replication.query('IDENTIFY_SYSTEM');
  assert.equal(rows.length, 1);
  await replication.end();
});

test('settings, the superuser, missing checksums and the size of WAL segments are as asked', async () => {
  await using cluster = await startCluster({
    settings: { work_mem: '7MB' },
    superuser: 'owner',
    checksums: false,
    walSegmentMegabytes: 1,
  });
  const rows = await cluster.query(
    `SELECT current_user AS who, current_setting('work_mem') AS memory, current_setting('data_checksums') AS checksums,
            current_setting('wal_segment_size') AS segment`,
  );
  assert.deepEqual(rows, [{ who: 'owner', memory: '7MB', checksums: 'off', segment: '1MB' }]);
});

test('a start that fails says why and leaves nothing behind', async () => {
  const before = await labFolders();
  await assert.rejects(startCluster({ settings: { shared_buffers: 'plenty' } }), {
    code: 'SPW_LAB',
    why: /shared_buffers/,
  });
  await assert.rejects(startCluster({ initdbArguments: ['--no-such-word'] }), { code: 'SPW_LAB', why: /no-such-word/ });
  assert.deepEqual(await labFolders(), before);
});

test('a fixed port that is taken is an error', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  try {
    await assert.rejects(startCluster({ port: address.port }), { code: 'SPW_LAB', why: /could not bind/ });
  } finally {
    server.close();
  }
});

test('a running cluster is adopted by its data directory, and a number left in postmaster.pid is not trusted', async () => {
  await using cluster = await startCluster();
  const adopted = await adoptAs(cluster);
  assert.equal(adopted.pid, cluster.pid);
  await adopted.kill();
  assert.equal(cluster.running, false);
  // The file left behind names a process that is gone; put in one that lives but is no server.
  const file = join(cluster.dataDirectory, 'postmaster.pid');
  const left = await readFile(file, 'utf8');
  assert.ok(left.length > 0);
  await writeFile(file, left.replace(/^\d+/, String(process.pid)));
  assert.equal((await adoptAs(cluster)).pid, undefined);
  await writeFile(file, left);
  await adopted.start();
  assert.deepEqual(await adopted.query('SELECT 1 AS one'), [{ one: 1 }]);
  await adopted.destroy();
  assert.equal(existsSync(cluster.dataDirectory), false);
});

test('a process that ends by a signal takes its clusters with it', async () => {
  const source = `import { startCluster } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)};
    const cluster = await startCluster();
    console.log(JSON.stringify({ pid: cluster.pid, directory: cluster.directory }));
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { pid, directory } = JSON.parse(line) as { pid: number; directory: string };
  const mark = markProcess(pid);
  assert.ok(mark !== undefined);
  child.kill('SIGTERM');
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  assert.deepEqual([code, signal], [null, 'SIGTERM']);
  assert.equal(existsSync(directory), false);
  // The folder goes after the signals were sent; the processes are gone as soon as the kernel has run them.
  const deadline = performance.now() + 10_000;
  while (isAlive(mark) && performance.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isAlive(mark), false);
});

test('the installation is chosen by major, then the embedded one before the machine’s', () => {
  const all = [at(18, 'machine'), at(18, 'embedded'), at(15, 'machine')];
  assert.equal(pickInstallation(all, {})?.source, 'embedded');
  assert.equal(pickInstallation(all, { prefer: 'machine' })?.major, 18);
  assert.equal(pickInstallation(all, { major: 15 })?.binDirectory, '/machine/15');
  assert.equal(pickInstallation(all, { major: 12 }), undefined);
});

test('a major that is not here is refused with what is', async () => {
  await assert.rejects(chooseInstallation({ major: 9 }), { code: 'SPW_LAB', why: /found only/ });
});

async function adoptAs(cluster: LabCluster): Promise<LabCluster> {
  return adoptCluster({
    dataDirectory: cluster.dataDirectory,
    binDirectory: cluster.installation.binDirectory,
    socketDirectory: cluster.socketDirectory,
    logFile: cluster.logFile,
    port: cluster.port,
    password: cluster.password,
  });
}

async function labFolders(): Promise<readonly string[]> {
  // Other tests may run beside this one, so only folders with a cluster of a server that failed count: their log says so.
  const names = (await readdir(tmpdir())).filter((name) => /^spillway-lab-.{6}$/.test(name));
  const logs = await Promise.all(
    names.map(
      async (name) => [name, await readFile(join(tmpdir(), name, 'server.log'), 'utf8').catch(() => '')] as const,
    ),
  );
  return logs.filter(([, log]) => /plenty/.test(log)).map(([name]) => name);
}

function at(major: number, source: Installation['source']): Installation {
  return { major, version: `${major}.1`, source, binDirectory: `/${source}/${major}`, hasTools: source === 'machine' };
}
