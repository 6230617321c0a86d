import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { remember } from './memory.ts';
import { parseState } from './state-file.ts';
import type { Acknowledged } from './table.ts';

const canary = (sequence: number, second: number): Acknowledged => ({
  sequence,
  written_at: new Date(second * 1000).toISOString(),
  timeline: 1,
  lsn: `0/${sequence.toString(16).toUpperCase()}`,
  acknowledged_at: new Date(second * 1000).toISOString(),
});

test('the newest are remembered one by one, the older ones a minute apart, and never more than so many', () => {
  const steps = fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 900 });
  fc.assert(
    fc.property(steps, (pauses) => {
      let second = 0;
      let kept: readonly Acknowledged[] = [];
      const all: Acknowledged[] = [];
      for (const [at, pause] of pauses.entries()) {
        all.push(canary(at + 1, (second += pause)));
        kept = remember(kept, canary(at + 1, second));
      }
      assert.deepEqual(kept.slice(-60), all.slice(-60));
      assert.ok(kept.length <= 180, String(kept.length));
      assert.deepEqual(
        kept,
        kept.toSorted((a, b) => a.sequence - b.sequence),
      );
      const older = kept.slice(0, -60).map(({ written_at: at }) => Date.parse(at));
      for (const [at, moment] of older.entries()) {
        const next = older[at + 1];
        if (next !== undefined) assert.ok(next - moment >= 60_000);
      }
    }),
    { numRuns: 30 },
  );
});

test('a state file is read back as it was, and nothing else passes for one', () => {
  const state = {
    cluster: 'main',
    acknowledged: [canary(1, 5)],
    quiet_until: null,
    seen_at: '2026-11-28T15:00:00.000Z',
    lost_at: null,
    interval_seconds: 5,
  };
  assert.deepEqual(parseState(JSON.stringify(state)), state);
  const wrong: readonly unknown[] = [
    null,
    [],
    'main',
    { ...state, cluster: 1 },
    { ...state, acknowledged: [{ ...canary(1, 5), lsn: 7 }] },
    { ...state, acknowledged: [{ ...canary(1, 5), written_at: 'soon' }] },
    { ...state, quiet_until: 5 },
    { ...state, lost_at: 'never' },
  ];
  for (const value of wrong) assert.equal(parseState(JSON.stringify(value)), undefined, JSON.stringify(value));
  assert.equal(parseState('{'), undefined);
});
