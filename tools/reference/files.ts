// The files that are made from the program: the command line itself is asked for them, as a reader would, and the service for the
// document of its API, from which the client's types are made.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openApiDocument } from '../api-types/openapi.ts';
import { typesOf } from '../api-types/client-types.ts';
import { documentsPage, type JsonSchema } from './documents-page.ts';

const run = promisify(execFile);

/** By their path in the project. */
export async function referenceFiles(root: string): Promise<ReadonlyMap<string, string>> {
  const ask = async (...words: string[]): Promise<string> => {
    const all = [join(root, 'packages/cli/bin/spillway.js'), ...words];
    return (await run(process.execPath, all, { maxBuffer: 64 * 1024 * 1024 })).stdout;
  };
  const [manual, schemas, configuration, api] = await Promise.all([
    ask('man'),
    ask('schema'),
    ask('config', 'schema'),
    openApiDocument(),
  ]);
  const byCommand = JSON.parse(schemas) as Readonly<Record<string, JsonSchema>>;
  return new Map([
    ['docs/man/spillway.1', manual],
    ['docs/json.md', documentsPage(byCommand)],
    ['docs/schema/spillway.yaml.json', configuration],
    ['docs/openapi.json', `${JSON.stringify(api, undefined, 2)}\n`],
    ['packages/client/src/api.ts', await typesOf(api)],
    ...Object.entries(byCommand).map(
      ([command, schema]) =>
        [`docs/schema/${command.replaceAll(' ', '-')}.json`, `${JSON.stringify(schema, undefined, 2)}\n`] as const,
    ),
  ]);
}
