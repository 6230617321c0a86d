import assert from 'node:assert/strict';
import { test } from 'node:test';
import { estimateCost, listPrices } from './cost.ts';
import { counterNames, type Counters } from './process-state.ts';

const nothing = Object.fromEntries(counterNames.map((name) => [name, 0])) as Counters;

test('requests cost by their kind, each attempt, and bytes only where they leave the region', () => {
  assert.deepEqual(estimateCost(nothing), { requestsUsd: 0, transferUsd: 0 });
  const counted = { ...nothing, put_requests: 1000, list_requests: 1000, get_requests: 10_000, delete_requests: 1e6 };
  const { requestsUsd, transferUsd } = estimateCost({ ...counted, received_bytes: 10 * 2 ** 30, put_calls: 999 });
  assert.ok(Math.abs(requestsUsd - 0.014) < 1e-9);
  assert.ok(Math.abs(transferUsd - 0.9) < 1e-9);
  const free = estimateCost(counted, { ...listPrices, putPer1000: 0, getPer1000: 0 });
  assert.equal(free.requestsUsd, 0);
});
