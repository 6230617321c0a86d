import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServiceEvent } from '@spillway/contract';
import { EventBus } from './bus.ts';

const event = (line: number): ServiceEvent => ({
  type: 'log',
  cluster: 'water',
  job: 'j',
  line,
  at: '2026-11-28T00:00:00.000Z',
  level: 'info',
  message: 'm',
});

test('whoever comes back is told what he missed, or that it is not kept any more', () => {
  const bus = new EventBus(() => assert.fail());
  assert.deepEqual(bus.since(0), []);
  for (let line = 1; line <= 1500; line++) bus.publish(event(line));
  assert.deepEqual(
    bus.since(1498)?.map(({ id }) => id),
    [1499, 1500],
  );
  assert.deepEqual(bus.since(1500), []);
  assert.equal(bus.since(500)?.length, 1000);
  assert.equal(bus.since(499), undefined);
  assert.equal(bus.since(99_999), undefined, 'a number of another run of the service');
});

test('a listener that fails is told, and keeps nothing from the others', () => {
  const faults: unknown[] = [];
  const heard: number[] = [];
  const bus = new EventBus((fault) => faults.push(fault));
  bus.listen(() => {
    throw new Error('broken');
  });
  const unlisten = bus.listen(({ id }) => heard.push(id));
  bus.publish(event(1));
  unlisten();
  bus.publish(event(2));
  assert.deepEqual([heard, faults.length, bus.listeners], [[1], 2, 1]);
});
