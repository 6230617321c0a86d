import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { newKeyRing } from '../codec/keys.ts';
import { FrameOpener } from '../codec/seal.ts';
import { CHUNK_BYTES, CHUNK_ID_BYTES } from '../format/chunk.ts';
import { packName } from '../format/names.ts';
import { encodeHead, SALT_BYTES } from '../format/object.ts';
import type { PackDirectory } from '../format/pack.ts';
import type { FaultPlan, Storage } from '../storage/port.ts';
import { type RepositoryIndex, readIndex, writeIndex } from './index-store.ts';
import { readPackFooter } from './pack-footer.ts';
import { PACK_BYTES, PackWriter } from './pack-writer.ts';
import { Repository } from './repository.ts';
import { folderOf } from '../storage/port.ts';

const root = await mkdtemp(join(tmpdir(), 'spillway-packs-'));
after(() => rm(root, { recursive: true, force: true }));

const newRepository = async (fault?: FaultPlan): Promise<Repository> => {
  const path = await mkdtemp(join(root, 'r-'));
  const location = { kind: 'filesystem', path, ...(fault && { fault }) } as const;
  return new Repository({ id: 'test', location, keys: newKeyRing() });
};
const file = (repository: Repository, name: string): string => join(folderOf(repository.location) ?? '', name);
/** The same repository over another store. */
const over = (repository: Repository, storage: Partial<Storage>): Repository =>
  Object.create(repository, { storage: { value: { ...bound(repository.storage), ...storage } } }) as Repository;
const bound = (storage: Storage): Storage => ({
  description: storage.description,
  get: (name, options) => storage.get(name, options),
  put: (name, parts, options) => storage.put(name, parts, options),
  list: (prefix, options) => storage.list(prefix, options),
  stat: (name, options) => storage.stat(name, options),
  remove: (name, options) => storage.remove(name, options),
});

const isInternal = (error: unknown): boolean => isSpillwayError(error, 'SPW_INTERNAL');
const isUnreachable = (error: unknown): boolean => isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE');

interface Chunk {
  readonly id: Uint8Array;
  readonly plain: Uint8Array;
}
const chunk = (plain: Uint8Array): Chunk => ({ id: createHash('sha256').update(plain).digest(), plain });

async function readChunk(repository: Repository, index: RepositoryIndex, id: Uint8Array): Promise<Uint8Array> {
  const place = index.table.find(id, 0);
  assert.ok(place, 'the index does not know the chunk');
  const pack = index.packs[place.pack];
  assert.ok(pack, 'the index does not know the pack');
  const name = packName(pack.packId);
  const opener = new FrameOpener(repository.keys, 'pack', name, encodeHead('pack', pack.dataKeyNumber, pack.salt));
  const bytes = await repository.storage.get(name, { range: { offset: place.offset, bytes: place.storedBytes } });
  const { plain, frameBytes } = opener.open(bytes, 0, place.offset, false);
  assert.equal(frameBytes, place.storedBytes);
  assert.equal(plain.byteLength, place.plainBytes);
  return plain;
}
/** Objects are read-only files. */
async function setLength(path: string, bytes: number): Promise<void> {
  await chmod(path, 0o600);
  await truncate(path, bytes);
}

/** One pack of one chunk, durable. */
async function writePack(repository: Repository, { id, plain }: Chunk): Promise<PackDirectory> {
  const writer = new PackWriter(repository, 3);
  writer.add(id, plain);
  const [directory] = await writer.finish();
  assert.ok(directory);
  return directory;
}

test('chunks of many sizes are read back through the index, from one pack and from several', async () => {
  const repository = await newRepository();
  const sizes = [0, 1, 63, 64, 8192, CHUNK_BYTES - 1, CHUNK_BYTES];
  const chunks = [
    ...sizes.map((size) => chunk(new Uint8Array(size).fill(5))),
    ...sizes.map((size) => chunk(randomBytes(size))),
  ];
  const writer = new PackWriter(repository, 3);
  for (const [n, { id, plain }] of chunks.entries()) {
    writer.add(id, plain);
    if (n % 4 === 3) await writer.settle();
  }
  const directories = await writer.finish();
  assert.equal(directories.length, 4);
  assert.deepEqual(await writer.finish(), []);
  const { storedBytes } = await writeIndex(repository, directories);
  assert.ok(storedBytes > 0);
  const index = await readIndex(repository);
  assert.equal(index.chunks, chunks.length);
  assert.deepEqual(index.damagedPacks, []);
  for (const { id, plain } of chunks) {
    assert.ok(Buffer.from(plain).equals(await readChunk(repository, index, id)), `${plain.length} bytes`);
  }
});

