import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chooseMode, inspectFolder } from './folder.ts';
import { FINISHING_MARKER, RECOVERY_FOLDER } from './fetch-script.ts';
import { parseMountPoints, refuseUnsafePlaces } from './guard.ts';
import type { Layout } from './layout.ts';
import { isUnderWay, MARKER_FILE, type Marker, thisProcess } from './marker.ts';

const marker: Marker = {
  repository: 'r',
  cluster: 'main',
  backup: 'b',
  system_identifier: '1',
  started_at: '2026-11-23T00:00:00.000Z',
  folders: [],
};

describe('a restore', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'spillway-guard-'));
    for (const name of ['repository', 'cluster/global', 'cluster/base/5', 'data', 'space']) {
      await mkdir(join(folder, name), { recursive: true });
    }
    for (const name of ['cluster/PG_VERSION', 'cluster/base/5/PG_VERSION']) await writeFile(join(folder, name), '15\n');
    await symlink(join(folder, 'data'), join(folder, 'link'));
    await symlink(join(folder, 'repository'), join(folder, 'link-to-repository'));
  });
  after(() => rm(folder, { recursive: true }));

  const layout = (directory: string, more: Partial<Layout> = {}): Layout => ({
    directory: join(folder, directory),
    tablespaces: new Map(),
    walDirectory: undefined,
    ...more,
  });
  const refuse = (place: Layout, removed: readonly string[] = []): Promise<void> =>
    refuseUnsafePlaces(place, join(folder, 'repository'), removed);

  test('keeps out of the repository, of other clusters, and of roots within roots, links followed', async () => {
    await refuse(layout('data', { tablespaces: new Map([[1, join(folder, 'space')]]) }));
    await refuse(layout('new/below'));
    for (const within of ['repository', 'repository/below', 'link-to-repository/below', '.']) {
      await assert.rejects(refuse(layout(within)), { code: 'SPW_FOLDER_NOT_EMPTY', why: /repository/ });
    }
    await assert.rejects(refuse(layout('cluster/copy')), { code: 'SPW_FOLDER_NOT_EMPTY', why: /data directory of a/ });
    const spaces = new Map([[1, join(folder, 'link/space')]]);
    await assert.rejects(refuse(layout('data', { tablespaces: spaces })), { code: 'SPW_USAGE', why: /is inside the/ });
    await assert.rejects(refuse(layout('data', { walDirectory: join(folder, 'link') })), { code: 'SPW_USAGE' });
  });

  test('takes away nothing in which another file system is mounted', async () => {
    await assert.rejects(refuseUnsafePlaces({ ...layout('x'), directory: '/' }, join(folder, 'repository'), []), {
      why: /repository/,
    });
    // /proc is mounted wherever this runs.
    await assert.rejects(refuse(layout('data'), ['/proc']), { code: 'SPW_FOLDER_NOT_EMPTY', hint: /unmount/ });
    await refuse(layout('data'), [join(folder, 'data', 'stranger')]);
    const text = '36 35 98:0 / /mnt/a\\040b rw - ext3 /dev/root rw\n22 1 0:5 / /proc rw shared:1 - proc proc rw\n';
    assert.deepEqual(parseMountPoints(text), ['/mnt/a b', '/proc']);
  });

  test('does not take the folder of a database for a cluster', async () => {
    const state = await inspectFolder(join(folder, 'cluster/base/5'));
    assert.equal(state.kind, 'foreign');
    assert.equal((await inspectFolder(join(folder, 'cluster'))).kind, 'cluster');
  });

  test('tells a marker that outlived its restore from an unfinished one', async () => {
    const directory = join(folder, 'old');
    await mkdir(join(directory, RECOVERY_FOLDER), { recursive: true });
    await mkdir(join(directory, 'global'));
    await writeFile(join(directory, 'PG_VERSION'), '15\n');
    await writeFile(join(directory, FINISHING_MARKER), JSON.stringify(marker));
    const wish = { directory, delta: false, repositoryId: 'r', cluster: 'main' };
    // Started since then, and pg_control lost later.
    assert.throws(() => chooseMode({ kind: 'cluster', systemIdentifier: undefined }, wish));
    assert.equal((await inspectFolder(directory)).kind, 'cluster');
    await writeFile(join(directory, 'backup_label'), '');
    assert.equal((await inspectFolder(directory)).kind, 'interrupted');
  });

  test('leaves a folder alone into which another process restores', async () => {
    const directory = join(folder, 'taken');
    await mkdir(directory);
    const me = await thisProcess();
    const put = (process: Marker['process']): Promise<void> =>
      writeFile(join(directory, MARKER_FILE), JSON.stringify({ ...marker, process }));
    await put(me);
    assert.equal((await inspectFolder(directory)).kind, 'interrupted', 'our own');
    const started = (await thisProcess()).started;
    assert.match(started, /^\d+$/);
    assert.equal(await isUnderWay({ ...marker, process: { ...me, pid: process.ppid, started: 'other' } }), false);
    assert.equal(await isUnderWay({ ...marker, process: { ...me, host: 'other', pid: process.ppid } }), false);
    const parent = await readFile(`/proc/${process.ppid}/stat`, 'utf8');
    const ticks = parent.slice(parent.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    await put({ ...me, pid: process.ppid, started: ticks });
    await assert.rejects(inspectFolder(directory), { code: 'SPW_LOCKED', why: new RegExp(String(process.ppid)) });
  });
});
