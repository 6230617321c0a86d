// `spillway restore` in place and in part, as it is typed: what it would do is all said before, and files are overwritten
// only where the cluster was named.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { RestoreDocument, RestorePlan, TableRestoreDocument } from '@spillway/contract';
import { restoreDocument, restorePlanDocument, tableRestoreDocument } from '@spillway/contract/schemas';
import { type LabCluster, startCluster } from '@spillway/lab';
import { lightenPassphrase } from '../../engine/test/light-slot.ts';
import { type Ended, makeWorkplace, type Workplace } from './spawned.ts';

suite('spillway restore', () => {
  let place: Workplace;
  let cluster: LabCluster;

  before(async () => {
    cluster = await startCluster({ walSegmentMegabytes: 1 });
    await cluster.query('CREATE TABLE event AS SELECT 1 AS n');
    await cluster.query('CREATE DATABASE billing');
    place = await makeWorkplace({ passphrase: randomBytes(33).toString('base64url'), password: cluster.password });
    // The scratch cluster's account must get through.
    await chmod(place.folder, 0o711);
    await writeFile(
      join(place.folder, 'spillway.yaml'),
      `repository:
  path: repository
  passphrase: { file: passphrase }
clusters:
  main:
    connection: { host: 127.0.0.1, port: ${cluster.port}, user: ${cluster.user}, password: { file: password } }
    bin_directory: ${cluster.installation.binDirectory}
    scratch_directory: scratch
    wal: { flush_interval: 100ms }
    backup: { wal_timeout: 20s }
`,
    );
    assert.equal((await place.run(['init'])).code, 0);
    await lightenPassphrase(place.folder);
    assert.equal((await place.run(['backup'])).code, 0);
  });
  after(async () => {
    await cluster.destroy();
    await place[Symbol.asyncDispose]();
  });

  const restore = (...words: readonly string[]): Promise<Ended> => place.run(['restore', ...words]);
  const damaged = (): string => join(place.folder, 'there/base/1/1259');

  test('says with --dry-run all that it would do, for people and as a document', async () => {
    const words = ['--into', 'there', '--dry-run', '--database', 'postgres', '--wal-directory', 'wal', '--immediate'];
    const more = ['--target-action', 'pause', '--start', '--isolated', '--port', '5999'];
    const { code, stdout, stderr } = await restore(...words, ...more);
    assert.equal(code, 0, stderr);
    const said = [
      /restore +main into .*\/there, which is empty/,
      /pg_wal +at .*\/wal\n/,
      /databases +template1, template0, postgres\n/,
      /signal +recovery\.signal/,
      /setting +recovery_target = 'immediate', until it has recovered/,
      /setting +recovery_target_action = 'pause'/,
      /setting +archive_mode = 'off'\n/,
      /then +the server is started there on port 5999, isolated, recovers, and pauses/,
      /expected .*\(as fast as backup .* was read/,
      /note: Databases that are left empty cannot be connected to, only dropped: billing\./,
      /Nothing was done/,
    ];
    for (const line of said) assert.match(stdout, line);
    const document = JSON.parse((await restore(...words, '--json')).stdout) as RestorePlan;
    assert.deepEqual(restorePlanDocument.parse(document), document);
    assert.deepEqual(document.databases?.left_empty, ['billing']);
    assert.equal(existsSync(join(place.folder, 'there')), false);
    if (process.getuid?.() !== 0) return;
    const closed = join(place.folder, 'closed');
    await mkdir(closed, { mode: 0o700 });
    const refused = await restore('--into', 'closed/there', '--dry-run', '--start', '--port', '5999');
    assert.equal(refused.code, 15, refused.stderr);
    assert.match(refused.stderr, /cannot enter .*\/closed \(mode 0700, of root\)[^]*chmod o\+x .*SPW_FOLDER_CLOSED/);
    assert.match(
      (await restore('--into', 'closed/there', '--dry-run')).stdout,
      /note: It could not be started there: /,
    );
  });

  test('overwrites a data directory only with --delta and the name of the cluster', async () => {
    const first = await restore('--into', 'there', '--json');
    assert.equal(first.code, 0, first.stderr);
    const content = await readFile(damaged());
    await writeFile(damaged(), 'damaged');
    assert.equal((await restore('--into', 'there')).code, 15);

    const dry = await restore('--into', 'there', '--delta', '--dry-run');
    assert.match(dry.stdout, /over what is there/);
    assert.match(dry.stdout, /there +[\d \u00a0\u202f]+ files compared, of which .* differ and are overwritten/);
    for (const words of [[], ['--yes'], ['--confirm', 'main'], ['--yes', '--confirm', 'other']]) {
      const { code, stderr } = await restore('--into', 'there', '--delta', ...words);
      assert.equal(code, 15, words.join(' '));
      assert.match(stderr, /would be overwritten/);
    }
    assert.equal(await readFile(damaged(), 'utf8'), 'damaged');

    const done = await restore('--into', 'there', '--delta', '--yes', '--confirm', 'main', '--json');
    assert.equal(done.code, 0, done.stderr);
    const document = JSON.parse(done.stdout) as RestoreDocument;
    assert.deepEqual(restoreDocument.parse(document), document);
    assert.equal(document.plan.mode, 'delta');
    const whole = JSON.parse(first.stdout) as RestoreDocument;
    assert.ok(document.restore.written_bytes < whole.restore.written_bytes / 2);
    assert.deepEqual(await readFile(damaged()), content);
  });

  test('swaps a table only when its difference was shown and the cluster was named, and leaves no scratch cluster', async () => {
    const words = ['--table', 'event', '--swap', '--immediate'];
    await cluster.query('INSERT INTO event VALUES (2), (3)');
    await cluster.query('DELETE FROM event WHERE n = 1');
    const refused = await restore(...words);
    assert.equal(refused.code, 15, refused.stderr);
    for (const line of [
      /public\.event: 1 row at that moment, 0 of them the same now \(whole rows were compared, as there is no key\)/,
      /added since +2 +\(2\) \| \(3\)\n/,
      /missing now +1 +\(1\)\n/,
      /did nothing: public\.event of main would have the rows of that moment again; 2 rows would go into a table beside/,
    ]) {
      assert.match(refused.stderr, line);
    }
    const read = async (table: string): Promise<readonly number[]> =>
      (await cluster.query<{ n: number }>(`SELECT n FROM ${table} ORDER BY n`)).map(({ n }) => n);
    assert.deepEqual(await read('event'), [2, 3]);
    const done = await restore(...words, '--yes', '--confirm', 'main', '--json');
    assert.equal(done.code, 0, done.stderr);
    const document = JSON.parse(done.stdout) as TableRestoreDocument;
    assert.deepEqual(tableRestoreDocument.parse(document), document);
    assert.deepEqual(await read('event'), [1]);
    assert.deepEqual(await read(document.tables[0]?.kept?.name ?? 'none'), [2, 3]);
    const phases = document.phases.map(({ name }) => name);
    for (const name of ['plan', 'lay', 'start-and-recover', 'rows of public.event', 'compare', 'exchange']) {
      assert.ok(phases.includes(name), phases.join());
    }
    assert.deepEqual(await readdir(join(place.folder, 'scratch')), []);
  });

  const wrong: readonly (readonly [name: string, words: readonly string[], said: RegExp])[] = [
    ['a primary for no standby', ['--primary', 'host=a'], /--primary and --primary-slot need --standby/],
    ['isolation of nothing', ['--isolated'], /need --start/],
    ['another system without --delta', ['--force-other-system'], /needs --delta/],
    ['a tablespace that goes nowhere', ['--tablespace', 'fast'], /does not say what goes where/],
    ['a tablespace that is not there', ['--tablespace', 'fast=/x'], /it has no tablespaces/],
    ['a database that is not there', ['--database', 'biling'], /it has .*billing/],
    ['pg_wal in the data directory', ['--wal-directory', 'new/wal'], /inside the data directory/],
    ['an action that there is not', ['--target-action', 'explode'], /promote, pause, shutdown/],
    ['a pause at the end of WAL', ['--target-action', 'pause'], /the end of WAL is no target/],
    ['a standby with a target', ['--standby', '--immediate'], /a standby has no recovery target/],
    ['a password in the open', ['--standby', '--primary', 'host=a password=b'], /passfile/],
  ];
  for (const [name, words, said] of wrong) {
    test(`refuses ${name}, and writes nothing`, async () => {
      const { code, stderr } = await restore('--into', 'new', ...words);
      assert.equal(code, 2, stderr);
      assert.match(stderr, said);
      assert.equal(existsSync(join(place.folder, 'new')), false);
    });
  }
});