test('id and plain bytes may be reused at once, be they Buffers or not', async () => {
  const repository = await newRepository();
  const writer = new PackWriter(repository, 0);
  const id = Buffer.alloc(CHUNK_ID_BYTES);
  const plain = Buffer.alloc(100);
  for (const value of [1, 2, 3]) writer.add(id.fill(value), plain.fill(value));
  id.fill(9);
  plain.fill(9);
  await writeIndex(repository, await writer.finish());
  const index = await readIndex(repository);
  for (const value of [1, 2, 3]) {
    assert.deepEqual(
      [...(await readChunk(repository, index, Buffer.alloc(CHUNK_ID_BYTES, value)))],
      [...Buffer.alloc(100, value)],
    );
  }
});

test('the footer of a pack is its directory', async () => {
  const repository = await newRepository();
  const directory = await writePack(repository, chunk(randomBytes(5000)));
  const footer = await readPackFooter(repository, directory.packId, directory.packBytes);
  assert.deepEqual({ ...footer, salt: Buffer.from(footer.salt) }, directory);
});

test('a footer of many chunks is found too', async () => {
  const repository = await newRepository();
  const writer = new PackWriter(repository, 0);
  for (let n = 0; n < 5000; n++) writer.add(randomBytes(CHUNK_ID_BYTES), new Uint8Array(1));
  const [directory] = await writer.finish();
  assert.ok(directory);
  const footer = await readPackFooter(repository, directory.packId, directory.packBytes);
  assert.ok(Buffer.from(footer.ids).equals(directory.ids));
});

test('packs are about as large as they should be, and memory is two buffers with one store at a time', async () => {
  const buffers = new Set<ArrayBufferLike>();
  const sizes: number[] = [];
  let storing = 0;
  let storingMost = 0;
  const repository = over(await newRepository(), {
    put: async (_, parts) => {
      storingMost = Math.max(storingMost, ++storing);
      for (const part of parts) buffers.add(part.buffer);
      sizes.push(parts.reduce((sum, part) => sum + part.byteLength, 0));
      await new Promise((resolve) => setImmediate(resolve));
      storing--;
      return 'created';
    },
  });
  const writer = new PackWriter(repository, 0);
  const plain = randomBytes(CHUNK_BYTES);
  for (let n = 0; n < 4 * 65; n++) {
    if (writer.full) await writer.settle();
    writer.add(randomBytes(CHUNK_ID_BYTES), plain);
  }
  const directories = await writer.finish();
  assert.deepEqual(
    sizes,
    directories.map(({ packBytes }) => packBytes),
  );
  assert.equal(buffers.size, 2);
  const held = [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
  assert.ok(held < 40 * 2 ** 20, `${held} bytes`);
  assert.equal(storingMost, 1);
  assert.equal(directories.length, 5);
  for (const size of sizes.slice(0, -1))
    assert.ok(size >= PACK_BYTES && size < PACK_BYTES + 2 * CHUNK_BYTES, `${size}`);
});

test('no frame leaves its buffers behind for the garbage collector', async () => {
  const writer = new PackWriter(await newRepository(), 1);
  const id = randomBytes(CHUNK_ID_BYTES);
  const [noise, words] = [randomBytes(CHUNK_BYTES), Buffer.alloc(CHUNK_BYTES, randomBytes(1000))];
  writer.add(id, noise);
  const before = process.memoryUsage().arrayBuffers;
  for (let n = 0; n < 40; n++) {
    writer.add(id, noise);
    writer.add(id, words);
  }
  // Of each chunk there were a compressed and an encrypted form: 40 MiB in all, and the collector may not have run.
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < 2 ** 20, `${grown} bytes`);
});

test('what does not fit a pack is refused', async () => {
  const writer = new PackWriter(await newRepository(), 0);
  assert.throws(() => writer.add(randomBytes(CHUNK_ID_BYTES), new Uint8Array(CHUNK_BYTES + 1)), isInternal);
  assert.throws(() => writer.add(randomBytes(CHUNK_ID_BYTES - 1), new Uint8Array(1)), isInternal);
  const plain = new Uint8Array(CHUNK_BYTES);
  while (!writer.full) writer.add(randomBytes(CHUNK_ID_BYTES), plain);
  assert.throws(() => writer.add(randomBytes(CHUNK_ID_BYTES), plain), isInternal);
});

