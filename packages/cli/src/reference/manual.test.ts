import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { createProgram } from '../program.ts';
import { describeTree, leavesOf } from '../program/describe.ts';
import { escaped, manualPage } from './manual.ts';

const tree = describeTree(createProgram(async () => undefined));
const page = manualPage(tree, {
  version: '1.2.3',
  exitCodes: [[0, 'Done.']],
  environment: [['NO_COLOR', 'Without colours.']],
  files: [['./spillway.yaml', 'The configuration.']],
});

test('the page has its sections in the usual order, and every command with all its options', () => {
  assert.deepEqual(
    [...page.matchAll(/^\.SH (.*)$/gm)].map(([, name]) => name),
    ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'COMMANDS', 'OPTIONS', 'FILES', 'ENVIRONMENT', 'EXIT STATUS', 'EXAMPLES'],
  );
  const headings = [...page.matchAll(/^\.SS (.*)$/gm)].map(([, heading = '']) => heading);
  const leaves = leavesOf(tree);
  assert.equal(headings.length, leaves.length);
  for (const { path, options } of leaves) {
    assert.ok(
      headings.some((heading) => heading.startsWith(escaped(`spillway ${path.join(' ')}`))),
      path.join(' '),
    );
    for (const { flags } of options) assert.ok(page.includes(`\n.B ${escaped(flags)}\n`), flags);
  }
});

test('no text is taken for a request, and dashes can be copied', () => {
  for (const [text, expected] of [
    ['--json', '\\-\\-json'],
    ['.pgpass', '\\&.pgpass'],
    ["'quoted'", "\\&'quoted'"],
    ['a\\b', 'a\\eb'],
    ['"%p"', '\\(dq%p\\(dq'],
    ['./spillway.yaml', '\\&./spillway.yaml'],
  ] as const) {
    assert.equal(escaped(text), expected);
  }
  const requests = new Set([...page.matchAll(/^[.'](\w*)/gm)].map(([, request]) => request));
  assert.deepEqual(requests, new Set(['TH', 'SH', 'B', 'I', 'PP', 'SS', 'TP']));
});

if (existsSync('/usr/bin/groff')) {
  test('groff formats the page without a warning', () => {
    const warnings = execFileSync('/bin/sh', ['-c', 'groff -man -ww -Tutf8 - 2>&1 >/dev/null'], { input: page });
    assert.equal(warnings.toString(), '');
  });
}
