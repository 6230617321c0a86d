import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock, waitFor } from '../../test/stage.ts';
import { Gathered } from './gathering.ts';

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

function stage(read: () => Promise<number>) {
  const clock = new ManualClock(1_000_000);
  const turns: (string | null)[] = [];
  const turned = (): void => void turns.push(gathered.taken().error);
  const reading = { part: 'backups', cluster: 'water', everyMs: 10_000, read, turned };
  const gathered = new Gathered(reading, { clock, log: quiet });
  const stop = new AbortController();
  return { clock, gathered, turns, stop, ended: gathered.run(stop.signal) };
}

test('a reading that fails takes the good value of before away, and the next good one brings one back', async () => {
  const answers: (number | Error)[] = [1, new Error('the bucket is gone'), 2];
  let reads = 0;
  const { clock, gathered, turns, stop, ended } = stage(async () => {
    const answer = answers[reads++];
    if (answer instanceof Error) throw answer;
    return answer ?? 9;
  });
  await waitFor('the first value', () => gathered.taken().value === 1);
  assert.equal(gathered.taken().error, null);
  clock.set(clock.now() + 10_000);
  await waitFor('the failure', () => gathered.taken().error);
  const { value, error, ageSeconds } = gathered.taken();
  assert.deepEqual([value, error, ageSeconds], [undefined, 'the bucket is gone', 10]);
  gathered.touch();
  await waitFor('the next value', () => gathered.taken().value === 2);
  assert.deepEqual([gathered.taken().error, gathered.taken().ageSeconds], [null, 0]);
  assert.deepEqual(turns, ['the bucket is gone', null]);
  stop.abort();
  await ended;
});

test('one that hangs keeps nobody waiting, and its value is gone when it is too old', async () => {
  let reads = 0;
  const { clock, gathered, stop, ended } = stage(() =>
    reads++ === 0 ? Promise.resolve(1) : new Promise<number>(() => undefined),
  );
  await waitFor('the first value', () => gathered.taken().value === 1);
  clock.set(clock.now() + 10_000);
  await waitFor('the second reading', () => reads === 2);
  assert.equal(gathered.taken().value, 1);
  clock.set(clock.now() + 81_000);
  assert.deepEqual([gathered.taken().value, gathered.taken().error], [undefined, 'it was not taken in time']);
  stop.abort();
  await ended;
});

test('what was never read has no value, and is as old as the service', () => {
  const clock = new ManualClock(0);
  const reading = { part: 'wal', cluster: null, everyMs: 1000, read: () => Promise.resolve(1) };
  const gathered = new Gathered(reading, { clock, log: quiet });
  clock.set(5000);
  assert.deepEqual([gathered.taken().value, gathered.taken().ageSeconds, gathered.taken().error], [undefined, 5, null]);
});
