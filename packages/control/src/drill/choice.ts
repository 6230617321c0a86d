// Which backup a drill restores, and to which moment. Pure; chance comes in as a number from 0 to 1, 1 excluded.
//
// A moment must lie behind the end of the backup that it is reached from. So a time chooses among the backups before it, and
// a random moment is drawn between the end of the chosen backup and the end of WAL.

import { SpillwayError } from '@spillway/contract';
import { parseLsn, type RecoveryTarget } from '@spillway/engine';

export interface BackupToChoose {
  readonly id: string;
  readonly finished_at: string;
}

/**
 * Those that had ended at a position of WAL: a backup that ended between the question to the source and the choice leads to
 * none of before. All of them where there is none, so that the restore says what is wrong.
 */
export function leadingTo<Backup extends { readonly stop_lsn: string }>(
  backups: readonly Backup[],
  lsn: string,
): readonly Backup[] {
  const at = parseLsn(lsn);
  const leading = backups.filter(({ stop_lsn: stop }) => (parseLsn(stop) ?? 0n) <= (at ?? 0n));
  return leading.length > 0 ? leading : backups;
}

/** `backups` oldest first. Throws SPW_BACKUP_UNKNOWN, or SPW_TARGET_UNREACHABLE where there is none to choose. */
export function chooseBackup(
  backups: readonly BackupToChoose[],
  choice: string,
  before: Date | undefined,
  chance: number,
): BackupToChoose {
  const eligible = backups.filter(({ finished_at: at }) => before === undefined || Date.parse(at) <= before.getTime());
  if (eligible.length === 0) {
    throw new SpillwayError('SPW_TARGET_UNREACHABLE', 'there is no backup to drill with', {
      why:
        before === undefined || backups.length === 0
          ? 'the repository holds none of this cluster'
          : `none was finished before ${before.toISOString()}; the first was at ${backups[0]?.finished_at ?? ''}`,
    });
  }
  const found =
    choice === 'latest'
      ? eligible.at(-1)
      : choice === 'oldest'
        ? eligible[0]
        : choice === 'random'
          ? eligible[Math.min(Math.floor(chance * eligible.length), eligible.length - 1)]
          : onlyOne(eligible, choice);
  if (found !== undefined) return found;
  throw new SpillwayError('SPW_BACKUP_UNKNOWN', `the drill asks for backup ${choice}`, {
    why: `${eligible.filter(({ id }) => isCalled(id, choice)).length} backups${before === undefined ? '' : ' before its target'} have that id`,
  });
}

/** An id is the time and eight digits; people know it by the digits. */
const isCalled = (id: string, word: string): boolean =>
  id.startsWith(word) || id.split('-').at(-1)?.startsWith(word) === true;

function onlyOne(backups: readonly BackupToChoose[], word: string): BackupToChoose | undefined {
  const [only, second] = backups.filter(({ id }) => isCalled(id, word));
  return second === undefined ? only : undefined;
}

/** A moment in the recovery window, behind the end of the backup. Throws SPW_TARGET_UNREACHABLE where there is none. */
export function randomMoment(backup: BackupToChoose, latestAt: string | null, chance: number): RecoveryTarget {
  const from = Date.parse(backup.finished_at);
  const to = Date.parse(latestAt ?? '');
  if (Number.isNaN(to) || to < from) {
    throw new SpillwayError('SPW_TARGET_UNREACHABLE', `no moment can be reached from backup ${backup.id}`, {
      why: `it ended at ${backup.finished_at}, and WAL leads to ${latestAt ?? 'nowhere'}`,
    });
  }
  const at = new Date(Math.ceil(from) + Math.floor(chance * (to - from)));
  return { kind: 'time', at, text: at.toISOString().replace('T', ' ').replace('Z', '+00:00') };
}
