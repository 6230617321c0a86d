// How the restored cluster is to come up, as the signal file and the settings that tell PostgreSQL. Pure.
//
//   recover  replays to the target, then promotes, pauses or shuts down
//   standby  replays all there is, then follows its primary; what it misses there it fetches from the repository
// A copy that takes writes of its own must reach nothing that its source still uses: it archives nothing, and its
// subscriptions rest, which would else take the place of the source's at the publisher. Both until somebody says otherwise.
// https://www.postgresql.org/docs/current/runtime-config-wal.html#RUNTIME-CONFIG-WAL-RECOVERY-TARGET

import { SpillwayError } from '@spillway/contract';
import { FETCH_SCRIPT } from './fetch-script.ts';
import { configuredValue, droppedSettings } from './settings.ts';
import { type RecoveryTarget, targetSettings } from './target.ts';

export type TargetAction = 'promote' | 'pause' | 'shutdown';

export interface StandbyWish {
  /** A connection string without a password. */
  readonly primary: string | undefined;
  readonly slot: string | undefined;
}

export interface Recovery {
  readonly kind: 'recover' | 'standby';
  readonly action: TargetAction;
  readonly signalFile: 'recovery.signal' | 'standby.signal';
  /** Taken out of postgresql.auto.conf again when the recovery is over. */
  readonly settings: Readonly<Record<string, string>>;
  /** They stay. */
  readonly lasting: Readonly<Record<string, string>>;
  /** Names of settings in the backed up postgresql.auto.conf that are left out. */
  readonly dropped: readonly string[];
  readonly notes: readonly string[];
}

export interface RecoveryWish {
  readonly target: RecoveryTarget;
  /** What PostgreSQL is told: the end of WAL where the target lies behind all there is to stop at. */
  readonly told: RecoveryTarget;
  readonly timeline: number;
  readonly exclusive: boolean;
  readonly action: TargetAction;
  readonly standby: StandbyWish | undefined;
  /** Of the source at the time of the backup: replay demands them at least as large. */
  readonly standbyParameters: Readonly<Record<string, number>>;
  /** As backed up; empty where the backup has none. */
  readonly postgresqlConf: string;
  readonly autoConf: string;
}

const RESTORE_COMMAND = `sh ${FETCH_SCRIPT} "%f" "%p"`;
/** What PostgreSQL takes where nothing is set. */
const DEFAULTS: Readonly<Record<string, number>> = {
  max_connections: 100,
  max_worker_processes: 8,
  max_wal_senders: 10,
  max_prepared_transactions: 0,
  max_locks_per_transaction: 64,
};

/** Throws SPW_USAGE where the wishes contradict one another. */
export function planRecovery(wish: RecoveryWish): Recovery {
  const raised = tooSmall(wish);
  const notes = Object.entries(raised).map(
    ([name, value]) => `${name} is set to ${value}, as the server had it: its configuration says less.`,
  );
  if (wish.standby !== undefined) return planStandby(wish, wish.standby, raised, notes);
  if (wish.action !== 'promote' && wish.told.kind === 'latest') {
    throw new SpillwayError('SPW_USAGE', `the server cannot ${wish.action} at that target`, {
      why:
        wish.target.kind === 'latest'
          ? 'the end of WAL is no target: recovery always ends there with promotion'
          : 'nothing lies behind it in the WAL, so recovery runs to its end, and always ends there with promotion',
      hint: 'name a target inside the WAL, or leave --target-action out',
    });
  }
  const lasting = { ...raised, archive_mode: 'off', max_logical_replication_workers: '0' };
  return {
    kind: 'recover',
    action: wish.action,
    signalFile: 'recovery.signal',
    settings: {
      restore_command: RESTORE_COMMAND,
      ...targetSettings(wish.told, wish.timeline, wish.exclusive),
      recovery_target_action: wish.action,
    },
    lasting,
    dropped: droppedSettings(wish.autoConf, lasting),
    notes: [
      ...notes,
      'archive_mode is off in the restored cluster, so that it cannot archive into the WAL of its source.',
      'max_logical_replication_workers is 0 there, so that its subscriptions do not take the place of the source: when it takes over for good, reset both and restart.',
    ],
  };
}

function planStandby(
  wish: RecoveryWish,
  { primary, slot }: StandbyWish,
  raised: Readonly<Record<string, string>>,
  notes: readonly string[],
): Recovery {
  if (wish.target.kind !== 'latest' || wish.action !== 'promote') {
    throw new SpillwayError('SPW_USAGE', 'a standby has no recovery target', {
      why: 'it follows its primary to wherever that goes',
      hint: 'leave the target and --target-action out, or leave --standby out',
    });
  }
  if (primary !== undefined && /(?:^|[\s?&])password\s*=|^postgres(?:ql)?:\/\/[^/@:]*:[^/@]*@/i.test(primary)) {
    throw new SpillwayError('SPW_USAGE', 'the connection to the primary holds a password', {
      why: 'it would stand in postgresql.auto.conf in clear text, and in every backup of it',
      hint: "put the password into a passfile of the server's account, and name that with passfile=",
    });
  }
  if (slot !== undefined && !/^[a-z0-9_]{1,63}$/.test(slot)) {
    throw new SpillwayError('SPW_USAGE', `${slot} is not the name of a slot`, {
      why: 'it has 1 to 63 lower case letters, digits and underscores',
      hint: 'name the slot as pg_create_physical_replication_slot() was told',
    });
  }
  const lasting = {
    ...raised,
    restore_command: RESTORE_COMMAND,
    recovery_target_timeline: 'latest',
    ...(primary === undefined ? {} : { primary_conninfo: primary }),
    ...(slot === undefined ? {} : { primary_slot_name: slot }),
  };
  return {
    kind: 'standby',
    action: 'promote',
    signalFile: 'standby.signal',
    settings: {},
    lasting,
    dropped: droppedSettings(wish.autoConf, lasting),
    notes: [
      ...notes,
      ...(primary === undefined
        ? ['No primary is named, so the standby follows what reaches the repository and nothing else.']
        : []),
      'archive_mode stays as it is on the source: a standby archives nothing before it is promoted, unless it is always.',
    ],
  };
}

function tooSmall({ standbyParameters, postgresqlConf, autoConf }: RecoveryWish): Record<string, string> {
  // Without a postgresql.conf in the backup one is made up that has them.
  if (postgresqlConf === '') return {};
  const raised: Record<string, string> = {};
  for (const [name, needed] of Object.entries(standbyParameters)) {
    const said = configuredValue(autoConf, name) ?? configuredValue(postgresqlConf, name);
    if (Number(said ?? DEFAULTS[name] ?? 0) < needed) raised[name] = String(needed);
  }
  return raised;
}

/** For a server that is started only to be looked at: nothing of it reaches out, and nobody reaches it from outside. */
export const ISOLATED_SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  shared_preload_libraries: '',
  archive_mode: 'off',
  // Commands of the source's configuration that would empty its archive, or tell somebody that it has recovered.
  archive_cleanup_command: '',
  recovery_end_command: '',
  // Nobody would confirm: commits would wait for ever.
  synchronous_standby_names: '',
  // Of the source: one takes the place of the other.
  external_pid_file: '',
  max_logical_replication_workers: '0',
  'cron.launch_active_jobs': 'off',
};
