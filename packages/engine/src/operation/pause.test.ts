import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpillwayError } from '@spillway/contract';
import { pause } from './pause.ts';

test('a wait that is aborted fails with the reason, before it and in the midst of it', async () => {
  const why = new SpillwayError('SPW_LOCK_LOST', 'the lock was lost');
  await assert.rejects(pause(60_000, AbortSignal.abort(why)), why);
  const stopping = new AbortController();
  const waiting = pause(60_000, stopping.signal);
  stopping.abort(why);
  await assert.rejects(waiting, why);
  await pause(1);
});
