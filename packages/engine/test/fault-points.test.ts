// A short part of `npm run torture -- --points` with a fixed seed: counted moments in backup, receive, restore and expiry
// at which something terrible happens, each looked at. docs/torture.md tells what must hold.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@spillway/lab';
import { drawPoint, faults, type Operation, operations } from '../../../tools/torture/points/point.ts';
import { playPoints } from '../../../tools/torture/points/run.ts';

const SEED = 20_261_123;
const POINTS = 10;

test(`nothing that was durable is lost over ${POINTS} points (seed ${SEED})`, async (t) => {
  const { ends, checkpoints } = await playPoints({
    random: seededRandom(SEED),
    points: POINTS,
    betweenCheckpoints: POINTS / 2,
    tell: (line) => t.diagnostic(line),
  });
  assert.equal(checkpoints, 2);
  const struck = new Set([...ends.keys()].map((end) => end.split(' ')[0]));
  assert.deepEqual(struck, new Set<Operation>(operations));
});

test('every operation and every fault that fits it is drawn, and one seed draws the same points', () => {
  const draw = (): ReturnType<typeof drawPoint>[] => {
    const random = seededRandom(SEED);
    return Array.from({ length: 600 }, () => drawPoint(random, operations));
  };
  const drawn = draw();
  assert.deepEqual(drawn, draw());
  const pairs = new Set(drawn.map(({ operation, fault }) => `${operation} ${fault}`));
  // Nothing is written by a restore, and expiry asks no server.
  assert.equal(pairs.size, operations.length * faults.length - 3);
});
