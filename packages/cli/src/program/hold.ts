// Legal holds on backups and dumps.

import { add, type Branch, group } from './tree.ts';

export const holdCommands: Branch = (program, call) => {
  const hold = group(program, 'hold', 'legal holds: backups and dumps that stay whatever the retention says');
  add(
    hold,
    'add <backup-id>',
    'keep a backup or dump until it is let go; the beginning of its id is enough',
    'spillway hold add 9d2e0f7e --reason "case 4711"',
  )
    .requiredOption('--reason <text>', 'why, for whoever finds it in years')
    .action(call(async () => (await import('../commands/hold.ts')).addHold));
  add(hold, 'list', 'list what is on hold, why and by whom', 'spillway hold list')
    .option('--all', 'also holds that have ended')
    .action(call(async () => (await import('../commands/hold.ts')).listHolds));
  add(
    hold,
    'remove <backup-id>',
    'let a backup or dump go again: from now on the retention decides',
    'spillway hold remove 9d2e0f7e --reason "case 4711 is closed"',
  )
    .requiredOption('--reason <text>', 'why it may go')
    .option('--confirm <cluster>', 'with --service: the name of the cluster, instead of typing it')
    .action(call(async () => (await import('../commands/hold.ts')).removeHold));
};
