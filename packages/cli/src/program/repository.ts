// The repository: made and tested.

import { Option } from 'commander';
import { add, type Branch } from './tree.ts';

export const repositoryCommands: Branch = (program, call) => {
  add(program, 'init', 'make the repository and print its recovery key', 'spillway init').action(
    call(async () => (await import('../commands/init.ts')).init),
  );
  add(program, 'check', 'test everything that backup and WAL need, and say what is wrong', 'spillway check')
    .addOption(
      new Option('--source <source>', 'where backups are to come from; for stream the files need not be in reach')
        .choices(['local', 'stream'])
        .default('local'),
    )
    .option('--nagios', 'one line and the exit codes of a monitoring plugin: 0 ok, 1 warning, 2 critical, 3 unknown')
    .action(call(async () => (await import('../commands/check.ts')).check));
  add(
    program,
    'doctor',
    'look at everything that recovery hangs on, and say in which order to mend what is wrong',
    'spillway doctor',
  ).action(call(async () => (await import('../commands/doctor.ts')).doctor(program.version() ?? '')));
};
