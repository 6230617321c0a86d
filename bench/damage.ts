// Silent damage to a data directory, as of a disk: pages at random places are overwritten, and size and time of the
// files stay what they were. Places and bytes are the same for the same seed and files.

import { createHash } from 'node:crypto';
import { open, readdir, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { seededRandom } from '@spillway/lab';

const PAGE_BYTES = 8192;

interface Harmed {
  readonly path: string;
  /** By page number, the hash of what was there. */
  readonly pages: ReadonlyMap<number, string>;
}

/** Overwrites that share of the pages of all tables and indexes; what comes back throws unless each is as it was before. */
export async function damagePages(dataDirectory: string, share: number, seed: number): Promise<() => Promise<void>> {
  const random = seededRandom(seed);
  const files = await relationFiles(join(dataDirectory, 'base'));
  const pages = files.reduce((sum, file) => sum + file.pages, 0);
  const chosen = choosePages(
    files.map((file) => file.pages),
    Math.max(1, Math.round(pages * share)),
    random.next,
  );
  const harmed: Harmed[] = [];
  for (const [index, numbers] of chosen) {
    const path = files[index]?.path;
    if (path === undefined) throw new RangeError(`there is no file ${index}`);
    harmed.push({ path, pages: await overwrite(path, numbers, random.next) });
  }
  return () => expectMended(harmed);
}

/** So many different pages of files that have so many pages each: by the file's index, the numbers in it, ascending. */
export function choosePages(
  lengths: readonly number[],
  count: number,
  next: () => number,
): ReadonlyMap<number, readonly number[]> {
  const all = lengths.reduce((sum, length) => sum + length, 0);
  if (count > all) throw new RangeError(`there are no ${count} pages among ${all}`);
  const places = new Set<number>();
  while (places.size < count) places.add(Math.floor(next() * all));
  const chosen = new Map<number, number[]>();
  let [index, begin] = [0, 0];
  for (const place of [...places].toSorted((left, right) => left - right)) {
    while (place >= begin + (lengths[index] ?? 0)) begin += lengths[index++] ?? 0;
    const numbers = chosen.get(index) ?? [];
    numbers.push(place - begin);
    chosen.set(index, numbers);
  }
  return chosen;
}

async function relationFiles(base: string): Promise<readonly { readonly path: string; readonly pages: number }[]> {
  const entries = await readdir(base, { withFileTypes: true, recursive: true });
  const paths = entries
    .filter((entry) => entry.isFile() && /^\d+(?:\.\d+)?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
  return Promise.all(paths.map(async (path) => ({ path, pages: Math.floor((await stat(path)).size / PAGE_BYTES) })));
}

async function overwrite(
  path: string,
  numbers: readonly number[],
  next: () => number,
): Promise<ReadonlyMap<number, string>> {
  const { atime, mtime } = await stat(path);
  const before = new Map<number, string>();
  await using file = await open(path, 'r+');
  for (const number of numbers) {
    const page = Buffer.alloc(PAGE_BYTES);
    await file.read(page, 0, PAGE_BYTES, number * PAGE_BYTES);
    before.set(number, hash(page));
    for (let at = 0; at < PAGE_BYTES; at += 4) page.writeUInt32LE(Math.floor(next() * 2 ** 32), at);
    await file.write(page, 0, PAGE_BYTES, number * PAGE_BYTES);
  }
  await utimes(path, atime, mtime);
  return before;
}

async function expectMended(harmed: readonly Harmed[]): Promise<void> {
  const page = Buffer.alloc(PAGE_BYTES);
  for (const { path, pages } of harmed) {
    await using file = await open(path, 'r');
    for (const [number, before] of pages) {
      const { bytesRead } = await file.read(page, 0, PAGE_BYTES, number * PAGE_BYTES);
      if (bytesRead !== PAGE_BYTES || hash(page) !== before) {
        throw new Error(`page ${number} of ${path} was damaged, and is not what it was before the damage`);
      }
    }
  }
}

const hash = (page: Buffer): string => createHash('sha256').update(page).digest('base64');
