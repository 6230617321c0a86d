import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { catalogue, type MetricOf, parts } from './catalogue.ts';

const page = await readFile(join(import.meta.dirname, '..', '..', '..', '..', 'docs', 'metrics.md'), 'utf8');

test('the page of the metrics has each of them as it is, and no other', () => {
  const rows = Object.entries<MetricOf>(catalogue).map(
    ([name, { type, labels, help, part }]) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(' ')} | ${help} | ${part ?? ''} |`,
  );
  const told = page.match(/^\| `.*$/gm) ?? [];
  assert.deepEqual([...told], rows);
});

test('no label is of what has no end: ids, times, texts', () => {
  const bounded = [
    'certificate',
    'channel',
    'cluster',
    'command',
    'from',
    'kind',
    'level',
    'outcome',
    'part',
    'replica',
  ];
  bounded.push(
    'repository',
    'rule',
    'scenario',
    'server',
    'severity',
    'slot',
    'state',
    'status',
    'type',
    'verification',
  );
  const used = new Set(Object.values<MetricOf>(catalogue).flatMap(({ labels }) => labels));
  used.delete('version');
  assert.deepEqual([...used].toSorted(), bounded.toSorted());
});

test('names are as Prometheus wants them: what only rises ends with _total, and nothing else does', () => {
  for (const [name, { type, help }] of Object.entries<MetricOf>(catalogue)) {
    assert.match(name, /^[a-z][a-z0-9_]*$/);
    assert.equal(name.endsWith('_total'), type === 'counter', name);
    assert.ok(!/_(?:ms|milliseconds|minutes|kb|mb)(?:_|$)/.test(name), name);
    assert.ok(help.length >= 6, name);
  }
  const used = new Set(Object.values<MetricOf>(catalogue).flatMap(({ part }) => part ?? []));
  assert.deepEqual([...used].toSorted(), [...parts].toSorted());
});
