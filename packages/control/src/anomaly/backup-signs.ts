// Signs in what each backup stored, against the median of those before it.
//
//   new-chunks       much of the cluster is new to the repository: over a fifth of its bytes, and over five times the usual share
//   incompressible   what is new hardly compresses, where it used to
//   encrypted        over a fifth is new, and it compresses worse than usual: what encryption in place looks like, and an alarm. The
//                    rows it replaced are still in the files, and new as well as their pages were touched: so half of what is
//                    new may compress as ever
//   smaller          a backup with less than half of the usual bytes; an alarm below a quarter
//
// A backup is held against at most seven before it of the same system, and against none unless there are two that had a
// predecessor of their own: the first one is all new. Small amounts are left alone: they swing widely and harm little. Pure.

import type { BackupSummary } from '@spillway/engine';
import { median, rounded, type Sign, sign } from './finding.ts';

const WINDOW = 7;
const COMPARED_MIN = 2;
const NEW_SHARE_MIN = 0.2;
const NEW_TIMES = 5;
const NEW_CHUNKS_MIN = 32;
const NEW_BYTES_MIN = 4 * 2 ** 20;
const DENSE = { least: 0.8, above: 0.3 };
const DENSE_AMONG_MUCH = { least: 0.3, above: 0.25 };
const SMALLER = 0.5;
const MUCH_SMALLER = 0.25;
const BYTES_MIN = 16 * 2 ** 20;

export type BackupFigures = Pick<
  BackupSummary,
  'id' | 'system_identifier' | 'bytes' | 'new_bytes' | 'stored_bytes' | 'chunks' | 'new_chunks'
>;

/** `backups`: oldest first. */
export function signsOfBackups(backups: readonly BackupFigures[]): readonly Sign[] {
  return backups.flatMap((backup, at) => {
    const before = backups.slice(0, at).filter(({ system_identifier: id }) => id === backup.system_identifier);
    return signsOf(backup, before);
  });
}

function signsOf(backup: BackupFigures, before: readonly BackupFigures[]): readonly Sign[] {
  const compared = before.slice(1).slice(-WINDOW);
  if (compared.length < COMPARED_MIN) return [];
  const much = isMuch(backup);
  const many = much ? newChunks(backup, compared) : undefined;
  const dense = incompressible(backup, before.slice(-WINDOW), much ? DENSE_AMONG_MUCH : DENSE);
  const smaller = shrunk(backup, before.slice(-WINDOW));
  const stored =
    much && dense !== undefined
      ? [
          sign(
            'encrypted',
            'alarm',
            backup.id,
            `backup ${backup.id} is new in large part, and what is new compresses worse than it used to: it looks as if data was encrypted in place`,
            { ...shares(backup, compared), ...dense.figures },
          ),
        ]
      : [many, dense].flatMap((each) => each ?? []);
  return [...stored, ...(smaller === undefined ? [] : [smaller])];
}

const isMuch = (backup: BackupFigures): boolean =>
  backup.new_chunks >= NEW_CHUNKS_MIN && shareOf(backup) >= NEW_SHARE_MIN;

function newChunks(backup: BackupFigures, compared: readonly BackupFigures[]): Sign | undefined {
  const share = shareOf(backup);
  const usual = median(compared.map(shareOf)) ?? 0;
  if (share <= NEW_TIMES * usual) return undefined;
  const message = `${percent(share)} of backup ${backup.id} was new to the repository; usual are ${percent(usual)}`;
  return sign('new-chunks', 'warning', backup.id, message, shares(backup, compared));
}

const shares = (backup: BackupFigures, compared: readonly BackupFigures[]): Sign['figures'] => ({
  new_share: rounded(shareOf(backup)),
  median_new_share: rounded(median(compared.map(shareOf)) ?? 0),
  new_chunks: backup.new_chunks,
  chunks: backup.chunks,
  compared_backups: compared.length,
});

function incompressible(
  backup: BackupFigures,
  before: readonly BackupFigures[],
  { least, above }: typeof DENSE,
): Sign | undefined {
  const telling = before.filter(({ new_bytes: bytes }) => bytes >= NEW_BYTES_MIN);
  const usual = median(telling.map(ratioOf));
  if (usual === undefined || backup.new_bytes < NEW_BYTES_MIN) return undefined;
  const ratio = ratioOf(backup);
  if (ratio < least || ratio <= usual + above) return undefined;
  const message = `what was new in backup ${backup.id} took ${percent(ratio)} of its size when compressed; usual are ${percent(usual)}`;
  return sign('incompressible', 'warning', backup.id, message, {
    stored_ratio: rounded(ratio),
    median_stored_ratio: rounded(usual),
    new_bytes: backup.new_bytes,
    stored_bytes: backup.stored_bytes,
  });
}

function shrunk(backup: BackupFigures, before: readonly BackupFigures[]): Sign | undefined {
  const usual = median(before.map(({ bytes }) => bytes)) ?? 0;
  const part = usual === 0 ? 1 : backup.bytes / usual;
  if (usual < BYTES_MIN || part >= SMALLER) return undefined;
  const message = `backup ${backup.id} has ${percent(part)} of the bytes that backups before it had`;
  return sign('smaller', part < MUCH_SMALLER ? 'alarm' : 'warning', backup.id, message, {
    bytes: backup.bytes,
    median_bytes: usual,
  });
}

/** By bytes: a cluster has a thousand small files, and each is a chunk. */
const shareOf = ({ new_bytes: fresh, bytes }: BackupFigures): number => (bytes === 0 ? 0 : fresh / bytes);
const ratioOf = ({ stored_bytes: stored, new_bytes: bytes }: BackupFigures): number =>
  bytes === 0 ? 0 : stored / bytes;
const percent = (part: number): string => `${Math.round(part * 1000) / 10} %`;
