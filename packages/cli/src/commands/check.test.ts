import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nagiosLine } from './check.ts';

test('a monitoring plugin says one line: the worst first, numbers after the bar', () => {
  const ok = { name: 'server', status: 'ok', message: 'answers' } as const;
  const warning = { name: 'WAL', status: 'warning', message: 'a | b\nc' } as const;
  const failed = { name: 'repository', status: 'failed', message: 'gone' } as const;
  for (const [status, probes, line] of [
    ['ok', [ok, ok], 'SPILLWAY OK - 2 probes | failed=0 warnings=0'],
    ['warning', [ok, warning], 'SPILLWAY WARNING - WAL: a   b c | failed=0 warnings=1'],
    ['failed', [warning, failed], 'SPILLWAY CRITICAL - repository: gone | failed=1 warnings=1'],
  ] as const) {
    assert.equal(nagiosLine({ status, probes }), line);
  }
});
