// Whether a former primary can be rewound to the server that took over. Pure.
//
//   nothing     what it wrote is all on the way of the other server: it can follow as it is
//   rewind      it wrote on past the fork, and everything that pg_rewind needs is there
//   impossible  with every reason, and what to do instead
//
// pg_rewind finds most of these out by itself, some of them only after it has begun to overwrite; and some never: it takes
// two servers of one timeline number for one, believes a pg_control that is older than the promotion, does not ask since
// when wal_log_hints is on, and leaves it to the first start whether WAL to replay is there.
// A target that was not shut down cleanly is refused, though pg_rewind would start a server in it to recover it: that writes
// into it, wants its configuration, and would come before anything was decided.
// Sources: src/bin/pg_rewind/pg_rewind.c and parsexlog.c, the manual page of pg_rewind.

import { formatLsn, type Lsn } from '../../postgres/lsn.ts';
import type { SourceFacts, TargetFacts, WalFacts } from './facts.ts';
import { findFork, type Fork } from './fork.ts';

export interface Reason {
  /** A sentence. */
  readonly reason: string;
  /** What to do instead, or to make it possible. */
  readonly instead: string;
}

export interface Divergence {
  readonly timeline: Fork['timeline'];
  readonly lsn: Lsn;
}

export type Decision =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'rewind'; readonly fork: Divergence }
  | { readonly kind: 'impossible'; readonly fork: Divergence | undefined; readonly reasons: readonly Reason[] };

/** Where the two parted; undefined where they did not, or nobody can tell. WAL is of interest only behind it. */
export function divergenceOf(target: TargetFacts, source: SourceFacts): Divergence | undefined {
  if (target.systemIdentifier !== source.systemIdentifier || target.end === undefined) return undefined;
  const fork = findFork(target.way, source.way);
  if (fork?.lsn === undefined) return undefined;
  if (fork.timeline === target.timeline && target.end <= fork.lsn) return undefined;
  return { timeline: fork.timeline, lsn: fork.lsn };
}

/** `wal` is what was found where the two diverge; undefined where there was nothing to look for. */
export function decide(target: TargetFacts, source: SourceFacts, wal: WalFacts | undefined): Decision {
  const fork = divergenceOf(target, source);
  const general = [...pairReasons(target, source), ...targetReasons(target)];
  if (fork === undefined && general.length === 0) return { kind: 'nothing' };
  const reasons = [
    ...general,
    ...(fork === undefined ? [] : [...rewindReasons(target, source, fork), ...walReasons(target, wal)]),
  ];
  return reasons.length > 0 ? { kind: 'impossible', fork, reasons } : { kind: 'rewind', fork: fork as Divergence };
}

/** What speaks against following at all. */
function pairReasons(target: TargetFacts, source: SourceFacts): readonly Reason[] {
  if (target.systemIdentifier !== source.systemIdentifier) {
    return [
      {
        reason: `The data directory is of the system ${target.systemIdentifier}, and the source of ${source.systemIdentifier}: they are two clusters.`,
        instead: 'check --data-directory and --source',
      },
    ];
  }
  const reasons: Reason[] = [];
  if (target.major !== source.major || target.catalogVersion !== source.catalogVersion) {
    reasons.push({
      reason: `The data directory is of PostgreSQL ${target.major} (catalogue ${target.catalogVersion}), and the source of ${source.major} (${source.catalogVersion}).`,
      instead: 'make a new standby of the source from a backup made by its own version',
    });
  }
  const fork = findFork(target.way, source.way);
  if (fork === undefined) {
    reasons.push({
      reason: `The histories of timeline ${target.timeline} and of timeline ${source.timeline} have nothing in common.`,
      instead: restoring(target),
    });
  } else if (target.timeline === source.timeline) {
    reasons.push(...sameNumberReasons(target, source, fork));
  } else if (fork.lsn !== undefined && source.position < fork.lsn) {
    reasons.push({
      reason: `The source is at ${formatLsn(source.position)}, before the fork at ${formatLsn(fork.lsn)}.`,
      instead: 'wait until it has replayed up to there, or name another source',
    });
  }
  return reasons;
}

function sameNumberReasons(target: TargetFacts, source: SourceFacts, fork: Fork): readonly Reason[] {
  const { timeline } = target;
  if (fork.lsn !== undefined) {
    return [
      {
        reason: `Both are on a timeline ${timeline}, but on two that began in different places: both were promoted, and pg_rewind cannot tell them apart.`,
        instead: restoring(target),
      },
    ];
  }
  if (target.state !== 'shut down') {
    if (target.end === undefined || target.end <= source.position) return [];
    return [
      {
        reason: `The source is at ${formatLsn(source.position)} of timeline ${timeline}, and the data directory has come to ${formatLsn(target.end)} of it.`,
        instead: 'wait until the source has come as far, or name the server that both of them followed',
      },
    ];
  }
  return source.inRecovery
    ? [
        {
          reason: `The source is a standby on timeline ${timeline}, on which this server was the primary: nobody has taken over.`,
          instead: 'promote the source first, or simply start this server again',
        },
      ]
    : [
        {
          reason: `Both were primaries on timeline ${timeline}, so one is a copy that was started without being promoted: where they parted is written nowhere.`,
          instead: `make sure that --source is the server that took over, and not this one; else ${restoring(target)}`,
        },
      ];
}

