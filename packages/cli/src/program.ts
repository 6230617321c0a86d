// The command tree: the words that every command knows, and the branches (`program/`), one a noun.
//
// Nothing here imports the engine, the configuration or zod: `spillway --help` must come at once.

import { SPILLWAY_VERSION } from '@spillway/contract';
import { type Command as CommanderCommand, Option } from 'commander';
import type { Command, Context, GlobalOptions } from './context.ts';
import { backupCommands } from './program/backup.ts';
import { Complaint, SpillwayCommand } from './program/command.ts';
import { configurationCommands } from './program/configuration.ts';
import { copyCommands } from './program/copy.ts';
import { drillCommands } from './program/drill.ts';
import { dumpCommands } from './program/dump.ts';
import { evidenceCommands } from './program/evidence.ts';
import { expireCommands } from './program/expire.ts';
import { holdCommands } from './program/hold.ts';
import { explainCommands } from './program/explain.ts';
import { groupCommands } from './program/groups.ts';
import { investigateCommands } from './program/investigate.ts';
import { keyCommands } from './program/key.ts';
import { objectiveCommands } from './program/objective.ts';
import { labCommands } from './program/lab.ts';
import { referenceCommands } from './program/reference.ts';
import { remoteCommands } from './program/remote.ts';
import { reportCommands } from './program/report.ts';
import { repositoryCommands } from './program/repository.ts';
import { restoreCommands } from './program/restore.ts';
import { serviceCommands } from './program/service.ts';
import type { Branch, Wants } from './program/tree.ts';
import { typedIn } from './program/typed.ts';
import { storageCommands } from './program/storage.ts';
import { timetravelCommands } from './program/timetravel.ts';
import { verifyCommands } from './program/verify.ts';
import { walCommands } from './program/wal.ts';

const branches: readonly Branch[] = [
  repositoryCommands,
  backupCommands,
  investigateCommands,
  restoreCommands,
  timetravelCommands,
  dumpCommands,
  objectiveCommands,
  verifyCommands,
  drillCommands,
  evidenceCommands,
  reportCommands,
  keyCommands,
  walCommands,
  expireCommands,
  holdCommands,
  storageCommands,
  copyCommands,
  serviceCommands,
  remoteCommands,
  labCommands,
  configurationCommands,
  explainCommands,
  referenceCommands,
];

/** Gives the command its context; called once, after the words have been read. */
export type Start = (command: (context: Context) => Promise<number>, options: GlobalOptions) => Promise<void>;

export function createProgram(start: Start): CommanderCommand {
  const program: CommanderCommand = new SpillwayCommand('spillway')
    .description('Disaster recovery for PostgreSQL that proves itself.')
    .usage('<command> [options]')
    .version(SPILLWAY_VERSION, '--version', 'print the version')
    .option(
      '-c, --config <file>',
      'configuration file (else SPILLWAY_CONFIG, ./spillway.yaml, /etc/spillway/spillway.yaml)',
    )
    .option('--cluster <name>', 'cluster of the configuration (else SPILLWAY_CLUSTER, or the only one)')
    .option('--repository <place>', 'the copy of the repository to work on, by its name under copies (else the first)')
    .option('--service <url>', 'have a service do it, from here; its token with --token-file')
    .option('--token-file <file>', 'with --service: the file with its token (else SPILLWAY_TOKEN_FILE, SPILLWAY_TOKEN)')
    .option('--ca-file <file>', 'with --service: certificates of an authority to trust beside those of the system')
    .option('--detach', 'with --service: start the job and do not wait for its end')
    .option('--json', 'print the result as one JSON document')
    .option('--json-lines', 'as --json, and progress and notices as one JSON object a line on stderr')
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

  const call =
    <Options>(load: () => Promise<Command<Options>>, wants?: Wants) =>
    (...given: readonly unknown[]): Promise<void> => {
      const commander = given.at(-1) as CommanderCommand;
      const words = commander.processedArgs.flat().filter((word): word is string => typeof word === 'string');
      return start(async (context) => {
        const { service, detach } = context.options;
        if (service === undefined && detach === true) {
          throw new Complaint(commander, '--detach goes with --service', 'what runs here ends with its command');
        }
        if (service !== undefined && wants?.speaks !== true) {
          return (await import('./remote/run.ts')).runThere(context, service, typedIn(commander));
        }
        if (wants?.repository === true) await (await import('./session.ts')).beginAhead(context);
        return (await load())(context, commander.opts<Record<string, unknown>>() as Options, ...words);
      }, program.opts<GlobalOptions & Record<string, unknown>>());
    };

  for (const branch of branches) branch(program, call);
  groupCommands(program);
  return program;
}

const generalHelp = `
Examples:
  $ spillway init                      make the repository
  $ spillway check                     see that all is ready
  $ spillway wal receive               stream WAL; leave it running
  $ spillway backup                    back up
  $ spillway restore --into /srv/restored --at '2026-11-23 14:03:12Z' --start

Exit codes: 0 done, 1 failed, 2 wrong words or configuration, 3 done with
warnings, 10 no repository, 11 locked, 12 wrong key, 13 damage or an alarm,
14 objective missed, 15 refused for safety, 20 PostgreSQL unreachable,
21 storage unreachable, 22 service unreachable, 130 and 143 stopped. Take any
other code for a failure. wal fetch: 1 not there, above 125 a failure.`;
