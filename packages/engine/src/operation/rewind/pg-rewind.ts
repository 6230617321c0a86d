// Runs the program pg_rewind, as the owner of the data directory.
//
// 1. First as a rehearsal (--dry-run), which reads all that the rewind reads and writes nothing. Where it sees another fork
//    than was decided on, or none, it is not let loose: in some versions it believes a pg_control that is older than the
//    promotion.
// 2. --no-ensure-shutdown: it would start a server in the target where that was not shut down cleanly. That was decided.
// 3. All WAL that it reads lies in pg_wal by now, so it needs no restore_command, whose account may not be able to open the
//    repository, and no configuration of the target, which on Debian is elsewhere.

import { join } from 'node:path';
import { type Report, SpillwayError } from '@spillway/contract';
import { runClient } from '../../postgres/client-process.ts';
import { formatLsn, parseLsn } from '../../postgres/lsn.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import type { Divergence } from './decide.ts';
import type { Owner } from './target.ts';

const BYTES_PER_KB = 1024;

export interface PgRewind {
  readonly binDirectory: string;
  readonly directory: string;
  readonly connection: ConnectionSettings;
  readonly owner: Owner;
  readonly signal: AbortSignal;
}

/** Throws SPW_REWIND_IMPOSSIBLE where pg_rewind would fail, or sees another fork. Nothing is written. */
export async function rehearse(options: PgRewind, fork: Divergence): Promise<void> {
  let seen = 'no fork at all';
  await run(
    options,
    ['--dry-run'],
    'SPW_REWIND_IMPOSSIBLE',
    `pg_rewind would not rewind ${options.directory}`,
    (line) => {
      const [, at = '', timeline = ''] =
        /diverged at WAL location ([0-9A-F]+\/[0-9A-F]+) on timeline (\d+)/.exec(line) ?? [];
      if (at !== '') seen = `a fork at ${at} on timeline ${timeline}`;
      if (parseLsn(at) === fork.lsn && Number(timeline) === fork.timeline) seen = 'this fork';
    },
  );
  if (seen === 'this fork') return;
  throw new SpillwayError('SPW_REWIND_IMPOSSIBLE', `${options.directory} was not rewound`, {
    why: `the two servers parted at ${formatLsn(fork.lsn)} on timeline ${fork.timeline}, but pg_rewind sees ${seen}`,
  });
}

/** Overwrites the data directory. Throws SPW_REWIND_FAILED. */
export async function rewindFiles(options: PgRewind, report: Report): Promise<void> {
  await run(
    options,
    ['--progress'],
    'SPW_REWIND_FAILED',
    `the rewind of ${options.directory} did not finish`,
    (line) => {
      const [, done, total] = /^\s*(\d+)\/(\d+) kB \(/.exec(line) ?? [];
      if (done === undefined) return;
      report({
        type: 'progress',
        phase: 'rewinding',
        done_bytes: Number(done) * BYTES_PER_KB,
        total_bytes: Number(total) * BYTES_PER_KB,
      });
    },
  );
}

async function run(
  { binDirectory, directory, connection, owner, signal }: PgRewind,
  words: readonly string[],
  failure: 'SPW_REWIND_IMPOSSIBLE' | 'SPW_REWIND_FAILED',
  what: string,
  onLine: (line: string) => void,
): Promise<void> {
  await runClient({
    program: join(binDirectory, 'pg_rewind'),
    // Where the source is stands in the environment, with the password.
    arguments: ['--target-pgdata', directory, '--source-server', '', '--no-ensure-shutdown', ...words],
    connection,
    failure,
    what,
    onLine,
    signal,
    ...(process.getuid?.() === 0 ? { runAs: owner } : {}),
  });
}
