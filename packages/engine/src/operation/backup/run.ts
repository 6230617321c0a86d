// `backup`: a physical base backup of a running cluster.
//
//   1  take the cluster's backup lock; connect; open the source of the files; see that the server is the cluster's
//   2  make sure that WAL is being stored (`wal-follower.ts`)
//   3  let the source start, copy and stop (`source.ts`): its packs are durable then, and no index names them yet
//   4  write the index of the new packs; wait until all WAL from start to stop is durable
//   5  see once more that the lock is held, write the manifest, and look that the lock was held meanwhile
//
// Invariant: the manifest is the last object written, and everything it needs is durable before. Whatever goes wrong
// earlier leaves unnamed packs behind and no backup.

import { randomBytes } from 'node:crypto';
import { SpillwayError } from '@spillway/contract';
import { CHUNK_BYTES, CHUNK_ID_BYTES } from '../../format/chunk.ts';
import type { BackupSummary, Entries, Manifest } from '../../format/manifest.ts';
import { manifestName } from '../../format/names.ts';
import { readServer } from '../../postgres/basebackup.ts';
import { connect } from '../../postgres/connection.ts';
import { formatLsn, segmentEnd, segmentSize } from '../../postgres/lsn.ts';
import { confirmWhole } from '../../repository/confirm-whole.ts';
import { writeIndex } from '../../repository/index-store.ts';
import { LOCK_WAIT_MS, takeLock } from '../../repository/lock.ts';
import { writeManifest } from '../../repository/manifest-store.ts';
import { readExpired } from '../expire/record.ts';
import { admitSystem } from '../system.ts';
import { WalArchive } from '../wal/archive.ts';
import { openLocal } from './local.ts';
import { readNames } from './names.ts';
import type { BackupOptions } from './options.ts';
import type { CopiedCluster, OpenSource } from './source.ts';
import { openStream } from './stream.ts';
import { followWal } from './wal-follower.ts';
import { damagedPages } from './wrong-pages.ts';

const sources: Readonly<Record<BackupSummary['source'], OpenSource>> = {
  local: openLocal,
  stream: openStream,
};

