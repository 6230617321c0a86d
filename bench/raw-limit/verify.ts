// `node raw-limit/verify.ts <folder that run.ts wrote> <workers>`
//
// Lets workers take packs from a shared counter: each is read whole, and every distinct chunk in it decrypted, expanded and
// hashed. Prints one JSON object. The time runs as in `run.ts`. A chunk that lies there twice is looked at once, and one of
// nothing but zeros never, as by a tool that stores neither.

import { createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { CHUNK_BYTES, hashChunk, type StoredChunk } from './chunk.ts';
import { timeTogether } from './crew.ts';
import { LIST_FILE, type List } from './list.ts';
import type { VerifyData } from './verify-worker.ts';

const [folder = '', workerCount = '2'] = process.argv.slice(2);
const { secret, chunks } = JSON.parse(readFileSync(join(folder, LIST_FILE), 'utf8')) as List;
const key = createSecretKey(Buffer.from(secret, 'hex'));
const zeros = hashChunk(key, Buffer.alloc(CHUNK_BYTES)).toString('hex');
const distinct = new Map(chunks.filter(({ id }) => id !== zeros).map((chunk) => [chunk.id, chunk]));
const packs = [...Map.groupBy(distinct.values(), ({ pack }) => pack)].map(([path, held]: [string, StoredChunk[]]) => ({
  path,
  chunks: held,
}));
const next = new SharedArrayBuffer(4);
const workers = Array.from({ length: Number(workerCount) }, () => {
  const workerData: VerifyData = { packs, next, secret: Buffer.from(secret, 'hex') };
  return new Worker(new URL('./verify-worker.ts', import.meta.url), { workerData });
});
const { seconds, answers } = await timeTogether<number>(workers);
const verified = answers.reduce((sum, count) => sum + count, 0);
if (verified !== distinct.size) throw new Error(`${verified} chunks were looked at, of ${distinct.size}`);
const plainBytes = [...distinct.values()].reduce((sum, chunk) => sum + chunk.plainBytes, 0);
process.stdout.write(`${JSON.stringify({ seconds, chunks: verified, plain_bytes: plainBytes })}\n`);
