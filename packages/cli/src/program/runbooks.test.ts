// The commands in the runbooks of the alerts, held to what the command line takes.

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createProgram } from '../program.ts';

const runbooks = join(import.meta.dirname, '..', '..', '..', '..', 'docs', 'runbooks');

test('each command in a runbook exists, with its options, and whole ones have all that they want', async () => {
  let seen = 0;
  for (const name of await readdir(runbooks)) {
    for (const each of commandsIn(await readFile(join(runbooks, name), 'utf8'))) {
      assert.equal(problemWith(each), undefined, `${name}: ${each.words.join(' ')}`);
      seen++;
    }
  }
  assert.ok(seen > 50, `${seen} commands`);
});

/** The words behind `spillway` in the page: whole ones to be copied, and those that only name a command. */
const commandsIn = (text: string): readonly { readonly words: readonly string[]; readonly isWhole: boolean }[] =>
  [...text.matchAll(/```sh\n([\s\S]*?)```|`([^`\n]+)`/g)].flatMap(([, block, inline]) =>
    [...(block ?? inline ?? '').matchAll(/\bspillway ([a-z][^\n;|#)]*)/g)].flatMap(([, words = '']) =>
      // A unit of systemd.
      /^-|^\d/.test(words) ? [] : [{ words: words.trim().split(/\s+/), isWhole: block !== undefined }],
    ),
  );

/** Undefined where the command line knows the command and each of its options, and has all that it wants. */
function problemWith({ words, isWhole }: ReturnType<typeof commandsIn>[number]): string | undefined {
  const program = createProgram(() => Promise.resolve());
  let command = program;
  let at = 0;
  for (; at < words.length; at++) {
    const next = command.commands.find((each) => each.name() === words[at]);
    if (next === undefined) break;
    command = next;
  }
  if (command === program || command.commands.length > 0) return 'no such command';
  const rest = words.slice(at);
  const known = [...program.options, ...command.options].flatMap(({ long, short }) => [long, short]);
  const unknown = rest.find((word) => word.startsWith('-') && !known.includes(word.replace(/=.*/, '')));
  if (unknown !== undefined) return `no option ${unknown}`;
  const missing = command.options.find(({ mandatory, long }) => mandatory && !rest.includes(long ?? ''));
  if (isWhole && missing !== undefined) return `it wants ${missing.long ?? ''}`;
  const wanted = command.registeredArguments.filter(({ required }) => required).length;
  return isWhole && rest.filter((word) => !word.startsWith('-')).length < wanted ? 'it wants an argument' : undefined;
}
