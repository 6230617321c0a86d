// How a branch of the command tree is declared: the words, an example, and the module that does it, loaded when called.
//
// Nothing in this folder imports the engine, the configuration or zod: `spillway --help` must come at once.

import { type Command as CommanderCommand, InvalidArgumentError } from 'commander';
import type { Command } from '../context.ts';

/** A command's action: loads its module when it is called, and runs it with the options and arguments that were read. */
export type Call = <Options>(
  load: () => Promise<Command<Options>>,
  wants?: Wants,
) => (...given: readonly unknown[]) => Promise<void>;

/** What is begun for a command before its modules are loaded. */
export interface Wants {
  readonly repository?: boolean;
  /** With --service it speaks to the service itself, instead of being sent there. */
  readonly speaks?: boolean;
}

/** Of a command that opens the repository, nearly whatever it is asked. */
export const OPENS: Wants = { repository: true };

/** Of a command that speaks to a service itself. */
export const SPEAKS: Wants = { speaks: true };

/** Adds the commands of one noun. */
export type Branch = (program: CommanderCommand, call: Call) => void;

/** `isDefault`: it is what its group does when no command of it is named. */
export function add(
  parent: CommanderCommand,
  words: string,
  description: string,
  example: string,
  { isDefault = false }: { readonly isDefault?: boolean } = {},
): CommanderCommand {
  const command = parent
    .command(words, { isDefault })
    .description(description)
    .addHelpText('after', `\nExample:\n  $ ${example}`);
  examples.set(command, example);
  return command;
}

const examples = new WeakMap<CommanderCommand, string>();

/** The example a command was added with; Commander cannot be asked for its help texts. */
export const exampleOf = (command: CommanderCommand): string | undefined => examples.get(command);

export const group = (parent: CommanderCommand, word: string, description: string): CommanderCommand =>
  parent.command(word).description(description);

export const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
