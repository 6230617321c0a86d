// Findings about the repository: is it whole, has it room, are its backups young and proven, is its WAL without gaps. Pure.

import type { BackupFacts, RepositoryFacts, SpaceFacts } from './facts.ts';
import type { Finding } from './finding.ts';

const DAY_MS = 86_400_000;
/** Older, and the replay of WAL takes longer than anybody wants to wait. */
const BACKUP_AGE_MAX_MS = 7 * DAY_MS;
const SPACE_FAILED = 0.05;
const SPACE_WARNING = 0.1;
/** Clocks of two machines may differ by so much without a word. */
const FUTURE_MS_MAX = 60_000;

export function diagnoseRepository(repository: RepositoryFacts, now: Date): readonly Finding[] {
  return [...harm(repository), ...room(repository), ...ages(repository, now), ...gaps(repository)];
}

function* harm({
  path,
  writable,
  damagedPacks,
  damagedIndexes,
  unreadableBackups,
}: RepositoryFacts): Generator<Finding> {
  if (!writable) {
    yield {
      severity: 'failed',
      area: 'permissions',
      message: `${path} cannot be written to`,
      why: 'no backup and no WAL can be stored',
      mend: `run spillway as the owner of ${path}, or give this user the right to write there`,
    };
  }
  if (damagedPacks.length > 0) {
    yield {
      severity: 'failed',
      area: 'repository',
      message: `${listed(damagedPacks, 'pack')} missing or cut short`,
      why: 'backups that need them cannot be restored whole',
      mend: 'spillway backup --type full',
    };
  }
  if (unreadableBackups.length > 0) {
    yield {
      severity: 'failed',
      area: 'repository',
      message: `${listed(unreadableBackups, 'backup')} unreadable`,
      why: 'they cannot be restored',
      mend: 'spillway backup --type full',
    };
  }
  if (damagedIndexes.length > 0) {
    yield {
      severity: 'warning',
      area: 'repository',
      message: `${listed(damagedIndexes, 'index', 'indexes')} damaged`,
      why: 'nothing is lost: what they say is read from the packs, which takes longer',
      mend: 'look at the storage: what harmed them may harm more; then spillway check',
    };
  }
}

const room = ({ space, backups }: RepositoryFacts): readonly Finding[] =>
  space === undefined
    ? []
    : lowSpace(space, backups.at(-1)?.storedBytes ?? 0, 'no backup and no WAL can be stored once it is full');

/** `wanted`: bytes that must fit at least. */
export function lowSpace(space: SpaceFacts, wanted: number, why: string): readonly Finding[] {
  const share = space.totalBytes === 0 ? 1 : space.freeBytes / space.totalBytes;
  const severity =
    share < SPACE_FAILED || space.freeBytes < wanted ? 'failed' : share < SPACE_WARNING ? 'warning' : undefined;
  if (severity === undefined) return [];
  return [
    {
      severity,
      area: 'space',
      message: `${(share * 100).toFixed(1)} % (${mebibytes(space.freeBytes)}) of the file system of ${space.path} is free`,
      why,
      mend: `make room there, or give it a larger one: df -h ${space.path}`,
    },
  ];
}

function* ages({ backups, walSentAt }: RepositoryFacts, now: Date): Generator<Finding> {
  const newest = backups.at(-1);
  if (newest === undefined) {
    yield {
      severity: 'failed',
      area: 'backups',
      message: 'there is no backup',
      why: 'nothing can be restored',
      mend: 'spillway backup',
    };
    return;
  }
  const usable = backups.filter(({ walComplete }) => walComplete);
  const broken = backups.filter(({ walComplete }) => !walComplete);
  if (broken.length > 0) {
    yield {
      severity: usable.length === 0 || newest === broken.at(-1) ? 'failed' : 'warning',
      area: 'backups',
      message: `${listed(
        broken.map(({ id }) => id),
        'backup',
      )} without the WAL needed to restore ${broken.length === 1 ? 'it' : 'them'}`,
      why: usable.length === 0 ? 'nothing can be restored' : 'only the others can be restored',
      mend: 'spillway backup, and keep spillway wal receive running',
    };
  }
  const age = now.getTime() - newest.finishedAt.getTime();
  if (age > BACKUP_AGE_MAX_MS) {
    yield {
      severity: 'warning',
      area: 'backups',
      message: `the newest backup is ${Math.floor(age / DAY_MS)} days old`,
      why: 'a restore has to replay all WAL since then',
      mend: 'spillway backup',
    };
  }
  yield* harmedPages(newest);
  if (!backups.some(({ proven }) => proven)) {
    yield {
      severity: 'warning',
      area: 'backups',
      message: 'no backup is proven',
      why: 'that a backup was made does not show that it can be read',
      mend: 'spillway verify --level data',
    };
  }
  const young = [newest.finishedAt, walSentAt].filter((at) => at !== undefined).map((at) => at.getTime());
  if (Math.max(...young) - now.getTime() > FUTURE_MS_MAX) {
    yield {
      severity: 'failed',
      area: 'clock',
      message: 'what the repository holds is from the future',
      why: 'the clock of this machine, or of the one that wrote it, is wrong: times of recovery cannot be trusted',
      mend: 'timedatectl set-ntp true',
    };
  }
}

function* harmedPages({ id, damagedPages }: BackupFacts): Generator<Finding> {
  if (damagedPages === 0) return;
  yield {
    severity: 'failed',
    area: 'backups',
    message: `the newest backup ${id} holds ${damagedPages} damaged page${damagedPages === 1 ? '' : 's'}`,
    why: 'the cluster itself is damaged there: its files failed their checksums',
    mend: `spillway show ${id}, then mend the cluster from an older backup`,
  };
}

const gaps = ({ walGaps }: RepositoryFacts): readonly Finding[] =>
  walGaps === 0
    ? []
    : [
        {
          severity: 'warning',
          area: 'WAL',
          message: `WAL has ${walGaps} gap${walGaps === 1 ? '' : 's'}`,
          why: 'moments in a gap, and after it until the next backup, cannot be restored',
          mend: 'spillway wal check, then spillway backup where no backup was made since',
        },
      ];

const SHOWN_MAX = 3;

/** `pack a is`, `backups a, b and 4 more are`. */
function listed(names: readonly string[], noun: string, plural = `${noun}s`): string {
  const shown = names.slice(0, SHOWN_MAX).join(', ');
  const more = names.length > SHOWN_MAX ? ` and ${names.length - SHOWN_MAX} more` : '';
  return names.length === 1 ? `${noun} ${shown} is` : `${plural} ${shown}${more} are`;
}

export const mebibytes = (bytes: number): string => `${Math.floor(bytes / 1_048_576)} MiB`;
