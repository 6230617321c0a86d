import assert from 'node:assert/strict';
import { test } from 'node:test';
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
