import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { newKeyRing } from '../codec/keys.ts';
import { CHUNK_BYTES, CHUNK_ID_BYTES } from '../format/chunk.ts';
import type { PackDirectory } from '../format/pack.ts';
import { writeIndex } from './index-store.ts';
import { Repository } from './repository.ts';

/** 32 MiB of chunks that zstd takes to about a third, each to another length: nothing about them can be foretold. */
const CHUNKS_PER_PACK = 384;

test('an index object takes under 40 bytes a chunk, of which 32 are the id', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'spillway-index-'));
  try {
    const repository = new Repository({ id: 'x', location: { kind: 'filesystem', path }, keys: newKeyRing() });
    const directories = Array.from({ length: 40 }, (): PackDirectory => {
      const noise = randomBytes(CHUNKS_PER_PACK * 4);
      return {
        packId: randomBytes(16).toString('hex'),
        dataKeyNumber: 1,
        salt: randomBytes(32),
        packBytes: 33_600_000,
        ids: randomBytes(CHUNKS_PER_PACK * CHUNK_ID_BYTES),
        storedBytes: Uint32Array.from(
          { length: CHUNKS_PER_PACK },
          (_, n) => 60_000 + (noise.readUInt32LE(n * 4) % 50_000),
        ),
        plainBytes: new Uint32Array(CHUNKS_PER_PACK).fill(CHUNK_BYTES),
      };
    });
    const { storedBytes } = await writeIndex(repository, directories);
    const each = storedBytes / (directories.length * CHUNKS_PER_PACK);
    t.diagnostic(`${each.toFixed(1)} bytes a chunk`);
    assert.ok(each > CHUNK_ID_BYTES && each < 40, `${each} bytes a chunk`);
  } finally {
    await rm(path, { recursive: true, force: true });
  }
});
