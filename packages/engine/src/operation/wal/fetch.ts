// `wal fetch`: one WAL file out of the repository, as restore_command asks for it.
//
// 1. The name says what is wanted: a segment, a timeline's history, or a `.backup` or `.partial` file by its own name. A
//    segment that is in progress is given as far as it is stored, filled up with zeros, at which PostgreSQL sees the end
//    of WAL; a `.partial` never stands in for it. But where the server's own pg_wal holds more of it, which it got by
//    streaming, the answer is "not there": PostgreSQL prefers what it is given, and a standby that is promoted on a shorter
//    end than it has replayed ends with a PANIC.
// 2. The file is written beside its destination and renamed: PostgreSQL never sees a part of it. It syncs what it keeps.
// 3. "Not there" (SPW_WAL_ABSENT) is said only when the repository was reached and has no such file.
// 4. Once PostgreSQL's own file is in place, the segments that it will ask for next are laid ready, so that not every
//    segment costs the start of a process.

import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { parseControlFile } from '../../postgres/control.ts';
import { lsn, parseHistoryName, parseSegmentName, segmentName, segmentSize } from '../../postgres/lsn.ts';
import { checkSegmentHeader } from '../../postgres/walrecord.ts';
import type { Repository } from '../../repository/repository.ts';
import { RECOVERY_FOLDER } from '../restore/fetch-script.ts';
import { listSystems } from '../system.ts';
import { WalArchive } from './archive.ts';
import { parseWalFileName } from './file-name.ts';

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
  if (!(await fetchSegment(archive, fileName, destination, signal, undefined, own))) throw absent(fileName);
  const folder = join(options.dataDirectory, RECOVERY_FOLDER);
  if ((options.prefetch ?? 0) === 0 || (await stat(folder).catch(() => undefined)) === undefined) return;
  for (let i = 1; i <= (options.prefetch ?? 0); i++) {
    const start = lsn(segment.start + BigInt(archive.segmentSize) * BigInt(i));
    const name = segmentName(segment.timeline, start, archive.segmentSize);
    // Only finished segments: one in progress may have grown by the time PostgreSQL asks for it.
    const found = await archive.find(segment.timeline, start, signal);
    if (!found.some(({ kind }) => kind === 'segment')) return;
    await fetchSegment(archive, name, join(folder, name), signal);
  }
}

/** False where the repository has nothing of it, or less than the file `own`, which the server has already. */
export async function fetchSegment(
  archive: WalArchive,
  name: string,
  destination: string,
  signal?: AbortSignal,
  owner?: { readonly uid: number; readonly gid: number },
  own?: string,
): Promise<boolean> {
  const segment = parseSegmentName(name, archive.segmentSize);
  const found = segment && (await archive.assemble(segment.timeline, segment.start, signal));
  if (segment === undefined || found === undefined) return false;
  const { systemIdentifier, segmentSize: size } = archive;
  const stored = Number(found.end - segment.start);
  if (stored < size && own !== undefined && (await holdsMore(own, stored))) return false;
  checkSegmentHeader(found.bytes, {
    systemIdentifier,
    segmentSize: size,
    timeline: segment.timeline,
    start: segment.start,
  });
  await writeWhole(destination, found.bytes, owner);
  return true;
}

/** Whether anything stands in the file behind its first `stored` bytes. */
async function holdsMore(path: string, stored: number): Promise<boolean> {
  const content = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw new SpillwayError('SPW_DATA_DIRECTORY', `${path} cannot be read`, { cause: error });
  });
  return content !== undefined && content.subarray(stored).some((byte) => byte !== 0);
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

async function writeWhole(
  destination: string,
  bytes: Uint8Array,
  owner?: { readonly uid: number; readonly gid: number },
): Promise<void> {
  const beside = join(dirname(destination), `.spillway-${randomBytes(6).toString('hex')}`);
  try {
    {
      await using file = await open(beside, 'wx', 0o600);
      await file.writeFile(bytes);
      if (owner !== undefined) await file.chown(owner.uid, owner.gid);
    }
    await rename(beside, destination);
  } catch (cause) {
    await rm(beside, { force: true });
    throw new SpillwayError('SPW_RESTORE_FAILED', `${destination} could not be written`, {
      cause,
      hint: 'check space and permissions of the data directory',
    });
  }
}
