// Restoring.

import { add, type Branch, wholeNumber } from './tree.ts';

export const restoreCommands: Branch = (program, call) => {
  add(
    program,
    'restore',
    'bring the cluster back into an empty folder, whole or as it was at a moment',
    "spillway restore --into /srv/restored --at '2026-11-23 14:03:12+02:00' --start",
  )
    .requiredOption('--into <folder>', 'empty or new folder to restore into')
    .option('--at <time>', 'to this moment, with its zone: 2026-11-23T14:03:12+02:00')
    .option('--lsn <lsn>', 'to this WAL position')
    .option('--xid <id>', 'to this transaction')
    .option('--name <name>', 'to this named restore point')
    .option('--immediate', 'to the end of the backup, as soon as it is consistent')
    .option('--exclusive', 'stop just before the target')
    .option('--timeline <n>', 'follow this timeline', wholeNumber(1, 0xff_ff_ff_ff))
    .option('--backup <id>', 'begin with this backup (else the best one for the target)')
    .option('--workers <n>', 'threads that fetch, decrypt and write', wholeNumber(1, 64))
    .option('--dry-run', 'show the plan and do nothing')
    .option('--start', 'start the server there and wait for the end of its recovery')
    .option('--port <n>', 'port of the started server', wholeNumber(1, 65_535))
    .option('--log <file>', 'log file of the started server')
    .action(call(async () => (await import('../commands/restore.ts')).restore));
};
