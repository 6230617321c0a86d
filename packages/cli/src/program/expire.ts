// Letting go of what no rule keeps.

import { add, type Branch, wholeNumber, OPENS } from './tree.ts';

export const expireCommands: Branch = (program, call) => {
  const number = wholeNumber(0, 100_000);
  add(
    program,
    'expire',
    'remove backups, dumps and WAL that no rule keeps, and collect the space',
    'spillway expire --dry-run',
  )
    .option('--dry-run', 'show what is kept and why, and remove nothing')
    .option('--keep-count <n>', 'keep the newest n', wholeNumber(1, 100_000))
    .option('--keep-days <n>', 'keep those of the last n days', number)
    .option('--keep-daily <n>', 'keep the newest of each of n days', number)
    .option('--keep-weekly <n>', 'keep the newest of each of n weeks', number)
    .option('--keep-monthly <n>', 'keep the newest of each of n months', number)
    .option('--keep-yearly <n>', 'keep the newest of each of n years', number)
    .option('--minimum-proven <n>', 'keep at least the n newest proven ones', wholeNumber(1, 1000))
    .option('--point-in-time <duration>', 'keep every moment of this time reachable, such as 7d')
    .option('--grace <duration>', 'how long packs wait before they are removed, such as 24h')
    .option('--repack-below <percent>', 'rewrite packs of which less than this is needed', wholeNumber(0, 100))
    .option('--repack-max <size>', 'rewrite at most so much in one run, such as 4GiB')
    .option('--backup <id...>', 'remove these backups or dumps instead')
    .option('--yes', 'go on without asking; needs --confirm')
    .option('--confirm <name>', 'the name of the cluster, or of the backup that is removed')
    .option('--stats', 'tell what was asked of the storage, and about what it costs')
    .action(call(async () => (await import('../commands/expire.ts')).expire, OPENS));
};
