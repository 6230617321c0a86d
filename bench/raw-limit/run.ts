// `node raw-limit/run.ts <data directory> <empty folder> <workers> <zstd level>`
//
// Lists the files that a base backup holds, cuts them into stretches, lets workers take the stretches from a shared
// counter, and prints one JSON object. The time runs from when all workers are ready until the last of them has synced:
// neither listing files and starting threads is in it, nor the list of chunks that it leaves for `verify.ts`.

import { randomBytes } from 'node:crypto';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { timeTogether } from './crew.ts';
import { LIST_FILE, type List } from './list.ts';
import type { RawData, Stretch, Written } from './worker.ts';

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
const secret = randomBytes(32);
const workers = Array.from({ length: Number(workerCount) }, (_, number) => {
  const prefix = join(target, `worker-${number}`);
  const workerData: RawData = { stretches, next, prefix, level: Number(level), secret };
  return new Worker(new URL('./worker.ts', import.meta.url), { workerData });
});
const { seconds, answers } = await timeTogether<Written>(workers);
const readBytes = stretches.reduce((sum, { bytes }) => sum + bytes, 0);
const writtenBytes = answers.reduce((sum, { bytes }) => sum + bytes, 0);
const list: List = { secret: secret.toString('hex'), chunks: answers.flatMap(({ chunks }) => chunks) };
writeFileSync(join(target, LIST_FILE), JSON.stringify(list));
process.stdout.write(`${JSON.stringify({ seconds, read_bytes: readBytes, written_bytes: writtenBytes })}\n`);

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
