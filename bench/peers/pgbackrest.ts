// pgBackRest. It runs as the account of the server, as its manual wants it, and archives WAL by the server's
// archive_command; its check that the WAL of a backup has arrived stays on, because Spillway's backup waits for that too.
//
// Bundles are on from 2.39, block incremental from 2.46, the versions that brought them: without them it would be slower
// and store more, and the comparison is with its best.

import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { giveTo } from '@spillway/lab';
import { type Command, perform } from '../measure.ts';
import { versionOf } from '../source.ts';
import { type AbsentPeer, type Peer, type PeerPlace, PROCESSES, ZSTD_LEVEL } from './peer.ts';

export const PGBACKREST = 'pgbackrest';
const STANZA = 'bench';

export interface PgBackRestOptions {
  /** WAL is pushed and fetched by processes of its own in the background, ahead of the server's asking. */
  readonly asynchronous?: boolean;
}

export async function findPgBackRest(
  place: PeerPlace,
  program: string,
  { asynchronous = false }: PgBackRestOptions = {},
): Promise<Peer | AbsentPeer> {
  const { folder, source, signal } = place;
  const version = await versionOf(program, 'version');
  if (version === undefined) return { name: PGBACKREST, why: `there is no program ${program}` };
  const { account, socketDirectory, port, user, password, dataDirectory } = source.cluster;
  const { bundles, blocks } = pgBackRestFeatures(version);
  const store = join(folder, 'repository');
  const config = join(folder, 'pgbackrest.conf');
  const spool = join(folder, 'spool');
  for (const name of ['log', 'lock', 'spool']) await mkdir(join(folder, name));
  const lines = [
    '[global]',
    `repo1-path=${store}`,
    'repo1-cipher-type=aes-256-cbc',
    `repo1-cipher-pass=${randomBytes(36).toString('base64url')}`,
    'repo1-retention-full=100',
    ...(bundles ? ['repo1-bundle=y'] : []),
    ...(blocks ? ['repo1-block=y'] : []),
    `process-max=${PROCESSES}`,
    ...(asynchronous ? ['archive-async=y'] : []),
    'compress-type=zst',
    `compress-level=${ZSTD_LEVEL}`,
    'start-fast=y',
    'log-level-file=off',
    'log-level-console=warn',
    `log-path=${join(folder, 'log')}`,
    `lock-path=${join(folder, 'lock')}`,
    `spool-path=${spool}`,
    `[${STANZA}]`,
    `pg1-path=${dataDirectory}`,
    `pg1-port=${port}`,
    `pg1-socket-path=${socketDirectory}`,
    `pg1-user=${user}`,
  ];
  await writeFile(config, `${lines.join('\n')}\n`, { mode: 0o600 });
  await giveTo(account, folder, config, ...['log', 'lock', 'spool'].map((name) => join(folder, name)));
  const command = (...words: string[]): Command => ({
    program,
    words: [`--config=${config}`, `--stanza=${STANZA}`, ...words],
    environment: { PGPASSWORD: password },
    account,
  });
  const features = `${bundles ? ', bundles' : ''}${blocks ? ', blocks' : ''}`;
  const byServer = `${program} --config=${config} --stanza=${STANZA}`;
  const pushCommand = `${byServer} archive-push %p`;
  return {
    name: PGBACKREST,
    version,
    how: `${PROCESSES} processes, zstd ${ZSTD_LEVEL}, AES-256-CBC${features}, archive_command through it`,
    store,
    archiveCommand: pushCommand,
    pushCommand,
    fetchCommand: (directory) => `${byServer} --pg1-path=${directory} archive-get %f "%p"`,
    fetchWal: (name, into) => command('archive-get', name, into),
    empty: async () => {
      // What was said to be pushed before is forgotten with the store.
      for (const path of [store, spool]) await rm(path, { recursive: true, force: true });
      await mkdir(store, { mode: 0o750 });
      await mkdir(spool);
      await giveTo(account, spool);
      await giveTo(account, store);
      await perform(command('stanza-create'), signal);
    },
    full: () => command('--type=full', 'backup'),
    again: () => command('--type=full', 'backup'),
    incremental: () => command('--type=incr', 'backup'),
    verify: () => command('verify'),
    restore: (into) => command(`--pg1-path=${into}`, 'restore'),
    restoreDelta: (into) => command(`--pg1-path=${into}`, '--delta', 'restore'),
  };
}

/** What that version can do, from the line that it prints. */
export function pgBackRestFeatures(version: string): { readonly bundles: boolean; readonly blocks: boolean } {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(version) ?? [];
  const number = Number(major ?? 0) * 1000 + Number(minor ?? 0);
  return { bundles: number >= 2039, blocks: number >= 2046 };
}
