import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '@spillway/lab';
import { choosePages, damagePages } from './damage.ts';

test('as many different pages are chosen as were asked for, all of them within their files', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { minLength: 1 }), fc.nat(), fc.integer(), (lengths, some, seed) => {
      const all = lengths.reduce((sum, length) => sum + length, 0);
      const count = all === 0 ? 0 : some % (all + 1);
      const chosen = choosePages(lengths, count, seededRandom(seed).next);
      const places = [...chosen].flatMap(([file, numbers]) => numbers.map((number) => [file, number] as const));
      assert.equal(new Set(places.map(String)).size, count);
      for (const [file, number] of places) assert.ok(number >= 0 && number < (lengths[file] ?? 0));
    }),
  );
  assert.throws(() => choosePages([1, 2], 4, seededRandom(1).next), RangeError);
});

test('damage keeps size and time, and is told until it is mended', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-damage-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'base', '5', '1259');
  await mkdir(join(folder, 'base', '5'), { recursive: true });
  const whole = Buffer.alloc(10 * 8192, 7);
  await writeFile(path, whole);
  await writeFile(join(folder, 'base', '5', 'PG_VERSION'), '15\n');
  await utimes(path, 1000, 2000);
  const check = await damagePages(folder, 0.2, 1);
  const harmed = await readFile(path);
  const pages = Array.from({ length: 10 }, (_, page) => page * 8192);
  assert.equal(pages.filter((at) => !harmed.subarray(at, at + 8192).equals(whole.subarray(0, 8192))).length, 2);
  assert.deepEqual([(await stat(path)).size, (await stat(path)).mtimeMs], [whole.length, 2_000_000]);
  await assert.rejects(check(), /was damaged/);
  await writeFile(path, whole);
  await check();
});
