import assert from 'node:assert/strict';
import { test } from 'node:test';
import { receiverStates } from '@spillway/contract';
import { nextReceiverState, receiverEvents, restAfter } from './receiver.ts';

test('a receiver that ends rests and runs again, and stop ends it from everywhere', () => {
  const after = (...events: readonly (typeof receiverEvents)[number][]): string =>
    events.reduce((state, event) => nextReceiverState(state, event), 'idle' as (typeof receiverStates)[number]);
  assert.equal(after('start', 'ended', 'rested'), 'running');
  assert.equal(after('start', 'steady', 'ended', 'rested', 'steady'), 'steady');
  assert.equal(after('start', 'stop', 'ended'), 'idle');
  assert.equal(after('start', 'steady', 'stop', 'ended'), 'idle');
  assert.equal(after('start', 'ended', 'stop'), 'idle');
  assert.equal(after('start', 'ended', 'steady'), 'resting', 'a timer that comes late changes nothing');
  assert.throws(() => after('start', 'start'), /cannot be told start/);
  for (const state of receiverStates) {
    const stopped = nextReceiverState(state, 'stop');
    assert.ok(stopped === 'idle' || nextReceiverState(stopped, 'ended') === 'idle', state);
  }
});

test('rests grow from a second to a minute', () => {
  assert.deepEqual([1, 2, 3, 6, 7, 1000].map(restAfter), [1000, 2000, 4000, 32_000, 60_000, 60_000]);
});
