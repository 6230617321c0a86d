// Named labs outlive the process that made them and can be used, stopped and removed by another.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { promisify } from 'node:util';
import pg from 'pg';
import { labConnection, labDown, labList, labPsql, labUp } from '../src/index.ts';

const run = promisify(execFile);

test('a lab made by a process that ended runs on, is listed, connected to, stopped, started and removed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-labs-'));
  try {
    const source = `import { labUp } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)};
      await labUp({ folder: ${JSON.stringify(folder)}, name: 'water' });`;
    await run(process.execPath, ['--input-type=module-typescript', '-e', source]);
    const [lab, ...others] = await labList({ folder });
    assert.equal(others.length, 0);
    assert.ok(lab?.pid);

    const client = new pg.Client(await labConnection({ folder, name: 'water' }));
    await client.connect();
    await client.query('CREATE TABLE kept (n int)');
    await client.end();
    for (const secret of ['password', 'passphrase', 'pgpass']) {
      assert.equal((await stat(join(lab.directory, secret))).mode & 0o777, 0o600, secret);
    }
    assert.ok((await readFile(join(lab.directory, 'passphrase'), 'utf8')).trim().length >= 32);
    const configuration = await readFile(lab.config_file, 'utf8');
    assert.match(configuration, new RegExp(`port: ${lab.port}\\n`));

    await labDown({ folder, name: 'water', keep: true });
    assert.equal((await labList({ folder }))[0]?.pid, null);
    const again = await labUp({ folder, name: 'water' });
    assert.ok(again.pid !== null && again.port === lab.port);

    assert.equal(await promptOutput(folder, 'SELECT count(*) AS tables\n  FROM kept;\nSELECT broken;\n\\q\n'), 1);
    await labDown({ folder, name: 'water' });
    assert.equal(existsSync(lab.directory), false);
    assert.equal(existsSync(lab.data_directory), false);
    assert.deepEqual(await labList({ folder }), []);
    await assert.rejects(labConnection({ folder, name: 'water' }), { code: 'SPW_LAB' });
  } finally {
    if ((await labList({ folder })).length > 0) await labDown({ folder, name: 'water' });
    await rm(folder, { recursive: true, force: true });
  }
});

test('a name that would leave the folder is refused', async () => {
  await assert.rejects(labUp({ folder: join(tmpdir(), 'nowhere'), name: '../up' }), { code: 'SPW_USAGE' });
});

async function promptOutput(folder: string, statements: string): Promise<number> {
  const input = new PassThrough();
  const output = new PassThrough();
  input.end(statements);
  const [code, printed] = await Promise.all([
    labPsql({ folder, name: 'water', plain: true, input, output }).finally(() => output.end()),
    text(output),
  ]);
  assert.match(printed, /tables\n-+\n0\n\(1 row\)/);
  assert.match(printed, /ERROR: column "broken" does not exist/);
  return code;
}
