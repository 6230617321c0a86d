import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OperationEvent } from '@spillway/contract';
import { createJsonProgress } from './json-progress.ts';

const copying = (done: number): OperationEvent => ({ type: 'progress', phase: 'copying files', done_bytes: done });
const warning: OperationEvent = { type: 'notice', level: 'warning', message: 'slow' };
const info: OperationEvent = { type: 'notice', level: 'info', message: 'fine' };

function told(
  quiet: boolean,
  ...events: readonly (readonly [milliseconds: number, OperationEvent])[]
): readonly unknown[] {
  let clock = 0;
  const lines: string[] = [];
  const { report, end } = createJsonProgress({ write: (line) => lines.push(line), now: () => new Date(clock), quiet });
  for (const [at, event] of events) {
    clock = at;
    report(event);
  }
  end();
  report(warning);
  return lines.map((line) => {
    assert.ok(line.endsWith('\n') && line.indexOf('\n') === line.length - 1, 'one line each');
    return JSON.parse(line);
  });
}

test('a phase is told when it begins and then once a second, notices always, and nothing after the end', () => {
  const seen = told(
    false,
    [0, copying(0)],
    [500, copying(5)],
    [600, info],
    [1000, copying(10)],
    [1100, { type: 'progress', phase: 'waiting for WAL', done_bytes: 0 }],
  );
  assert.deepEqual(seen, [
    { type: 'progress', at: '1970-01-01T00:00:00.000Z', phase: 'copying files', done_bytes: 0 },
    { type: 'notice', at: '1970-01-01T00:00:00.600Z', level: 'info', message: 'fine' },
    { type: 'progress', at: '1970-01-01T00:00:01.000Z', phase: 'copying files', done_bytes: 10 },
    { type: 'progress', at: '1970-01-01T00:00:01.100Z', phase: 'waiting for WAL', done_bytes: 0 },
  ]);
});

test('quiet leaves only warnings', () => {
  assert.deepEqual(told(true, [0, copying(0)], [1, info], [2, warning]), [
    { type: 'notice', at: '1970-01-01T00:00:00.002Z', level: 'warning', message: 'slow' },
  ]);
});
