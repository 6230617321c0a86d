// Segments that are larger than a part, over a repository on disk: what is durable can be read and is the same, whatever
// comes in, whenever a receiver is killed, and whatever it left. Parts are small here, so that a segment has several.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { admitSystem } from '../src/operation/system.ts';
import { WalArchive, type WalObject } from '../src/operation/wal/archive.ts';
import { checkWal } from '../src/operation/wal/check.ts';
import { completeSegment } from '../src/operation/wal/complete.ts';
import { fetchSegment } from '../src/operation/wal/fetch.ts';
import { coverage } from '../src/operation/wal/interval.ts';
import { removeLeftovers } from '../src/operation/wal/leftover.ts';
import { WalRecorder } from '../src/operation/wal/recorder.ts';
import { inPages } from '../src/operation/wal/stored.ts';
import { type Lsn, lsn, segmentName, segmentSize, segmentStart, timelineId } from '../src/postgres/lsn.ts';
import { Repository } from '../src/repository/repository.ts';
import { makeRepository } from './operation-stage.ts';
import { assembled } from './stored-wal.ts';

const SIZE = segmentSize(1024 * 1024);
const PART = SIZE / 8;
const SYSTEM = '7300000000000000001';
const START = lsn(0x3000000n);
const NEVER_MS = 600_000;
const one = timelineId(1);
const sentAt = new Date('2026-11-23T12:00:00Z');
const SEGMENTS = 2;
const stream = randomBytes(SEGMENTS * SIZE);
for (let n = 0; n < SEGMENTS; n++) {
  stream.writeUInt16LE(0xd118, n * SIZE);
  stream.writeUInt16LE(2, n * SIZE + 2);
  stream.writeUInt32LE(1, n * SIZE + 4);
  stream.writeBigUInt64LE(START + BigInt(n * SIZE), n * SIZE + 8);
  stream.writeUInt32LE(0, n * SIZE + 16);
  stream.writeBigUInt64LE(BigInt(SYSTEM), n * SIZE + 24);
  stream.writeUInt32LE(SIZE, n * SIZE + 32);
  stream.writeUInt32LE(8192, n * SIZE + 36);
}

let folder = '';
let kept: Repository;
let repository: Repository;
let cluster = '';
let clusters = 0;
let archive: WalArchive;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spillway-parts-'));
  kept = await makeRepository(folder);
});
after(() => rm(folder, { recursive: true, force: true }));
beforeEach(renew);

/** An empty archive, of a cluster of its own. */
function renew(): void {
  repository = new Repository(kept.handle);
  cluster = `main-${clusters++}`;
  archive = new WalArchive(repository, cluster, SYSTEM, SIZE, { partBytes: PART });
}

const at = (offset: number): Lsn => lsn(START + BigInt(offset));
const again = (from: Lsn, to: Lsn): Buffer => Buffer.from(stream.subarray(Number(from - START), Number(to - START)));
const send = (recorder: WalRecorder, from: number, to: number): Promise<void> =>
  recorder.append(at(from), stream.subarray(from, to), sentAt);
const begin = (start = START, own: { readonly timeline?: number; readonly begin?: Lsn } = {}): Promise<WalRecorder> =>
  WalRecorder.begin(archive, timelineId(own.timeline ?? 1), start, {
    flushIntervalMs: NEVER_MS,
    onDurable: () => undefined,
    totals: { segments: 0, pieces: 0, bytes: 0, storedBytes: 0 },
    ...(own.begin === undefined ? {} : { begin: own.begin }),
  });

async function objects(timeline = one): Promise<readonly WalObject[]> {
  return (await archive.catalog()).objects.get(timeline) ?? [];
}
/** What is stored, in parts. */
const stored = async (timeline = one): Promise<readonly string[]> =>
  (await objects(timeline)).map(({ start, end }) => `${Number(start - START) / PART}-${Number(end - START) / PART}`);
const partsOf = (segment: number): readonly string[] =>
  Array.from({ length: SIZE / PART }, (_, n) => `${segment * (SIZE / PART) + n}-${segment * (SIZE / PART) + n + 1}`);

