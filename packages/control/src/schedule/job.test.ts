import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jobStates, type JobState } from '@spillway/contract';
import { canHappen, hasEnded, hasProcess, isDone, jobEvents, nextState, retryDelay } from './job.ts';

test('every cell of the table is a state, nothing, or an error', () => {
  for (const state of jobStates) {
    for (const event of jobEvents) {
      if (canHappen(state, event)) assert.ok(jobStates.includes(nextState(state, event)), `${state} ${event}`);
      else assert.throws(() => nextState(state, event), new RegExp(`${state} cannot be told ${event}`));
    }
  }
});

test('what has ended stays as it is, and from everything else an end can be reached', () => {
  for (const state of jobStates) {
    const reached = new Set<JobState>([state]);
    for (const from of reached) {
      for (const event of jobEvents) if (canHappen(from, event)) reached.add(nextState(from, event));
    }
    if (hasEnded(state)) assert.deepEqual([...reached], [state]);
    else
      assert.ok(
        [...reached].some((each) => hasEnded(each)),
        `${state} has no end`,
      );
  }
  assert.deepEqual(
    jobStates.filter((state) => !hasEnded(state)),
    ['awaiting-approval', 'queued', 'running', 'cancelling', 'timing-out', 'waiting'],
  );
});

test('lives of jobs, told event by event', () => {
  const lives: readonly (readonly [events: readonly Parameters<typeof nextState>[1][], JobState])[] = [
    [['started', 'succeeded'], 'succeeded'],
    [['started', 'warned'], 'warned'],
    [['started', 'failed'], 'failed'],
    [['started', 'retryable', 'retry-due', 'started', 'succeeded'], 'succeeded'],
    [['started', 'retryable', 'superseded'], 'superseded'],
    [['started', 'cancel', 'failed'], 'cancelled'],
    [['started', 'cancel', 'cancel', 'succeeded'], 'succeeded'],
    [['started', 'timeout', 'retryable'], 'timed-out'],
    [['started', 'timeout', 'cancel', 'failed'], 'cancelled'],
    [['started', 'interrupted', 'retry-due', 'started', 'warned'], 'warned'],
    [['started', 'lost'], 'aborted'],
    [['started', 'cancel', 'lost'], 'cancelled'],
    [['lost', 'interrupted', 'started', 'succeeded'], 'succeeded'],
    [['cancel'], 'cancelled'],
    [['superseded'], 'superseded'],
  ];
  for (const [events, expected] of lives) {
    assert.equal(
      events.reduce<JobState>((state, event) => nextState(state, event), 'queued'),
      expected,
      events.join(),
    );
  }
  assert.equal(nextState(nextState('awaiting-approval', 'approved'), 'started'), 'running');
  assert.equal(nextState('awaiting-approval', 'timeout'), 'rejected');
  assert.throws(() => nextState('awaiting-approval', 'started'), /cannot be told started/);
});

test('a process works exactly for what runs, is cancelled, or timed out', () => {
  for (const state of jobStates) {
    assert.equal(hasProcess(state), canHappen(state, 'succeeded'), state);
    assert.equal(isDone(state), state === 'succeeded' || state === 'warned');
  }
});

test('each wait is twice the one before it, up to an hour', () => {
  assert.deepEqual(
    [1, 2, 3, 7, 8, 1000].map((attempt) => retryDelay(60_000, attempt)),
    [60_000, 120_000, 240_000, 3_600_000, 3_600_000, 3_600_000],
  );
  assert.equal(retryDelay(7_200_000, 1), 7_200_000, 'a longer one that is configured stays');
});
