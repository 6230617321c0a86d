// The command tree as plain data, from which completions and the manual page are made. Hidden commands are left out.

import type { Argument, Command as CommanderCommand, Option } from 'commander';
import { exampleOf } from './tree.ts';

export interface OptionDescription {
  /** `--type`; an option without a long form has its short one here. */
  readonly long: string;
  readonly short: string | undefined;
  /** As the help writes it: `--type <type>`. */
  readonly flags: string;
  readonly description: string;
  /** `type` of `--type <type>`; undefined where the option takes no value. */
  readonly value: string | undefined;
  readonly choices: readonly string[];
  readonly default: string | undefined;
}

export interface ArgumentDescription {
  readonly name: string;
  readonly required: boolean;
  readonly variadic: boolean;
  readonly choices: readonly string[];
}

export interface CommandDescription {
  /** Without `spillway`: `['wal', 'receive']`; empty for the whole program. */
  readonly path: readonly string[];
  readonly summary: string;
  readonly arguments: readonly ArgumentDescription[];
  /** Its own; those of the program hold for every command. */
  readonly options: readonly OptionDescription[];
  readonly commands: readonly CommandDescription[];
  readonly example: string | undefined;
}

export function describeTree(program: CommanderCommand, path: readonly string[] = []): CommandDescription {
  const help = program.createHelp();
  return {
    path,
    summary: program.description(),
    arguments: program.registeredArguments.map(describeArgument),
    options: help
      .visibleOptions(program)
      .map(describeOption)
      .filter(path.length === 0 ? () => true : isOwn),
    commands: help
      .visibleCommands(program)
      .filter((command) => command.name() !== 'help')
      .map((command) => describeTree(command, [...path, command.name()])),
    example: exampleOf(program),
  };
}

/** Every command that does something, in the order of the help. */
export const leavesOf = (description: CommandDescription): readonly CommandDescription[] =>
  description.commands.length === 0 ? [description] : description.commands.flatMap(leavesOf);

/** Every command and group, the program itself first. */
export const nodesOf = (description: CommandDescription): readonly CommandDescription[] => [
  description,
  ...description.commands.flatMap(nodesOf),
];

/** `[name] <file> [more...]`, as a synopsis has it. */
export const argumentText = ({ name, required, variadic }: ArgumentDescription): string => {
  const inner = variadic ? `${name}...` : name;
  return required ? `<${inner}>` : `[${inner}]`;
};

const isOwn = ({ long }: OptionDescription): boolean => long !== '--help';

const describeArgument = (argument: Argument): ArgumentDescription => ({
  name: argument.name(),
  required: argument.required,
  variadic: argument.variadic,
  choices: argument.argChoices ?? [],
});

function describeOption(option: Option): OptionDescription {
  const value = /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1];
  const preset: unknown = option.defaultValue;
  return {
    long: option.long ?? option.short ?? '',
    short: option.long === undefined ? undefined : option.short,
    flags: option.flags,
    description: option.description,
    value,
    choices: option.argChoices ?? [],
    default:
      value !== undefined && (typeof preset === 'string' || typeof preset === 'number') ? String(preset) : undefined,
  };
}
