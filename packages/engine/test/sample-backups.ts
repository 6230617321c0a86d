// Backups of numbers, for tests of what the repository does with chunks and packs: real packs, index objects and manifests,
// without a database.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { chunkId, idKey, newKeyRing } from '../src/codec/keys.ts';
import { CHUNK_ID_BYTES } from '../src/format/chunk.ts';
import type { Manifest } from '../src/format/manifest.ts';
import { manifestName } from '../src/format/names.ts';
import type { PackDirectory } from '../src/format/pack.ts';
import { type Collected, type CollectOptions, collect } from '../src/repository/collect.ts';
import { readChunk, readIndex, writeIndex } from '../src/repository/index-store.ts';
import { type Lock, takeLock } from '../src/repository/lock.ts';
import { readManifest, writeManifest } from '../src/repository/manifest-store.ts';
import { PackWriter } from '../src/repository/pack-writer.ts';
import type { Repository } from '../src/repository/repository.ts';

export const keys = newKeyRing();

const golden = JSON.parse(
  await readFile(new URL('../src/format/golden/manifest.json', import.meta.url), 'utf8'),
) as Manifest;
export const exampleHead = (cluster: string, id: string): Manifest['head'] => ({
  ...golden.head,
  summary: { ...golden.head.summary, cluster, id },
});

export const content = (n: number): Buffer => Buffer.from(`content of chunk ${n} `.repeat(20));
const key = idKey(keys);
export const idOf = (n: number): Buffer => chunkId(key, content(n));

/** What a backup does to a repository, one step a call: lock, index, packs, index object, manifest, release. */
export class Writer {
  readonly id: string;
  readonly #repository: Repository;
  readonly #cluster: string;
  readonly #chunks: readonly number[];
  #step = 0;
  #lock: Lock | undefined;
  #toStore: readonly number[] = [];
  #directories: readonly PackDirectory[] = [];

  constructor(repository: Repository, cluster: string, id: string, chunks: readonly number[]) {
    this.#repository = repository;
    this.#cluster = cluster;
    this.#chunks = chunks;
    this.id = id;
  }

  get done(): boolean {
    return this.#step >= 6;
  }

  async step(): Promise<void> {
    const repository = this.#repository;
    this.#step += 1;
    if (this.#step === 1) this.#lock = await takeLock(repository, `backup-${this.#cluster}`, { holder: 'backup' });
    if (this.#step === 2) {
      const { table } = await readIndex(repository, { newChunks: this.#chunks.length });
      this.#toStore = this.#chunks.filter((n) => table.claim(idOf(n), 0));
    }
    if (this.#step === 3) {
      const writer = new PackWriter(repository, 3);
      for (const [at, n] of this.#toStore.entries()) {
        writer.add(idOf(n), content(n));
        if (at % 3 === 2) await writer.settle();
      }
      this.#directories = await writer.finish();
    }
    if (this.#step === 4) await writeIndex(repository, this.#directories);
    if (this.#step === 5) {
      const entries = this.#chunks.map((n) => ({
        kind: 'file' as const,
        path: String(n),
        mode: 0o600,
        uid: 0,
        gid: 0,
        bytes: content(n).length,
        mtime: '0',
        ctime: '0',
        inode: '0',
      }));
      const head = exampleHead(this.#cluster, this.id);
      await writeManifest(repository, { head, entries, chunkIds: Buffer.concat(this.#chunks.map(idOf)) });
    }
    if (this.#step === 6) await this.end();
  }

  async run(): Promise<this> {
    while (!this.done) await this.step();
    return this;
  }

  /** Also where it died: its lock is released as somebody else would take it over. */
  async end(): Promise<void> {
    this.#step = 6;
    await this.#lock?.[Symbol.asyncDispose]();
  }
}

let ids = 0;
export const nextId = (): string => `20261123T181500Z-${(++ids).toString(16).padStart(8, '0')}`;
export const back = (repository: Repository, chunks: readonly number[], cluster = 'main'): Promise<Writer> =>
  new Writer(repository, cluster, nextId(), chunks).run();
export const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, n) => from + n);

export const noLock: Lock = {
  lost: new AbortController().signal,
  assertHeld: async () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
};

export const collectIn = (repository: Repository, options: Partial<CollectOptions> = {}): Promise<Collected> =>
  collect({
    repository,
    lock: noLock,
    now: () => new Date(),
    graceMs: 0,
    repackBelow: 0,
    repackBytesMax: 1e9,
    lockWaitMs: 0,
    signal: new AbortController().signal,
    report: () => undefined,
    ...options,
  });

export const removeBackup = (repository: Repository, id: string, cluster = 'main'): Promise<void> =>
  repository.storage.remove(manifestName(cluster, id));

export async function count(repository: Repository, prefix: string): Promise<number> {
  let found = 0;
  for await (const _ of repository.storage.list(prefix)) found += 1;
  return found;
}

/** Every listed backup, read to its last byte. */
export async function assertWhole(repository: Repository, options: { readonly unnamed?: boolean } = {}): Promise<void> {
  const index = await readIndex(repository, options);
  assert.deepEqual([index.damagedPacks, index.damagedIndexes], [[], []]);
  for await (const { name } of repository.storage.list('clusters/')) {
    const [, cluster = '', kind, id = ''] = name.split('/');
    if (kind !== 'backups') continue;
    const { entries, chunkIds } = await readManifest(repository, cluster, id);
    for (const [at, entry] of [...entries].entries()) {
      const plain = await readChunk(repository, index, chunkIds, at * CHUNK_ID_BYTES);
      assert.ok(content(Number(entry.path)).equals(plain), `chunk ${entry.path} of ${id}`);
    }
  }
}
