// A standby of a stage's cluster, made by pg_basebackup.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, giveTo, type Installation, type LabCluster, listInstallations, serverAccount } from '@spillway/lab';
import type { Stage } from './operation-stage.ts';

const run = promisify(execFile);

const programOf = (directory: string): string => join(directory, 'pg_basebackup');

/** Undefined where no installation has pg_basebackup. */
export const installationForStandbys = async (): Promise<Installation | undefined> =>
  (await listInstallations()).find(({ binDirectory }) => existsSync(programOf(binDirectory)));

/** Streams from the cluster of the stage, and is removed with it. */
export async function makeStandby(stage: Stage): Promise<LabCluster> {
  const place = stage.place();
  await mkdir(place, { mode: 0o700 });
  const { host, port, user, password } = stage.cluster.connection;
  const where = `host=${host} port=${port} user=${user} password=${password}`;
  await run(programOf(stage.cluster.installation.binDirectory), [
    '-D',
    place,
    '-d',
    where,
    '-X',
    'stream',
    '-c',
    'fast',
    '-R',
  ]);
  await writeFile(join(place, 'postgresql.auto.conf'), `primary_conninfo = '${where}'\n`, { flag: 'a' });
  await chmod(place, 0o700);
  const account = await serverAccount();
  if (account !== undefined) {
    await run('chown', ['-R', `${account.uid}:${account.gid}`, place]);
  }
  const socketDirectory = `${place}.socket`;
  await mkdir(socketDirectory);
  await giveTo(account, socketDirectory);
  const cluster = await stage.adopt(place, await freePort(), socketDirectory);
  await cluster.start();
  return cluster;
}
