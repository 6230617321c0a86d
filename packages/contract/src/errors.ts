// Every error a person or a program can meet, in one table.
//
// 1. A code (`SPW_…`) is a public contract: once released it keeps its meaning and its exit code.
// 2. An error is told in three lines: what failed and to what, why (the cause), and a hint that names the next step.
// 3. Only the command line turns an error into an exit code; everything below throws `SpillwayError`.

/** Exit codes of the command line. A program must treat an unknown code as a failure. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  warnings: 3,
  unauthorised: 4,
  noRepository: 10,
  locked: 11,
  wrongKey: 12,
  damaged: 13,
  objectiveMissed: 14,
  refused: 15,
  postgresUnreachable: 20,
  storageUnreachable: 21,
  serviceUnreachable: 22,
  interrupted: 130,
  terminated: 143,
  /** Every failure of `wal fetch` but "not there": PostgreSQL takes 1 to 125 as the end of WAL, and stops on more. */
  walFetchFailed: 150,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

interface ErrorEntry {
  readonly exit: ExitCode;
  /** Whether the same call may succeed later with nothing changed by a person. */
  readonly retryable: boolean;
  /** What the code means, in a sentence; shown by `spillway explain`. */
  readonly meaning: string;
  /** The next step, used when the place that throws knows no better one. */
  readonly hint: string;
}

const entry = (exit: ExitCode, retryable: boolean, meaning: string, hint: string): ErrorEntry => ({
  exit,
  retryable,
  meaning,
  hint,
});

