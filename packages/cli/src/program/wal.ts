// WAL: received, fetched and checked.

import { add, type Branch, group, wholeNumber } from './tree.ts';

export const walCommands: Branch = (program, call) => {
  const wal = group(program, 'wal', 'receive, fetch and check WAL');
  add(wal, 'receive', 'stream WAL into the repository until stopped', 'spillway wal receive')
    .option('--new-system', 'accept a new system identifier under the old name, after pg_upgrade')
    .action(call(async () => (await import('../commands/wal.ts')).receive));
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
    .action(call(async () => (await import('../commands/wal.ts')).fetch));
  add(wal, 'check', 'look for gaps in the WAL of the repository', 'spillway wal check').action(
    call(async () => (await import('../commands/wal.ts')).check),
  );
};
