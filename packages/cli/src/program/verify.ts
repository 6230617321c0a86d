// Proof that what is stored can be had back.

import { Option } from 'commander';
import { add, type Branch, wholeNumber } from './tree.ts';

export const verifyCommands: Branch = (program, call) => {
  add(
    program,
    'verify [backup-ids...]',
    'verify the newest backup, those named, or with --all the whole repository of the cluster',
    'spillway verify --all',
  )
    .option('--all', 'every backup and dump, all WAL, and the packs themselves')
    .addOption(
      new Option('--level <level>', 'structure looks whether all is there, data reads and checks every chunk')
        .choices(['structure', 'data'])
        .default('data'),
    )
    .option('--workers <n>', 'threads that read, decrypt and hash', wholeNumber(1, 64))
    .option('--stats', 'tell what was asked of the storage, and about what it costs')
    .action(call(async () => (await import('../commands/verify.ts')).verify));
};
