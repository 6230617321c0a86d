// What was appended is read back in order and never silently lost: over restarts, at every point at which a crash can cut
// the last write, and where bytes are damaged.

import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { Problem } from '../problem.ts';
import { encodeRecord, payloadAt, scanSegment, SEGMENT_HEAD } from './format.ts';
import { Spool } from './spool.ts';

const MEBIBYTE = 1024 * 1024;
const payloads = fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 8 });
const segmentOf = (list: readonly Uint8Array[]): Buffer =>
  Buffer.concat([SEGMENT_HEAD, ...list.map((each) => encodeRecord(Buffer.from(each)))]);

suite('the format', () => {
  test('cut at any byte, a segment gives the records before the cut, and nothing else', () => {
    fc.assert(
      fc.property(payloads, fc.nat(), (list, cut) => {
        const bytes = segmentOf(list);
        const kept = bytes.subarray(0, cut % (bytes.length + 1));
        const { offsets, end } = scanSegment(kept);
        assert.deepEqual(
          offsets.map((offset) => payloadAt(kept, offset)?.toString('hex')),
          list.slice(0, offsets.length).map((each) => Buffer.from(each).toString('hex')),
        );
        assert.ok(end <= kept.length);
        // Nothing whole was left behind.
        const next = list[offsets.length];
        if (next !== undefined && kept.length >= SEGMENT_HEAD.length) assert.ok(end + 8 + next.length > kept.length);
      }),
    );
  });

  test('a bit turned anywhere is seen', () => {
    fc.assert(
      fc.property(
        payloads.filter((list) => list.length > 0),
        fc.nat(),
        (list, at) => {
          const bytes = segmentOf(list);
          const bit = at % (bytes.length * 8);
          bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
          assert.ok(scanSegment(bytes).offsets.length < list.length);
        },
      ),
    );
  });
});

suite('the spool', () => {
  test('gives back what was appended, in order, over restarts and segments, and is empty when all is forgotten', async (t) => {
    const folder = await folderOf(t);
    const options = { folder, limitBytes: MEBIBYTE, segmentBytes: 100 };
    let spool = await Spool.open(options);
    const all = Array.from({ length: 40 }, (_, index) => Buffer.from(`record ${index}`));
    await Promise.all(all.slice(0, 25).map((payload) => spool.append(payload)));
    await spool.close();
    spool = await Spool.open(options);
    for (const payload of all.slice(25)) await spool.append(payload);
    assert.equal(spool.depth.records, 40);
    assert.ok((await readdir(folder)).length > 3);
    assert.deepEqual(await drain(spool), all.map(String));
    assert.ok(spool.isEmpty);
    assert.deepEqual(await readdir(folder), ['damaged']);
    await spool.append(Buffer.from('later'));
    assert.deepEqual(await drain(spool), ['later']);
    await spool.close();
    assert.equal(spool.damaged, 0);
  });

  test('what was read but not forgotten is read again after a restart', async (t) => {
    const folder = await folderOf(t);
    const spool = await Spool.open({ folder, limitBytes: MEBIBYTE });
    for (const word of ['one', 'two', 'three']) await spool.append(Buffer.from(word));
    const { behind } = await spool.read(1);
    await spool.advance(behind);
    assert.deepEqual((await spool.read(1)).payloads.map(String), ['two']);
    await spool.close();
    const again = await Spool.open({ folder, limitBytes: MEBIBYTE });
    assert.deepEqual(await drain(again), ['one', 'two', 'three']);
    await again.close();
  });

  test('appends and reads at one time lose nothing and mix up nothing', async (t) => {
    const folder = await folderOf(t);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }), async (moves) => {
        const spool = await Spool.open({ folder, limitBytes: MEBIBYTE, segmentBytes: 64 });
        const got: string[] = [];
        const appends: Promise<void>[] = [];
        for (const isAppend of moves) {
          if (isAppend) appends.push(spool.append(Buffer.from(`n${appends.length}`)));
          else {
            const { payloads: read, behind } = await spool.read(10);
            got.push(...read.map(String));
            if (read.length > 0) await spool.advance(behind);
          }
        }
        await Promise.all(appends);
        got.push(...(await drain(spool)));
        await spool.close();
        assert.deepEqual(
          got,
          appends.map((_, index) => `n${index}`),
        );
      }),
      { numRuns: 30 },
    );
  });

  test('a write that a crash cut short is put aside, and the records before it are there', async (t) => {
    const folder = await folderOf(t);
    const spool = await Spool.open({ folder, limitBytes: MEBIBYTE });
    for (const word of ['one', 'two']) await spool.append(Buffer.from(word));
    await spool.close();
    const file = join(folder, '00000001.spool');
    const whole = await readFile(file);
    await writeFile(file, Buffer.concat([whole, encodeRecord(Buffer.from('three')).subarray(0, 10)]));
    const again = await Spool.open({ folder, limitBytes: MEBIBYTE });
    assert.equal(again.damaged, 1);
    assert.deepEqual(await readdir(join(folder, 'damaged')), [`00000001.spool-${whole.length}`]);
    await again.append(Buffer.from('four'));
    assert.deepEqual(await drain(again), ['one', 'two', 'four']);
    await again.close();
  });

  test('an append that would pass the limit is refused, and taken when there is room again', async (t) => {
    const folder = await folderOf(t);
    const spool = await Spool.open({ folder, limitBytes: 200 });
    const payload = Buffer.alloc(80, 1);
    await spool.append(payload);
    await spool.append(payload);
    await assert.rejects(spool.append(payload), (error) => error instanceof Problem && error.code === 'spool_full');
    assert.equal((await drain(spool)).length, 2);
    await spool.append(payload);
    await spool.close();
  });

  test('where the disk fails, nobody is told that it is durable', async (t) => {
    const folder = await folderOf(t);
    const spool = await Spool.open({ folder, limitBytes: MEBIBYTE });
    await spool.append(Buffer.from('before'));
    await drain(spool);
    await rm(folder, { recursive: true });
    await assert.rejects(
      spool.append(Buffer.from('x')),
      (error) => error instanceof Problem && error.code === 'spool_failed',
    );
    await spool.close();
  });
});

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'monitor-spool-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function drain(spool: Spool): Promise<readonly string[]> {
  const got: string[] = [];
  while (!spool.isEmpty) {
    const { payloads: read, behind } = await spool.read(50);
    got.push(...read.map(String));
    if (read.length > 0) await spool.advance(behind);
    else await new Promise((resolve) => setImmediate(resolve));
  }
  return got;
}
