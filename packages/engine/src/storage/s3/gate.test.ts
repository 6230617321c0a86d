import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate } from './gate.ts';

const overload = new Error('slow down');
const isOverload = (error: unknown): boolean => error === overload;

/** A piece of work that ends when it is told to. */
function work(): { readonly act: () => Promise<void>; readonly begun: () => boolean; end(error?: Error): void } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let begun = false;
  return {
    act: () => {
      begun = true;
      return promise;
    },
    begun: () => begun,
    end: (error) => (error === undefined ? resolve() : reject(error)),
  };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('no more run at a time than are allowed, and who waits comes in turn', async () => {
  const gate = new Gate(2);
  const all = [work(), work(), work(), work()];
  const ended = all.map(({ act }) => gate.run(act, isOverload));
  await settle();
  assert.deepEqual(
    all.map(({ begun }) => begun()),
    [true, true, false, false],
  );
  all[1]?.end();
  await settle();
  assert.deepEqual(
    all.map(({ begun }) => begun()),
    [true, true, true, false],
  );
  for (const one of all) one.end();
  await Promise.all(ended);
});

test('many that fail together halve the width once, and answers widen it again up to the most', async () => {
  const gate = new Gate(8);
  const all = Array.from({ length: 8 }, work);
  const ended = all.map(({ act }) => gate.run(act, isOverload));
  for (const one of all) one.end(overload);
  await Promise.allSettled(ended);
  assert.equal(gate.width, 4);
  await assert.rejects(gate.run(() => Promise.reject(overload), isOverload));
  assert.equal(gate.width, 2);
  for (let i = 0; i < 3; i++) await assert.rejects(gate.run(() => Promise.reject(overload), isOverload));
  assert.equal(gate.width, 1);
  await assert.rejects(
    gate.run(() => Promise.reject(new Error('other')), isOverload),
    /other/,
  );
  assert.equal(gate.width, 1);
  for (let i = 0; i < 100; i++) await gate.run(() => Promise.resolve(), isOverload);
  assert.equal(gate.width, 8);
});

test('who is aborted while waiting leaves, and takes no slot', async () => {
  const gate = new Gate(1);
  const [first, second, third] = [work(), work(), work()];
  const stopping = new AbortController();
  const running = gate.run(first.act, isOverload);
  const left = gate.run(second.act, isOverload, stopping.signal);
  const next = gate.run(third.act, isOverload);
  await settle();
  stopping.abort(new Error('stop'));
  await assert.rejects(left, /stop/);
  first.end();
  await running;
  await settle();
  assert.equal(second.begun(), false);
  assert.equal(third.begun(), true);
  third.end();
  await next;
});
