import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeTarget, type RecoveryTarget, targetMicros, targetSettings, targetValue } from './target.ts';

const common = { recovery_target_timeline: '3', recovery_target_action: 'promote' };
const before = { recovery_target_inclusive: 'false' };
const time: RecoveryTarget = {
  kind: 'time',
  at: new Date('2026-11-23T12:03:12.123Z'),
  text: '2026-11-23 14:03:12.123456+02:00',
};

const cases: readonly (readonly [RecoveryTarget, boolean, Readonly<Record<string, string>>])[] = [
  [{ kind: 'latest' }, false, {}],
  [{ kind: 'latest' }, true, {}],
  [{ kind: 'immediate' }, false, { recovery_target: 'immediate' }],
  [{ kind: 'immediate' }, true, { recovery_target: 'immediate' }],
  [time, false, { recovery_target_time: '2026-11-23 14:03:12.123456+02:00' }],
  [time, true, { ...before, recovery_target_time: '2026-11-23 14:03:12.123456+02:00' }],
  [{ ...time, text: '2026-11-23 12:03:12Z' }, false, { recovery_target_time: '2026-11-23 12:03:12+00' }],
  [{ kind: 'lsn', lsn: '0/A1' }, false, { recovery_target_lsn: '0/A1' }],
  [{ kind: 'lsn', lsn: '0/A1' }, true, { ...before, recovery_target_lsn: '0/A1' }],
  [{ kind: 'xid', xid: '744' }, false, { recovery_target_xid: '744' }],
  [{ kind: 'xid', xid: '744' }, true, { ...before, recovery_target_xid: '744' }],
  [{ kind: 'name', name: "it's" }, true, { recovery_target_name: "it's" }],
];

for (const [target, exclusive, settings] of cases) {
  test(`PostgreSQL is told to stop ${exclusive ? 'before' : 'at'} ${describeTarget(target)}`, () => {
    assert.deepEqual(targetSettings(target, 3, exclusive), { ...common, ...settings });
  });
}

test('a target says what it is, and keeps its microseconds', () => {
  assert.equal(targetValue(time), '2026-11-23T14:03:12.123456+02:00');
  assert.equal(targetValue({ kind: 'latest' }), null);
  assert.equal(describeTarget({ kind: 'immediate' }), 'the end of the backup');
  assert.equal(describeTarget({ kind: 'xid', xid: '744' }), 'transaction 744');
});

const times: readonly (readonly [text: string, micros: bigint])[] = [
  ['2026-11-23 14:03:12.123456+02:00', 123_456n],
  ['2026-11-23 14:03:12.1234+02:00', 123_400n],
  ['2026-11-23 14:03:12.12+02:00', 120_000n],
  ['2026-11-23 12:03:12Z', 0n],
];
for (const [text, micros] of times) {
  test(`the microseconds of ${text} count`, () => {
    const at = new Date(Date.UTC(2026, 10, 23, 12, 3, 12, Number(micros / 1000n)));
    assert.equal(targetMicros({ kind: 'time', at, text }), BigInt(Date.UTC(2026, 10, 23, 12, 3, 12)) * 1000n + micros);
  });
}
