// One worker of the raw limit: the codec calls of a backup, chunk by chunk, and no bookkeeping.
//
// Read into one buffer, HMAC-SHA-256 it, zstd it, AES-256-GCM it, into a pack of 16 MiB; a full pack is written and synced
// while the next one fills. Nothing is left out: no chunk is looked up, and none is recognised as zeros.

import { createCipheriv, createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { constants, zstdCompressSync } from 'node:zlib';

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
}

const CHUNK_BYTES = 256 * 1024;
const PACK_BYTES = 16 * 1024 * 1024;
const NONCE_BYTES = 12;

const data = workerData as RawData;
const next = new Int32Array(data.next);
// A key object: from plain bytes OpenSSL would be given a new key with every call.
const key = createSecretKey(randomBytes(32));
const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
const spare = [newPack(), newPack()];
let pack = spare.pop() ?? newPack();
let used = 0;
let writtenBytes = 0;
let packs = 0;
let writing: Promise<void> = Promise.resolve();

parentPort?.once('message', () => {
  // What fails ends the worker as an unhandled rejection, and with it the program.
  void copyAll();
});
parentPort?.postMessage(0);

async function copyAll(): Promise<void> {
  for (;;) {
    const stretch = data.stretches[Atomics.add(next, 0, 1)];
    if (stretch === undefined) break;
    await copy(stretch);
  }
  await writeOut();
  await writing;
  parentPort?.postMessage(writtenBytes);
}

async function copy({ path, offset, bytes }: Stretch): Promise<void> {
  const file = openSync(path, 'r');
  try {
    for (let done = 0; done < bytes; ) {
      const got = readSync(file, chunk, 0, Math.min(CHUNK_BYTES, bytes - done), offset + done);
      if (got === 0) break;
      done += got;
      encode(chunk.subarray(0, got));
      if (used >= PACK_BYTES) await writeOut();
    }
  } finally {
    closeSync(file);
  }
}

function encode(plain: Buffer): void {
  const id = createHmac('sha256', key).update(plain).digest();
  const packed = zstdCompressSync(plain, {
    chunkSize: Math.max(1024, plain.length),
    params: { [constants.ZSTD_c_compressionLevel]: data.level },
  });
  const body = packed.length < plain.length ? packed : plain;
  const cipher = createCipheriv('aes-256-gcm', key, id.subarray(0, NONCE_BYTES));
  used += cipher.update(body).copy(pack, used);
  cipher.final();
  used += cipher.getAuthTag().copy(pack, used);
}

/** Hands the pack over to be written, once the one before it is. */
async function writeOut(): Promise<void> {
  await writing;
  const full = pack;
  writing = write(full, used);
  pack = spare.pop() ?? newPack();
  used = 0;
}

async function write(full: Buffer, bytes: number): Promise<void> {
  await using file = await open(`${data.prefix}-${packs++}`, 'wx');
  for (let at = 0; at < bytes; ) at += (await file.write(full, at, bytes - at)).bytesWritten;
  await file.datasync();
  writtenBytes += bytes;
  spare.push(full);
}

function newPack(): Buffer {
  return Buffer.allocUnsafeSlow(PACK_BYTES + 2 * CHUNK_BYTES);
}
