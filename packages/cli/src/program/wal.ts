// WAL: received, pushed, fetched and checked.

import { add, type Branch, group, wholeNumber, OPENS } from './tree.ts';

export const walCommands: Branch = (program, call) => {
  const wal = group(program, 'wal', 'receive, push, fetch and check WAL');
  add(wal, 'receive', 'stream WAL into the repository until stopped', 'spillway wal receive')
    .option('--new-system', 'accept a new system identifier under the old name, after pg_upgrade')
    .option('--wait', 'wait for another receiver of the cluster to end, and take over')
    .action(call(async () => (await import('../commands/wal.ts')).receive, OPENS));
  add(
    wal,
    'push <path>',
    'store one file of WAL, and those that are ready behind it; the archive_command of a server',
    'spillway wal push "%p"    # in archive_command, where %p is the file',
  )
    .option('--ahead <n>', 'files to push beyond it', wholeNumber(0, 1024))
    .option(
      '--behind',
      'not this file, but those that are ready behind it, until none is; what a push starts by itself',
    )
    .option('--new-system', 'accept a new system identifier under the old name, after pg_upgrade')
    .action(call(async () => (await import('../commands/wal.ts')).push));
  add(
    wal,
    'fetch <file> <destination>',
    'fetch one WAL or history file; the restore_command of a restored server',
    'spillway wal fetch 000000010000000000000003 pg_wal/RECOVERYXLOG',
  )
    .option(
      '--absent-code <n>',
      'exit code when there is no such file (every other failure is above 125)',
      wholeNumber(1, 255),
    )
    .option('--prefetch <n>', 'segments to fetch ahead', wholeNumber(0, 64))
    .action(call(async () => (await import('../commands/wal.ts')).fetch, OPENS));
  add(wal, 'check', 'look for gaps in the WAL of the repository, and tell their causes', 'spillway wal check')
    .option('--data', 'read all of it, and check every record')
    .action(call(async () => (await import('../commands/wal.ts')).check, OPENS));
};
