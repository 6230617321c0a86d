// A store in a folder: each object a file.
//
// 1. An object is written to `.incoming/`, synced, and then linked to its name. `link` fails where the name is taken, so
//    of two writers one wins and nothing is overwritten, and a reader never sees half an object.
// 2. The folder of the name is synced before `put` returns; so is every folder made on the way.
// 3. Where the file system has no hard links, an exclusive reservation beside the name takes the place of `link` (`reserve.ts`).
//
// What is sealed (`seal.ts`) only root removes. Whatever root makes here belongs to the folder's owner, who must be able to read it.
//
// Files are made read-only (0400): what is written once has no reason to be opened for writing.

import {
  closeSync,
  constants,
  type Dirent,
  fchownSync,
  fdatasync,
  fsync,
  linkSync,
  open as openFile,
  openSync,
  rmSync,
  writeSync,
} from 'node:fs';
import {
  chown,
  copyFile,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  unlink,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { threadId } from 'node:worker_threads';
import { SpillwayError } from '@spillway/contract';
import { ASIDE, assertName, type ByteRange, type ObjectName, type ObjectStat, type Storage } from './port.ts';
import { renameUnlessThere } from './reserve.ts';
import { isRoot, removeSealed, replaceSealed } from './seal.ts';

/** Where objects are written before they have their names. */
export const INCOMING = '.incoming';

/** A list waits for the disk once for so many files, and not for each of them. */
const STATS_AT_ONCE = 64;
/** Such as a piece of WAL. */
const SMALL_BYTES_MAX = 256 * 1024;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
const FILE_MODE = 0o400;

/** Of this thread: two stores of one folder must not write one file. */
let sequence = 0;

export class FilesystemStorage implements Storage {
  readonly description: string;
  readonly #root: string;
  #ownerRead: Promise<{ readonly uid: number; readonly gid: number } | undefined> | undefined;
  /** Folders known to exist and to be durable. */
  readonly #folders = new Set<string>();

  constructor(root: string) {
    this.#root = root;
    this.description = root;
  }

  async get(name: ObjectName, options: { range?: ByteRange; signal?: AbortSignal } = {}): Promise<Uint8Array> {
    options.signal?.throwIfAborted();
    return this.#told(`reading ${name}`, name, async () => {
      await using file = await open(this.#path(name), 'r');
      if (options.range === undefined) return await file.readFile();
      const { offset, bytes } = options.range;
      const wanted = Math.max(0, Math.min(bytes, (await file.stat()).size - offset));
      const buffer = Buffer.allocUnsafeSlow(wanted);
      let at = 0;
      while (at < wanted) {
        const { bytesRead } = await file.read(buffer, at, wanted - at, offset + at);
        if (bytesRead === 0) break;
        at += bytesRead;
      }
      return buffer.subarray(0, at);
    });
  }

  async put(
    name: ObjectName,
    parts: readonly Uint8Array[],
    options: { signal?: AbortSignal } = {},
  ): Promise<'created' | 'exists'> {
    options.signal?.throwIfAborted();
    return this.#told(`writing ${name}`, undefined, async () => {
      const target = this.#path(name);
      const incoming = join(this.#root, INCOMING, `${process.pid}-${threadId}-${sequence++}-${uniqueRun}`);
      await this.#makeFolder(dirname(incoming));
      await this.#makeFolder(dirname(target));
      const put = bytesOf(parts) <= SMALL_BYTES_MAX ? putSmall : putLarge;
      try {
        return await put(incoming, target, parts, await this.#owner());
      } catch (error) {
        await rm(incoming, { force: true });
        throw error;
      }
    });
  }

  async *list(prefix: string, options: { signal?: AbortSignal } = {}): AsyncIterable<ObjectStat> {
    const folder = prefix.includes('/') ? prefix.slice(0, prefix.lastIndexOf('/')) : '';
    yield* this.#walk(folder, prefix, options.signal);
  }

  async stat(name: ObjectName, options: { signal?: AbortSignal } = {}): Promise<ObjectStat | undefined> {
    options.signal?.throwIfAborted();
    return this.#told(`looking at ${name}`, undefined, async () => {
      try {
        const found = await stat(this.#path(name));
        return found.isFile() ? { name, bytes: found.size } : undefined;
      } catch (error) {
        if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return this.#absent(undefined);
        throw error;
      }
    });
  }

  async remove(name: ObjectName, options: { signal?: AbortSignal; soon?: boolean } = {}): Promise<void> {
    options.signal?.throwIfAborted();
    await this.#told(`removing ${name}`, undefined, async () => {
      try {
        await unlink(this.#path(name)).catch((error: unknown) => this.#removeAsRoot(name, error));
        // What refers to other objects is removed before these are, and must not come back after a crash.
        if (options.soon !== true) await syncFolder(dirname(this.#path(name)));
      } catch (error) {
        if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error;
        await this.#absent(undefined);
      }
    });
  }

  async replace(name: ObjectName, parts: readonly Uint8Array[], options: { signal?: AbortSignal } = {}): Promise<void> {
    options.signal?.throwIfAborted();
    await this.#told(`mending ${name}`, undefined, async () => {
      const target = this.#path(name);
      const own = `${process.pid}-${threadId}-${sequence++}-${uniqueRun}`;
      const incoming = join(this.#root, INCOMING, own);
      const aside = join(this.#root, ASIDE, `${name.replaceAll('/', '_')}-${own}`);
      for (const path of [incoming, aside, target]) await this.#makeFolder(dirname(path));
      try {
        await writeDurably(incoming, parts, await this.#owner());
        await keepAside(target, aside);
        await syncFolder(dirname(aside));
        await rename(incoming, target).catch((error: unknown) => {
          if (!isRefused(error)) throw error;
          if (!isRoot()) throw refusedTo('replace', name, this.#root, error);
          return replaceSealed(incoming, target);
        });
        await syncFolder(dirname(target));
      } finally {
        await rm(incoming, { force: true });
      }
    });
  }

  /** What is sealed, or in a sealed folder. Throws SPW_REMOVAL_REFUSED for everybody else. */
  async #removeAsRoot(name: ObjectName, error: unknown): Promise<void> {
    if (!isRefused(error)) throw error;
    if (!isRoot()) throw refusedTo('remove', name, this.#root, error);
    await removeSealed(this.#path(name));
  }

  /** As root, of the root folder; nobody to give to for anybody else. */
  #owner(): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
    this.#ownerRead ??= isRoot() ? stat(this.#root) : Promise.resolve(undefined);
    return this.#ownerRead;
  }

  #path(name: ObjectName): string {
    assertName(name);
    return join(this.#root, name);
  }

  /** Ordered by name: a folder `a` sorts as `a/` among its siblings. */
  async *#walk(folder: string, prefix: string, signal: AbortSignal | undefined): AsyncIterable<ObjectStat> {
    signal?.throwIfAborted();
    const entries = await this.#told(`listing ${folder || '/'}`, undefined, async () => {
      try {
        return await readdir(join(this.#root, folder), { withFileTypes: true });
      } catch (error) {
        if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return this.#absent<Dirent[]>([]);
        throw error;
      }
    });
    entries.sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
    let files: ObjectName[] = [];
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (!entry.isDirectory()) {
        if (name.startsWith(prefix)) files.push(name);
        if (files.length < STATS_AT_ONCE) continue;
      }
      yield* await this.#statAll(files, signal);
      files = [];
      if (entry.isDirectory() && (`${name}/`.startsWith(prefix) || prefix.startsWith(`${name}/`))) {
        yield* this.#walk(name, prefix, signal);
      }
    }
    yield* await this.#statAll(files, signal);
  }

  /** Those that are there, in their order. */
  async #statAll(names: readonly ObjectName[], signal: AbortSignal | undefined): Promise<readonly ObjectStat[]> {
    signal?.throwIfAborted();
    const found = await Promise.all(names.map((name) => this.stat(name)));
    return found.filter((each) => each !== undefined);
  }

  /** `value`, for an object that is absent, once the root itself is seen: an unmounted disk is not an empty store. */
  async #absent<T>(value: T): Promise<T> {
    await stat(this.#root);
    return value;
  }

  async #makeFolder(folder: string): Promise<void> {
    if (this.#folders.has(folder)) return;
    if (folder !== this.#root) await this.#makeFolder(dirname(folder));
    if (folder === this.#root) {
      await stat(folder);
    } else {
      try {
        await mkdir(folder, { mode: 0o700 });
        const owner = await this.#owner();
        if (owner !== undefined) await chown(folder, owner.uid, owner.gid);
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
      }
      await syncFolder(dirname(folder));
    }
    this.#folders.add(folder);
  }

  /** Runs `act`; what fails becomes a SpillwayError that names what was done, and to which store. */
  async #told<T>(doing: string, wanted: ObjectName | undefined, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (error instanceof SpillwayError) throw error;
      const code = codeOf(error);
      if ((code === 'ENOENT' || code === 'ENOTDIR') && wanted !== undefined) {
        await stat(this.#root).catch((cause: unknown) => {
          throw unreachable(doing, this.#root, cause);
        });
        throw new SpillwayError('SPW_OBJECT_MISSING', `${wanted} is not in the repository at ${this.#root}`, {
          why: 'there is no such file',
        });
      }
      if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
        throw new SpillwayError('SPW_STORAGE_FULL', `${doing} failed in the repository at ${this.#root}`, {
          cause: error,
        });
      }
      throw unreachable(doing, this.#root, error);
    }
  }
}

