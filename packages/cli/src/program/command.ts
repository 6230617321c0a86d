// A command as Commander has it, but for how it complains: in our words, with the command that the words were meant for.
//
// 1. What is wrong comes first, then what was near or what there is, then the help that tells the rest.
// 2. A group without a command (`spillway wal`), and the program alone, are errors that name what there is: a script that
//    lost a word must not pass for one that did its work, and a page of help would hide the sentence.

import { Command as CommanderCommand, type HelpContext } from 'commander';

/** What was wrong with the words; becomes SPW_USAGE where errors are told. */
export class Complaint extends Error {
  override readonly name = 'Complaint';
  readonly why: string;
  readonly hint: string;

  constructor(command: CommanderCommand, message: string, why: string) {
    super(message);
    this.why = why;
    this.hint = `see how it is called: ${nameOf(command)} --help`;
  }
}

export class SpillwayCommand extends CommanderCommand {
  override createCommand(name?: string): SpillwayCommand {
    return new SpillwayCommand(name);
  }

  override error(message: string, options?: { readonly code?: string }): never {
    throw complaintOf(this, options?.code, message);
  }

  /** As an error only Commander itself asks for it, where no command was named. */
  override help(context?: HelpContext | ((text: string) => string)): never {
    if (typeof context === 'function') return super.help(context);
    if (context?.error === true) throw new Complaint(this, `${nameOf(this)} needs a command`, whatThereIs(this));
    return super.help(context);
  }
}

/** The command of those names below `program`. Throws a complaint where there is none. */
export function commandAt(program: CommanderCommand, names: readonly string[]): CommanderCommand {
  let at = program;
  for (const name of names) {
    const next = at.commands.find((command) => command.name() === name);
    if (next === undefined) throw new Complaint(at, `${nameOf(at)} has no command '${name}'`, whatThereIs(at));
    at = next;
  }
  return at;
}

/** Commander's complaint in our words: `error: unknown option '--jso'\n(Did you mean --json?)`. */
function complaintOf(command: CommanderCommand, code: string | undefined, said: string): Complaint {
  const [first = '', suggestion] = said.replace(/^error: /, '').split('\n');
  const meant = suggestion?.replace(/^\(Did/, 'did').replace(/\)$/, '');
  switch (code) {
    case 'commander.unknownCommand':
      return new Complaint(command, first, meant ?? whatThereIs(command));
    case 'commander.unknownOption':
      return new Complaint(command, first, meant ?? `${nameOf(command)} has no such option`);
    case 'commander.excessArguments': {
      const excess = command.args.slice(command.registeredArguments.length);
      return new Complaint(command, `too many arguments: ${excess.join(' ')}`, calledAs(command));
    }
    default: {
      // `option '--type <type>' argument 'x' is invalid. Allowed choices are full, incremental.`
      const [what = '', ...rest] = first.split(/(?<= is invalid(?: for argument '[^']*')?)\. /);
      return new Complaint(command, what, rest.length === 0 ? calledAs(command) : rest.join('. '));
    }
  }
}

/** `spillway wal check`. */
const nameOf = (command: CommanderCommand): string =>
  command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;

const calledAs = (command: CommanderCommand): string =>
  `it is called as: ${command.createHelp().commandUsage(command)}`;

function whatThereIs(command: CommanderCommand): string {
  const names = command
    .createHelp()
    .visibleCommands(command)
    .map((each) => each.name())
    .filter((name) => name !== 'help');
  if (names.length === 0) return `${nameOf(command)} has no commands below it`;
  return names.length === 1
    ? `there is ${names.join()}`
    : `there are ${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
}
