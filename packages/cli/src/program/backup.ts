// Backups: made, listed and shown.

import { Option } from 'commander';
import { add, type Branch, wholeNumber, OPENS } from './tree.ts';

export const backupCommands: Branch = (program, call) => {
  add(program, 'backup', 'back up the cluster', 'spillway backup --type full')
    .addOption(
      new Option('--type <type>', 'full reads everything again, incremental only what changed')
        .choices(['full', 'incremental'])
        .default('incremental'),
    )
    .addOption(
      new Option(
        '--source <source>',
        'beside the data directory (else backup.source of the configuration), over the replication protocol, or pg_dump: with data or without',
      ).choices(['local', 'stream', 'logical', 'schema']),
    )
    .option('--database <names...>', 'dump these databases (logical and schema only; else all)')
    .option('--workers <n>', 'threads that read, compress and encrypt', wholeNumber(1, 64))
    .option('--compression-level <n>', 'zstd level, 0 for none', wholeNumber(0, 19))
    .option('--new-system', 'accept a new system identifier under the old name, after pg_upgrade')
    .option('--stats', 'tell what was asked of the storage, and about what it costs')
    .action(call(async () => (await import('../commands/backup.ts')).backup, OPENS));
  add(program, 'backups', 'list the backups and the recovery window', 'spillway backups --json').action(
    call(async () => (await import('../commands/backups.ts')).backups, OPENS),
  );
  add(
    program,
    'show <backup-id>',
    'show one backup; the beginning of its id, or of its last part, is enough',
    'spillway show 1a2b',
  ).action(call(async () => (await import('../commands/show.ts')).show, OPENS));
};
