// What Spillway says of itself: completions, the manual page, the schemas of its documents.

import { Argument } from 'commander';
import { describeTree } from './describe.ts';
import { add, type Branch } from './tree.ts';

export const referenceCommands: Branch = (program, call) => {
  add(program, 'completion', 'print the completion script of a shell', 'source <(spillway completion bash)')
    .addArgument(new Argument('<shell>', 'bash, zsh or fish').choices(['bash', 'zsh', 'fish']))
    .action(call(async () => (await import('../commands/completion.ts')).completion(describeTree(program))));
  add(program, 'man', 'print the manual page', 'spillway man | man -l -').action(
    call(async () => (await import('../commands/man.ts')).man(describeTree(program), program.version() ?? '')),
  );
  add(
    program,
    'schema [command...]',
    'print the JSON Schema of what a command prints with --json, or of all',
    'spillway schema wal check',
  ).action(call(async () => (await import('../commands/schema.ts')).schema));
  // Asked by the completion scripts at every Tab.
  program
    .command('__complete <what>', { hidden: true })
    .action(call(async () => (await import('../commands/completion.ts')).complete));
};
