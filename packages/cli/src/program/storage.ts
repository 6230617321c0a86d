// The storage beneath the repository.

import { add, type Branch, group } from './tree.ts';

export const storageCommands: Branch = (program, call) => {
  const storage = group(program, 'storage', 'the bucket that the repository is in');
  add(
    storage,
    'recover',
    'put back what somebody hid or overwrote in a bucket that keeps versions',
    'spillway storage recover --dry-run',
  )
    .option('--dry-run', 'show what was done to the objects, and put nothing back')
    .action(call(async () => (await import('../commands/recover.ts')).recover));
};