/** As many damaged pages as a summary names: with more of them the list says nothing new. */
const DAMAGED_PAGES_MAX = 1000;
export async function backup(options: BackupOptions): Promise<BackupSummary> {
  const { repository, cluster } = options;
  await using lock = await takeLock(repository, `backup-${cluster.name}`, {
    holder: `backup of cluster ${cluster.name}`,
    signal: options.signal,
    waitMs: LOCK_WAIT_MS,
    onWait: (why) =>
      options.report({ type: 'notice', level: 'info', message: `Waiting to see whether the holder lives: ${why}.` }),
  });
  await using session = await connect(cluster.connection, { signal: options.signal });
  const server = await readServer(session);
  const kind = options.source ?? 'local';
  await using source = await sources[kind](options, { session, server });
  await admitSystem(
    repository,
    cluster.name,
    { systemIdentifier: server.systemIdentifier, segmentBytes: server.walSegmentSize },
    options,
  );
  const aborted = AbortSignal.any([options.signal, lock.lost, source.voided]);
  await using wal = await followWal({ ...options, signal: aborted });
  const signal = AbortSignal.any([aborted, wal.failed]);

  const startedAt = new Date();
  const id = `${startedAt.toISOString().replaceAll(/[-:]|\.\d+/g, '')}-${randomBytes(4).toString('hex')}`;
  const copied = await source.copy({ label: `spillway ${id}`, signal });
  const { startLsn, stopLsn, timeline, control } = copied;
  const names = await readNames(session);

  const archive = new WalArchive(repository, cluster.name, server.systemIdentifier, server.walSegmentSize);
  const [index] = await Promise.all([
    writeIndex(repository, copied.packs, signal),
    wal.waitUntilDurable(archive, timeline, startLsn, stopLsn, options.walTimeoutMs),
  ]);
  await refuseExpired({ ...options, signal }, server.systemIdentifier, copied, control.walSegmentSize);
  await lock.assertHeld();

  const finishedAt = new Date();
  const damaged = damagedPages(copied, copied, DAMAGED_PAGES_MAX);
  const files = sizesOf(copied.entries);
  const summary: BackupSummary = {
    id,
    cluster: cluster.name,
    type: copied.type,
    source: kind,
    taken_from: server.inRecovery ? 'standby' : 'primary',
    unchanged_by: copied.unchangedBy,
    started_at: startedAt.toISOString(),
    finished_at: finishedAt.toISOString(),
    duration_seconds: (finishedAt.getTime() - startedAt.getTime()) / 1000,
    system_identifier: server.systemIdentifier,
    postgres_version: server.versionNumber,
    timeline,
    start_lsn: formatLsn(startLsn),
    stop_lsn: formatLsn(stopLsn),
    wal_segment_bytes: control.walSegmentSize,
    block_bytes: control.blockSize,
    catalog_version: control.catalogVersion,
    checksums: control.dataChecksumVersion > 0,
    files: files.count,
    bytes: files.bytes,
    read_bytes: copied.readBytes,
    new_bytes: copied.newBytes,
    stored_bytes: copied.packs.reduce((sum, { packBytes }) => sum + packBytes, 0) + index.storedBytes,
    chunks: copied.chunkIds.length / CHUNK_ID_BYTES,
    new_chunks: copied.newChunks,
    unchanged_chunks: copied.unchangedChunks,
    damaged_pages: damaged.pages,
    damaged_page_count: damaged.count,
    tablespaces: copied.tablespaces.map(({ oid, path }) => ({
      oid,
      path,
      bytes: files.ofTablespace.get(oid) ?? 0,
    })),
  };
  const manifest: Manifest = {
    head: {
      summary,
      chunk_bytes: CHUNK_BYTES,
      backup_label: copied.backupLabel,
      tablespace_map: copied.tablespaceMap,
      read_started_at: String(copied.readStartedNs),
      standby_parameters: {
        max_connections: control.maxConnections,
        max_worker_processes: control.maxWorkerProcesses,
        max_wal_senders: control.maxWalSenders,
        max_prepared_transactions: control.maxPreparedTransactions,
        max_locks_per_transaction: control.maxLocksPerTransaction,
      },
      ...names,
    },
    entries: copied.entries,
    chunkIds: copied.chunkIds,
  };
  signal.throwIfAborted();
  await writeManifest(repository, manifest);
  await confirmWhole({
    repository,
    lock,
    name: manifestName(cluster.name, id),
    what: `backup ${id} of cluster ${cluster.name}`,
    chunkIds: copied.chunkIds,
    signal: options.signal,
    report: options.report,
  });
  return summary;
}

/** An expiry that looked before this backup began knew nothing of it; a standby begins at a point that may be old. */
async function refuseExpired(
  { repository, cluster, signal }: Pick<BackupOptions, 'repository' | 'cluster' | 'signal'>,
  systemIdentifier: string,
  { timeline, startLsn }: CopiedCluster,
  segmentBytes: number,
): Promise<void> {
  const line = (await readExpired(repository, cluster.name, systemIdentifier, signal)).get(timeline);
  if (line === undefined || segmentEnd(startLsn, segmentSize(segmentBytes)) > line) return;
  throw new SpillwayError('SPW_WAL_ABSENT', `the backup of cluster ${cluster.name} was given up`, {
    why: `it begins at ${formatLsn(startLsn)}, and WAL up to ${formatLsn(line)} was expired meanwhile`,
    hint: 'run it again; on a standby, once it has caught up',
  });
}

/** Bytes of all files, and of those of each tablespace. */
function sizesOf(entries: Entries): {
  readonly count: number;
  readonly bytes: number;
  readonly ofTablespace: ReadonlyMap<number, number>;
} {
  const ofTablespace = new Map<number, number>();
  let count = 0;
  let bytes = 0;
  for (const entry of entries) {
    if (entry.kind !== 'file') continue;
    count++;
    bytes += entry.bytes;
    const { tablespace } = entry;
    if (tablespace !== undefined) ofTablespace.set(tablespace, (ofTablespace.get(tablespace) ?? 0) + entry.bytes);
  }
  return { count, bytes, ofTablespace };
}
