// What a restore makes durable, and in which order: every file and folder is synced before success is said, and until then
// no pg_control stands there with which a server would start.
//
// Syncs are seen by standing in for FileHandle.sync, which all of them go through; /proc tells which path a handle is of.

import assert from 'node:assert/strict';
import { existsSync, readlinkSync } from 'node:fs';
import { chown, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { recoveryWindow } from '../src/operation/backups.ts';
import { makeStage } from './operation-stage.ts';

const CONTROL_FILE = 'global/pg_control';

test('everything that is restored is synced before success is said, and pg_control gets its name last', async () => {
  await using stage = await makeStage();
  const space = join(stage.folder, 'space');
  await mkdir(space);
  const { account } = stage.cluster;
  if (account !== undefined) await chown(space, account.uid, account.gid);
  await stage.cluster.query(`CREATE TABLESPACE elsewhere LOCATION '${space}'`);
  await stage.cluster.query('CREATE TABLE away TABLESPACE elsewhere AS SELECT generate_series(1, 1000) AS n');
  await stage.backup();
  const elsewhere = join(stage.folder, 'elsewhere');
  const planned = await stage.plan({ tablespaces: [{ which: 'elsewhere', to: elsewhere }] });
  const { directory } = planned.plan;
  const restoreCommand = await stage.fetchCommand(directory);

  const synced = new Set<string>();
  const early: string[] = [];
  await using any = await open(stage.folder, 'r');
  const handles = Object.getPrototypeOf(any) as { sync: (this: { readonly fd: number }) => Promise<void> };
  const { sync } = handles;
  handles.sync = async function sync_(this: { readonly fd: number }): Promise<void> {
    const path = readlinkSync(`/proc/self/fd/${this.fd}`);
    const isNew = !synced.has(path);
    synced.add(path);
    if (
      isNew &&
      !path.includes('pg_control') &&
      path !== join(directory, 'global') &&
      existsSync(join(directory, CONTROL_FILE))
    ) {
      early.push(path);
    }
    return sync.call(this);
  };
  try {
    await stage.lay(planned, restoreCommand);
  } finally {
    handles.sync = sync;
  }

  assert.deepEqual(early, [], 'pg_control stood there before these were synced');
  for (const root of [directory, elsewhere]) {
    const below = await readdir(root, { recursive: true, withFileTypes: true });
    const paths = below.filter((entry) => entry.isFile() || entry.isDirectory());
    assert.ok(paths.length > 0);
    const missing = paths.map(({ parentPath, name }) => join(parentPath, name)).filter((path) => !synced.has(path));
    // The marker was synced under its first name; an empty folder needs only the one it stands in.
    const known = ['restore.json', 'taken'].map((name) => join(directory, 'spillway_recovery', name));
    assert.deepEqual(
      missing.filter((path) => !known.includes(path)),
      [],
    );
    assert.ok(synced.has(root));
  }
  // The names of the new folders too.
  assert.ok(synced.has(stage.folder));
  await rm(elsewhere, { recursive: true });
});

test('the newest moment that can be reached is that of the newest WAL by the server’s clock, however far its position', async () => {
  await using stage = await makeStage();
  const { finished_at: finishedAt } = await stage.backup();
  const window = () => recoveryWindow({ repository: stage.repository, cluster: stage.name });
  const receiving = stage.receive();
  await stage.cluster.query('CREATE TABLE note (text text)');
  const [row] = await stage.cluster.query<{ at: Date }>('SELECT clock_timestamp() AS at');
  await stage.cluster.query("INSERT INTO note VALUES ('later')");
  await stage.caughtUp(receiving);
  await receiving.stop();
  const { latest_at: latestAt } = await window();
  assert.ok(
    Date.parse(latestAt ?? '') >= (row?.at.getTime() ?? Number.NaN),
    `${latestAt} and ${row?.at.toISOString()}`,
  );
  assert.ok(Date.parse(latestAt ?? '') > Date.parse(finishedAt));
  // Nothing came since: it does not move on with our clock.
  assert.equal((await window()).latest_at, latestAt);
});
