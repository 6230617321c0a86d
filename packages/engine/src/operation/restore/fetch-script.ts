// The script that PostgreSQL's restore_command runs in a restored cluster.
//
// 1. A file that was laid ready in `spillway_recovery/` is moved to where PostgreSQL wants it: no process of ours starts.
//    At the end of recovery PostgreSQL asks for its last segments again, so a second name of each stays in `taken/`.
// 2. Where `names` stands there, it lists every file that this recovery can have: for any other name the answer is "not
//    there" (1). It is written only by a feeder that runs, and reached the repository to make the list.
// 3. A listed file that the feeder has yet to lay is waited for, as long as the feeder lives: it may be all there is to
//    reach the repository, since PostgreSQL's account need not be able to read the configuration.
// 4. Everything else is the ordinary, slower command.
// Only "not there" may exit with 1: PostgreSQL takes 1 to 125 for the end of WAL and would promote early.

export const RECOVERY_FOLDER = 'spillway_recovery';
export const FETCH_SCRIPT = `${RECOVERY_FOLDER}/fetch`;
/** Segments that PostgreSQL has taken, until the feeder removes them. */
export const TAKEN_FOLDER = `${RECOVERY_FOLDER}/taken`;
/** Lists, a line each, the WAL files that there are. */
export const NAMES_FILE = `${RECOVERY_FOLDER}/names`;

/** The number of the feeder's process, as long as it feeds. */
export const FEEDER_FILE = `${RECOVERY_FOLDER}/feeder`;
/** Names that were laid ready before: who asks for such a one again need not wait for it. */
export const LAID_FILE = `${RECOVERY_FOLDER}/laid`;

/** Where the marker of a restore goes when only pg_control is missing (`marker.ts`). */
export const FINISHING_MARKER = `${RECOVERY_FOLDER}/restore.json`;

/** PostgreSQL runs it in the data directory. `fallback` is written as a restore_command: "%f", "%p", and %% for a %. */
export const fetchScript = (fallback: string): string => `#!/bin/sh
# Puts the WAL file $1 at $2. Exit: 0 done, 1 there is no such file, above 125 anything else.
ready="${RECOVERY_FOLDER}/$1"
taken="${TAKEN_FOLDER}/$1"
take() {
  if [ -f "$ready" ]; then
    ln -f "$ready" "$taken" && mv "$ready" "$2" || exit 200
    exit 0
  fi
  if [ -f "$taken" ]; then
    cp "$taken" "$2" || exit 200
    exit 0
  fi
}
take "$1" "$2"
if [ -f "${NAMES_FILE}" ]; then
  grep -qxF "$1" "${NAMES_FILE}"
  case $? in 0) ;; 1) exit 1 ;; *) exit 200 ;; esac
  while feeder=$(cat "${FEEDER_FILE}" 2> /dev/null) && [ -d "/proc/$feeder" ]; do
    take "$1" "$2"
    if grep -qsxF "$1" "${LAID_FILE}"; then break; fi
    sleep 0.02
  done
  take "$1" "$2"
fi
${withArguments(fallback)}
`;

/** A restore_command as lines of a script: $1 is the name of the file, $2 where it is wanted. */
export const withArguments = (command: string): string =>
  command.replaceAll(/"%[fp]"|%[fp%]/g, (word) => (word === '%%' ? '%' : word.includes('f') ? '"$1"' : '"$2"'));
