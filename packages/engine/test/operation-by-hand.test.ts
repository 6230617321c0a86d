// A restored cluster that somebody starts by hand: the real command line fetches its WAL, one process a file.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePort } from '@spillway/lab';
import { initRepository, openRepository } from '../src/repository/repository.ts';
import { type FetchByProgram, makeStage, type Stage } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';

const MAIN = process.env['PROGRAM_UNDER_TEST'] ?? join(import.meta.dirname, '../../cli/bin/spillway.js');
const PASSPHRASE = 'a passphrase of more than thirty-two characters';

let stage: Stage;

before(async () => {
  stage = await makeStage();
  const path = join(stage.folder, 'repository');
  await mkdir(path);
  await initRepository({ location: { kind: 'filesystem', path }, passphrase: PASSPHRASE });
  stage.repository = await openRepository({
    location: { kind: 'filesystem', path },
    secret: { kind: 'passphrase', passphrase: PASSPHRASE },
  });
  await writeFile(join(stage.folder, 'passphrase'), PASSPHRASE);
  await writeFile(
    join(stage.folder, 'spillway.yaml'),
    `repository:
  path: ${path}
  passphrase: { file: ${join(stage.folder, 'passphrase')} }
clusters:
  main:
    connection: { host: 127.0.0.1, port: 1, user: postgres }
`,
  );
  await stage.cluster.query("CREATE TABLE note AS SELECT 'before' AS text");
  const receiving = stage.receive();
  await stage.backup();
  await stage.cluster.query(
    "INSERT INTO note VALUES ('after'); CREATE TABLE ballast AS SELECT repeat(md5(n::text), 30) AS text FROM generate_series(1, 3000) n",
  );
  await stage.caughtUp(receiving);
  await receiving.stop();
});
after(() => stage[Symbol.asyncDispose]());

/** As this process, which may read the checkout and the repository; the server's account perhaps may not. */
const commandLine =
  (dataDirectory: string): FetchByProgram =>
  (fileName, path) =>
    new Promise((resolve, reject) => {
      const words = [
        MAIN,
        '--config',
        join(stage.folder, 'spillway.yaml'),
        '--cluster',
        'main',
        '--quiet',
        'wal',
        'fetch',
        '--absent-code',
        '101',
      ];
      const child = spawn(process.execPath, [...words, fileName, path], {
        cwd: dataDirectory,
        stdio: 'ignore',
        env: { PATH: process.env['PATH'] ?? '' },
      });
      child.once('error', reject);
      child.once('exit', (code) => resolve(code === 101 ? 1 : (code ?? 200)));
    });

test('it recovers to the end of WAL, and asks nothing that fails', async () => {
  const planned = await stage.plan();
  const { directory } = planned.plan;
  await stage.lay(planned, await stage.fetchCommand(directory, 0, commandLine(directory)));
  const cluster = await stage.adopt(directory, await freePort());
  await cluster.start();
  await waitFor('the end of recovery', async () => {
    const [row] = await cluster.query<{ recovering: boolean }>('SELECT pg_is_in_recovery() AS recovering');
    return row?.recovering === false;
  });
  assert.deepEqual(await cluster.query('SELECT text FROM note ORDER BY text'), [{ text: 'after' }, { text: 'before' }]);
  assert.deepEqual(await cluster.query('SELECT count(*)::int AS n FROM ballast'), [{ n: 3000 }]);
  assert.ok(stage.fetched.includes('00000002.history 1'));
  assert.deepEqual(
    stage.fetched.filter((line) => !/ [01]$/.test(line)),
    [],
  );
  await cluster.destroy();
});

test('with its repository away it stops, instead of coming up without the newest commits', async () => {
  const planned = await stage.plan();
  const { directory } = planned.plan;
  await stage.lay(planned, await stage.fetchCommand(directory, 0, commandLine(directory)));
  const cluster = await stage.adopt(directory, await freePort());
  await rename(stage.repositoryPath, `${stage.repositoryPath}-aside`);
  stage.fetched.length = 0;
  await assert.rejects(cluster.start(), { code: 'SPW_LAB' });
  assert.ok(stage.fetched.length > 0);
  assert.ok(
    stage.fetched.every((line) => Number(line.split(' ')[1]) > 125),
    stage.fetched.join(),
  );
  await rename(`${stage.repositoryPath}-aside`, stage.repositoryPath);
  // Nothing is lost: when the repository is back, so is everything in it.
  await cluster.start();
  await waitFor('the end of recovery', async () => {
    const [row] = await cluster.query<{ recovering: boolean }>('SELECT pg_is_in_recovery() AS recovering');
    return row?.recovering === false;
  });
  assert.deepEqual(await cluster.query('SELECT count(*)::int AS n FROM ballast'), [{ n: 3000 }]);
});
