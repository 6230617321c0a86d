// A crew of worker threads. This file is both: the tests on the main thread, and the module that the workers run.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { isMainThread, threadId } from 'node:worker_threads';
import { SpillwayError } from '@spillway/contract';
import { Crew, serveCrew } from '../src/operation/crew.ts';

type Task =
  | { readonly kind: 'double'; readonly value: number }
  | { readonly kind: 'fail' }
  | { readonly kind: 'throw' }
  | { readonly kind: 'exit' }
  | { readonly kind: 'uncaught' }
  | { readonly kind: 'hang' };

interface Result {
  readonly value: number;
  readonly thread: number;
}

if (isMainThread) tellTests();
else serveWorker();

function serveWorker(): void {
  serveCrew<{ readonly factor: number }, Task, Result, { readonly done: number }>(({ factor }) => {
    let done = 0;
    return {
      async perform(task) {
        if (task.kind === 'fail')
          throw new SpillwayError('SPW_DATA_DIRECTORY', 'it failed', { why: 'as told', hint: 'tell it otherwise' });
        if (task.kind === 'throw') throw new TypeError('unexpected');
        if (task.kind === 'exit') process.exit(0);
        if (task.kind === 'uncaught')
          setImmediate(() => {
            throw new RangeError('from nowhere');
          });
        await (task.kind === 'double' ? undefined : wait(600_000));
        done++;
        return { result: { value: (task.kind === 'double' ? task.value : 0) * factor, thread: threadId } };
      },
      finish: async () => Promise.resolve({ done }),
    };
  });
}

async function run(
  tasks: Iterable<Task>,
  onResult: (result: Result) => void = () => undefined,
  signal = new AbortController().signal,
  workers = 2,
): Promise<readonly { readonly done: number }[]> {
  await using crew = new Crew(new URL(import.meta.url), workers);
  return await crew.run<Task, Result, { readonly done: number }>({
    data: { factor: 2 },
    tasks,
    onResult,
    signal,
  });
}

function* doubles(count: number): Iterable<Task> {
  for (let value = 0; value < count; value++) yield { kind: 'double', value };
}

function tellTests(): void {
  test('every task gives one result, several workers share them, and each has a last word', async () => {
    const results: Result[] = [];
    const finals = await run(doubles(500), (result) => results.push(result));
    assert.deepEqual(
      results.map(({ value }) => value).toSorted((a, b) => a - b),
      Array.from({ length: 500 }, (_, i) => i * 2),
    );
    assert.equal(new Set(results.map(({ thread }) => thread)).size, 2);
    assert.equal(finals.length, 2);
    assert.equal(
      finals.reduce((sum, { done }) => sum + done, 0),
      500,
    );
  });

  test('fewer tasks than workers, and none at all, end as well', async () => {
    for (const count of [0, 1, 3]) {
      const results: number[] = [];
      const finals = await run(doubles(count), ({ value }) => results.push(value), undefined, 3);
      assert.deepEqual([results.length, finals.length], [count, 3]);
    }
  });

  test('tasks are made only as they are needed', async () => {
    let made = 0;
    let most = 0;
    let results = 0;
    function* counted(): Iterable<Task> {
      for (const task of doubles(100)) {
        most = Math.max(most, ++made - results);
        yield task;
      }
    }
    await run(counted(), () => results++);
    // Two a worker, and the one that is just being made.
    assert.ok(most <= 5, `${most} at once`);
  });

  test('the error of a worker comes out as it was', async () => {
    await assert.rejects(run([...doubles(5), { kind: 'fail' }, ...doubles(5)]), {
      code: 'SPW_DATA_DIRECTORY',
      message: 'it failed',
      why: 'as told',
      hint: 'tell it otherwise',
    });
    await assert.rejects(run([{ kind: 'throw' }]), { code: 'SPW_INTERNAL', why: 'unexpected' });
    await assert.rejects(run([{ kind: 'uncaught' }]), /from nowhere/);
    await assert.rejects(run([{ kind: 'exit' }]), { code: 'SPW_INTERNAL', message: /ended before/ });
  });

  test('an error of whoever takes the results ends the crew', async () => {
    await assert.rejects(
      run(doubles(50), () => {
        throw new RangeError('no more');
      }),
      /no more/,
    );
  });

  test('an error of whoever makes the tasks ends the crew, whenever it comes', async () => {
    for (const count of [0, 2, 3, 20]) {
      function* failing(): Iterable<Task> {
        yield* doubles(count);
        throw new RangeError(`after ${count}`);
      }
      await assert.rejects(run(failing()), new RegExp(`after ${count}`));
    }
  });

  test('an abort ends workers in the midst of their tasks, with its reason', async () => {
    const controller = new AbortController();
    const running = run(
      [{ kind: 'double', value: 1 }, { kind: 'hang' }, { kind: 'hang' }],
      () => controller.abort(new Error('enough')),
      controller.signal,
    );
    await assert.rejects(running, /enough/);
    await assert.rejects(run(doubles(5), undefined, AbortSignal.abort(new Error('already'))), /already/);
  });
}
