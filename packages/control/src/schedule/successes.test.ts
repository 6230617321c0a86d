import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastSuccesses } from './successes.ts';

test('the repository tells when each kind last succeeded', () => {
  const at = (day: number): string => `2026-11-0${day}T02:00:00.000Z`;
  const told = lastSuccesses({
    backups: [
      { type: 'full', finished_at: at(3) },
      { type: 'incremental', finished_at: at(4) },
      { type: 'full', finished_at: at(1) },
    ],
    dumps: [
      { source: 'logical', finished_at: at(2) },
      { source: 'schema', finished_at: at(5) },
    ],
    evidence: [
      { kind: 'verification', level: 'data', result: 'passed', finished_at: at(2), details: {} },
      { kind: 'verification', level: 'data', result: 'failed', finished_at: at(6), details: {} },
      { kind: 'verification', level: 'structure', result: 'passed', finished_at: at(5), details: {} },
      { kind: 'restore', level: 'restore', result: 'passed', finished_at: at(7), details: {} },
      { kind: 'verification', level: 'restore', result: 'passed', finished_at: at(4), details: {} },
      { kind: 'drill', level: 'restore', result: 'passed', finished_at: at(1), details: { drill: 'monthly' } },
      { kind: 'drill', level: 'restore', result: 'failed', finished_at: at(6), details: { drill: 'monthly' } },
      { kind: 'drill', level: 'restore', result: 'passed', finished_at: at(7), details: { drill: 'another' } },
      {
        kind: 'verification',
        level: 'data',
        result: 'passed',
        finished_at: at(8),
        details: { sample: { of: 7, shares: [1] } },
      },
      {
        kind: 'verification',
        level: 'data',
        result: 'failed',
        finished_at: at(9),
        details: { sample: { of: 7, shares: [2] } },
      },
      {
        kind: 'verification',
        level: 'data',
        result: 'passed',
        finished_at: at(8),
        details: { sampled: { days: 7, since: '2026-11-01' } },
      },
      { kind: 'anomaly', level: 'structure', result: 'passed', finished_at: at(3), details: {} },
      { kind: 'action', level: 'action', result: 'passed', finished_at: at(8), details: {} },
    ],
    drill: 'monthly',
  });
  assert.deepEqual(Object.fromEntries([...told].map(([kind, time]) => [kind, new Date(time).getUTCDate()])), {
    full: 3,
    incremental: 4,
    schema: 5,
    logical: 2,
    verify_structure: 5,
    verify_data: 2,
    verify_sample: 8,
    verify_restore: 4,
    drill: 1,
    anomalies: 3,
  });
  assert.equal(lastSuccesses({ backups: [], dumps: [], evidence: [], drill: 'monthly' }).size, 0);
});
