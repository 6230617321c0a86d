// Barman, in the two ways that its manual has for a server on the same machine. Neither encrypts.
//
//   barman        `backup_method = postgres`: it drives pg_basebackup, compressed by the client with zstd, two threads.
//                 Every backup is whole; this version knows no incremental one of that kind
//   barman rsync  `backup_method = local-rsync`, two processes, `reuse_backup = link`: files as they are, not compressed;
//                 a file that did not change since the backup before is a hard link to it
// Both as the account of the server, with WAL from its archive_command in Barman's folder for incoming files, and
// `backup --wait`, which ends only when the WAL that the backup needs is archived. Archived WAL goes through zstd. Recovery
// syncs nothing, so `sync -f` comes after it.

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { giveTo } from '@spillway/lab';
import { type Command, perform } from '../measure.ts';
import { versionOf } from '../source.ts';
import { type AbsentPeer, type Peer, type PeerPlace, PROCESSES, ZSTD_LEVEL } from './peer.ts';

export const BARMAN = 'barman';
export const BARMAN_RSYNC = 'barman rsync';
const SERVER = 'bench';

export const findBarman = (place: PeerPlace): Promise<Peer | AbsentPeer> => find(place, BARMAN);
export const findBarmanRsync = (place: PeerPlace): Promise<Peer | AbsentPeer> => find(place, BARMAN_RSYNC);

async function find(place: PeerPlace, name: typeof BARMAN | typeof BARMAN_RSYNC): Promise<Peer | AbsentPeer> {
  const { folder, source, installation, signal } = place;
  const version = await versionOf(BARMAN);
  if (version === undefined) return { name, why: `there is no program ${BARMAN}` };
  const byRsync = name === BARMAN_RSYNC;
  for (const program of byRsync ? ['rsync', 'zstd'] : ['zstd']) {
    if ((await versionOf(program)) === undefined) return { name, why: `there is no program ${program}` };
  }
  const { account, password } = source.cluster;
  const { host, port, user, database } = source.cluster.connection;
  const home = join(folder, 'home');
  const store = join(home, SERVER);
  const config = join(folder, 'barman.conf');
  const staging = join(folder, 'staging');
  const connection = `host=${host} port=${port} user=${user} password=${password}`;
  const method = byRsync
    ? ['backup_method = local-rsync', 'reuse_backup = link', `parallel_jobs = ${PROCESSES}`]
    : [
        'backup_method = postgres',
        `streaming_conninfo = ${connection}`,
        'backup_compression = zstd',
        `backup_compression_level = ${ZSTD_LEVEL}`,
        `backup_compression_workers = ${PROCESSES}`,
        'backup_compression_location = client',
        `recovery_staging_path = ${staging}`,
      ];
  const lines = [
    '[barman]',
    `barman_user = ${account?.name ?? userInfo().username}`,
    `barman_home = ${home}`,
    `log_file = ${join(folder, 'barman.log')}`,
    `[${SERVER}]`,
    'description = "bench"',
    `conninfo = ${connection} dbname=${database}`,
    ...method,
    'archiver = on',
    'compression = custom',
    `custom_compression_filter = zstd -q -${ZSTD_LEVEL} -c`,
    'custom_decompression_filter = zstd -q -d -c',
    'custom_compression_magic = 0x28b52ffd',
    'immediate_checkpoint = true',
    `path_prefix = ${installation.binDirectory}`,
  ];
  await writeFile(config, `${lines.join('\n')}\n`, { mode: 0o600 });
  await giveTo(account, folder, config);
  const barman = (...words: string[]): Command => ({
    program: BARMAN,
    words: ['-q', '-c', config, ...words],
    account,
    environment: { HOME: folder },
  });
  const incoming = join(store, 'incoming');
  const makeFolders = async (): Promise<void> => {
    for (const path of [home, staging]) await rm(path, { recursive: true, force: true });
    for (const path of [home, staging, store, incoming]) {
      await mkdir(path, { mode: 0o700 });
      await giveTo(account, path);
    }
  };
  // At once: the archiver may come any time.
  await makeFolders();
  const backup = (): Command => barman('backup', '--wait', SERVER);
  const archive = async (): Promise<void> => void (await perform(barman('archive-wal', SERVER), signal));
  return {
    name,
    version: `Barman ${version.split(' ')[0]}`,
    how: byRsync
      ? `${PROCESSES} processes of rsync, hard links to unchanged files, NOT compressed, NO encryption`
      : `pg_basebackup, zstd ${ZSTD_LEVEL} with ${PROCESSES} threads, NO encryption`,
    store,
    // As its manual has it, but on this machine and synced.
    archiveCommand: `test ! -f ${incoming}/%f && cp %p ${incoming}/.%f && sync ${incoming}/.%f && mv ${incoming}/.%f ${incoming}/%f`,
    empty: async () => {
      await makeFolders();
      // It starts no backup before it has seen WAL arrive, and an empty segment is not switched.
      await source.cluster.query("SELECT pg_create_restore_point('bench')");
      await source.cluster.query('SELECT pg_switch_wal()');
      await source.untilArchived(signal);
      await archive();
    },
    catchUp: archive,
    full: backup,
    again: byRsync ? () => barman('backup', '--wait', '--reuse-backup=off', SERVER) : backup,
    ...(byRsync ? { incremental: backup } : {}),
    restore: (into) => ({
      program: 'bash',
      words: ['-ec', `${BARMAN} -q -c "$1" recover ${SERVER} latest "$2"; sync -f "$2"`, 'bash', config, into],
      account,
      environment: { HOME: folder },
    }),
  };
}
