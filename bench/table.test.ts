import assert from 'node:assert/strict';
import { test } from 'node:test';
import { summarise } from './comparison.ts';
import { fullEmpty } from './scenarios/full-empty.ts';
import { renderGoals, renderScenario, renderTable } from './table.ts';

const sample = { scenario: 'full-empty', cpuSeconds: 1, serverCpuSeconds: 0.1, peakBytes: 2 ** 20 * 50 };
const results = summarise([
  { ...sample, peer: 'spillway', seconds: 1.5, storedBytes: 2 ** 20 },
  { ...sample, peer: 'pgbackrest', seconds: 2, storedBytes: 2 ** 21 },
]);

test('columns are as wide as their widest cell', () => {
  assert.equal(
    renderTable([
      ['a', 'b'],
      ['long', '1'],
      ['x', '1000'],
    ]),
    '  a        b\n  long     1\n  x     1000',
  );
});

test('the ratio is to the reference, and a dash where that did not take part', () => {
  const lines = renderScenario(fullEmpty, results, 'pgbackrest').split('\n');
  assert.match(lines[2] ?? '', /^ {2}spillway +1\.50 +1\.50\.\.1\.50 +0\.75 +1\.00 +0\.10 +50 +1\.00$/);
  assert.doesNotMatch(lines[1] ?? '', /read MiB/);
  assert.match(lines[3] ?? '', /pgbackrest +2\.00 +2\.00\.\.2\.00 +1\.00/);
  assert.match(renderScenario(fullEmpty, results, 'other').split('\n')[2] ?? '', /1\.50\.\.1\.50 +- /);
});

test('a missed goal stands out, and what has no goal is not among them', () => {
  const row = { scenario: 's', peer: 'p', ours: 1, theirs: 2 };
  const text = renderGoals([
    { ...row, ratio: 0.5, goal: 0.75, met: true },
    { ...row, ratio: 0.8, goal: 0.75, met: false },
    { ...row, peer: 'q', ratio: 0.8, goal: null, met: null },
  ]);
  assert.match(text, /0\.50 +at most 0\.75 +met\n.*0\.80 +at most 0\.75 +MISSED/);
  assert.doesNotMatch(text, /\/ q/);
  assert.equal(renderGoals([]), 'no goal could be judged');
});

test('what was skipped stands below with its reason, and a limit with its unit', () => {
  const row = { ours: 1, ratio: 0.5, goal: 1, met: true, peer: 'limit' };
  const text = renderGoals(
    [
      { ...row, scenario: 'start', theirs: 0.12 },
      { ...row, scenario: 'open-memory', theirs: 400 * 2 ** 20 },
    ],
    [{ scenario: 'full', peer: 'other', why: 'there is no program other' }],
  );
  assert.match(text, /start +\/ 0\.12 s +0\.50/);
  assert.match(text, /open-memory +\/ 400 MiB +0\.50/);
  assert.match(text, /skipped\n +full +\/ other: +there is no program other/);
});
