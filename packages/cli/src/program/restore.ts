// Restoring, and rewinding a former primary.

import { Option } from 'commander';
import { add, type Branch, wholeNumber, OPENS } from './tree.ts';

const listed = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

export const restoreCommands: Branch = (program, call) => {
  add(
    program,
    'restore',
    'bring the cluster back, whole or as it was at a moment, into an empty folder or in place; or tables of it',
    "spillway restore --into /srv/restored --at '2026-11-23 14:03:12Z' --start",
  )
    .option('--into <folder>', 'empty or new folder to restore into; with --delta a data directory')
    .option(
      '--table <name>',
      'instead of the cluster this table, as SQL names it: public.sensor, or \'"My Table"\'; may be repeated',
      listed,
    )
    .option('--beside', 'with --table: its rows beside the live table, under another name (the default)')
    .option('--swap', 'with --table: in the live table, after the difference was shown; asks for the name')
    .option('--file <file>', 'with --table: into a file that ends in .csv, .sql or .dump')
    .option('--as <name>', 'with --beside: the name of the new table')
    .option('--without-indexes', 'with --beside: without indexes and constraints')
    .option('--unlogged', 'with --table: new tables are UNLOGGED, so neither published nor safe from a crash')
    .option('--lock', 'with --swap: let writers wait from before the comparison on')
    .option('--at <time>', 'to this moment, with its zone: 2026-11-23T14:03:12+02:00')
    .option('--lsn <lsn>', 'to this WAL position')
    .option('--xid <id>', 'to this transaction')
    .option('--name <name>', 'to this named restore point')
    .option('--immediate', 'to the end of the backup, as soon as it is consistent')
    .option('--exclusive', 'stop just before the target')
    .option('--timeline <n>', 'follow this timeline', wholeNumber(1, 0xff_ff_ff_ff))
    .option('--backup <id>', 'begin with this backup (else the best one for the target)')
    .option('--delta', 'overwrite the data directory that is there, and fetch only what differs')
    .option('--force-other-system', 'with --delta: also where it is that of another cluster')
    .option('--yes', 'go on without asking; needs --confirm')
    .option('--confirm <cluster>', 'the name of the cluster whose files or tables are overwritten')
    .option(
      '--tablespace <which=folder>',
      'put a tablespace elsewhere, by oid, name or old path; may be repeated',
      listed,
    )
    .option('--tablespace-all-into <folder>', 'put every other tablespace into a folder of its own in here')
    .option('--wal-directory <folder>', 'put pg_wal there, and a link in its place')
    .option(
      '--database <name>',
      'only this database, others are left empty, to be dropped; may be repeated; with --table the one it is in',
      listed,
    )
    .addOption(
      new Option('--target-action <action>', 'what the server does at the target').choices([
        'promote',
        'pause',
        'shutdown',
      ]),
    )
    .option('--standby', 'come up as a standby')
    .option('--primary <conninfo>', 'with --standby: how to reach the primary, without a password')
    .option('--primary-slot <name>', 'with --standby: the slot it streams from')
    .option('--workers <n>', 'threads that fetch, decrypt and write', wholeNumber(1, 64))
    .option('--dry-run', 'show the plan and do nothing')
    .option('--start', 'start the server there and wait for the end of its recovery')
    .option('--isolated', 'with --start: reachable from this machine alone, and nothing in it reaches out')
    .option('--port <n>', 'port of the started server', wholeNumber(1, 65_535))
    .option('--log <file>', 'log file of the started server')
    .option('--stats', 'tell what was asked of the storage, and about what it costs')
    .action(call(async () => (await import('../commands/restore.ts')).restore, OPENS));
  add(
    program,
    'rewind',
    'bring a former primary back as a standby of the server that took over',
    "spillway rewind --data-directory /srv/postgresql/main --source 'host=db2'",
  )
    .requiredOption('--data-directory <folder>', 'data directory of the former primary, shut down cleanly')
    .option(
      '--source <conninfo>',
      'the server that took over: host, port, user, dbname, sslmode, sslrootcert, without a password (else as the cluster is configured)',
    )
    .option('--primary <conninfo>', 'how the standby reaches it, without a password (else as --source does)')
    .option('--primary-slot <name>', 'the slot it streams from')
    .option(
      '--keep-into <folder>',
      'keep aside there what only the former primary has (else beside its data directory)',
    )
    .option('--dry-run', 'show what was decided, and do nothing')
    .option('--yes', 'go on without asking; needs --confirm')
    .option('--confirm <cluster>', 'the name of the cluster whose former primary is rewound')
    .action(call(async () => (await import('../commands/rewind.ts')).rewind));
};
