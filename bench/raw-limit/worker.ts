// One worker of the raw limit: the codec calls of a backup, chunk by chunk, and no bookkeeping.
//
// Read into one buffer, HMAC-SHA-256 it, zstd it, AES-256-GCM it, into a pack of 16 MiB; a full pack is written and synced
// while the next one fills. Nothing is left out: no chunk is looked up, and none is recognised as zeros. Where each chunk went
// is kept in an array, for `verify.ts`; that is all that this does beyond the calls.

import { createSecretKey } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { CHUNK_BYTES, encode, hashChunk, PACK_BYTES, type StoredChunk } from './chunk.ts';

export interface Stretch {
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
}

export interface RawData {
  readonly stretches: readonly Stretch[];
  /** The number of the next stretch to take. */
  readonly next: SharedArrayBuffer;
  /** Of the files that it writes. */
  readonly prefix: string;
  readonly level: number;
  readonly secret: Uint8Array;
}

export interface Written {
  readonly bytes: number;
  readonly chunks: readonly StoredChunk[];
}

const data = workerData as RawData;
const next = new Int32Array(data.next);
// A key object: from plain bytes OpenSSL would be given a new key with every call.
const key = createSecretKey(data.secret);
const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
const spare = [newPack(), newPack()];
const chunks: StoredChunk[] = [];
let pack = spare.pop() ?? newPack();
let used = 0;
let writtenBytes = 0;
let packs = 0;
let writing: Promise<void> = Promise.resolve();

parentPort?.once('message', () => {
  // What fails ends the worker as an unhandled rejection, and with it the program.
  void copyAll();
});
parentPort?.postMessage(undefined);

async function copyAll(): Promise<void> {
  for (;;) {
    const stretch = data.stretches[Atomics.add(next, 0, 1)];
    if (stretch === undefined) break;
    await copy(stretch);
  }
  await writeOut();
  await writing;
  const written: Written = { bytes: writtenBytes, chunks };
  parentPort?.postMessage(written);
}

async function copy({ path, offset, bytes }: Stretch): Promise<void> {
  const file = openSync(path, 'r');
  try {
    for (let done = 0; done < bytes; ) {
      const got = readSync(file, chunk, 0, Math.min(CHUNK_BYTES, bytes - done), offset + done);
      if (got === 0) break;
      done += got;
      store(chunk.subarray(0, got));
      if (used >= PACK_BYTES) await writeOut();
    }
  } finally {
    closeSync(file);
  }
}

function store(plain: Buffer): void {
  const id = hashChunk(key, plain);
  const bytes = encode(key, id, plain, data.level, pack, used);
  chunks.push({ id: id.toString('hex'), pack: packName(packs), offset: used, bytes, plainBytes: plain.length });
  used += bytes;
}

/** Hands the pack over to be written, once the one before it is. */
async function writeOut(): Promise<void> {
  await writing;
  const full = pack;
  writing = write(packName(packs++), full, used);
  pack = spare.pop() ?? newPack();
  used = 0;
}

async function write(path: string, full: Buffer, bytes: number): Promise<void> {
  await using file = await open(path, 'wx');
  for (let at = 0; at < bytes; ) at += (await file.write(full, at, bytes - at)).bytesWritten;
  await file.datasync();
  writtenBytes += bytes;
  spare.push(full);
}

function packName(number: number): string {
  return `${data.prefix}-${number}`;
}

function newPack(): Buffer {
  return Buffer.allocUnsafeSlow(PACK_BYTES + 2 * CHUNK_BYTES);
}
