import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StorageStatsDocument } from '@spillway/contract';
import { renderStats } from './stats.ts';

const calls: StorageStatsDocument['calls'] = {
  get: { calls: 3, bytes: 2048 },
  put: { calls: 2, bytes: 5 * 2 ** 20 },
  list: { calls: 1 },
  stat: { calls: 4 },
  remove: { calls: 0 },
};

test('a folder has calls alone; a bucket has requests and what they cost about', () => {
  assert.equal(renderStats({}), '');
  const folder = renderStats({ storage: { calls, requests: null } });
  assert.match(folder, /written 5 MiB in 2 objects, read 2 KiB in 3 calls\n.*1 list, 4 looks, 0 removals$/);
  const requests = { put: 2, get: 7, list: 1, delete: 0, sent_bytes: 1024, received_bytes: 2048 };
  const bucket = renderStats({
    storage: { calls, requests: { ...requests, retries: 1, throttled: 0, requests_usd: 0.00123, transfer_usd: 2.5 } },
  });
  assert.match(bucket, /2 PUT, 7 GET and HEAD, 1 LIST, 0 DELETE; 1 attempt repeated, 0 throttled/);
  assert.match(bucket, /about \$0\.0012 for requests, and \$2\.50 for reading/);
});
