// What a verification looks at: the newest backup, those that were named, or all, dumps too.
//
// One whose manifest cannot be read is a subject like the others: that it cannot be read is what will be found.

import { isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import type { BackupSummary } from '../../format/manifest.ts';
import { dumpName, manifestName } from '../../format/names.ts';
import { listDumps, readDump } from '../../repository/dump-store.ts';
import { chooseById, listManifests, readManifest } from '../../repository/manifest-store.ts';
import type { Repository } from '../../repository/repository.ts';
import { type Findings, wholly } from './findings.ts';
import { backupHolder, dumpHolder, type Holder, manifestFaults } from './holder.ts';

export interface VerifyOptions {
  readonly repository: Repository;
  readonly cluster: string;
  /** Beginnings of ids; with none, the newest backup. */
  readonly ids?: readonly string[];
  /** Every backup and dump, all WAL, and the packs themselves. */
  readonly all?: boolean;
  readonly level: 'structure' | 'data';
  /** At level data: of everything only today's share, so that all is read within so many days. */
  readonly sampleDays?: number;
  /** The clock; another in tests. */
  readonly now?: () => Date;
  readonly workers: number;
  readonly signal: AbortSignal;
  readonly report: Report;
}

/** One backup or dump to look at. Its manifest is read twice where it is hurt, and is in memory only meanwhile. */
export interface Subject {
  readonly id: string;
  readonly object: string;
  readonly backup: BackupSummary | undefined;
  readonly read: () => Promise<{ readonly holder: Holder; readonly faults: readonly string[] }>;
}

/** Throws SPW_BACKUP_UNKNOWN where there is none of that id, or none at all. */
export async function chooseSubjects({
  repository,
  cluster,
  ids = [],
  all = false,
  signal,
}: Pick<VerifyOptions, 'repository' | 'cluster' | 'ids' | 'all' | 'signal'>): Promise<{
  readonly subjects: readonly Subject[];
  readonly newestFirst: readonly string[];
  /** Ids of all backups and dumps that are there, whether they can be read or not. */
  readonly known: ReadonlySet<string>;
}> {
  const { heads, unreadable } = await listManifests(repository, cluster, signal);
  const dumps = await listDumps(repository, cluster, signal);
  const backups = heads.map(({ summary }) => summary);
  const newestFirst = backups.map(({ id }) => id).toReversed();
  const backupSubject = (backup: BackupSummary): Subject => ({
    id: backup.id,
    object: manifestName(cluster, backup.id),
    backup,
    read: async () => {
      const manifest = await readManifest(repository, cluster, backup.id, signal);
      return { holder: backupHolder(manifest), faults: manifestFaults(manifest) };
    },
  });
  const dumpSubject = (id: string): Subject => ({
    id,
    object: dumpName(cluster, id),
    backup: undefined,
    read: async () => ({ holder: dumpHolder(await readDump(repository, cluster, id, signal)), faults: [] }),
  });
  const known = new Set(
    [...backups, ...dumps.heads.map(({ summary }) => summary), ...unreadable, ...dumps.unreadable].map(({ id }) => id),
  );
  const isMeant = (id: string): boolean => all || ids.some((begin) => matches(id, begin));
  const hidden = [
    ...unreadable.map(({ id, error }) => ({ id, object: manifestName(cluster, id), error })),
    ...dumps.unreadable.map(({ id, error }) => ({ id, object: dumpName(cluster, id), error })),
  ].filter(({ id }) => isMeant(id));
  const told = hidden.map(
    ({ id, object, error }): Subject => ({
      id,
      object,
      backup: undefined,
      read: () => Promise.reject(error),
    }),
  );
  if (all) {
    const dumpIds = dumps.heads.map(({ summary }) => summary.id);
    return { subjects: [...backups.map(backupSubject), ...dumpIds.map(dumpSubject), ...told], newestFirst, known };
  }
  const newest = backups.at(-1);
  if (ids.length === 0) {
    if (newest !== undefined) return { subjects: [backupSubject(newest)], newestFirst, known };
    const [first] = unreadable;
    if (first !== undefined) throw first.error;
    throw new SpillwayError('SPW_BACKUP_UNKNOWN', `cluster ${cluster} has no backup to verify`, {
      hint: 'spillway backup makes one',
    });
  }
  const subjects: Subject[] = [];
  for (const id of ids) {
    const dump = dumps.heads.find(({ summary }) => matches(summary.id, id))?.summary.id;
    const isBackup = backups.some((backup) => matches(backup.id, id));
    const subject =
      told.find((each) => matches(each.id, id)) ??
      (dump !== undefined && !isBackup ? dumpSubject(dump) : backupSubject(chooseById(backups, cluster, id)));
    if (!subjects.some((each) => each.id === subject.id)) subjects.push(subject);
  }
  return { subjects, newestFirst, known };
}

/** As backups are named: by the beginning of the id or of its last part. */
const matches = (id: string, begin: string): boolean =>
  id.startsWith(begin) || id.split('-')[1]?.startsWith(begin) === true;

/** Undefined where it cannot be read, which is then found, or is gone. */
export async function readOrTell(subject: Subject, findings: Findings, gone: Set<string>): ReturnType<typeof tryRead> {
  try {
    return await tryRead(subject);
  } catch (error) {
    if (isSpillwayError(error, 'SPW_OBJECT_MISSING')) {
      gone.add(subject.id);
      return undefined;
    }
    if (!isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_REPOSITORY_NEWER', 'SPW_KEY_ROTATED')) throw error;
    const problem = error.why ?? error.message;
    findings.add({ kind: 'manifest', object: subject.object, chunk: null, problem }, wholly(subject.id));
    return undefined;
  }
}

const tryRead = async (
  subject: Subject,
): Promise<{ readonly holder: Holder; readonly faults: readonly string[] } | undefined> => subject.read();
