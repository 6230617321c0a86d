// Where torture takes place: a server, a repository on a file system whose size can be changed, and a configuration.
//
// 1. As root on Linux the repository lies on a tmpfs of its own: shrinking that is a disk that fills up. Where nothing
//    can be mounted the repository lies in an ordinary folder, and the faults that need a full disk are left out.
// 2. Copies of the repository share its objects by hard links: they cost nothing, and the original is never touched,
//    because an object is damaged only after it was copied for real.
// 3. Timeouts are short, so that what waits for something that was killed gives up within seconds.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, mkdtemp, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type LabCluster, startCluster } from '@spillway/lab';
import { lightenPassphrase } from '../../packages/engine/test/light-slot.ts';
import type { CommandPlace } from './command.ts';
import { documentOf } from './command.ts';
import { prepareWork } from './writers.ts';

const run = promisify(execFile);

export const CLUSTER_NAME = 'victim';
const STORE_BYTES = 4 * 1024 ** 3;

export interface Scene extends AsyncDisposable {
  readonly folder: string;
  readonly cluster: LabCluster;
  readonly repository: string;
  readonly place: CommandPlace;
  readonly passphraseFile: string;
  /** Whether the repository's disk can be made to fill up. */
  readonly canFill: boolean;
  /** Leaves that many bytes free on the repository's disk, or, without a number, plenty. */
  readonly leaveFree: (bytes?: number) => Promise<void>;
  /** A copy of the repository, and a configuration that points at it. */
  readonly copyRepository: () => Promise<RepositoryCopy>;
}

export interface RepositoryCopy extends AsyncDisposable {
  readonly path: string;
  readonly place: CommandPlace;
}

export async function makeScene(options: { readonly major?: number }): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'spw-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  // The server's account, where it is another than ours, must reach the restored folders in here.
  await chmod(folder, 0o755);
  const store = join(folder, 'store');
  await mkdir(store, { mode: 0o700 });
  const canFill = await mountStore(store);
  if (canFill) stack.defer(async () => void (await run('umount', ['--lazy', store])));
  const cluster = stack.use(
    await startCluster({
      directory: join(folder, 'cluster'),
      settings: { wal_sender_timeout: '2s', max_wal_size: '128MB', checkpoint_timeout: '30s' },
      ...(options.major === undefined ? {} : { major: options.major }),
    }),
  );
  const passphrase = randomBytes(36).toString('base64url');
  const passphraseFile = join(folder, 'passphrase');
  await writeFile(passphraseFile, `${passphrase}\n`, { mode: 0o600 });
  await writeFile(join(folder, 'password'), `${cluster.password}\n`, { mode: 0o600 });
  const secrets = [passphrase, cluster.password];
  const placeFor = async (name: string, path: string): Promise<CommandPlace> => {
    const config = join(folder, `${name}.yaml`);
    await writeFile(config, configuration(folder, path, cluster));
    return { config, secrets };
  };
  const repository = join(store, 'repository');
  const place = await placeFor('spillway', repository);
  await documentOf(place, ['init']);
  await lightenPassphrase(folder, repository);
  await prepareWork(cluster);
  const owned = stack.move();
  let copies = 0;
  return {
    folder,
    cluster,
    repository,
    place,
    passphraseFile,
    canFill,
    leaveFree: async (bytes) => {
      const { blocks, bfree, bsize } = await statfs(store);
      const size = bytes === undefined ? STORE_BYTES : (blocks - bfree) * bsize + bytes;
      await run('mount', ['-o', `remount,size=${Math.ceil(size / 4096) * 4096}`, store]);
    },
    copyRepository: async () => {
      const name = `copy${(copies += 1)}`;
      const path = join(store, name);
      await linkTree(repository, path);
      return {
        path,
        place: await placeFor(name, path),
        [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
      };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function mountStore(store: string): Promise<boolean> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${STORE_BYTES},mode=0700`, 'spillway-torture', store]);
    return true;
  } catch {
    // In a container without the right to mount: the faults that need it are left out, and the run says so.
    return false;
  }
}

async function linkTree(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: 0o700 });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (entry.isDirectory()) await linkTree(join(from, entry.name), join(to, entry.name));
    else {
      await link(join(from, entry.name), join(to, entry.name)).catch((error: NodeJS.ErrnoException) => {
        // A piece or a lock may be replaced while the copy is made, as for anybody who copies a repository in use.
        if (error.code !== 'ENOENT') throw error;
      });
    }
  }
}

/** JSON strings are YAML strings. */
const configuration = (folder: string, repository: string, cluster: LabCluster): string => `repository:
  path: ${JSON.stringify(repository)}
  passphrase: { file: ${JSON.stringify(join(folder, 'passphrase'))} }
clusters:
  ${CLUSTER_NAME}:
    connection:
      host: ${cluster.host}
      port: ${cluster.port}
      user: ${cluster.user}
      password: { file: ${JSON.stringify(join(folder, 'password'))} }
    bin_directory: ${JSON.stringify(cluster.installation.binDirectory)}
    backup: { wal_timeout: 5s, workers: 2 }
    wal: { flush_interval: 200ms }
`;
