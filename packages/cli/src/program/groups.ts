// In which groups and in which order the help lists the commands: by what somebody comes to do.
//
// A command that stands in no group is listed last, under "More". The test of the program holds that none is.

import type { Command as CommanderCommand } from 'commander';
import { commandAt } from './command.ts';

export const commandGroups: readonly (readonly [heading: string, commands: readonly string[]])[] = [
  ['Set up:', ['init', 'check', 'config', 'key']],
  ['Protect:', ['backup', 'wal', 'canary']],
  ['Recover:', ['backups', 'show', 'restore', 'investigate', 'timetravel', 'rewind', 'dump']],
  ['Prove:', ['status', 'doctor', 'verify', 'drill', 'anomalies', 'evidence', 'report']],
  ['Keep:', ['expire', 'hold', 'storage', 'copy', 'repair']],
  ['Serve:', ['serve', 'token', 'notify', 'job']],
  ['More:', ['lab', 'explain', 'schema', 'completion', 'man']],
];

const LAST = 'More:';

export function groupCommands(program: CommanderCommand): void {
  program
    .command('help')
    .argument('[command...]')
    .description('show the help of a command')
    .helpOption(false)
    .action((names: readonly string[]) => commandAt(program, names).help());
  const order = commandGroups.flatMap(([, commands]) => commands);
  const place = (command: CommanderCommand): number => {
    const index = order.indexOf(command.name());
    return index === -1 ? order.length : index;
  };
  // Commander lists them as they lie in its own array, and has no other word for their order.
  (program.commands as CommanderCommand[]).sort((one, other) => place(one) - place(other));
  for (const command of program.commands) {
    command.helpGroup(commandGroups.find(([, commands]) => commands.includes(command.name()))?.[0] ?? LAST);
  }
}