export const errorTable = {
  // Use and configuration
  SPW_USAGE: entry(
    exitCodes.usage,
    false,
    'The command was called with wrong words.',
    'add --help to see how it is called',
  ),
  SPW_CONFIG_MISSING: entry(
    exitCodes.usage,
    false,
    'No configuration file was found.',
    'write spillway.yaml here, or name one with --config',
  ),
  SPW_CONFIG_INVALID: entry(
    exitCodes.usage,
    false,
    'The configuration has an unknown key, a missing one, or a value of the wrong form.',
    'mend the named line of the configuration file',
  ),
  SPW_CLUSTER_UNKNOWN: entry(
    exitCodes.usage,
    false,
    'No cluster of that name is configured, or several are and none was named.',
    'name one of the configured clusters with --cluster',
  ),
  SPW_PLACE_UNKNOWN: entry(
    exitCodes.usage,
    false,
    'No place of the repository has that name, or several do and none was named.',
    'name one of the places under copies, or repository for the first',
  ),
  SPW_SECRET_UNREADABLE: entry(
    exitCodes.usage,
    false,
    'A secret could not be had from the file, variable or command that the configuration names.',
    'check that the file, variable or command gives the secret to this user',
  ),
  SPW_PASSPHRASE_SHORT: entry(
    exitCodes.usage,
    false,
    'The repository passphrase has fewer than 32 characters.',
    'use at least 32 characters, for example from: openssl rand -base64 32',
  ),
  SPW_CONFIRMATION_NEEDED: entry(
    exitCodes.refused,
    false,
    'The command could lose data and was not confirmed.',
    'run it on a terminal and type the name asked for, or add --yes --confirm <name>',
  ),
  // Repository
  SPW_REPOSITORY_MISSING: entry(
    exitCodes.noRepository,
    false,
    'There is no Spillway repository at that place.',
    'check the path, or make a repository with: spillway init',
  ),
  SPW_REPOSITORY_EXISTS: entry(
    exitCodes.refused,
    false,
    'There is something at that place already, so no repository was made there.',
    'use the repository that is there, or name an empty place',
  ),
  SPW_REPOSITORY_NEWER: entry(
    exitCodes.failed,
    false,
    'The repository has a format that this version of Spillway does not know.',
    'use the version of Spillway that wrote it, or a newer one',
  ),
  SPW_KEY_WRONG: entry(
    exitCodes.wrongKey,
    false,
    'The passphrase or recovery key opens none of the key slots of the repository.',
    'check which secret the configuration names; the recovery key printed by init opens it too',
  ),
  SPW_KEY_ROTATED: entry(
    exitCodes.wrongKey,
    false,
    'The data key was rotated, and this secret or this process has not got the new one.',
    'start the process again with a secret that opens the repository now; spillway key list names them',
  ),
  SPW_KMS_DENIED: entry(
    exitCodes.wrongKey,
    false,
    'AWS KMS refused to use the key, or there are no credentials for it.',
    'check the credentials of this process, and that they may call kms:Encrypt or kms:Decrypt with that key',
  ),
  SPW_KMS_UNREACHABLE: entry(
    exitCodes.storageUnreachable,
    true,
    'AWS KMS did not answer, or only to put off.',
    'check the network to KMS, its region and endpoint; another key slot opens the repository without it',
  ),
  SPW_KEY_SLOT_UNKNOWN: entry(
    exitCodes.failed,
    false,
    'The repository has no single key slot of that id.',
    'see the ids with: spillway key list',
  ),
  SPW_KEY_SLOT_NEEDED: entry(
    exitCodes.refused,
    false,
    'Without that key slot nobody could be sure to open the repository again.',
    'add another with spillway key add, and prove that it opens the repository',
  ),
  SPW_NOTIFY_FAILED: entry(
    exitCodes.failed,
    true,
    'A channel did not take a notification.',
    'try it with spillway notify test; see what it answered, and notifications.channels in the configuration',
  ),
  SPW_LOCKED: entry(
    exitCodes.locked,
    true,
    'Another process is doing the same work and holds the lock.',
    'wait until it ends; the lock of a process that died is taken over by itself',
  ),
  SPW_LOCK_LOST: entry(
    exitCodes.failed,
    true,
    'The lock was taken over by another process, because this one did not renew it in time.',
    'run the command again; nothing was recorded as done',
  ),
  SPW_OBJECT_DAMAGED: entry(
    exitCodes.damaged,
    false,
    'An object of the repository was changed, cut short or swapped since it was written.',
    'keep the repository as it is, and restore from another backup or another repository',
  ),
  SPW_OBJECT_MISSING: entry(
    exitCodes.damaged,
    false,
    'An object that the repository refers to is not there.',
    'keep the repository as it is, and restore from another backup or another repository',
  ),
  SPW_BACKUP_UNKNOWN: entry(
    exitCodes.usage,
    false,
    'No backup has that id, or several begin with it.',
    'list the backups with: spillway backups',
  ),
  SPW_BACKUP_NEEDED: entry(
    exitCodes.refused,
    false,
    'A backup that is needed was to be removed: it is in use, the newest, the last proven one, or part of the window.',
    'see what keeps it with: spillway expire --dry-run',
  ),
  SPW_DUMP_UNKNOWN: entry(
    exitCodes.usage,
    false,
    'No dump has that id, or several begin with it.',
    'list the dumps with: spillway dump list',
  ),
  // Storage
  SPW_STORAGE_UNREACHABLE: entry(
    exitCodes.storageUnreachable,
    true,
    'The storage of the repository did not answer or refused the request.',
    'check that the storage is mounted or reachable, and its permissions',
  ),
  SPW_OBJECT_RETAINED: entry(
    exitCodes.refused,
    false,
    'An object of the repository is locked and cannot be removed yet.',
    'nothing needs to be done: it can be removed when its lock has ended',
  ),
  SPW_REMOVAL_REFUSED: entry(
    exitCodes.refused,
    false,
    'The storage lets this process remove or replace nothing.',
    'run it as the role that may: root of the machine that seals the folder, or credentials with s3:DeleteObject and s3:DeleteObjectVersion',
  ),
  SPW_STORAGE_FULL: entry(
    exitCodes.storageUnreachable,
    true,
    'The storage of the repository has no space left.',
    'free space or enlarge the storage; what is in the repository is unharmed',
  ),
  SPW_OBJECT_EXISTS: entry(
    exitCodes.failed,
    false,
    'An object of that name exists already, and objects are never overwritten.',
    'run the command again; a second failure is worth a report',
  ),
  // PostgreSQL
  SPW_POSTGRES_UNREACHABLE: entry(
    exitCodes.postgresUnreachable,
    true,
    'The PostgreSQL server did not answer.',
    'check host, port and that the server runs, then try again',
  ),
  SPW_POSTGRES_DENIED: entry(
    exitCodes.postgresUnreachable,
    false,
    'PostgreSQL refused the login.',
    'check user and password in the configuration, and pg_hba.conf on the server',
  ),
  SPW_POSTGRES_FAILED: entry(
    exitCodes.failed,
    false,
    'PostgreSQL answered with an error.',
    "read the server's message above and its log",
  ),
  SPW_POSTGRES_UNSUITABLE: entry(
    exitCodes.failed,
    false,
    'The server is of a version, or has a setting, that Spillway cannot work with.',
    'change the named setting or version',
  ),
  SPW_POSTGRES_PROGRAM: entry(
    exitCodes.failed,
    false,
    'A program of PostgreSQL was not found or could not be run.',
    'install the PostgreSQL server package, or name its folder as bin_directory in the configuration',
  ),
  SPW_SYSTEM_MISMATCH: entry(
    exitCodes.refused,
    false,
    'The system identifier is that of another cluster than the one in the repository.',
    'check the connection; a cluster made anew needs a name of its own in the configuration',
  ),
  SPW_DATA_DIRECTORY: entry(
    exitCodes.failed,
    false,
    'The data directory of the cluster could not be read as one.',
    'check data_directory in the configuration, and that this user may read it',
  ),
  // Backup and WAL
  SPW_BACKUP_VOID: entry(
    exitCodes.failed,
    true,
    'The backup was not finished and is not listed; earlier backups are unharmed.',
    'run the backup again',
  ),
  SPW_DUMP_FAILED: entry(
    exitCodes.failed,
    true,
    'The dump was not finished and is not listed; earlier dumps are unharmed.',
    'read what the program said above, and run the dump again',
  ),
  SPW_PAGE_DAMAGED: entry(
    exitCodes.warnings,
    false,
    'Pages of the cluster have wrong checksums: the data was damaged before it was backed up.',
    'find out which relation it is, and restore it from a backup made before the damage',
  ),
  SPW_WAL_WAIT: entry(
    exitCodes.failed,
    true,
    'The WAL that a backup needs did not reach the repository in time.',
    'check that spillway wal receive runs and is not behind, then run the backup again',
  ),
  SPW_WAL_CONFLICT: entry(
    exitCodes.refused,
    false,
    'The repository holds a WAL file of that name with other content.',
    'two servers write WAL as the same cluster: stop one, and give it a name of its own',
  ),
  SPW_WAL_INVALID: entry(
    exitCodes.failed,
    false,
    'A WAL file is not what its name says, or is damaged.',
    'check the disk of the server; keep the file',
  ),
  SPW_WAL_ABSENT: entry(
    exitCodes.failed,
    false,
    'The repository was reached and has no WAL file of that name.',
    'at the end of recovery this is expected',
  ),
  SPW_WAL_GAP: entry(
    exitCodes.failed,
    false,
    'WAL is missing between two positions.',
    'make a new backup now; restores are possible up to the gap and from the new backup on',
  ),
  // Restore
  SPW_TARGET_UNREACHABLE: entry(
    exitCodes.refused,
    false,
    'The recovery target cannot be reached from any backup with the WAL in the repository.',
    'choose a target inside the recovery window shown by: spillway backups',
  ),
  SPW_FOLDER_NOT_EMPTY: entry(
    exitCodes.refused,
    false,
    'The folder to restore into is not empty, and nothing is overwritten.',
    'name an empty or new folder',
  ),
  SPW_FOLDER_CLOSED: entry(
    exitCodes.refused,
    false,
    'The account that the restored server would run as cannot enter a folder on the way to where it is restored.',
    'restore below another folder, or let that account pass the one that is named: chmod o+x',
  ),
  SPW_DATABASE_NOT_EMPTY: entry(
    exitCodes.refused,
    false,
    'The database to restore a dump into has tables already, and nothing is overwritten.',
    'restore under another name with --to-database and --create, or replace what is there with --clean',
  ),
  SPW_SERVER_RUNNING: entry(
    exitCodes.refused,
    false,
    'A PostgreSQL server runs in that data directory.',
    'stop the server first, or name another folder',
  ),
  SPW_DISK_SPACE: entry(
    exitCodes.refused,
    false,
    'There is not enough free space for the restore.',
    'free space, or name a folder on a larger file system',
  ),
  SPW_RESTORE_FAILED: entry(
    exitCodes.failed,
    true,
    'The restore did not finish; the folder cannot be started as a server.',
    'remove the folder and run the restore again',
  ),
  SPW_RECOVERY_FAILED: entry(
    exitCodes.failed,
    false,
    'PostgreSQL did not finish its recovery, or stopped before the target.',
    "read the last lines of the server's log above",
  ),
  SPW_REWIND_IMPOSSIBLE: entry(
    exitCodes.refused,
    false,
    'A former primary cannot be rewound to the server that took over; nothing of it was changed.',
    'see every reason with: spillway rewind --dry-run; or restore over it with: spillway restore --delta --standby',
  ),
  SPW_REWIND_FAILED: entry(
    exitCodes.failed,
    false,
    'A rewind was begun and did not finish; the data directory cannot be started as a server.',
    'restore over it with: spillway restore --delta --standby; what it had alone was kept aside',
  ),
  // State beside the repository
  SPW_STATE_UNWRITABLE: entry(
    exitCodes.failed,
    false,
    'A file in which this machine notes its state cannot be written or read.',
    'check the folder canary.state_directory of the configuration and its permissions; a file that is damaged may be removed',
  ),
  // Drills
  SPW_NOT_PASSED: entry(
    exitCodes.objectiveMissed,
    false,
    'A drill or a verification was carried out, put on record, and did not pass.',
    'its signed record has what each check expected and found: spillway evidence list',
  ),
  SPW_DRILL_INVALID: entry(
    exitCodes.usage,
    false,
    'The drill file has an unknown key, a check that expects nothing, or a value of the wrong form.',
    'mend the named line of the drill file',
  ),
  SPW_DRILL_UNKNOWN: entry(
    exitCodes.usage,
    false,
    'There is no drill file of that name, or no record of that drill.',
    'see what there is with: spillway drill list; write one with: spillway drill init',
  ),
  SPW_DRILL_EXISTS: entry(
    exitCodes.refused,
    false,
    'The drill file is there already, and nothing is overwritten.',
    'name another file, or replace it with --force',
  ),
  // One table back
  SPW_TABLE_UNKNOWN: entry(
    exitCodes.usage,
    false,
    'The database had no table of that name at that moment.',
    'check the name and the moment',
  ),
  SPW_TABLE_UNFIT: entry(
    exitCodes.refused,
    false,
    'A table cannot be brought back that way; the live database is as it was.',
    'bring it back beside the live table, or into a file',
  ),
  SPW_TABLE_CHANGED: entry(
    exitCodes.refused,
    true,
    'The live table was changed between the comparison and the swap, so nothing was swapped.',
    'stop what writes there and run it again, or let writers wait all along with --lock',
  ),
  SPW_TABLE_BUSY: entry(
    exitCodes.locked,
    true,
    'Other sessions write to the live table and did not end in time, so nothing was swapped.',
    'let the transactions end that write there, and run it again',
  ),
  // The service
  SPW_SERVICE_STATE: entry(
    exitCodes.failed,
    false,
    'The state of the service could not be opened or written.',
    'check the folder and its space; it may be deleted: schedules find their last successes in the repository, tokens are made anew',
  ),
  SPW_SERVICE_UNREACHABLE: entry(
    exitCodes.serviceUnreachable,
    true,
    'The service did not answer, or something else did in its place.',
    'check its address, that it runs, and the network to it; at its own machine everything can be done without it',
  ),
  SPW_SERVICE_DENIED: entry(
    exitCodes.unauthorised,
    false,
    'The service does not know the token, or whoever has it may not do that.',
    'see what it says; tokens and their roles are listed at the service by spillway token list',
  ),
  SPW_SERVICE_REFUSED: entry(
    exitCodes.refused,
    false,
    'The service did not take what it was asked, or somebody there refused it.',
    'see what it said, and its jobs with: spillway --service <url> job list',
  ),
  // The process itself
  SPW_INTERRUPTED: entry(exitCodes.interrupted, true, 'The command was interrupted.', 'run it again to go on'),
  SPW_LAB: entry(exitCodes.failed, false, 'The lab could not do that.', 'spillway lab down, then up again'),
  SPW_INTERNAL: entry(
    exitCodes.failed,
    false,
    'Something happened that Spillway did not foresee.',
    'run it again with --debug and report what it prints',
  ),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorTable;

export interface ErrorDetail {
  /** Why, in a phrase; by default the message of `cause`. */
  readonly why?: string;
  /** The next step, where it is known better than the table's. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The one error class. `message` names what failed and to what object; lower case, no full stop. */
export class SpillwayError extends Error {
  override readonly name = 'SpillwayError';
  readonly code: ErrorCode;
  readonly why: string | undefined;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.why = detail.why ?? (detail.cause instanceof Error ? detail.cause.message : undefined);
    this.hint = detail.hint ?? errorTable[code].hint;
  }

  get exitCode(): ExitCode {
    return errorTable[this.code].exit;
  }

  get retryable(): boolean {
    return errorTable[this.code].retryable;
  }
}

/** Whether `error` is a SpillwayError, of one of `codes` if any are named. */
export function isSpillwayError(error: unknown, ...codes: readonly ErrorCode[]): error is SpillwayError {
  return error instanceof SpillwayError && (codes.length === 0 || codes.includes(error.code));
}
