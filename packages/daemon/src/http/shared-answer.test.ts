import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedAnswer } from './shared-answer.ts';

test('it is made once for all who ask at the same moment, and anew when that has passed, or what it tells has changed', async () => {
  let now = 0;
  let made = 0;
  const shared = new SharedAnswer(
    () => {
      made++;
      return Promise.resolve(`answer ${made}`);
    },
    () => now,
  );
  assert.deepEqual(await Promise.all([shared.ask(), shared.ask(), shared.ask()]), ['answer 1', 'answer 1', 'answer 1']);
  now = 249;
  assert.equal(await shared.ask(), 'answer 1');
  now = 250;
  assert.equal(await shared.ask(), 'answer 2');
  shared.forget();
  assert.equal(await shared.ask(), 'answer 3');
});

test('whoever asks after a change does not get what was begun before it', async () => {
  const waiting: ((text: string) => void)[] = [];
  const shared = new SharedAnswer(() => new Promise<string>((resolve) => waiting.push(resolve)));
  const before = shared.ask();
  shared.forget();
  const after = shared.ask();
  waiting[1]?.('new');
  waiting[0]?.('old');
  assert.deepEqual(await Promise.all([before, after, shared.ask()]), ['old', 'new', 'new']);
});

test('a failure goes to those who waited for it, and the next who asks tries again', async () => {
  let made = 0;
  const shared = new SharedAnswer(() => (++made === 1 ? Promise.reject(new Error('no')) : Promise.resolve('yes')));
  const both = await Promise.allSettled([shared.ask(), shared.ask()]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.equal(await shared.ask(), 'yes');
});
