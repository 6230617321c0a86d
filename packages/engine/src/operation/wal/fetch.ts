// `wal fetch`: one WAL file out of the repository, as restore_command asks for it.
//
// 1. The name says what is wanted: a segment, a timeline's history, or a `.backup` or `.partial` file by its own name. A
//    segment that is in progress is given as far as it is stored, filled up with zeros, at which PostgreSQL sees the end
//    of WAL; a `.partial` never stands in for it. But where the server's own pg_wal holds more of it, which it got by
//    streaming, the answer is "not there": PostgreSQL prefers what it is given, and a standby that is promoted on a shorter
//    end than it has replayed ends with a PANIC.
// 2. The file is written beside its destination as it is read, and renamed: PostgreSQL never sees a part of it, and no
//    segment is in memory as a whole. PostgreSQL syncs what it keeps.
// 3. "Not there" (SPW_WAL_ABSENT) is said only when the repository was reached and has no such file.
// 4. Once PostgreSQL's own file is in place, the segments that it will ask for next are laid ready, so that not every
//    segment costs the start of a process.

import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { discard } from '../../codec/discard.ts';
import { parseControlFile } from '../../postgres/control.ts';
import { lsn, parseHistoryName, parseSegmentName, segmentEnd, segmentName, segmentSize } from '../../postgres/lsn.ts';
import { checkSegmentHeader } from '../../postgres/walrecord.ts';
import type { Repository } from '../../repository/repository.ts';
import { RECOVERY_FOLDER } from '../restore/fetch-script.ts';
import { listSystems } from '../system.ts';
import { WalArchive } from './archive.ts';
import { parseWalFileName } from './file-name.ts';
import { covers } from './interval.ts';
import { storedWal } from './stored.ts';

const HEAD_BYTES = 40;
const LOOK_BYTES = 1024 * 1024;

export interface FetchOptions {
  readonly repository: Repository;
  readonly cluster: string;
  /** As PostgreSQL's %f. */
  readonly fileName: string;
  /** As PostgreSQL's %p, absolute. */
  readonly destination: string;
  /** The folder the command was called in: PostgreSQL calls it in the data directory, which tells whose WAL it wants. */
  readonly dataDirectory: string;
  /** Segments to lay ready. */
  readonly prefetch?: number;
  readonly signal?: AbortSignal;
}

export async function fetchWal(options: FetchOptions): Promise<void> {
  const { fileName, destination, signal } = options;
  const archive = await openArchive(options);
  const history = parseHistoryName(fileName);
  if (history !== undefined) {
    const content = await archive.readHistory(history, signal);
    if (content === undefined) throw absent(fileName);
    await writeWhole(destination, content);
    return;
  }
  const named = parseWalFileName(fileName);
  if (named?.kind === 'backup' || named?.kind === 'partial') {
    const kind = named.kind === 'backup' ? 'walBackup' : 'walPartial';
    const content = await archive.readBeside({ kind, timeline: named.timeline, name: fileName }, signal);
    if (content === undefined) throw absent(fileName);
    await writeWhole(destination, content);
    return;
  }
  const segment = parseSegmentName(fileName, archive.segmentSize);
  if (segment === undefined) throw absent(fileName);
  const own = join(options.dataDirectory, 'pg_wal', fileName);
  if (!(await fetchSegment(archive, fileName, destination, { signal, own }))) throw absent(fileName);
  const folder = join(options.dataDirectory, RECOVERY_FOLDER);
  if ((options.prefetch ?? 0) === 0 || (await stat(folder).catch(() => undefined)) === undefined) return;
  for (let i = 1; i <= (options.prefetch ?? 0); i++) {
    const start = lsn(segment.start + BigInt(archive.segmentSize) * BigInt(i));
    const name = segmentName(segment.timeline, start, archive.segmentSize);
    // Only finished segments: one in progress may have grown by the time PostgreSQL asks for it.
    const found = await archive.find(segment.timeline, start, signal);
    if (!covers(found, start, segmentEnd(start, archive.segmentSize))) return;
    await fetchSegment(archive, name, join(folder, name), { signal });
  }
}

