import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Condition, Severity } from './conditions.ts';
import { decideNotifications, type NotifyMemory, type NotifySettings } from './decide.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOON = Date.parse('2026-11-28T12:00:00Z');

const condition = (alert: string, severity: Severity = 'critical', cluster = 'water'): Condition => ({
  key: `${alert} ${cluster}`,
  alert,
  cluster,
  severity,
  part: 'status',
  summary: `${alert} is wrong`,
});
const plain: NotifySettings = { groupForMs: MINUTE, repeatAfterMs: 4 * HOUR, quiet: undefined };
const nights: NotifySettings = {
  ...plain,
  quiet: { from: 22 * 60, to: 6 * 60, timeZone: 'Africa/Johannesburg', severities: ['warning'] },
};

/** Plays moments one after the other; gives what was told at each, as words. */
function play(
  moments: readonly (readonly [minutes: number, open: readonly Condition[], unknown?: readonly string[]])[],
  settings = plain,
  start = NOON,
): readonly string[] {
  let memory: NotifyMemory = {};
  return moments.map(([minutes, open, unknown = []]) => {
    const decided = decideNotifications(
      { open, unknown: new Set(unknown) },
      memory,
      start + minutes * MINUTE,
      settings,
    );
    // As the state keeps it.
    memory = JSON.parse(JSON.stringify(decided.memory)) as NotifyMemory;
    return decided.messages
      .map(({ cluster, wrong, mended }) =>
        [
          `${cluster}:`,
          ...wrong.map(({ alert, again }) => `${alert}${again ? ' again' : ''}`),
          ...mended.map(({ alert }) => `${alert} mended`),
        ].join(' '),
      )
      .join('; ');
  });
}

const a = condition('RpoBroken');
const b = condition('DrillOverdue', 'warning');

test('what is wrong is told after a while, once, again after the time of repetition, and once when it is mended', () => {
  assert.deepEqual(
    play([
      [0, [a]],
      [0.5, [a]],
      [1, [a]],
      [2, [a]],
      [240, [a]],
      [241, [a]],
      [242, [a]],
      [243, []],
      [244, []],
    ]),
    ['', '', 'water: RpoBroken', '', '', 'water: RpoBroken again', '', 'water: RpoBroken mended', ''],
  );
});

test('what is mended before it was told never is', () => {
  assert.deepEqual(
    play([
      [0, [a]],
      [0.5, []],
      [2, []],
    ]),
    ['', '', ''],
  );
});

test('of one cluster all that is due is one message, the worst first; another cluster has its own', () => {
  assert.deepEqual(
    play([
      [0, [b, a, condition('WalGap', 'critical', 'air')]],
      [1, [b, a, condition('WalGap', 'critical', 'air')]],
    ]),
    ['', 'air: WalGap; water: RpoBroken DrillOverdue'],
  );
});

test('in quiet hours warnings wait, in the zone that is meant, and so does the word that they are mended', () => {
  // 21:00 there is 19:00 UTC.
  const evening = Date.parse('2026-11-28T19:00:00Z');
  assert.deepEqual(
    play(
      [
        [0, [b]],
        [1, [b]],
        [70, []],
        [539, []],
        [540, []],
      ],
      nights,
      evening,
    ),
    ['', 'water: DrillOverdue', '', '', 'water: DrillOverdue mended'],
  );
  assert.deepEqual(
    play(
      [
        [60, [a, b]],
        [62, [a, b]],
        [539, [b]],
        [540, [b]],
      ],
      nights,
      evening,
    ),
    ['', 'water: RpoBroken', 'water: RpoBroken mended', 'water: DrillOverdue'],
  );
});

test('what cannot be read is neither wrong nor mended', () => {
  assert.deepEqual(
    play([
      [0, [a]],
      [1, [a]],
      [2, [], ['water status']],
      [3, [], ['water status']],
      [4, [a]],
      [5, []],
    ]),
    ['', 'water: RpoBroken', '', '', '', 'water: RpoBroken mended'],
  );
  // Of another part, or another cluster, it says nothing.
  assert.deepEqual(
    play([
      [0, [a]],
      [1, [a]],
      [2, [], ['water jobs', 'air status']],
    ])[2],
    'water: RpoBroken mended',
  );
});

test('what flaps has a patience of its own', () => {
  const patient: Condition = { ...a, patienceSeconds: 300 };
  assert.deepEqual(
    play([
      [0, [patient]],
      [4, [patient]],
      [5, [patient]],
    ]),
    ['', '', 'water: RpoBroken'],
  );
});

test('whatever comes about, nothing is told twice within the time of repetition, and what is told as mended was told', () => {
  const names = ['A', 'B', 'C'];
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 90 }), fc.subarray(names), fc.boolean()), { maxLength: 40 }),
      (steps) => {
        let memory: NotifyMemory = {};
        let now = NOON;
        const toldAt = new Map<string, number>();
        for (const [minutes, open, isUnknown] of steps) {
          now += minutes * MINUTE;
          const unknown = new Set(isUnknown ? ['water status'] : []);
          const decided = decideNotifications(
            { open: open.map((name) => condition(name)), unknown },
            memory,
            now,
            plain,
          );
          for (const { wrong, mended } of decided.messages) {
            for (const { alert } of wrong) {
              const before = toldAt.get(alert);
              assert.ok(before === undefined || now - before >= plain.repeatAfterMs, alert);
              toldAt.set(alert, now);
            }
            for (const { alert } of mended) assert.ok(toldAt.delete(alert), alert);
          }
          memory = decided.memory;
        }
      },
    ),
  );
});
