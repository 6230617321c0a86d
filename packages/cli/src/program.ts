// The command tree: every command with its options, an example each, and the module that does it, loaded when called.
//
// Nothing here imports the engine, the configuration or zod: `spillway --help` must come at once.

import { Command as CommanderCommand, InvalidArgumentError, Option } from 'commander';
import type { Command, Context, GlobalOptions } from './context.ts';

/** Gives the command its context; called once, after the words have been read. */
export type Start = (command: (context: Context) => Promise<number>, options: GlobalOptions) => Promise<void>;

export function createProgram(start: Start): CommanderCommand {
  const program = new CommanderCommand('spillway')
    .description('Disaster recovery for PostgreSQL that proves itself.')
    .usage('<command> [options]')
    .version('0.1.0', '--version', 'print the version')
    .option(
      '-c, --config <file>',
      'configuration file (else SPILLWAY_CONFIG, ./spillway.yaml, /etc/spillway/spillway.yaml)',
    )
    .option('--cluster <name>', 'cluster of the configuration (else SPILLWAY_CLUSTER, or the only one)')
    .option('--json', 'print the result as one JSON document')
    .option('-q, --quiet', 'no progress and no notices, only warnings and errors')
    .option('-v, --verbose', 'more about what is being done')
    .option('--debug', 'show the stack of an error')
    .option('--no-input', 'never ask anything')
    .addOption(new Option('--color <when>', 'colour the output').choices(['auto', 'always', 'never']).default('auto'))
    .helpOption('-h, --help', 'show help')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: () => undefined })
    .showSuggestionAfterError(true)
    .exitOverride()
    .addHelpText('after', generalHelp);

  /** Loads the command's module when it is called, and runs it with the options and arguments that were read. */
  const call =
    <Options>(load: () => Promise<Command<Options>>) =>
    (...given: readonly unknown[]): Promise<void> => {
      const commander = given.at(-1) as CommanderCommand;
      const words = commander.processedArgs.flat().filter((word): word is string => typeof word === 'string');
      return start(
        async (context) => (await load())(context, commander.opts<Record<string, unknown>>() as Options, ...words),
        program.opts<GlobalOptions & Record<string, unknown>>(),
      );
    };

  add(program, 'init', 'make the repository and print its recovery key', 'spillway init').action(
    call(async () => (await import('./commands/init.ts')).init),
  );
  add(program, 'check', 'test everything that backup and WAL need, and say what is wrong', 'spillway check').action(
    call(async () => (await import('./commands/check.ts')).check),
  );
  add(program, 'backup', 'back up the cluster', 'spillway backup --type full')
    .addOption(
      new Option('--type <type>', 'full reads everything again, incremental only what changed')
        .choices(['full', 'incremental'])
        .default('incremental'),
    )
    .option('--workers <n>', 'threads that read, compress and encrypt', wholeNumber(1, 64))
    .option('--compression-level <n>', 'zstd level, 0 for none', wholeNumber(0, 19))
    .option('--new-system', 'accept a new system identifier under the old name, after pg_upgrade')
    .action(call(async () => (await import('./commands/backup.ts')).backup));
  add(program, 'backups', 'list the backups and the recovery window', 'spillway backups --json').action(
    call(async () => (await import('./commands/backups.ts')).backups),
  );
  add(
    program,
    'show <backup-id>',
    'show one backup; the beginning of its id, or of its last part, is enough',
    'spillway show 1a2b',
  ).action(call(async () => (await import('./commands/show.ts')).show));
  add(
    program,
    'restore',
    'bring the cluster back into an empty folder, whole or as it was at a moment',
    "spillway restore --into /srv/restored --at '2026-11-23 14:03:12+02:00' --start",
  )
    .requiredOption('--into <folder>', 'empty or new folder to restore into')
    .option('--at <time>', 'to this moment, with its zone: 2026-11-23T14:03:12+02:00')
    .option('--lsn <lsn>', 'to this WAL position')
    .option('--xid <id>', 'to this transaction')
    .option('--name <name>', 'to this named restore point')
    .option('--immediate', 'to the end of the backup, as soon as it is consistent')
    .option('--exclusive', 'stop just before the target')
    .option('--timeline <n>', 'follow this timeline', wholeNumber(1, 0xff_ff_ff_ff))
    .option('--backup <id>', 'begin with this backup (else the best one for the target)')
    .option('--workers <n>', 'threads that fetch, decrypt and write', wholeNumber(1, 64))
    .option('--dry-run', 'show the plan and do nothing')
    .option('--start', 'start the server there and wait for the end of its recovery')
    .option('--port <n>', 'port of the started server', wholeNumber(1, 65_535))
    .option('--log <file>', 'log file of the started server')
    .action(call(async () => (await import('./commands/restore.ts')).restore));

  const wal = group(program, 'wal', 'receive, fetch and check WAL');
  add(wal, 'receive', 'stream WAL into the repository until stopped', 'spillway wal receive')
    .option('--new-system', 'accept a new system identifier under the old name, after pg_upgrade')
    .action(call(async () => (await import('./commands/wal.ts')).receive));
  add(
    wal,
    'fetch <file> <destination>',
    'fetch one WAL or history file; the restore_command of a restored server',
    'spillway wal fetch 000000010000000000000003 pg_wal/RECOVERYXLOG',
  )
    .option(
      '--absent-code <n>',
      'exit code when there is no such file (every other failure is above 125)',
      wholeNumber(1, 255),
    )
    .option('--prefetch <n>', 'segments to fetch ahead', wholeNumber(0, 64))
    .action(call(async () => (await import('./commands/wal.ts')).fetch));
  add(wal, 'check', 'look for gaps in the WAL of the repository', 'spillway wal check').action(
    call(async () => (await import('./commands/wal.ts')).check),
  );

  const lab = group(program, 'lab', 'throw-away clusters to try things on');
  add(lab, 'up [name]', 'make and start a throw-away cluster, with a configuration for it', 'spillway lab up')
    .option('--major <n>', 'PostgreSQL major version', wholeNumber(15, 99))
    .option('--port <n>', 'port of its server', wholeNumber(1, 65_535))
    .action(call(async () => (await import('./commands/lab.ts')).up));
  add(lab, 'down [name]', 'stop a throw-away cluster and remove it with its repository', 'spillway lab down')
    .option('--keep', 'stop it only')
    .option('--yes', 'go on without asking; needs --confirm')
    .option('--confirm <name>', 'the name of what is removed')
    .action(call(async () => (await import('./commands/lab.ts')).down));
  add(lab, 'list', 'list the throw-away clusters', 'spillway lab list').action(
    call(async () => (await import('./commands/lab.ts')).list),
  );
  add(lab, 'psql [name] [arguments...]', 'open psql on a throw-away cluster', "spillway lab psql -- -c 'select 1'")
    .option('--port <number>', 'of a server restored from it', wholeNumber(1, 65_535))
    .action(call(async () => (await import('./commands/lab.ts')).psql));

  const config = group(program, 'config', 'check and show the configuration');
  add(config, 'check', 'check the configuration', 'spillway config check').action(
    call(async () => (await import('./commands/config.ts')).check),
  );
  add(config, 'show', 'show every setting in force and where it comes from', 'spillway config show').action(
    call(async () => (await import('./commands/config.ts')).show),
  );
  add(program, 'explain [code]', 'explain an error code, or list them all', 'spillway explain SPW_LOCKED').action(
    call(async () => (await import('./commands/explain.ts')).explain),
  );
  return program;
}

const add = (parent: CommanderCommand, words: string, description: string, example: string): CommanderCommand =>
  parent.command(words).description(description).addHelpText('after', `\nExample:\n  $ ${example}`);

const group = (parent: CommanderCommand, word: string, description: string): CommanderCommand =>
  parent.command(word).description(description);

const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };

const generalHelp = `
Examples:
  $ spillway init                      make the repository
  $ spillway check                     see that all is ready
  $ spillway wal receive               stream WAL; leave it running
  $ spillway backup                    back up
  $ spillway restore --into /srv/restored --at '2026-11-23 14:03:12+02:00' --start

Exit codes: 0 done, 1 failed, 2 wrong words or configuration, 3 done with warnings, 10 no repository, 11 locked,
12 wrong key, 13 damage, 15 refused for safety, 20 PostgreSQL unreachable, 21 storage unreachable, 130 and 143 stopped.
Take any other code for a failure. wal fetch: 1 not there, above 125 any failure.`;
