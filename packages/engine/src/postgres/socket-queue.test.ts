import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SocketQueue } from './socket-queue.ts';

function makeQueue(bytesMax: number) {
  const calls: string[] = [];
  const clock = { now: 0 };
  const queue = new SocketQueue<number>({
    socket: { pause: () => calls.push('pause'), resume: () => calls.push('resume') },
    bytesMax,
    bytesOf: (message) => message,
    now: () => clock.now,
  });
  return { queue, calls, clock };
}

test('past the limit the socket is no longer read, below half of it it is again', async () => {
  const { queue, calls } = makeQueue(10);
  queue.push(5);
  queue.push(5);
  assert.deepEqual(calls, []);
  queue.push(1);
  queue.push(3);
  assert.deepEqual(calls, ['pause']);
  await queue.take();
  assert.deepEqual(calls, ['pause']);
  await queue.take();
  assert.deepEqual(calls, ['pause', 'resume']);
});

test('however it is used, all comes out in order, and a queue that is empty has a socket that is read', async () => {
  const steps = fc.array(fc.oneof(fc.constant('take' as const), fc.integer({ min: 1, max: 20 })), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 1, max: 40 }), async (words, bytesMax) => {
      const { queue, calls } = makeQueue(bytesMax);
      const expected: number[] = [];
      for (const word of words) {
        if (word !== 'take') {
          queue.push(word);
          expected.push(word);
        } else if (expected.length > 0) assert.equal(await queue.take(), expected.shift());
        const bytes = expected.reduce((sum, each) => sum + each, 0);
        const reads = calls.at(-1) !== 'pause';
        if (bytes > bytesMax) assert.ok(!reads, `${bytes} bytes and still read`);
        if (bytes < bytesMax / 2) assert.ok(reads, `${bytes} bytes and not read`);
        if (expected.length === 0) assert.ok(reads, 'empty and not read');
      }
      assert.ok(calls.every((call, at) => call === (at % 2 === 0 ? 'pause' : 'resume')));
    }),
  );
});

test('who waits is woken by what arrives, and by the end', async () => {
  const { queue } = makeQueue(10);
  const first = queue.take();
  queue.push(7);
  assert.equal(await first, 7);
  const second = queue.take();
  queue.finish();
  assert.equal(await second, undefined);
});

test('what arrived before the end is taken first, then the first error comes out once; nothing is queued after it', async () => {
  const { queue } = makeQueue(10);
  queue.push(1);
  queue.finish({ error: new Error('lost') });
  queue.finish({ error: new Error('another') });
  queue.push(2);
  queue.replaceLast(3);
  assert.ok(queue.isFinished);
  assert.equal(await queue.take(), 1);
  await assert.rejects(queue.take(), /lost/);
  assert.equal(await queue.take(), undefined);
});

test('what replaces the last counts in its place', async () => {
  const { queue, calls } = makeQueue(10);
  queue.push(2);
  queue.push(7);
  queue.replaceLast(8);
  assert.deepEqual(calls, []);
  queue.replaceLast(9);
  assert.deepEqual(calls, ['pause']);
  assert.equal(queue.last, 9);
  assert.equal(await queue.take(), 2);
  assert.equal(await queue.take(), 9);
  assert.equal(queue.last, undefined);
});

test('a queue that is cleared reads the socket again, and counts from nothing', () => {
  const { queue, calls } = makeQueue(10);
  queue.push(11);
  queue.clear();
  queue.push(10);
  assert.deepEqual(calls, ['pause', 'resume']);
});

test('the server is silent only while it is listened to', async () => {
  const { queue, clock } = makeQueue(10);
  clock.now = 5;
  assert.equal(queue.silentMs(), 5);
  queue.push(11);
  clock.now = 100;
  assert.equal(queue.silentMs(), 0);
  await queue.take();
  clock.now = 103;
  assert.equal(queue.silentMs(), 3);
  queue.heard();
  assert.equal(queue.silentMs(), 0);
});