function targetReasons(target: TargetFacts): readonly Reason[] {
  const { directory, state, owner } = target;
  const reasons: Reason[] = [];
  if (target.isUnfinished) {
    reasons.push({
      reason: 'A rewind was broken off in the data directory, which is half of one server and half of the other.',
      instead: restoring(target),
    });
  } else if (target.hasBackupLabel) {
    reasons.push({
      reason:
        'A backup_label lies in the data directory: it was restored or rewound, and no server has recovered from that yet.',
      instead: 'start it and let it recover; if it was rewound before, it needs nothing else',
    });
  } else if (state !== 'shut down' && state !== 'shut down in recovery') {
    reasons.push({
      reason: `The server was not shut down cleanly: pg_control says '${state}'.`,
      instead: `let it recover once without being reached, as the owner of the folder: postgres --single -D ${directory} template1 < /dev/null (with its configuration elsewhere add -c config_file=…), then run this again`,
    });
  } else if (target.end === undefined) {
    reasons.push({
      reason: 'The record of its last checkpoint cannot be read: pg_wal lacks it, and the repository too.',
      instead: restoring(target),
    });
  }
  if (owner !== 'usable') {
    reasons.push({
      reason:
        owner === 'root'
          ? 'The data directory belongs to root, as whom no program of PostgreSQL runs.'
          : 'The data directory belongs to another user.',
      instead:
        owner === 'root'
          ? `give it to the account of the server: chown -R postgres ${directory}`
          : 'run this as its owner, or as root',
    });
  }
  return reasons;
}

function rewindReasons(target: TargetFacts, source: SourceFacts, fork: Divergence): readonly Reason[] {
  const reasons: Reason[] = [];
  if (!target.walLogHints && !target.checksums) {
    reasons.push({
      reason: `It ran without data checksums and with wal_log_hints off, so its WAL does not tell all that it changed after ${formatLsn(fork.lsn)}.`,
      instead: `${restoring(target)}; for the next time set wal_log_hints = on on all servers`,
    });
  }
  if (!source.fullPageWrites) {
    reasons.push({
      reason: 'full_page_writes is off on the source, so that pages read while they are written cannot be mended.',
      instead: 'on the source: ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf(); CHECKPOINT',
    });
  }
  if (source.hasSocketInside) {
    reasons.push({
      reason: 'The source has its Unix socket in its data directory, and pg_rewind fails where it tries to copy that.',
      instead: 'set unix_socket_directories on the source to a folder elsewhere, and restart it',
    });
  }
  if (source.forbidden.length > 0) {
    reasons.push({
      reason: `The role may not read the files of the source: it lacks ${source.forbidden.join(', ')}.`,
      instead: `take a superuser, or on the source: ${source.forbidden.map((each) => `GRANT EXECUTE ON FUNCTION pg_catalog.${each} TO <role>`).join('; ')}`,
    });
  }
  return reasons;
}

function walReasons(target: TargetFacts, wal: WalFacts | undefined): readonly Reason[] {
  if (wal === undefined) return [];
  const { checkpoint, needed, unreadableAt, settingsChangedAt, replayMissing } = wal;
  const missing = needed.filter(({ place }) => place === 'missing').map(({ name }) => name);
  const reasons: Reason[] = [];
  if (missing.length > 0) {
    reasons.push({
      reason: `WAL of this server is missing in its pg_wal and in the repository: ${listed(missing)}.`,
      instead: `put it into pg_wal if it is anywhere else, or ${restoring(target)}`,
    });
  } else if (unreadableAt !== undefined || checkpoint === undefined) {
    reasons.push({
      reason: `Its WAL cannot be read ${unreadableAt === undefined ? 'back to a checkpoint before the fork' : `at ${formatLsn(unreadableAt)}`}.`,
      instead: restoring(target),
    });
  }
  if (settingsChangedAt !== undefined && !target.checksums) {
    reasons.push({
      reason: `It was started with other settings at ${formatLsn(settingsChangedAt)}, after it parted from the source, and has no data checksums: nobody can tell whether wal_log_hints was on before.`,
      instead: restoring(target),
    });
  }
  if (replayMissing.length > 0) {
    reasons.push({
      reason: `WAL that the rewound server would have to replay is neither on the source nor in the repository: ${listed(replayMissing)}.`,
      instead: restoring(target),
    });
  }
  return reasons;
}

const listed = (names: readonly string[]): string =>
  names.length <= 3 ? names.join(', ') : `${names.length} segments from ${names[0]} to ${names.at(-1)}`;

const restoring = ({ directory }: TargetFacts): string =>
  `restore over it, which fetches only what differs: spillway restore --into ${directory} --delta --standby --primary '<the source>'`;
