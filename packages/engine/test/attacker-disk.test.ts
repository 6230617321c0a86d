// An attacker with the account of the backups, on a disk that root seals. He removes, renames, overwrites and adds, by the
// programs that every system has. Afterwards every backup restores as it was; root expires what may go.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, chown, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { differences, fingerprint, serverAccount } from '@spillway/lab';
import type { BackupSummary } from '../src/format/manifest.ts';
import { isLasting } from '../src/format/names.ts';
import { listBackups } from '../src/operation/backups.ts';
import { expire } from '../src/operation/expire/run.ts';
import { recover } from '../src/operation/recover/run.ts';
import { verify } from '../src/operation/verify/run.ts';
import { Repository } from '../src/repository/repository.ts';
import { sealFolder, unsealedIn } from '../src/storage/seal.ts';
import { makeStage, type Stage } from './operation-stage.ts';

const run = promisify(execFile);
const QUIET = { signal: new AbortController().signal, report: () => undefined };

if (process.geteuid?.() === 0) suite('on a disk that root seals', { concurrency: false }, sealedDisk);
else test('an attacker on a disk', { skip: 'only root seals' }, () => undefined);

function sealedDisk(): void {
  let stage: Stage;
  let root: string;
  let account: { readonly uid: number; readonly gid: number };
  const made: BackupSummary[] = [];
  const prints: Awaited<ReturnType<typeof fingerprint>>[] = [];

  before(async () => {
    stage = await makeStage();
    root = stage.repositoryPath;
    const found = await serverAccount();
    assert.ok(found !== undefined);
    account = found;
    // Root makes objects for the owner of the folder.
    await chown(root, account.uid, account.gid);
    await chmod(root, 0o700);
    await stage.cluster.query(
      'CREATE TABLE readings AS SELECT n, md5(n::text) AS w FROM generate_series(1, 2000) AS n',
    );
    const receiving = stage.receive();
    for (let round = 0; round < 3; round++) {
      await stage.cluster.query(`INSERT INTO readings SELECT n, 'round ${round}' FROM generate_series(1, 300) AS n`);
      made.push(await stage.backup({ type: round === 0 ? 'full' : 'incremental' }));
      prints.push(await fingerprint(stage.cluster.connection));
    }
    await receiving.stop();
  });
  after(async () => {
    // Of what is there; other attributes and other folders stay.
    if (root !== undefined) await run('chattr', ['-R', '-f', '-i', '-a', root]).catch(() => undefined);
    await stage?.[Symbol.asyncDispose]();
  });

  async function lasting(): Promise<readonly string[]> {
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => !path.includes('/.') && isLasting(path.slice(root.length + 1)));
  }
  const digests = async (paths: readonly string[]): Promise<readonly string[]> =>
    Promise.all(
      paths.map(async (path) =>
        createHash('sha256')
          .update(await readFile(path))
          .digest('hex'),
      ),
    );
  /** As the attacker; how many of the commands, one a line, succeeded. */
  async function attack(lines: readonly string[]): Promise<{ readonly tried: number; readonly succeeded: string[] }> {
    const succeeded: string[] = [];
    for (const line of lines) {
      const child = spawn('/bin/sh', ['-c', line], { ...account, cwd: '/', stdio: 'ignore' });
      const code = await new Promise((resolve) => child.once('exit', resolve));
      if (code === 0) succeeded.push(line);
    }
    return { tried: lines.length, succeeded };
  }
  const assertRestores = async (wanted: readonly BackupSummary[] = made): Promise<void> => {
    stage.repository = new Repository(stage.repository.handle);
    const listed = await listBackups({ repository: stage.repository, cluster: stage.name });
    assert.deepEqual(
      listed.map(({ id }) => id),
      wanted.map(({ id }) => id),
    );
    for (const { id } of wanted) {
      const { cluster } = await stage.restore({ backupId: id, target: { kind: 'immediate' } });
      const print = prints[made.findIndex((each) => each.id === id)];
      assert.ok(print !== undefined);
      assert.deepEqual(differences(print, await fingerprint(cluster.connection)), []);
      await cluster.stop();
    }
  };

  test('all that root made belongs to the account, which can take a lock of its own after it', async () => {
    for (const path of [root, ...(await lasting())]) assert.equal((await stat(path)).uid, account.uid, path);
  });

  test('sealing makes folders append only and what lasts immutable, once', async () => {
    assert.equal(await unsealedIn(root), undefined);
    process.seteuid?.(account.uid);
    const asAccount = sealFolder(root, { dryRun: false });
    process.seteuid?.(0);
    await assert.rejects(asAccount, (error) => isSpillwayError(error, 'SPW_USAGE') && /as root/.test(error.hint));
    const dry = await sealFolder(root, { dryRun: true });
    assert.equal(await unsealedIn(root), undefined);
    const sealed = await sealFolder(root, { dryRun: false });
    assert.deepEqual(sealed, dry);
    assert.ok(sealed.sealed_objects > 10 && sealed.sealed_folders > 5, JSON.stringify(sealed));
    assert.equal(sealed.objects, (await lasting()).length);
    assert.deepEqual(await unsealedIn(root), { folders: [], objects: [] });
    const again = await sealFolder(root, { dryRun: false });
    assert.deepEqual([again.sealed_folders, again.sealed_objects], [0, 0]);
  });

  test('nothing that is sealed is removed, renamed or changed by the account of the backups', async () => {
    const paths = await lasting();
    const untouched = await digests(paths);
    const ways = (path: string): readonly string[] => [
      `rm -f '${path}'`,
      `mv '${path}' '${path}.gone'`,
      `mv '${path}' /tmp/`,
      `: > '${path}'`,
      `chmod 600 '${path}' && echo poison >> '${path}'`,
      `truncate -s 1 '${path}'`,
      `dd if=/dev/zero of='${path}' bs=16 count=1 conv=notrunc`,
      `ln -sf /dev/null '${path}'`,
      `cp /dev/null '${path}'`,
      `touch -d 2000-01-01 '${path}'`,
      `chattr -i '${path}'`,
    ];
    const folders = [...new Set(paths.map(dirname)), root, join(root, 'packs'), join(root, 'clusters')];
    const { tried, succeeded } = await attack([
      ...paths.flatMap(ways),
      ...folders.flatMap((path) => [`rm -rf '${path}'`, `mv '${path}' '${path}-gone'`, `chattr -a '${path}'`]),
    ]);
    assert.deepEqual(succeeded, []);
    assert.deepEqual(await lasting(), paths);
    assert.deepEqual(await digests(paths), untouched);
    process.stdout.write(`# ${tried} removals and changes were tried, and refused\n`);
    await assertRestores();
  });

  test('what is not sealed, its locks and its index, costs no backup; packs that lie are seen', async () => {
    const [pack = ''] = (await lasting()).filter((path) => path.includes('/packs/'));
    const forged = join(dirname(pack), `${pack.slice(pack.lastIndexOf('/') + 1, -4)}beef`);
    const { succeeded } = await attack([
      `rm -rf '${root}'/index/* '${root}'/locks/* '${root}'/.incoming/*`,
      `head -c 5000 /dev/urandom > '${forged}'`,
    ]);
    assert.equal(succeeded.length, 2);
    await assertRestores();
    const told = await verify({
      ...QUIET,
      repository: stage.repository,
      cluster: stage.name,
      level: 'data',
      all: true,
      workers: 2,
    });
    assert.match(
      told.findings.map(({ problem }) => problem).join(),
      /no index object names \d+ packs that backups need/,
    );
    assert.match(told.notices.join(), new RegExp(`${forged.slice(-32)}.* is damaged`));
    const { location } = stage.repository;
    const recovered = await recover({ ...QUIET, location, open: async () => stage.repository });
    assert.ok(recovered.reindexed_packs > 0);
  });

  test('the backup host goes on where it may remove nothing, and root expires', async () => {
    const receiving = stage.receive({ repository: withoutRemoval(stage.repository) });
    await stage.cluster.query("INSERT INTO readings SELECT n, 'after' FROM generate_series(1, 300) AS n");
    const pieces = async (): Promise<number> =>
      (await readdir(root, { recursive: true })).filter((path) => /\/wal\/.*\.[0-9A-F]{8}-[0-9A-F]{8}$/.test(path))
        .length;
    for (let n = 0; n < 3; n++) {
      await stage.cluster.query(`INSERT INTO readings SELECT n, 'piece ${n}' FROM generate_series(1, 300) AS n`);
    }
    made.push(await stage.backup({ type: 'incremental', repository: withoutRemoval(stage.repository) }));
    prints.push(await fingerprint(stage.cluster.connection));
    await stage.cluster.query('SELECT pg_switch_wal()');
    await receiving.stop();
    const superseded = await pieces();
    assert.ok(superseded > 0);
    const { sealed_objects: sealed } = await sealFolder(root, { dryRun: false });
    assert.ok(sealed > 0);

    const policy = { minimumProven: 1, keepCount: 2 };
    const asked = { ...QUIET, cluster: stage.name, policy, graceMs: 0, repackBelow: 0, repackBytesMax: 0 };
    await assert.rejects(expire({ ...asked, repository: withoutRemoval(stage.repository) }), (error) =>
      isSpillwayError(error, 'SPW_REMOVAL_REFUSED'),
    );
    const summary = await expire({ ...asked, repository: stage.repository });
    assert.deepEqual(
      summary.removed_backups,
      made.slice(0, -2).map(({ id }) => id),
    );
    assert.ok((await pieces()) < superseded);
    const left = (await listBackups({ repository: stage.repository, cluster: stage.name })).map(({ id }) => id);
    assert.deepEqual(
      left,
      made.slice(-2).map(({ id }) => id),
    );
    const open = await unsealedIn(root);
    assert.deepEqual(open?.folders, [], 'folders are append only again');
    await assertRestores(made.slice(-2));
  });
}

/** Whoever may remove nothing: as the kernel answers to the account of the backups in a sealed folder. */
function withoutRemoval(repository: Repository): Repository {
  const inner = new Repository(repository.handle);
  const refusing = Object.create(inner.storage, {
    remove: {
      value: async (name: string) => {
        throw new SpillwayError('SPW_REMOVAL_REFUSED', `this process may not remove ${name}`);
      },
    },
  }) as Repository['storage'];
  return new Repository(repository.handle, refusing);
}
