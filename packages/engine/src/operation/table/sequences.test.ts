import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isBehind, isBehindRows, type SequenceState } from './sequences.ts';

const at = (last: string, is_called = true, ascending = true): SequenceState => ({ last, is_called, ascending });

test('a sequence is behind where it would give out a number twice', () => {
  const cases: readonly (readonly [told: string, live: SequenceState, moment: SequenceState, behind: boolean])[] = [
    ['it was restarted', at('1', false), at('2000'), true],
    ['it has gone on since', at('2100'), at('2000'), false],
    ['it is where it was', at('2000'), at('2000'), false],
    ['restarted at the same number, which was given out', at('1', false), at('1'), true],
    ['neither has given out a number', at('1', false), at('1', false), false],
    ['only the live one has', at('1'), at('1', false), false],
    ['downwards, and restarted', at('-1', false, false), at('-2000', true, false), true],
    ['downwards, and gone on', at('-2100', true, false), at('-2000', true, false), false],
    ['beyond what a number holds', at('9007199254740993'), at('9007199254740994'), true],
  ];
  for (const [told, live, moment, behind] of cases) assert.equal(isBehind(live, moment), behind, told);
});

test('of a table that is there the rows say whether its sequence has to go on', () => {
  const cases: readonly (readonly [told: string, live: SequenceState, furthest: string | null, behind: boolean])[] = [
    ['a row beyond it', at('5'), '2000', true],
    ['a recovery left the other ahead, no row is', at('2001'), '2000', false],
    ['its last number is the last row', at('2000'), '2000', false],
    ['its next number is the last row', at('2000', false), '2000', true],
    ['no rows', at('1', false), null, false],
    ['downwards', at('-5', true, false), '-2000', true],
    ['downwards, and beyond the rows', at('-2001', true, false), '-2000', false],
  ];
  for (const [told, live, furthest, behind] of cases) assert.equal(isBehindRows(live, furthest), behind, told);
});