test('a put that fails is told by the next settle and by finish, and nothing is said to be durable', async () => {
  const repository = await newRepository({ seed: 1, putFailure: 1 });
  const settled = new PackWriter(repository, 0);
  settled.add(randomBytes(CHUNK_ID_BYTES), new Uint8Array(1));
  await settled.settle();
  settled.add(randomBytes(CHUNK_ID_BYTES), new Uint8Array(1));
  await assert.rejects(settled.settle(), isUnreachable);
  await assert.rejects(settled.finish(), isUnreachable);
  const finished = new PackWriter(repository, 0);
  finished.add(randomBytes(CHUNK_ID_BYTES), new Uint8Array(1));
  await assert.rejects(finished.finish(), isUnreachable);
});

test('an index of no packs is not written', async () => {
  const repository = over(await newRepository(), { put: () => assert.fail('something was put') });
  assert.deepEqual(await writeIndex(repository, []), { storedBytes: 0 });
});

test('an index of more packs than one frame holds is read back', async () => {
  const repository = await newRepository();
  const count = 65536;
  const directories = [1, 2, 3, 4, 5].map((n) => ({
    packId: String(n).repeat(32),
    dataKeyNumber: 1,
    salt: new Uint8Array(SALT_BYTES),
    packBytes: 100,
    ids: new Uint8Array(count * CHUNK_ID_BYTES).fill(n),
    storedBytes: new Uint32Array(count),
    plainBytes: new Uint32Array(count),
  }));
  await writeIndex(repository, directories);
  const { damagedPacks } = await readIndex(repository);
  assert.deepEqual(
    damagedPacks.toSorted(),
    directories.map(({ packId }) => packId),
  );
});

test('a pack that is missing, shortened or lengthened is left out of the index and reported', async () => {
  const repository = await newRepository();
  const chunks = [chunk(randomBytes(5000)), chunk(randomBytes(100)), chunk(randomBytes(200)), chunk(randomBytes(300))];
  const directories: PackDirectory[] = [];
  for (const each of chunks) directories.push(await writePack(repository, each));
  await writeIndex(repository, directories.slice(0, 2));
  await writeIndex(repository, directories.slice(2));
  const [whole, missing, shortened, lengthened] = directories;
  assert.ok(whole && missing && shortened && lengthened);
  await unlink(file(repository, packName(missing.packId)));
  await setLength(file(repository, packName(shortened.packId)), shortened.packBytes - 1);
  await setLength(file(repository, packName(lengthened.packId)), lengthened.packBytes + 1);
  const index = await readIndex(repository, { newChunks: 1000 });
  const expected = [missing, shortened, lengthened].map(({ packId }) => packId);
  assert.deepEqual(index.damagedPacks.toSorted(), expected.toSorted());
  assert.deepEqual(index.damagedIndexes, []);
  assert.deepEqual(
    chunks.map(({ id }) => index.table.has(id, 0)),
    [true, false, false, false],
  );
  assert.deepEqual(
    index.packs.map(({ packId }) => packId),
    [whole.packId],
  );
  assert.equal(index.chunks, 1);
});

test('what a damaged index object held is read from the packs themselves', async () => {
  const repository = await newRepository();
  const [a, b, c] = [chunk(randomBytes(5000)), chunk(randomBytes(100)), chunk(randomBytes(200))];
  const packs: PackDirectory[] = [];
  for (const each of [a, b, c]) packs.push(await writePack(repository, each));
  await writeIndex(repository, packs);
  await writeFile(file(repository, 'index/0000'), 'no index');
  const reported = await readIndex(repository);
  assert.deepEqual(reported.damagedIndexes, ['index/0000']);
  assert.equal(reported.chunks, 3);
  for await (const { name } of repository.storage.list('index/')) await setLength(file(repository, name), 100);
  const [, broken] = packs;
  assert.ok(broken);
  await setLength(file(repository, packName(broken.packId)), broken.packBytes - 1);
  const index = await readIndex(repository);
  assert.equal(index.damagedIndexes.length, 2);
  assert.deepEqual(index.damagedPacks, [broken.packId]);
  assert.equal(index.table.has(b.id, 0), false);
  for (const { id, plain } of [a, c]) assert.ok(Buffer.from(plain).equals(await readChunk(repository, index, id)));
});
