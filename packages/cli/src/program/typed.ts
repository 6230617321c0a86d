// What somebody typed of a command: its words, arguments and options, without the defaults. It is what is sent to a service.

import type { Command as CommanderCommand } from 'commander';
import type { Typed } from '../remote/request.ts';

export function typedIn(command: CommanderCommand): Typed {
  const names: string[] = [];
  for (let at: CommanderCommand | null = command; at?.parent != null; at = at.parent) names.unshift(at.name());
  const typed = command.options.filter((option) => command.getOptionValueSource(option.attributeName()) === 'cli');
  return {
    command: names.join(' '),
    options: new Map(
      typed.map((option): [string, unknown] => [
        (option.long ?? '').replace(/^--/, ''),
        option.negate ? true : command.getOptionValue(option.attributeName()),
      ]),
    ),
    words: command.processedArgs,
  };
}
