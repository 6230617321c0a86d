// The table of docs/rules.md names, for each rule, code and tests; here it is held to what is there.
//
// A row without tests must be told of under "Not yet", so that none is made up and none forgotten.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

const RULES = 40;
const root = join(import.meta.dirname, '..');

interface Rule {
  readonly number: number;
  readonly sentence: string;
  readonly code: readonly string[];
  readonly tests: readonly { readonly path: string; readonly titles: readonly string[] }[];
}

const text = await readFile(join(root, 'docs/rules.md'), 'utf8');
const rules = text.split('\n').flatMap((line) => {
  const [number, sentence, code, tests] = line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, ''));
  if (!/^\d+$/.test(number ?? '')) return [];
  return [readRule(Number(number), sentence ?? '', code ?? '', tests ?? '')];
});
const notYet = new Set([...text.matchAll(/^- rule (\d+): \S/gm)].map(([, number]) => Number(number)));

function readRule(number: number, sentence: string, code: string, tests: string): Rule {
  return {
    number,
    sentence,
    code: [...code.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path),
    tests: tests.split('<br>').flatMap((each) => {
      const path = /^`([^`]+)`: /.exec(each)?.[1];
      if (path === undefined) return [];
      return [{ path, titles: [...each.matchAll(/"([^"]+)"/g)].map(([, title = '']) => title) }];
    }),
  };
}

test('every rule has its row, and no other', () => {
  assert.deepEqual(
    rules.map(({ number }) => number),
    Array.from({ length: RULES }, (_, i) => i + 1),
  );
  for (const { number, sentence } of rules) assert.match(sentence, /\.$/, `rule ${number}`);
});

test('a rule without code or tests is told of as not yet there', () => {
  const without = rules.filter(({ code, tests }) => code.length === 0 || tests.length === 0);
  for (const { number } of without) assert.ok(notYet.has(number), `rule ${number}`);
  for (const number of notYet) assert.ok(number >= 1 && number <= RULES, `rule ${number}`);
});

test('every file that a rule names is there', () => {
  for (const { number, code, tests } of rules) {
    for (const path of [...code, ...tests.map((each) => each.path)]) {
      assert.ok(existsSync(join(root, path)), `rule ${number} names ${path}`);
    }
  }
});

test('every test that a rule names stands in its file', async () => {
  for (const { number, tests } of rules) {
    for (const { path, titles } of tests) {
      assert.ok(titles.length > 0, `rule ${number} names no test of ${path}`);
      const source = await readFile(join(root, path), 'utf8');
      for (const title of titles) assert.ok(source.includes(title), `rule ${number}: ${path} has no "${title}"`);
    }
  }
});