test('a large segment is stored in parts, each of which replaces its pieces, and is read as one', async () => {
  const recorder = await begin();
  await send(recorder, 0, 1000);
  await recorder.flush();
  await send(recorder, 1000, PART + 10);
  await recorder.flush();
  assert.deepEqual(await stored(), ['0-1', `1-${1 + 10 / PART}`]);
  await send(recorder, PART + 10, SIZE + 5);
  await recorder.flush();
  recorder.close();
  assert.equal(recorder.durable, at(SIZE + 5));
  assert.deepEqual(await stored(), [...partsOf(0), `8-${8 + 5 / PART}`]);
  assert.ok((await assembled(archive, one, START))?.bytes.equals(stream.subarray(0, SIZE)));
  const path = join(folder, 'fetched');
  assert.ok(await fetchSegment(archive, segmentName(one, START, SIZE), path));
  assert.ok((await readFile(path)).equals(stream.subarray(0, SIZE)));
  await admitSystem(repository, cluster, { systemIdentifier: SYSTEM, segmentBytes: SIZE });
  const [timeline] = (await checkWal({ repository, cluster })).timelines;
  assert.deepEqual([timeline?.segments, timeline?.pieces], [1, 1]);
});

test('whatever comes in and whenever the receiver is killed, what is durable is stored, and is what came', async () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('append' as const), bytes: fc.integer({ min: 1, max: 3 * PART }) }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
    // Killed: at once, or when as many objects more as this have been stored or removed.
    { weight: 2, arbitrary: fc.record({ do: fc.constant('kill' as const), calls: fc.nat({ max: 6 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('push' as const) }) },
    // Of another size of parts, as an older version may have left it.
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('piece' as const),
        from: fc.nat({ max: SIZE - 1 }),
        bytes: fc.integer({ min: 1, max: SIZE }),
      }),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      renew();
      let dead = false;
      let left = Number.POSITIVE_INFINITY;
      const { write, remove } = { write: archive.write.bind(archive), remove: archive.remove.bind(archive) };
      const alive = (): void => {
        if (left-- <= 0) dead = true;
        if (dead) throw new Error('killed');
      };
      archive.write = async (...words) => {
        alive();
        return write(...words);
      };
      archive.remove = async (pieces) => {
        for (const piece of pieces) {
          alive();
          await remove([piece]);
        }
      };
      let recorder = await begin();
      let claimed: bigint = START;
      const claim = (): void => {
        if (recorder.durable > claimed) claimed = recorder.durable;
      };
      const restart = async (): Promise<void> => {
        recorder.close();
        await recorder.flush().catch(() => undefined);
        claim();
        dead = false;
        left = Number.POSITIVE_INFINITY;
        // As a receiver does: from the start of the segment in which what is stored ends.
        const end = coverage(await objects()).find(({ start }) => start === START)?.end ?? START;
        assert.ok(claimed <= end, `${claimed - START} is said to be durable, ${end - START} is stored`);
        const from = segmentStart(end, SIZE);
        if (from > START) await removeLeftovers(archive, one, lsn(from - BigInt(SIZE)));
        recorder = await begin(from);
      };
      for (const each of steps) {
        const received = Number(recorder.received - START);
        if (each.do === 'append') {
          const to = Math.min(stream.length, received + each.bytes);
          if (to > received) await send(recorder, received, to).catch(() => undefined);
        } else if (each.do === 'flush') {
          await recorder.flush().catch(() => undefined);
        } else if (each.do === 'kill') {
          left = each.calls;
          await send(recorder, received, Math.min(stream.length, received + 2 * PART)).catch(() => undefined);
          await restart();
        } else if (each.do === 'push') {
          await completeSegment(archive, one, START, again, sentAt).catch(() => undefined);
        } else {
          const to = Math.min(SIZE, each.from + each.bytes);
          if (to - each.from < SIZE) await write(one, at(each.from), again(at(each.from), at(to)), sentAt);
        }
        claim();
      }
      await restart();
      // Once more to the end, and nothing is left but what the segments need.
      await send(recorder, Number(recorder.received - START), stream.length);
      await recorder.flush();
      recorder.close();
      assert.equal(recorder.durable, at(stream.length));
      const all = await objects();
      for (let n = 0; n < SEGMENTS; n++) {
        const whole = await assembled(archive, one, at(n * SIZE));
        assert.ok(whole?.bytes.equals(stream.subarray(n * SIZE, (n + 1) * SIZE)), `segment ${n}`);
      }
      for (const object of all) {
        const holder = all.find((other) => other !== object && other.start <= object.start && other.end >= object.end);
        // What lies in another object was put there by somebody else after this receiver had begun behind it.
        if (holder !== undefined) assert.ok(steps.some((each) => each.do === 'piece' || each.do === 'push'));
      }
    }),
    { numRuns: 25 },
  );
});

