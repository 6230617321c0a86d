import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandDocuments, commandsWithoutDocument, documentSchema } from '@spillway/contract/schemas';
import { createProgram } from '../program.ts';
import { describeTree, leavesOf } from './describe.ts';

const commands = leavesOf(describeTree(createProgram(async () => undefined))).map(({ path }) => path.join(' '));

test('every command has a document, or a reason to have none, and nothing else has one', () => {
  const known = [...commandDocuments.keys(), ...commandsWithoutDocument.keys()];
  assert.deepEqual(
    commands.filter((command) => !known.includes(command)),
    [],
    'commands in neither list of packages/contract/src/documents/registry.ts',
  );
  assert.deepEqual(
    known.filter((name) => name !== 'error' && !commands.includes(name)),
    [],
    'entries for which there is no command',
  );
  assert.equal(new Set(known).size, known.length, 'in both lists');
});

test('a schema takes fields that it does not know, at every depth', () => {
  for (const command of commandDocuments.keys()) {
    assert.doesNotMatch(JSON.stringify(documentSchema(command)), /"additionalProperties":false/, command);
  }
});
