// Disasters do what they say, and random ones can be played again from their seed.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { destroyDataDirectory, flipBit, seededRandom, startCluster, truncateFile } from '../src/index.ts';

test('a destroyed data directory is gone, with its server, in the midst of writes', async () => {
  await using cluster = await startCluster();
  await cluster.query('CREATE TABLE busy (n int)');
  const client = await cluster.connect();
  const writing = (async () => {
    for (let n = 0; ; n += 1) await client.query('INSERT INTO busy VALUES ($1)', [n]);
  })();
  const ended = assert.rejects(writing);
  await destroyDataDirectory(cluster);
  await ended;
  assert.equal(cluster.running, false);
  assert.equal(existsSync(cluster.dataDirectory), false);
});

test('one seed plays the same choices again, another seed others', () => {
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  assert.ok(draw(7).every((value) => value >= 3 && value <= 9000));
});

test('a flipped bit changes one bit, and flipping it again mends the file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-lab-test-'));
  try {
    const file = join(folder, 'file');
    const content = Buffer.alloc(5000, 0xa5);
    await writeFile(file, content);
    const { offset, bit } = await flipBit(file, seededRandom(11));
    const flipped = await readFile(file);
    assert.equal((flipped[offset] ?? 0) ^ (content[offset] ?? 0), 1 << bit);
    assert.equal(flipped.filter((byte, at) => byte !== content[at]).length, 1);
    await flipBit(file, seededRandom(11));
    assert.deepEqual(await readFile(file), content);
    await assert.rejects(flipBit(file, 5000), { code: 'SPW_LAB' });
    const rest = await truncateFile(file, seededRandom(12));
    assert.equal((await readFile(file)).length, rest);
    assert.ok(rest < 5000);
    await assert.rejects(truncateFile(file, 5000), { code: 'SPW_LAB' });
  } finally {
    await rm(folder, { recursive: true });
  }
});

function draw(seed: number): readonly number[] {
  const random = seededRandom(seed);
  return Array.from({ length: 50 }, () => random.between(3, 9000));
}
