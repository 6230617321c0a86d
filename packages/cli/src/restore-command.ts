// The restore_command that a restored server runs: this very Node, this very program, this very configuration.
//
// 1. Absolute paths, each quoted for the shell: the server has another folder, PATH and perhaps another user.
// 2. `%` is doubled, because PostgreSQL reads `%f`, `%p` and `%r` in the command.
// 3. PostgreSQL takes every exit code from 1 to 125 for "no such file" and ends the recovery. Node itself ends with 1 when it
//    cannot start (an installation that is gone, a broken one), so "no such file" is asked for as a code that nothing else
//    gives, and only that one is passed on as 1; other low ones become 150, which stops the recovery.

const ABSENT_CODE = 101;
const FAILED_CODE = 150;

export interface RestoreCommandOptions {
  readonly node: string;
  /** Absolute path of what Node starts. */
  readonly program: string;
  /** Absolute; null where the environment alone configures. */
  readonly configurationFile: string | null;
  readonly cluster: string;
  /** The place of the repository; undefined for the first. */
  readonly repository?: string | undefined;
}

export function buildRestoreCommand({
  node,
  program,
  configurationFile,
  cluster,
  repository,
}: RestoreCommandOptions): string {
  const words = [node, program];
  if (configurationFile !== null) words.push('--config', configurationFile);
  if (repository !== undefined) words.push('--repository', repository);
  words.push('--cluster', cluster, '--quiet', 'wal', 'fetch', '--absent-code', String(ABSENT_CODE));
  const command = words.map((word) => shellQuoted(word).replaceAll('%', '%%')).join(' ');
  return (
    `${command} "%f" "%p"; spw=$?; ` +
    `if [ $spw -eq ${ABSENT_CODE} ]; then exit 1; elif [ $spw -ge 1 ] && [ $spw -le 125 ]; then exit ${FAILED_CODE}; else exit $spw; fi`
  );
}

/** For /bin/sh; words of safe characters stay as they are. */
export const shellQuoted = (word: string): string =>
  /^[A-Za-z0-9_./:=@+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
