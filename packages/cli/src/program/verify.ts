// Proof that what is stored can be had back.

import { Option } from 'commander';
import { add, type Branch, wholeNumber, OPENS } from './tree.ts';

const listed = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

export const verifyCommands: Branch = (program, call) => {
  add(
    program,
    'verify [backup-ids...]',
    'verify the newest backup, those named, or with --all the whole repository of the cluster',
    "spillway verify --level restore --check 'SELECT count(*) > 0 FROM sensor'",
  )
    .option('--all', 'every backup and dump, all WAL, and the packs themselves')
    .addOption(
      new Option(
        '--level <level>',
        'structure: whether all is there; data: every chunk; wal: all WAL from the backup to now; dump: pg_restore lists it; restore: into a scratch cluster, and checked there',
      )
        .choices(['structure', 'data', 'wal', 'dump', 'restore'])
        .default('data'),
    )
    .option('--sample <window>', 'of everything only the share of today, so that all is read within so many days: 7d')
    .option('--workers <n>', 'threads that read, decrypt and hash', wholeNumber(1, 64))
    .option('--check <sql>', 'with --level restore: SQL that must answer true; may be repeated', listed)
    .option('--at <time>', 'with --level restore: to this moment, instead of one chosen at random')
    .option('--lsn <lsn>', 'with --level restore: to this WAL position')
    .option('--xid <id>', 'with --level restore: to this transaction')
    .option('--name <name>', 'with --level restore: to this named restore point')
    .option('--immediate', 'with --level restore: to the end of the backup')
    .option('--exclusive', 'with --level restore: stop just before the target')
    .option('--seed <text>', 'with --level restore: what the moment is chosen by, as an earlier run told')
    .option('--stats', 'tell what was asked of the storage, and about what it costs')
    .action(call(async () => (await import('../commands/verify.ts')).verify, OPENS));
};
