// Where a cluster stands against its objectives, and what looks like an attack.

import { Option } from 'commander';
import { add, type Branch, OPENS } from './tree.ts';

export const objectiveCommands: Branch = (program, call) => {
  add(
    program,
    'status',
    'tell whether it can be recovered, to when, how fast, and since when that is proven',
    'spillway status',
  )
    .addOption(
      new Option(
        '--format <format>',
        'nagios: one line and the exit codes of a plugin: 0 ok, 1 warning, 2 critical, 3 unknown',
      )
        .choices(['text', 'nagios'])
        .default('text'),
    )
    .action(call(async () => (await import('../commands/status.ts')).status, OPENS));
  add(
    program,
    'canary',
    'write heartbeat rows until stopped, by which loss is measured; wal receive does it by itself',
    'spillway canary',
  ).action(call(async () => (await import('../commands/canary.ts')).canary));
  add(
    program,
    'anomalies',
    'look for signs that somebody encrypts, deletes, or weakens what protects the backups',
    'spillway anomalies',
  )
    .option('--accept', 'what is found is known and in order; it is not told again')
    .option('--no-source', 'do not ask the server; the repository alone tells')
    .option('--no-record', 'leave no evidence')
    .action(call(async () => (await import('../commands/anomalies.ts')).anomalies));
};
