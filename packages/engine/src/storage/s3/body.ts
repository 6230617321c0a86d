// Bodies of requests and answers, without a copy more than the network needs.
//
// A body is sent from the caller's own memory: as it is where it is one piece and nothing limits its pace, otherwise as a
// stream of slices of it. Its length and SHA-256 are known before, so it is never sent in chunks of a signature each.

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';

export interface Digest {
  readonly hex: string;
  readonly base64: string;
}

export function digestOf(parts: readonly Uint8Array[]): Digest {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  const digest = hash.digest();
  return { hex: digest.toString('hex'), base64: digest.toString('base64') };
}

export const bytesOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, part) => sum + part.byteLength, 0);

/** Waits until so many bytes may go. */
export type Take = (bytes: number) => Promise<void>;

export function bodyOf(
  parts: readonly Uint8Array[],
  pace: { slice: number; take: Take } | undefined,
): Buffer | Readable {
  const [only = new Uint8Array(), second] = parts;
  if (second === undefined && pace === undefined) return Buffer.from(only.buffer, only.byteOffset, only.byteLength);
  return Readable.from(pace === undefined ? parts : slices(parts, pace.slice, pace.take), { objectMode: false });
}

async function* slices(parts: readonly Uint8Array[], size: number, take: Take): AsyncIterable<Uint8Array> {
  for (const part of parts) {
    for (let at = 0; at < part.byteLength; at += size) {
      const slice = part.subarray(at, at + size);
      await take(slice.byteLength);
      yield slice;
    }
  }
}

/** Reads an answer of `length` bytes; throws where fewer or more come. Without a length whatever comes. */
export async function collect(
  stream: AsyncIterable<Uint8Array>,
  length: number | undefined,
  take?: Take,
): Promise<Uint8Array> {
  if (length === undefined) return Buffer.concat(await Array.fromAsync(stream));
  const buffer = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for await (const chunk of stream) {
    if (at + chunk.byteLength > length) throw new Error(`the answer has more than its ${length} bytes`);
    buffer.set(chunk, at);
    at += chunk.byteLength;
    await take?.(chunk.byteLength);
  }
  if (at < length) throw new Error(`the answer ended after ${at} of ${length} bytes`);
  return buffer;
}
