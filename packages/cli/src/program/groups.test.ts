import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from 'commander';
import { createProgram } from '../program.ts';
import { describeTree } from './describe.ts';
import { commandGroups } from './groups.ts';

test('the help lists every command in one group, in the order of the groups', () => {
  const tree = describeTree(createProgram(async () => undefined));
  const listed = tree.commands.map(({ path }) => path.join(' '));
  assert.deepEqual(
    listed,
    commandGroups.flatMap(([, commands]) => commands).filter((name) => listed.includes(name)),
  );
  const help = createProgram(async () => undefined).helpInformation();
  for (const [heading] of commandGroups) assert.ok(help.includes(`\n${heading}\n`), heading);
});

test('no line of any help is wider than a terminal', () => {
  const widest = (command: Command): void => {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => 80 });
    command.outputHelp();
    for (const line of help.split('\n')) assert.ok(line.length <= 80, `${line.length} columns: ${line}`);
    command.commands.forEach(widest);
  };
  widest(createProgram(async () => undefined));
});
