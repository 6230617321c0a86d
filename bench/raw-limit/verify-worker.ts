// One worker of the raw limit of verification: reads packs whole and takes the codec's way back for each chunk.

import { createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { expectWhole, type StoredChunk } from './chunk.ts';

export interface VerifyData {
  readonly packs: readonly { readonly path: string; readonly chunks: readonly StoredChunk[] }[];
  /** The number of the next pack to take. */
  readonly next: SharedArrayBuffer;
  readonly secret: Uint8Array;
}

const data = workerData as VerifyData;
const next = new Int32Array(data.next);
const key = createSecretKey(data.secret);

parentPort?.once('message', () => {
  let verified = 0;
  for (;;) {
    const pack = data.packs[Atomics.add(next, 0, 1)];
    if (pack === undefined) break;
    const bytes = readFileSync(pack.path);
    for (const chunk of pack.chunks) {
      expectWhole(key, chunk, bytes.subarray(chunk.offset, chunk.offset + chunk.bytes));
      verified++;
    }
  }
  parentPort?.postMessage(verified);
});
parentPort?.postMessage(undefined);
