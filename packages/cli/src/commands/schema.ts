// `spillway schema [command]`: what a command prints with --json, as JSON Schema; of all commands without one.

import { nearest, SpillwayError } from '@spillway/contract';
import { commandDocuments, commandsWithoutDocument, documentSchema } from '@spillway/contract/schemas';
import type { Command } from '../context.ts';

export const schema: Command<object> = async ({ output }, _options, ...words) => {
  const document = words.length === 0 ? allSchemas() : schemaOf(words.join(' '));
  output.result(document, () => JSON.stringify(document, undefined, 2));
  return 0;
};

const allSchemas = (): object =>
  Object.fromEntries([...commandDocuments.keys()].map((command) => [command, documentSchema(command)]));

function schemaOf(command: string): object {
  const found = documentSchema(command);
  if (found !== undefined) return found;
  const reason = commandsWithoutDocument.get(command);
  const meant = nearest(command, [...commandDocuments.keys()]);
  throw new SpillwayError('SPW_USAGE', `there is no schema for ${command}`, {
    why: reason === undefined ? 'no command of that name prints a document' : `it prints ${reason}`,
    hint: meant === undefined ? 'see all with: spillway schema' : `did you mean: spillway schema ${meant}?`,
  });
}