test('of a new timeline nothing is stored at the start of the segment before the place where it began is', async () => {
  const two = timelineId(2);
  const recorder = await begin(START, { timeline: 2, begin: at(3 * PART + 500) });
  await send(recorder, 0, 3 * PART + 400);
  await recorder.flush();
  assert.deepEqual(await stored(two), ['1-2', '2-3']);
  assert.equal(recorder.durable, START, 'the first part is not stored');
  assert.equal(await fetchSegment(archive, segmentName(two, START, SIZE), join(folder, 'fetched')), false);
  await send(recorder, 3 * PART + 400, 3 * PART + 600);
  await recorder.flush();
  assert.equal(recorder.durable, at(3 * PART + 600));
  assert.deepEqual(await stored(two), ['0-1', '1-2', '2-3', `3-${3 + 600 / PART}`]);
  await send(recorder, 3 * PART + 600, SIZE);
  await recorder.flush();
  recorder.close();
  assert.deepEqual(await stored(two), partsOf(0));
  // One that was killed in between begins anew, and finds the parts.
  await archive.remove((await objects(two)).filter(({ start }) => start !== at(PART)));
  const next = await begin(START, { timeline: 2, begin: at(3 * PART + 500) });
  await send(next, 0, SIZE);
  await next.flush();
  next.close();
  assert.equal(next.durable, at(SIZE));
  assert.deepEqual(await stored(two), partsOf(0));
});

test('a part with other content is a conflict, and what is behind it does not count', async () => {
  await archive.write(one, at(2 * PART), randomBytes(PART), sentAt);
  const recorder = await begin();
  await send(recorder, 0, 4 * PART).catch(() => undefined);
  await assert.rejects(recorder.flush(), { code: 'SPW_WAL_CONFLICT' });
  recorder.close();
  assert.equal(recorder.durable, at(2 * PART));
  const held = await stored();
  await assert.rejects(completeSegment(archive, one, START, again, sentAt), { code: 'SPW_WAL_CONFLICT' });
  assert.deepEqual(await stored(), held, 'nothing of it is stored where any of it differs');
});

test('a push stores the beginning of a segment last, finds what is there, and leaves what holds a part', async () => {
  await archive.write(one, at(100), again(at(100), at(300)), sentAt);
  await archive.write(one, at(PART), again(at(PART), at(2 * PART)), sentAt);
  await archive.write(one, at(2 * PART + 1), again(at(2 * PART + 1), at(4 * PART + 1)), sentAt);
  const order: number[] = [];
  const write = archive.write.bind(archive);
  archive.write = (timeline, start, ...words) => {
    order.push(Number(start - START) / PART);
    return write(timeline, start, ...words);
  };
  const { objects: holders, created } = await completeSegment(archive, one, START, again, sentAt);
  assert.deepEqual(order, [2, 4, 5, 6, 7, 0]);
  assert.ok(created);
  assert.ok((await assembled(archive, one, START))?.bytes.equals(stream.subarray(0, SIZE)));
  // What holds a part by itself stays.
  const others = partsOf(0).filter((part) => part !== '3-4');
  assert.deepEqual((await stored()).toSorted(), [...others, `${2 + 1 / PART}-${4 + 1 / PART}`].toSorted());
  assert.equal(holders.length, 8);
  assert.equal((await completeSegment(archive, one, START, again, sentAt)).created, false);
});

