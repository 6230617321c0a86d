// restic, which knows files and no PostgreSQL: it backs up a copy of the data directory as a stopped server leaves it.
//
// 1. The copy is made before the turn and not measured: after a checkpoint, while nothing is written. Files that did not
//    change are left as they are, with their inodes and times, for by these restic knows what it need not read. Of pg_wal
//    the copy has what a start of it would need.
// 2. Encryption is always on (AES-256-CTR, Poly1305). It compresses with zstd at a level of its own (`--compression auto`).
// 3. Restoring syncs nothing, so `sync -f` comes after it.

import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, perform } from '../measure.ts';
import { mirrorFolder } from '../mirror.ts';
import { type Source, versionOf } from '../source.ts';
import { type AbsentPeer, type Peer, type PeerPlace, PROCESSES } from './peer.ts';

export const RESTIC = 'restic';

export async function findRestic({ folder, source, signal }: PeerPlace): Promise<Peer | AbsentPeer> {
  const version = await versionOf(RESTIC, 'version');
  if (version === undefined) return { name: RESTIC, why: `there is no program ${RESTIC}` };
  const store = join(folder, 'repository');
  const copy = join(folder, 'copy');
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, `${randomBytes(36).toString('base64url')}\n`, { mode: 0o600 });
  await mkdir(copy);
  const environment = {
    RESTIC_REPOSITORY: store,
    RESTIC_PASSWORD_FILE: passwordFile,
    RESTIC_CACHE_DIR: join(folder, 'cache'),
    GOMAXPROCS: String(PROCESSES),
  };
  const restic = (...words: string[]): Command => ({ program: RESTIC, words: ['--quiet', ...words], environment });
  // From within, so that what is restored stands where it is wanted.
  const within = (...words: string[]): Command => ({
    program: 'bash',
    words: ['-ec', 'cd "$1"; shift; exec "$@"', 'bash', copy, RESTIC, '--quiet', ...words],
    environment,
  });
  return {
    name: RESTIC,
    version,
    how: `GOMAXPROCS=${PROCESSES}, zstd at its own level (--compression auto), AES-256-CTR and Poly1305; of a copy of the files as a stopped server leaves them, made unmeasured`,
    store,
    archiveCommand: 'true',
    reads: copy,
    empty: async () => {
      for (const path of [store, environment.RESTIC_CACHE_DIR]) await rm(path, { recursive: true, force: true });
      await perform(restic('init', '--repository-version', '2'), signal);
    },
    catchUp: () => copyAsStopped(source, copy, signal),
    full: () => within('backup', '.'),
    again: () => within('backup', '--force', '.'),
    incremental: () => within('backup', '.'),
    verify: () => restic('check', '--read-data'),
    restore: (into) => ({
      program: 'bash',
      words: ['-ec', `${RESTIC} --quiet restore latest --target "$1"; sync -f "$1"`, 'bash', into],
      environment,
    }),
  };
}

async function copyAsStopped(source: Source, copy: string, signal: AbortSignal): Promise<void> {
  await source.cluster.query('CHECKPOINT');
  const before = await source.walBytes();
  const needed = await source.walSinceCheckpoint();
  await mirrorFolder(
    source.dataDirectory,
    copy,
    (path) => !path.startsWith('pg_wal/0') || needed.has(path.slice(7)),
    signal,
  );
  const after = await source.walBytes();
  // What the server notes by itself while nobody works is some hundred bytes, and changes no table.
  if (after - before > 8192) throw new Error(`${after - before} bytes of WAL were written while the files were copied`);
}