/** False where the repository has nothing of it, or less than the file `own`, which the server has already. */
export async function fetchSegment(
  archive: WalArchive,
  name: string,
  destination: string,
  options: {
    readonly owner?: Owner | undefined;
    readonly own?: string;
    /** On the disk before it has its name: PostgreSQL syncs each file that it takes, and replay waits for that. */
    readonly synced?: boolean;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<boolean> {
  const { owner, own, signal } = options;
  const segment = parseSegmentName(name, archive.segmentSize);
  if (segment === undefined) return false;
  const { timeline, start } = segment;
  const { systemIdentifier, segmentSize: size } = archive;
  const chunks = storedWal(archive, timeline, start, { signal });
  let next = await chunks.next();
  if (next.done === true) return false;
  const head = Buffer.alloc(HEAD_BYTES);
  return writeBeside(destination, owner, async (file) => {
    let stored = 0;
    for (; next.done !== true; next = await chunks.next()) {
      const { bytes } = next.value;
      if (stored < HEAD_BYTES) head.set(bytes.subarray(0, HEAD_BYTES - stored), stored);
      await file.write(bytes, stored);
      stored += bytes.byteLength;
      discard(bytes);
    }
    if (stored < size && own !== undefined && (await holdsMore(own, stored))) return false;
    checkSegmentHeader(head, { systemIdentifier, segmentSize: size, timeline, start });
    // The rest is zeros.
    if (stored < size) await file.truncate(size);
    if (options.synced === true) await file.sync();
    return true;
  });
}

/** Whether anything stands in the file behind its first `stored` bytes. */
async function holdsMore(path: string, stored: number): Promise<boolean> {
  try {
    await using file = await open(path, 'r');
    const buffer = Buffer.allocUnsafeSlow(LOOK_BYTES);
    for (let at = stored; ; ) {
      const { bytesRead } = await file.read(buffer, 0, LOOK_BYTES, at);
      if (bytesRead === 0) return false;
      if (buffer.subarray(0, bytesRead).some((byte) => byte !== 0)) return true;
      at += bytesRead;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw new SpillwayError('SPW_DATA_DIRECTORY', `${path} cannot be read`, { cause: error });
  }
}

async function openArchive(options: FetchOptions): Promise<WalArchive> {
  const { repository, cluster, dataDirectory, signal } = options;
  const systems = await listSystems(repository, cluster, signal);
  const control = await readFile(join(dataDirectory, 'global/pg_control')).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new SpillwayError('SPW_DATA_DIRECTORY', `${dataDirectory} cannot be read as a data directory`, {
      cause: error,
    });
  });
  const wanted = control && identifierOf(control);
  const system = systems.findLast((each) => wanted === undefined || each.system_identifier === wanted);
  if (system === undefined) {
    throw new SpillwayError('SPW_SYSTEM_MISMATCH', `no WAL was fetched for ${dataDirectory}`, {
      why:
        systems.length === 0
          ? `the repository holds no WAL of cluster ${cluster}`
          : `its system identifier is ${wanted}, and the repository knows ${cluster} as another`,
    });
  }
  return new WalArchive(repository, cluster, system.system_identifier, segmentSize(system.wal_segment_bytes));
}

/** The identifier stands first in the file and never changes: a torn read of the rest does not matter here. */
function identifierOf(control: Buffer): string | undefined {
  try {
    return parseControlFile(control).systemIdentifier;
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_DATA_DIRECTORY') || control.length < 8) throw error;
    return control.readBigUInt64LE(0).toString();
  }
}

const absent = (fileName: string): SpillwayError =>
  new SpillwayError('SPW_WAL_ABSENT', `the repository has no WAL file ${fileName}`, { why: 'it was never stored' });

const writeWhole = (destination: string, bytes: Uint8Array): Promise<boolean> =>
  writeBeside(destination, undefined, async (file) => {
    await file.write(bytes, 0);
    return true;
  });

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

interface Destination {
  /** All of `bytes`, at `position`. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  truncate(bytes: number): Promise<void>;
  sync(): Promise<void>;
}

/** The file appears at its destination when `fill` gives true; whatever else happens, nothing is left. */
async function writeBeside(
  destination: string,
  owner: Owner | undefined,
  fill: (file: Destination) => Promise<boolean>,
): Promise<boolean> {
  const beside = join(dirname(destination), `.spillway-${randomBytes(6).toString('hex')}`);
  const told = async <T>(act: () => Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch (cause) {
      throw new SpillwayError('SPW_RESTORE_FAILED', `${destination} could not be written`, {
        cause,
        hint: 'check space and permissions of the data directory',
      });
    }
  };
  let isWhole = false;
  try {
    {
      await using file = await told(() => open(beside, 'wx', 0o600));
      isWhole = await fill({
        write: (bytes, position) =>
          told(async () => {
            for (let at = 0; at < bytes.byteLength; ) {
              at += (await file.write(bytes, at, bytes.byteLength - at, position + at)).bytesWritten;
            }
          }),
        truncate: (bytes) => told(() => file.truncate(bytes)),
        sync: () => told(() => file.datasync()),
      });
      if (isWhole && owner !== undefined) await told(() => file.chown(owner.uid, owner.gid));
    }
    if (isWhole) await told(() => rename(beside, destination));
    return isWhole;
  } catch (error) {
    isWhole = false;
    throw error;
  } finally {
    if (!isWhole) await rm(beside, { force: true });
  }
}
