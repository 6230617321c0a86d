// `node raw-limit/run.ts <data directory> <empty folder> <workers> <zstd level>`
//
// Lists the files that a base backup holds, cuts them into stretches, lets workers take the stretches from a shared
// counter, and prints one JSON object. The time runs from when all workers are ready until the last of them has synced:
// listing files and starting threads is not in it.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { RawData, Stretch } from './worker.ts';

const STRETCH_BYTES = 16 * 1024 * 1024;
/** Their contents are in no base backup (the manual, "Backing Up the Data Directory"). */
const LEFT_EMPTY = new Set([
  'pg_wal',
  'pg_dynshmem',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
]);
const LEFT_OUT = /^(?:postmaster\.(?:pid|opts)|pg_internal\.init|pgsql_tmp.*)$/;

const [dataDirectory = '', target = '', workerCount = '2', level = '3'] = process.argv.slice(2);
const stretches = listStretches(dataDirectory);
const next = new SharedArrayBuffer(4);
const workers = Array.from({ length: Number(workerCount) }, (_, number) => {
  const workerData: RawData = { stretches, next, prefix: join(target, `worker-${number}`), level: Number(level) };
  return new Worker(new URL('./worker.ts', import.meta.url), { workerData });
});
await Promise.all(workers.map((worker) => answerOf(worker)));
const began = performance.now();
const written = await Promise.all(
  workers.map((worker) => {
    const answer = answerOf(worker);
    worker.postMessage('begin');
    return answer;
  }),
);
const seconds = (performance.now() - began) / 1000;
const readBytes = stretches.reduce((sum, { bytes }) => sum + bytes, 0);
const writtenBytes = written.reduce((sum, bytes) => sum + bytes, 0);
process.stdout.write(`${JSON.stringify({ seconds, read_bytes: readBytes, written_bytes: writtenBytes })}\n`);

/** The next message of the worker, a number. */
function answerOf(worker: Worker): Promise<number> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

function listStretches(root: string): readonly Stretch[] {
  return readdirSync(root, { withFileTypes: true, recursive: true }).flatMap((entry) => {
    const top = entry.parentPath.slice(root.length + 1).split('/')[0] ?? '';
    if (!entry.isFile() || LEFT_EMPTY.has(top) || LEFT_OUT.test(entry.name)) return [];
    const path = join(entry.parentPath, entry.name);
    const { size } = statSync(path);
    return Array.from({ length: Math.ceil(size / STRETCH_BYTES) }, (_, number) => {
      const offset = number * STRETCH_BYTES;
      return { path, offset, bytes: Math.min(STRETCH_BYTES, size - offset) };
    });
  });
}
