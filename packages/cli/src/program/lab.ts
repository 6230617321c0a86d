// Throw-away clusters.

import { add, type Branch, group, wholeNumber } from './tree.ts';

export const labCommands: Branch = (program, call) => {
  const lab = group(program, 'lab', 'throw-away clusters to try things on');
  add(lab, 'up [name]', 'make and start a throw-away cluster, with a configuration for it', 'spillway lab up')
    .option('--major <n>', 'PostgreSQL major version', wholeNumber(15, 99))
    .option('--port <n>', 'port of its server', wholeNumber(1, 65_535))
    .action(call(async () => (await import('../commands/lab.ts')).up));
  add(lab, 'down [name]', 'stop a throw-away cluster and remove it with its repository', 'spillway lab down')
    .option('--keep', 'stop it only')
    .option('--yes', 'go on without asking; needs --confirm')
    .option('--confirm <name>', 'the name of what is removed')
    .action(call(async () => (await import('../commands/lab.ts')).down));
  add(lab, 'list', 'list the throw-away clusters', 'spillway lab list').action(
    call(async () => (await import('../commands/lab.ts')).list),
  );
  add(lab, 'psql [name] [arguments...]', 'open psql on a throw-away cluster', "spillway lab psql -- -c 'select 1'")
    .option('--port <number>', 'of a server restored from it', wholeNumber(1, 65_535))
    .action(call(async () => (await import('../commands/lab.ts')).psql));
};