/** A second name, or where there are none a copy; nothing where there is no such file. */
async function keepAside(path: string, aside: string): Promise<void> {
  try {
    await link(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    await copyFile(path, aside);
  }
}

const uniqueRun = Math.random().toString(36).slice(2, 10);

const sortKey = (entry: Dirent): string => (entry.isDirectory() ? `${entry.name}/` : entry.name);

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | undefined)?.code;

const unreachable = (doing: string, root: string, cause: unknown): SpillwayError =>
  new SpillwayError('SPW_STORAGE_UNREACHABLE', `${doing} failed in the repository at ${root}`, { cause });

type Owner = { readonly uid: number; readonly gid: number } | undefined;

const bytesOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, { byteLength }) => sum + byteLength, 0);

async function putLarge(
  incoming: string,
  target: string,
  parts: readonly Uint8Array[],
  owner: Owner,
): Promise<'created' | 'exists'> {
  await writeDurably(incoming, parts, owner);
  const outcome = await publish(incoming, target, link);
  // Where it exists, too: whoever made it may have died before this, and callers take `exists` for durable.
  await Promise.all([syncFolder(dirname(target)), rm(incoming, { force: true })]);
  return outcome;
}

/**
 * The same for what commits may wait for. Only the waits for the disk, and for a free inode, are left to other threads: to hand the
 * steps between them over takes several times as long as they do.
 */
