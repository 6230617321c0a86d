// Figures are written as people read them, and the table says in words what it says in colour.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBytes, formatCount, formatSeconds } from './narrative.ts';
import { isMet, objectiveRows, objectivesFor } from './objectives.ts';

test('seconds, bytes and counts', () => {
  assert.deepEqual([0, 1.234, 12.34, 119.9, 900, 1800, 3600].map(formatSeconds), [
    '0.00 s',
    '1.23 s',
    '12.3 s',
    '119.9 s',
    '15 min',
    '30 min',
    '1 h',
  ]);
  assert.deepEqual([0, 1023, 1024, 1536, 350 * 1024 ** 2, 1024 ** 4].map(formatBytes), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '350 MiB',
    '1.0 TiB',
  ]);
  assert.equal(formatCount(4_032_000), '4,032,000');
});

test('an objective is met up to its limit and not beyond', () => {
  const objectives = objectivesFor({ rtoSeconds: 1801, rpoSeconds: 900, undoSeconds: 901 });
  assert.deepEqual(
    objectives.map((objective) => isMet(objective)),
    [true, false, true, false, true],
  );
  assert.deepEqual(
    objectiveRows(objectives).map((row) => row.at(-1)),
    ['OK', 'FAIL', 'OK', 'FAIL', 'OK'],
  );
});
