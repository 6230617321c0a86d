import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePgbenchReport } from './pgbench-report.ts';

const report = `transaction type: <builtin: TPC-B (sort of)>
number of clients: 8
number of transactions actually processed: 2410
number of failed transactions: 0 (0.000%)
latency average = 6.633 ms
initial connection time = 20.117 ms
tps = 1206.139112 (without initial connection time)
statement latencies in milliseconds and failures:
         0.004           0  \\set aid random(1, 100000 * :scale)
         0.351           0  BEGIN;
         4.250           0  END;
`;

test('transactions a second and the latency of each command are found', () => {
  const found = parsePgbenchReport(report);
  assert.equal(found?.transactionsPerSecond, 1206.139112);
  assert.equal(found?.latencies.get('END;'), 0.00425);
  assert.equal(found?.latencies.size, 3);
});

test('a run with failures, or none at all, is no figure', () => {
  assert.equal(parsePgbenchReport(report.replace('transactions: 0 (', 'transactions: 3 (')), undefined);
  assert.equal(parsePgbenchReport('pgbench: error: connection to server failed'), undefined);
});