test('a segment that an older version stored as one object is read, found by a receiver, and replaces its parts', async () => {
  const whole = new WalArchive(repository, cluster, SYSTEM, SIZE);
  const { object } = await whole.write(one, START, again(START, at(SIZE)), sentAt);
  await archive.write(one, START, again(START, at(PART)), sentAt);
  const recorder = await begin();
  await send(recorder, 0, SIZE);
  await recorder.flush();
  recorder.close();
  assert.equal(recorder.durable, at(SIZE));
  assert.deepEqual(
    (await objects()).map(({ name }) => name),
    [object.name],
  );
  assert.ok((await assembled(archive, one, START))?.bytes.equals(stream.subarray(0, SIZE)));
  assert.equal((await completeSegment(archive, one, START, again, sentAt)).created, false);
});

test('pieces that a receiver left beside their part are removed where they agree, and stay where they do not', async () => {
  await archive.write(one, START, again(START, at(PART)), sentAt);
  await archive.write(one, at(10), again(at(10), at(20)), sentAt);
  await archive.write(one, at(30), randomBytes(10), sentAt);
  await archive.write(one, at(PART + 10), again(at(PART + 10), at(PART + 20)), sentAt);
  await removeLeftovers(archive, one, START);
  assert.deepEqual(
    (await objects()).map(({ start, end }) => `${start - START}-${end - START}`),
    [`0-${PART}`, '30-40', `${PART + 10}-${PART + 20}`],
  );
  assert.ok((await assembled(archive, one, START))?.bytes.subarray(0, PART).equals(stream.subarray(0, PART)));
});

test('a part that is replaced while it is read is read on from what took its place', async () => {
  const { object } = await archive.write(one, at(0), again(at(0), at(PART / 2)), sentAt);
  await archive.write(one, at(PART / 2), again(at(PART / 2), at(PART)), sentAt);
  const { storage } = repository;
  const get: typeof storage.get = async (name, options) => {
    if (name === object.name) {
      await archive.write(one, at(0), again(at(0), at(PART)), sentAt);
      await archive.remove((await archive.find(one, START)).filter(({ end, start }) => end - start < PART));
    }
    return storage.get(name, options);
  };
  const reading = {
    description: storage.description,
    put: storage.put.bind(storage),
    list: storage.list.bind(storage),
    stat: storage.stat.bind(storage),
    remove: storage.remove.bind(storage),
    get,
  };
  Object.assign(repository, { storage: reading });
  const found = await assembled(archive, one, START);
  assert.equal(found?.end, at(PART));
  assert.ok(found?.bytes.subarray(0, PART).equals(stream.subarray(0, PART)));
});

test('WAL is cut at pages wherever objects meet, with zeros behind its end', async () => {
  const pages = 8 * 8192;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: pages }),
      fc.array(fc.integer({ min: 1, max: pages })),
      async (length, cuts) => {
        const ends = [...new Set([...cuts.filter((cut) => cut < length), length])].toSorted((a, b) => a - b);
        async function* chunks() {
          for (let i = 0, from = 0; i < ends.length; from = ends[i++] ?? 0) {
            yield { start: at(from), bytes: Buffer.from(stream.subarray(from, ends[i])) };
          }
        }
        let next: Lsn = START;
        const joined: Buffer[] = [];
        for await (const { start, bytes } of inPages(chunks(), at(pages))) {
          assert.equal(start, next);
          assert.equal(bytes.byteLength % 8192, 0);
          joined.push(Buffer.from(bytes));
          next = lsn(next + BigInt(bytes.byteLength));
        }
        const got = Buffer.concat(joined);
        assert.ok(got.subarray(0, length).equals(stream.subarray(0, length)));
        assert.ok(got.subarray(length).every((byte) => byte === 0));
        assert.equal(got.length, length === pages ? pages : Math.min(pages, (Math.floor(length / 8192) + 1) * 8192));
      },
    ),
  );
});
