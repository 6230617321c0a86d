// Manifests: writing one is what makes a backup exist; everything it refers to is durable before.

import { isSpillwayError, SpillwayError } from '@spillway/contract';
import {
  type BackupSummary,
  encodeManifest,
  type Manifest,
  type ManifestHead,
  parseManifest,
  parseManifestHead,
} from '../format/manifest.ts';
import { manifestName } from '../format/names.ts';
import { elsewhere } from './elsewhere.ts';
import { readFirstFrame } from './first-frame.ts';
import type { Repository } from './repository.ts';

/** From a bucket each is a request of its own. */
const HEADS_AT_ONCE = 8;

export async function writeManifest(repository: Repository, manifest: Manifest, signal?: AbortSignal): Promise<number> {
  const { cluster, id } = manifest.head.summary;
  const { outcome, storedBytes } = await repository.write(
    'manifest',
    manifestName(cluster, id),
    encodeManifest(manifest),
    signal && { signal },
  );
  if (outcome === 'exists') throw new SpillwayError('SPW_OBJECT_EXISTS', `backup ${id} exists already`);
  return storedBytes;
}

export async function readManifest(
  repository: Repository,
  cluster: string,
  id: string,
  signal?: AbortSignal,
): Promise<Manifest> {
  const name = manifestName(cluster, id);
  return elsewhere(repository, name, async () => {
    const frames = await repository.readFrames('manifest', name, signal);
    try {
      return parseManifest(frames);
    } catch (cause) {
      if (isSpillwayError(cause)) throw cause;
      throw new SpillwayError('SPW_OBJECT_DAMAGED', `${name} is damaged`, { cause });
    }
  });
}

/** A manifest that cannot be read is listed with its error: it must not hide the others. */
export interface UnreadableManifest {
  readonly id: string;
  readonly error: SpillwayError;
}

/** The heads of all backups of a cluster, oldest first by when they began. */
export async function listManifests(
  repository: Repository,
  cluster: string,
  signal?: AbortSignal,
): Promise<{ readonly heads: readonly ManifestHead[]; readonly unreadable: readonly UnreadableManifest[] }> {
  const heads: ManifestHead[] = [];
  const unreadable: UnreadableManifest[] = [];
  const prefix = manifestName(cluster, '');
  const objects = await Array.fromAsync(repository.storage.list(prefix, signal && { signal }));
  const queue = objects.values();
  const some = async (): Promise<void> => {
    for (const { name, bytes } of queue) {
      try {
        heads.push(await readHead(repository, name, bytes, signal));
      } catch (error) {
        if (
          !isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING', 'SPW_REPOSITORY_NEWER', 'SPW_KEY_ROTATED')
        )
          throw error;
        unreadable.push({ id: name.slice(prefix.length), error });
      }
    }
  };
  await Promise.all(Array.from({ length: HEADS_AT_ONCE }, some));
  unreadable.sort((a, b) => a.id.localeCompare(b.id));
  // They come in any order.
  heads.sort(({ summary: a }, { summary: b }) => a.started_at.localeCompare(b.started_at) || a.id.localeCompare(b.id));
  return { heads, unreadable };
}

/** The backup whose id, or the hexadecimal end of it, begins with `id`. */
export function chooseById(backups: readonly BackupSummary[], cluster: string, id: string): BackupSummary {
  const matches = backups.filter((backup) => backup.id.startsWith(id) || backup.id.split('-')[1]?.startsWith(id));
  const [match, ...others] = matches;
  if (match !== undefined && others.length === 0) return match;
  throw new SpillwayError('SPW_BACKUP_UNKNOWN', `cluster ${cluster} has no single backup ${id}`, {
    why: match === undefined ? 'no backup has an id like that' : `${matches.length} backups have ids like that`,
  });
}

async function readHead(
  repository: Repository,
  name: string,
  bytes: number,
  signal: AbortSignal | undefined,
): Promise<ManifestHead> {
  const frame = await readFirstFrame(repository, 'manifest', { name, bytes }, signal);
  try {
    return parseManifestHead(frame);
  } catch (cause) {
    throw new SpillwayError('SPW_OBJECT_DAMAGED', `${name} is damaged`, { cause });
  }
}
