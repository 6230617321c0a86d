// Where a backup's files come from: the one interface that `run.ts` knows, and what every source does alike.
//
// A source owns the start and the stop of the base backup, because they come from different places: pg_backup_start and
// pg_backup_stop in a session (`local.ts`), or the ends of one BASE_BACKUP (`stream.ts`). In turn `run.ts` owns what is
// around it: lock, session, system, WAL, index, manifest.
//
//   open     the source is made ready and refuses what it cannot back up; nothing is begun at the server
//   copy     once WAL is being stored: start, read, store the chunks nobody has, stop
//   dispose  whatever happened: threads and connections of its own end
//
// Invariant: when `copy` returns, all chunks that its ids name are durable in packs: those of `packs`, which no index
// names yet, or those that the repository's index names already.

import type { FileEntry } from '../../format/entry.ts';
import type { BackupSummary, Entries } from '../../format/manifest.ts';
import type { PackDirectory } from '../../format/pack.ts';
import type { ServerFacts } from '../../postgres/basebackup.ts';
import type { Session } from '../../postgres/connection.ts';
import type { ControlData } from '../../postgres/control.ts';
import type { Lsn, TimelineId } from '../../postgres/lsn.ts';
import { readIndex } from '../../repository/index-store.ts';
import type { ChunkTable } from '../../repository/chunk-table.ts';
import type { BackupOptions } from './options.ts';

/** `session` is an ordinary one, open for as long as the backup runs; `server` was read from it. */
export type OpenSource = (
  options: BackupOptions,
  at: { readonly session: Session; readonly server: ServerFacts },
) => Promise<BackupSource>;

export interface BackupSource extends AsyncDisposable {
  /** Aborts, with SPW_BACKUP_VOID as its reason, when what was copied so far is worth nothing. */
  readonly voided: AbortSignal;
  copy(circumstances: Circumstances): Promise<CopiedCluster>;
}

export interface Circumstances {
  /** For the server's log and backup_label. */
  readonly label: string;
  /** Aborts as well when the source is void, the lock is lost, or WAL cannot be received any more. */
  readonly signal: AbortSignal;
}

export interface CopiedCluster {
  readonly startLsn: Lsn;
  readonly timeline: TimelineId;
  readonly stopLsn: Lsn;
  /** Byte for byte as the server gave them. */
  readonly backupLabel: string;
  readonly tablespaceMap: string;
  /** Of the pg_control that was copied. */
  readonly control: ControlData;
  /** `full` where everything was read, whatever was asked for. */
  readonly type: BackupSummary['type'];
  /** How what was not read was known to be unchanged; null where everything was read. */
  readonly unchangedBy: BackupSummary['unchanged_by'];
  /** Chunks that were taken over unread. */
  readonly unchangedChunks: number;
  /** When reading began, in nanoseconds since 1970. */
  readonly readStartedNs: bigint;
  /** Ordered by root and path, pg_control last; `chunkIds` in the order of their files. */
  readonly entries: Entries;
  readonly chunkIds: Uint8Array;
  readonly packs: readonly PackDirectory[];
  readonly readBytes: number;
  readonly newBytes: number;
  readonly newChunks: number;
  /** Pages whose checksum was wrong each time they were read; `path` as in `pathInCluster`. */
  readonly wrongPages: readonly WrongPageOfFile[];
  /** How many more such pages there are, past what is worth keeping (`wrong-pages.ts`). */
  readonly wrongPagesBeyond: number;
  readonly tablespaces: readonly { readonly oid: number; readonly path: string }[];
}

export interface WrongPageOfFile {
  readonly path: string;
  readonly block: number;
  readonly lsn: bigint;
}

/** As the server names it, also in a tablespace. */
export const pathInCluster = ({ tablespace, path }: Pick<FileEntry, 'tablespace' | 'path'>): string =>
  tablespace === undefined ? path : `pg_tblspc/${tablespace}/${path}`;

/** The chunks that the repository holds, with room for `newChunks` more. Tells of what is damaged there. */
export async function openChunkTable(
  { repository, report }: Pick<BackupOptions, 'repository' | 'report'>,
  newChunks: number,
  signal: AbortSignal,
): Promise<ChunkTable> {
  const { table, damagedPacks, damagedIndexes } = await readIndex(repository, { newChunks, signal });
  for (const damaged of [...damagedPacks, ...damagedIndexes]) {
    report({
      type: 'notice',
      level: 'warning',
      message: `Object ${damaged} of the repository is missing or damaged: what this backup needs of it is stored again.`,
    });
  }
  return table;
}
