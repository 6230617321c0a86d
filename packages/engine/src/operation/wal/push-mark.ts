// Marks of files that were pushed ahead, so that PostgreSQL's own call for each of them can return at once.
//
//   <spool>/<file>.ok   which file it was (size, times, inode), and the objects that hold it
//
// 1. A mark is written only after its objects are durable, beside its name and then renamed. A mark that is cut short is none.
// 2. It counts only for the very file that was pushed: the same inode with the same size and times, for the same cluster,
//    and while the repository still holds the objects with the bytes that were written. No key is needed to see that.
// 3. Only a mark of our own account is believed. A mark is a hint: to lose one costs a second push, which finds the same
//    content there.

import { randomBytes } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { lstat, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { openStorage } from '../../storage/open.ts';
import type { StorageLocation } from '../../storage/port.ts';
import type { StoredObject } from './archive.ts';

const SUFFIX = '.ok';
/** Marks in the form that a shell reads, which the command line writes beside ours. */
export const SEEN_SUFFIX = '.seen';
const LEFT_SUFFIX = '.left';
/** Beside the segments: of the same account, gone with them, and left out of every base backup as they are. */
const FOLDER = '.spillway-pushed';

interface Mark {
  readonly cluster: string;
  readonly file: string;
  readonly objects: readonly { readonly object: string; readonly stored_bytes: number }[];
}

export const spoolOf = (path: string, spoolDirectory: string | undefined): string =>
  spoolDirectory ?? join(dirname(path), FOLDER);

export interface PushedFile {
  readonly location: StorageLocation;
  readonly cluster: string;
  /** The file, as PostgreSQL's %p, absolute. */
  readonly path: string;
  readonly spoolDirectory?: string;
  readonly signal?: AbortSignal;
}

/** Whether the file is known to be durable. Throws where the store cannot be asked; says no wherever it is not certain. */
export async function isMarked(file: PushedFile): Promise<boolean> {
  const mark = await readMark(file);
  if (mark === undefined) return false;
  const { signal } = file;
  const storage = openStorage(file.location);
  for (const { object, stored_bytes: storedBytes } of mark.objects) {
    if ((await storage.stat(object, signal && { signal }))?.bytes !== storedBytes) return false;
  }
  return mark.objects.length > 0;
}

/** Whether there is a mark of the file, without asking the store: good enough to leave it for later. */
export const hasMark = async (file: Omit<PushedFile, 'location'>): Promise<boolean> =>
  (await readMark(file)) !== undefined;

/** `before` is how the file was when it was read. Nothing that fails here makes the push a failure. */
export async function writeMark(
  file: Omit<PushedFile, 'location'>,
  before: Pick<BigIntStats, 'dev' | 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>,
  stored: readonly StoredObject[],
): Promise<void> {
  const spool = spoolOf(file.path, file.spoolDirectory);
  const objects = stored.map(({ name, storedBytes }) => ({ object: name, stored_bytes: storedBytes }));
  const mark: Mark = { cluster: file.cluster, file: identityOf(before), objects };
  await mkdir(spool, { recursive: true, mode: 0o700 });
  const beside = join(spool, `.${randomBytes(6).toString('hex')}`);
  try {
    await writeFile(beside, JSON.stringify(mark), { flag: 'wx', mode: 0o600 });
    await rename(beside, join(spool, basename(file.path) + SUFFIX));
  } finally {
    await rm(beside, { force: true });
  }
}

/** Says that who pushes what waits behind leaves this file to its own call, which need not wait for a mark. */
export async function leaveToItsCall(spool: string, name: string): Promise<void> {
  await writeFile(join(spool, name + LEFT_SUFFIX), '', { mode: 0o600 });
}

/** What there is of files that PostgreSQL does not wait for any more. */
export async function pruneMarks(spool: string, waiting: ReadonlySet<string>): Promise<void> {
  for (const entry of await readdir(spool).catch(() => [])) {
    const name = nameOf(entry);
    if (name !== undefined && !waiting.has(name)) await rm(join(spool, entry), { force: true });
  }
}

/** Every word that a push which went ahead and has ended left of files that it did not push. */
export async function removeLeft(spool: string): Promise<void> {
  for (const entry of await readdir(spool).catch(() => [])) {
    if (entry.endsWith(LEFT_SUFFIX)) await rm(join(spool, entry), { force: true });
  }
}

/** Of the file of WAL that something in the spool is about. */
function nameOf(entry: string): string | undefined {
  const suffix = [SUFFIX, SEEN_SUFFIX, LEFT_SUFFIX].find((each) => entry.endsWith(each));
  return suffix && entry.slice(0, -suffix.length);
}

async function readMark({ path, cluster, spoolDirectory }: Omit<PushedFile, 'location'>): Promise<Mark | undefined> {
  const place = join(spoolOf(path, spoolDirectory), basename(path) + SUFFIX);
  try {
    const found = await lstat(place);
    if (!found.isFile() || (found.uid !== process.getuid?.() && found.uid !== 0)) return undefined;
    const mark = JSON.parse(await readFile(place, 'utf8')) as Partial<Mark> | null;
    const { file, objects } = mark ?? {};
    if (mark?.cluster !== cluster || file === undefined || !Array.isArray(objects) || !objects.every(isStored))
      return undefined;
    if (file !== identityOf(await stat(path, { bigint: true }))) return undefined;
    return { cluster, file, objects };
  } catch {
    // No mark, half a mark, no file: then it is pushed, which tells what is wrong.
    return undefined;
  }
}

const isStored = (value: Partial<Mark['objects'][number]> | null): boolean =>
  typeof value?.object === 'string' && typeof value.stored_bytes === 'number';

const identityOf = (found: Pick<BigIntStats, 'dev' | 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>): string =>
  [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(' ');
