import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Client } from 'pg';
import { tapCopyFrames } from './copyframes.ts';

const WAL_HEAD = 25;

function walMessage(wal: Uint8Array): Buffer {
  const message = Buffer.alloc(5 + WAL_HEAD + wal.byteLength);
  message.write('d', 0, 'latin1');
  message.writeUInt32BE(message.length - 1, 1);
  message.write('w', 5, 'latin1');
  message.set(wal, 5 + WAL_HEAD);
  return message;
}

/** As Node reads from a socket: each chunk in memory of its own. */
const ownChunk = (bytes: Uint8Array): Buffer => Buffer.from(Uint8Array.from(bytes).buffer);

interface Heard {
  readonly bytes: Uint8Array;
  readonly isLast: boolean;
}

function heardOf(chunks: readonly Buffer[]): readonly Heard[] {
  const heard: Heard[] = [];
  const stream = new Duplex({ read: () => undefined });
  stream.on('data', () => undefined);
  const frames = tapCopyFrames({ connection: { stream } } as unknown as Client);
  frames.listener = {
    started: () => undefined,
    keepalive: () => undefined,
    done: () => undefined,
    unknown: () => undefined,
    wal: (_start, _end, _sentAt, bytes, isLast) => heard.push({ bytes, isLast }),
  };
  for (const chunk of chunks) stream.emit('data', chunk);
  return heard;
}

test('WAL comes out as it went in, however it was cut, and a piece is the last of its memory only where nothing follows in it', () => {
  const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(pieces, fc.array(fc.integer({ min: 1, max: 80 }), { maxLength: 12 }), (wal, cuts) => {
      const all = Buffer.concat(wal.map(walMessage));
      const chunks: Buffer[] = [];
      for (let at = 0, cut = 0; at < all.length; cut++) {
        const bytes = cuts[cut] ?? all.length;
        chunks.push(ownChunk(all.subarray(at, at + bytes)));
        at += bytes;
      }
      const heard = heardOf(chunks);
      assert.deepEqual(Buffer.concat(heard.map(({ bytes }) => bytes)), Buffer.concat(wal));
      // Whoever discards at each last one never empties what is still to be read.
      for (const [at, { isLast, bytes }] of heard.entries()) {
        if (isLast) assert.ok(heard.slice(at + 1).every((later) => later.bytes.buffer !== bytes.buffer));
      }
      // And hardly anything is left to the collector: the last piece of a chunk that ends in WAL says so.
      assert.ok(heard.at(-1)?.isLast === true);
    }),
  );
});

test('a piece of a pool is the last of nothing', () => {
  const pool = Buffer.alloc(1024);
  const message = walMessage(Buffer.from('wal'));
  pool.set(message, 100);
  assert.deepEqual(
    heardOf([pool.subarray(100, 100 + message.length)]).map(({ isLast }) => isLast),
    [false],
  );
});
