// Manifests of dumps: writing one is what makes a dump exist; everything it refers to is durable before.
//
// Whoever removes chunks must ask `dumpChunks` beside the manifests of backups: it names every chunk that any dump needs,
// and throws where one dump cannot be read, because then nobody knows what it needs.

import { isSpillwayError, SpillwayError } from '@spillway/contract';
import {
  type DumpHead,
  type DumpManifest,
  type DumpSummary,
  encodeDump,
  parseDump,
  parseDumpHead,
} from '../format/dump.ts';
import { dumpName } from '../format/names.ts';
import { readFirstFrame } from './first-frame.ts';
import type { Repository } from './repository.ts';

export async function writeDump(repository: Repository, manifest: DumpManifest, signal?: AbortSignal): Promise<number> {
  const { cluster, id } = manifest.head.summary;
  const name = dumpName(cluster, id);
  const { outcome, storedBytes } = await repository.write('dump', name, encodeDump(manifest), signal && { signal });
  if (outcome === 'exists') throw new SpillwayError('SPW_OBJECT_EXISTS', `dump ${id} exists already`);
  return storedBytes;
}

export async function readDump(
  repository: Repository,
  cluster: string,
  id: string,
  signal?: AbortSignal,
): Promise<DumpManifest> {
  const name = dumpName(cluster, id);
  const frames = await repository.read('dump', name, signal);
  try {
    return parseDump(frames);
  } catch (cause) {
    throw new SpillwayError('SPW_OBJECT_DAMAGED', `${name} is damaged`, { cause });
  }
}

/** A dump that cannot be read is listed with its error: it must not hide the others. */
export interface UnreadableDump {
  readonly id: string;
  readonly error: SpillwayError;
}

/** The heads of all dumps of a cluster, oldest first by when they began. */
export async function listDumps(
  repository: Repository,
  cluster: string,
  signal?: AbortSignal,
): Promise<{ readonly heads: readonly DumpHead[]; readonly unreadable: readonly UnreadableDump[] }> {
  const heads: DumpHead[] = [];
  const unreadable: UnreadableDump[] = [];
  const prefix = dumpName(cluster, '');
  for await (const object of repository.storage.list(prefix, signal && { signal })) {
    try {
      heads.push(readable(object.name, await readFirstFrame(repository, 'dump', object, signal)));
    } catch (error) {
      if (
        !isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING', 'SPW_REPOSITORY_NEWER', 'SPW_KEY_ROTATED')
      )
        throw error;
      unreadable.push({ id: object.name.slice(prefix.length), error });
    }
  }
  heads.sort((a, b) => a.summary.started_at.localeCompare(b.summary.started_at));
  return { heads, unreadable };
}

/**
 * The chunk ids of every dump of a cluster, one run of ids of 32 bytes a dump; chunks of zeros have the id of zeros.
 * Throws SPW_OBJECT_DAMAGED where a dump cannot be read. A dump removed meanwhile is left out.
 */
export async function* dumpChunks(
  repository: Repository,
  cluster: string,
  signal?: AbortSignal,
): AsyncGenerator<{ readonly id: string; readonly chunkIds: Uint8Array }, void, undefined> {
  const prefix = dumpName(cluster, '');
  for await (const { name } of repository.storage.list(prefix, signal && { signal })) {
    const id = name.slice(prefix.length);
    try {
      yield { id, chunkIds: (await readDump(repository, cluster, id, signal)).chunkIds };
    } catch (error) {
      if (!isSpillwayError(error, 'SPW_OBJECT_MISSING')) throw error;
    }
  }
}

/** Takes one dump away. Its chunks stay until they are collected. */
export const removeDump = (repository: Repository, cluster: string, id: string, signal?: AbortSignal): Promise<void> =>
  repository.storage.remove(dumpName(cluster, id), signal && { signal });

/** The dump whose id, or the hexadecimal end of it, begins with `id`; the newest for `latest`. */
export function chooseDump(dumps: readonly DumpSummary[], cluster: string, id: string): DumpSummary {
  const newest = dumps.at(-1);
  if (id === 'latest' && newest !== undefined) return newest;
  if (newest === undefined) {
    throw new SpillwayError('SPW_DUMP_UNKNOWN', `cluster ${cluster} has no dump ${id}`, {
      why: `the repository holds no dump of cluster ${cluster} at all`,
      hint: 'make one with: spillway backup --source logical',
    });
  }
  const matches = dumps.filter((dump) => dump.id.startsWith(id) || dump.id.split('-')[1]?.startsWith(id));
  const [match, ...others] = matches;
  if (match !== undefined && others.length === 0) return match;
  throw new SpillwayError('SPW_DUMP_UNKNOWN', `cluster ${cluster} has no single dump ${id}`, {
    why: match === undefined ? 'no dump has an id like that' : `${matches.length} dumps have ids like that`,
  });
}

function readable(name: string, frame: Uint8Array): DumpHead {
  try {
    return parseDumpHead(frame);
  } catch (cause) {
    throw new SpillwayError('SPW_OBJECT_DAMAGED', `${name} is damaged`, { cause });
  }
}
