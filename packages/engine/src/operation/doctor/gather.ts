// Collects the doctor's facts: repository, server, data directory, each for itself, so that one that is down does not hide
// the others. Nothing is changed anywhere.

import { access, constants, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { isSpillwayError } from '@spillway/contract';
import { connect } from '../../postgres/connection.ts';
import { connectReplication } from '../../postgres/replication.ts';
import { listEvidence, provenBackups } from '../../repository/evidence.ts';
import { readIndex } from '../../repository/index-store.ts';
import { listManifests } from '../../repository/manifest-store.ts';
import type { Repository } from '../../repository/repository.ts';
import { folderOf } from '../../storage/port.ts';
import type { ClusterSource } from '../backup/options.ts';
import { lookAtCanary } from '../canary/standing.ts';
import { lookAtPlace, type PlaceFacts, type PlaceToLookAt } from '../copy/state.ts';
import { checkWal } from '../wal/check.ts';
import type {
  Area,
  DataDirectoryFacts,
  DoctorFacts,
  Failure,
  FileFacts,
  RepositoryFacts,
  SpaceFacts,
} from './facts.ts';
import { gatherServer } from './gather-server.ts';

export interface GatherOptions {
  /** Undefined where it could not be opened; why stands in `failures`. */
  readonly repository: Repository | undefined;
  /** Undefined where nothing is known of the server. */
  readonly cluster: ClusterSource | undefined;
  readonly slot: string;
  readonly canaryIntervalMs: number | null;
  readonly files: readonly FileFacts[];
  readonly places: readonly PlaceToLookAt[];
  readonly failures: readonly Failure[];
  readonly now: () => Date;
  readonly signal?: AbortSignal;
}

export async function gatherFacts(options: GatherOptions): Promise<DoctorFacts> {
  const { cluster, slot, files, signal } = options;
  const failures: Failure[] = [...options.failures];
  const look = async <Result>(area: Area, what: string, act: () => Promise<Result>): Promise<Result | undefined> => {
    try {
      return await act();
    } catch (error) {
      if (!isSpillwayError(error) || error.code === 'SPW_INTERRUPTED') throw error;
      failures.push({ area, what, error });
      return undefined;
    }
  };
  const { repository } = options;
  const stored =
    repository === undefined || cluster === undefined
      ? undefined
      : await look('repository', 'repository', () => readRepository(repository, cluster.name, signal));
  const server =
    cluster === undefined
      ? undefined
      : await look('server', 'server', async () => {
          await using session = await connect(cluster.connection, signal && { signal });
          // Awaited here, before the session is closed.
          return await gatherServer(session, signal);
        });
  const canary =
    cluster === undefined || server === undefined
      ? undefined
      : await look('canary', 'canary', async () => {
          await using session = await connect(cluster.connection, signal && { signal });
          return await lookAtCanary(session, signal && { signal });
        });
  const path = cluster?.dataDirectory ?? server?.dataDirectory;
  return {
    now: options.now(),
    slot,
    user: cluster?.connection.user ?? '',
    files,
    repository: stored,
    server: server?.state,
    canary,
    canaryIntervalMs: options.canaryIntervalMs,
    mayReplicate: cluster === undefined || server === undefined ? undefined : await tryReplication(cluster, signal),
    dataDirectory: path === undefined ? undefined : await readDataDirectory(path),
    places:
      repository === undefined || cluster === undefined
        ? []
        : await lookAtPlaces(repository, cluster.name, options.places, signal),
    failures,
  };
}

async function readRepository(repository: Repository, cluster: string, signal?: AbortSignal): Promise<RepositoryFacts> {
  const folder = folderOf(repository.location);
  const index = await readIndex(repository, signal && { signal });
  const { heads, unreadable } = await listManifests(repository, cluster, signal);
  const wal = await checkWal({ repository, cluster, ...(signal && { signal }) });
  const proven = provenBackups((await listEvidence(repository, cluster, signal)).records);
  const sent = wal.timelines.flatMap(({ last_at: at }) => (at === null ? [] : [new Date(at).getTime()]));
  return {
    path: repository.storage.description,
    // A bucket tells only by a write, and has no end.
    writable: folder === undefined || (await mayAccess(folder, constants.W_OK)),
    space: folder === undefined ? undefined : await readSpace(folder),
    damagedIndexes: index.damagedIndexes,
    damagedPacks: index.damagedPacks,
    unreadableBackups: unreadable.map(({ id }) => id),
    backups: heads.map(({ summary }) => ({
      id: summary.id,
      finishedAt: new Date(summary.finished_at),
      storedBytes: summary.stored_bytes,
      damagedPages: summary.damaged_page_count,
      walComplete: !wal.backups_without_wal.includes(summary.id),
      proven: proven.has(summary.id),
    })),
    walGaps: wal.gaps.length,
    walSentAt: sent.length === 0 ? undefined : new Date(Math.max(...sent)),
  };
}

async function lookAtPlaces(
  repository: Repository,
  cluster: string,
  places: readonly PlaceToLookAt[],
  signal = new AbortController().signal,
): Promise<readonly PlaceFacts[]> {
  const found: PlaceFacts[] = [];
  for (const place of places) found.push(await lookAtPlace(repository, cluster, place, signal));
  return found;
}

/** A server that lets us in for queries and not for replication says so with SPW_POSTGRES_DENIED. */
async function tryReplication(cluster: ClusterSource, signal?: AbortSignal): Promise<boolean | undefined> {
  try {
    await using session = await connectReplication(cluster.connection, signal && { signal });
    await session.identifySystem();
    return true;
  } catch (error) {
    if (isSpillwayError(error, 'SPW_POSTGRES_DENIED')) return false;
    // Gone since it was asked, or out of senders: the server's own findings tell that.
    if (isSpillwayError(error, 'SPW_POSTGRES_UNREACHABLE', 'SPW_POSTGRES_FAILED')) return undefined;
    throw error;
  }
}

async function readDataDirectory(path: string): Promise<DataDirectoryFacts> {
  const readable = await mayAccess(join(path, 'global/pg_control'), constants.R_OK);
  return { path, readable, walSpace: readable ? await readSpace(join(path, 'pg_wal')) : undefined };
}

const mayAccess = (path: string, mode: number): Promise<boolean> =>
  access(path, mode).then(
    () => true,
    () => false,
  );

/** Undefined where the file system does not tell; the folder's own state is looked at elsewhere. */
const readSpace = (path: string): Promise<SpaceFacts | undefined> =>
  statfs(path).then(
    ({ bavail, blocks, bsize }) => ({ path, freeBytes: bavail * bsize, totalBytes: blocks * bsize }),
    () => undefined,
  );
