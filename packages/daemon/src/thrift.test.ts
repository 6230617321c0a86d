import assert from 'node:assert/strict';
import { test } from 'node:test';
import { giveBackMemory } from './thrift.ts';

/** What the process has at each turn, and what it has after a collection; gives the turns at which one was made. */
async function turnsThatCollect(
  turns: readonly { readonly rss: number; readonly busy?: number; readonly after?: number }[],
): Promise<readonly number[]> {
  const end = new AbortController();
  const collected: number[] = [];
  let now = 0;
  let turn = -1;
  let rss = 100;
  await giveBackMemory(
    end.signal,
    {
      now: () => now,
      until: (at) => {
        now = at;
        turn++;
        rss = turns[turn]?.rss ?? rss;
        if (turn >= turns.length) end.abort();
        return Promise.resolve();
      },
    },
    {
      rss: () => rss,
      busy: () => turns[turn]?.busy ?? 0,
      collect: () => {
        collected.push(turn);
        rss = turns[turn]?.after ?? rss;
      },
    },
  );
  return collected;
}

test('memory of the start is given back once, at the first turn in which nothing is done', async () => {
  assert.deepEqual(await turnsThatCollect([{ rss: 100, busy: 0.4 }, { rss: 120, after: 100 }, { rss: 110 }]), [1]);
});

test('memory is given back once the process is at rest again, and not while it works or has hardly grown', async () => {
  assert.deepEqual(
    await turnsThatCollect([{ rss: 100 }, { rss: 120 }, { rss: 220, busy: 0.4 }, { rss: 220, after: 130 }]),
    [0, 3],
  );
  assert.deepEqual(await turnsThatCollect([{ rss: 100 }, { rss: 90 }, { rss: 119 }, { rss: 121, after: 95 }]), [0, 3]);
});

test('a process that needs more is not troubled again and again', async () => {
  assert.deepEqual(
    await turnsThatCollect([
      { rss: 100 },
      { rss: 220, after: 210 },
      { rss: 215 },
      { rss: 240 },
      { rss: 300, after: 215 },
    ]),
    [0, 1, 4],
  );
});
