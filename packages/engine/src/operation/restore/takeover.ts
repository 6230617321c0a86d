// A plan over a folder that holds files: what of it may be taken over, and what has to be said about it.

import { join } from 'node:path';
import { SpillwayError } from '@spillway/contract';
import type { BackupSummary } from '../../format/manifest.ts';
import { type FolderState, linkTarget } from './folder.ts';
import { KEPT_WAL_FOLDER } from './kept-wal.ts';
import { type Layout, rootsOf } from './layout.ts';
import type { Marker } from './marker.ts';
import type { PlanOptions } from './planned.ts';

/** An unfinished restore goes on with the backup it began with; another one is refused, unless `delta` overwrites it. */
export function goOnWith(options: PlanOptions, state: FolderState): PlanOptions {
  if (state.kind !== 'interrupted') return options;
  const { backup, started_at: startedAt } = state.marker;
  if (options.backupId === undefined) return { ...options, backupId: backup };
  if (options.delta === true || backup === options.backupId || isPrefix(options.backupId, backup)) return options;
  throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', `nothing was restored into ${options.targetDirectory}`, {
    why: `an unfinished restore of backup ${backup} lies there, begun at ${startedAt}`,
    hint: `go on with --backup ${backup}, overwrite it with --delta, or name another folder`,
  });
}

export const expiredMeanwhile = (
  { targetDirectory }: PlanOptions,
  { backup, started_at: startedAt }: Marker,
  cause: unknown,
): SpillwayError =>
  new SpillwayError('SPW_BACKUP_UNKNOWN', `the unfinished restore in ${targetDirectory} cannot be gone on with`, {
    why: `it was begun at ${startedAt} with backup ${backup}, which is not in the repository any more`,
    hint: 'go on with --delta: it takes another backup, and keeps what fits of what lies there; or name another folder',
    cause,
  });

/** An id may be said by its beginning, or that of its last part. */
const isPrefix = (said: string, id: string): boolean =>
  id.startsWith(said) || (id.split('-')[1] ?? '').startsWith(said);

export function refuseOtherSystem(options: PlanOptions, state: FolderState, backup: BackupSummary): void {
  const found = state.kind === 'cluster' ? state.systemIdentifier : undefined;
  if (found === undefined || found === backup.system_identifier || options.otherSystem === true) return;
  throw new SpillwayError('SPW_SYSTEM_MISMATCH', `nothing was restored into ${options.targetDirectory}`, {
    why: `its system identifier is ${found}, and that of backup ${backup.id} is ${backup.system_identifier}: it is another cluster`,
    hint: 'check the folder; to overwrite that other cluster all the same, add --force-other-system',
  });
}

export async function noteFolder(
  state: FolderState,
  backup: string,
  layout: Layout,
  unstoredWal: readonly string[],
): Promise<readonly string[]> {
  if (state.kind === 'empty') return [];
  const notes: string[] = [];
  if (state.kind === 'interrupted') {
    const { marker } = state;
    notes.push(
      marker.backup === backup
        ? `A restore of backup ${backup}, begun at ${marker.started_at}, is gone on with.`
        : `A restore of backup ${marker.backup}, begun at ${marker.started_at}, lies there: what fits of it is kept.`,
    );
    const roots = new Set(rootsOf(layout));
    const left = marker.folders.filter((folder) => !roots.has(folder));
    if (left.length > 0) notes.push(`It wrote into ${left.join(', ')} too, which now stays as it is: remove it.`);
  } else {
    notes.push('All that the folder holds and the backup does not is removed, but for WAL that was never stored.');
  }
  if (state.kind === 'cluster' && state.staleProcess !== undefined) {
    notes.push(
      Number.isNaN(Number.parseInt(state.staleProcess, 10))
        ? `postmaster.pid says: ${state.staleProcess}.`
        : `postmaster.pid names process ${state.staleProcess}, which does not run here: a crash leaves that. Be sure that no server in another container, or on another host, has this folder.`,
    );
  }
  const [first] = unstoredWal;
  if (first !== undefined) {
    const many = unstoredWal.length === 1 ? first : `${unstoredWal.length} files, ${first} to ${unstoredWal.at(-1)}`;
    notes.push(
      `pg_wal holds WAL that the repository lacks, ${many}: it is not replayed, but kept in pg_wal/${KEPT_WAL_FOLDER}. To have it replayed, store it first: in that data directory, spillway wal push pg_wal/<file> for each.`,
    );
  }
  if (state.kind === 'cluster' && state.systemIdentifier === undefined) {
    notes.push('The folder has no readable pg_control: that it is a copy of this cluster cannot be seen.');
  }
  const walLink = await linkTarget(join(layout.directory, 'pg_wal'));
  if (walLink !== undefined && walLink !== layout.walDirectory) {
    notes.push(`pg_wal is a link to ${walLink}: a folder takes its place, and what lies behind it is left as it is.`);
  }
  return notes;
}
