import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readJobs } from '../metrics/jobs-read.ts';
import { openState } from './database.ts';
import { forgetJobs } from './forgotten.ts';

test('jobs that are forgotten stay in the counts, by kind and end, and nowhere else', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-forgotten-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { database } = openState(folder, 0);
  t.after(() => database[Symbol.dispose]());
  const add = (
    id: string,
    cluster: string,
    request: Readonly<Record<string, string>> & { readonly command: string },
    state: string,
    at: number,
  ) =>
    database.run(
      `INSERT INTO job (id, cluster, command, request, lane, missed, state, ended, attempt, attempts_max, backoff_ms,
                        timeout_ms, requested_by, requested_at, approvals_needed, finished_at)
       VALUES (?, ?, ?, ?, 'backup', 0, ?, ?, 1, 1, 0, 0, 'schedule', ?, 0, ?)`,
      id,
      cluster,
      request.command,
      JSON.stringify(request),
      state,
      state === 'running' ? 0 : 1,
      at,
      state === 'running' ? null : at,
    );
  add('a', 'water', { command: 'backup', type: 'full' }, 'succeeded', 1000);
  add('b', 'water', { command: 'backup', type: 'full' }, 'succeeded', 2000);
  add('c', 'water', { command: 'backup' }, 'failed', 1000);
  add('d', 'water', { command: 'backup', source: 'schema' }, 'failed', 5000);
  add('e', 'water', { command: 'expire' }, 'succeeded', 1000);
  add('f', 'air', { command: 'backup', type: 'full' }, 'succeeded', 1000);
  add('g', 'water', { command: 'backup' }, 'running', 1);
  const counts = (): Readonly<Record<string, number>> => {
    const { ended } = readJobs({ database, dispatcher: { documents: () => [] }, rules: [], cluster: 'water', now: 0 });
    const sums: Record<string, number> = {};
    for (const { command, kind, state, count } of ended) {
      const key = [command, kind ?? '-', state].join(' ');
      sums[key] = (sums[key] ?? 0) + count;
    }
    return sums;
  };
  const all = {
    'backup full succeeded': 2,
    'backup incremental failed': 1,
    'backup schema failed': 1,
    'expire - succeeded': 1,
  };
  assert.deepEqual(counts(), all);
  assert.equal(forgetJobs(database, 1500), 4);
  assert.deepEqual(counts(), all);
  assert.deepEqual([forgetJobs(database, 3000), forgetJobs(database, 3000)], [1, 0]);
  assert.deepEqual(counts(), all);
  const left = database.all<{ readonly id: string }>('SELECT id FROM job ORDER BY id');
  assert.deepEqual(
    left.map(({ id }) => id),
    ['d', 'g'],
  );
});
