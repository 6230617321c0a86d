// Spillway itself, by its command line. No receiver runs beside a backup: each receives the WAL it needs by itself, so that
// work is in its time. The WAL that the turns of others leave is received before its own turn, by a receiver that is then
// stopped; a slot keeps it until then. Its passphrase goes through scrypt in every command, as it does for everybody.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { giveTo } from '@spillway/lab';
import { type Command, perform } from '../measure.ts';
import { type Source, versionOf } from '../source.ts';
import { type Peer, type PeerPlace, PROCESSES, ZSTD_LEVEL } from './peer.ts';

/** What users install: `npm run bench` makes it anew. */
export const SPILLWAY_PROGRAM = fileURLToPath(new URL('../../release/bin/spillway.js', import.meta.url));
/** What archive_command has in front of it, as the manual says. */
const FRONT = fileURLToPath(new URL('../../release/bin/spillway-push', import.meta.url));
export const OURS = 'spillway';
export const SLOT = 'spillway_bench';
const CAUGHT_UP_WITHIN_MS = 15 * 60_000;
const POLL_MS = 20;

export interface SpillwayPeer extends Peer {
  /** Any command of it. */
  readonly command: (...words: string[]) => Command;
}

export interface SpillwayOptions {
  /** Lines below `wal:` of its configuration. */
  readonly wal?: Readonly<Record<string, string | boolean>>;
}

export async function findSpillway(place: PeerPlace, options: SpillwayOptions = {}): Promise<SpillwayPeer> {
  const { folder, source, signal } = place;
  const account = place.asServer === true ? source.cluster.account : undefined;
  const store = join(folder, 'repository');
  const config = join(folder, 'spillway.yaml');
  const { host, port, user, password } = source.cluster.connection;
  // JSON strings are YAML strings.
  const quoted = (file: string): string => JSON.stringify(join(folder, file));
  await writeFile(join(folder, 'passphrase'), `${randomBytes(36).toString('base64url')}\n`, { mode: 0o600 });
  await writeFile(join(folder, 'password'), `${password}\n`, { mode: 0o600 });
  await writeFile(
    config,
    `repository:
  path: ${quoted('repository')}
  passphrase: { file: ${quoted('passphrase')} }
clusters:
  bench:
    connection: { host: ${host}, port: ${port}, user: ${user}, password: { file: ${quoted('password')} } }
    backup: { workers: ${PROCESSES}, compression_level: ${ZSTD_LEVEL} }
    wal: ${JSON.stringify({ slot: SLOT, ...options.wal })}
`,
  );
  await giveTo(account, folder, ...['spillway.yaml', 'passphrase', 'password'].map((name) => join(folder, name)));
  const byServer = [process.execPath, SPILLWAY_PROGRAM, '--config', config, '--quiet'].join(' ');
  const command = (...words: string[]): Command => ({
    program: process.execPath,
    words: [SPILLWAY_PROGRAM, '--config', config, '--json', '--quiet', ...words],
    account,
  });
  return {
    name: OURS,
    version: `spillway ${await versionOf(SPILLWAY_PROGRAM)}`,
    how: `${PROCESSES} workers, zstd ${ZSTD_LEVEL}, AES-256-GCM, receives its own WAL during the backup`,
    store,
    archiveCommand: 'true',
    pushCommand: `${FRONT} ${byServer} wal push "%p"`,
    // As the manual has it: only "not there" may look like the end of WAL.
    fetchCommand: () =>
      `${byServer} wal fetch --absent-code 101 "%f" "%p"; spw=$?; if [ $spw -eq 101 ]; then exit 1; elif [ $spw -ge 1 ] && [ $spw -le 125 ]; then exit 150; else exit $spw; fi`,
    fetchWal: (name, into) => command('wal', 'fetch', name, into),
    empty: async () => {
      await rm(store, { recursive: true, force: true });
      await mkdir(store, { mode: 0o700 });
      await giveTo(account, store);
      await perform(command('init'), signal);
      await source.renewSlot(SLOT);
    },
    command,
    catchUp: () => catchUp(source, command('wal', 'receive'), signal),
    full: () => command('backup', '--type', 'full'),
    again: () => command('backup', '--type', 'full'),
    incremental: () => command('backup', '--type', 'incremental'),
    streamed: () => command('backup', '--source', 'stream'),
    verify: () => command('verify', '--level', 'data', '--workers', String(PROCESSES)),
    restore: (into) => command('restore', '--into', into),
    restoreDelta: (into) => command('restore', '--into', into, '--delta', '--yes', '--confirm', 'bench'),
  };
}

/** Runs a receiver until all WAL written so far is durable. */
async function catchUp(source: Source, { program, words }: Command, signal: AbortSignal): Promise<void> {
  const [now] = await source.cluster.query<{ position: string }>('SELECT pg_current_wal_flush_lsn()::text AS position');
  const receiver = spawn(program, words, { cwd: '/', stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise<void>((resolve, reject) => {
    receiver.once('error', reject);
    receiver.once('close', () => resolve());
  });
  try {
    const deadline = performance.now() + CAUGHT_UP_WITHIN_MS;
    for (;;) {
      const [row] = await source.cluster.query<{ receivers: number }>(
        'SELECT count(*)::int AS receivers FROM pg_stat_replication WHERE application_name = $1 AND flush_lsn >= $2::pg_lsn',
        [SLOT, now?.position],
      );
      if ((row?.receivers ?? 0) > 0) return;
      if (receiver.exitCode !== null || performance.now() > deadline) {
        throw new Error(`spillway wal receive did not reach ${now?.position}`);
      }
      await pause(POLL_MS, undefined, { signal });
    }
  } finally {
    receiver.kill('SIGTERM');
    await ended;
  }
}