async function putSmall(
  incoming: string,
  target: string,
  parts: readonly Uint8Array[],
  owner: Owner,
): Promise<'created' | 'exists'> {
  const file = await opened(incoming, NEW_FILE, FILE_MODE);
  try {
    for (const part of parts) for (let at = 0; at < part.byteLength; ) at += writeSync(file, part, at);
    if (owner !== undefined) fchownSync(file, owner.uid, owner.gid);
    await dataSynced(file);
  } finally {
    closeSync(file);
  }
  const outcome = await publish(incoming, target, linkSync);
  const folder = openSync(dirname(target), 'r');
  try {
    // Gone already where there are no links.
    rmSync(incoming, { force: true });
    await synced(folder);
  } finally {
    closeSync(folder);
  }
  return outcome;
}

const opened = promisify(openFile);
const dataSynced = promisify(fdatasync);
const synced = promisify(fsync);

async function writeDurably(path: string, parts: readonly Uint8Array[], owner: Owner): Promise<void> {
  await using file: FileHandle = await open(path, NEW_FILE, FILE_MODE);
  for (const part of parts) {
    for (let at = 0; at < part.byteLength; ) {
      at += (await file.write(part, at, part.byteLength - at)).bytesWritten;
    }
  }
  if (owner !== undefined) await file.chown(owner.uid, owner.gid);
  await file.datasync();
}

const isRefused = (error: unknown): boolean => codeOf(error) === 'EPERM' || codeOf(error) === 'EACCES';

const refusedTo = (doing: 'remove' | 'replace', name: ObjectName, root: string, cause: unknown): SpillwayError =>
  new SpillwayError('SPW_REMOVAL_REFUSED', `this process may not ${doing} ${name} in the repository at ${root}`, {
    cause,
  });

async function publish(
  incoming: string,
  target: string,
  name: (from: string, to: string) => void | Promise<void>,
): Promise<'created' | 'exists'> {
  try {
    await name(incoming, target);
    return 'created';
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST') return 'exists';
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error;
    return renameUnlessThere(incoming, target);
  }
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}
