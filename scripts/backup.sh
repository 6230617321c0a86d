#!/usr/bin/env bash
# The plan's words for making backups; all work is done by `spillway`. See docs/plan-commands.md.
#
# 1. What the variables say is checked first: nothing is done where one of them cannot be kept.
# 2. --full ends with the dump and with expiry, so that these never stand in the way of the backup that counts.
# 3. The exit code is that of the first step that failed.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: backup.sh [--full | --schema-only]

  (no word)       incremental physical backup, for every four hours
  --full          full physical backup; then a dump of every database where pg_dump is installed; then expiry
  --schema-only   dump of the schemas, without data

Variables:
  BACKUP_ENCRYPTION_KEY   passphrase of the repository, at least 32 characters (else that of the configuration)
  BACKUP_COMPRESSION      true (default) or false
  BACKUP_RETENTION_DAYS   with --full: how many days backups are kept; nothing expires where it is not set
  BACKUP_DIRECTORY        with --full and --schema-only: folder for backup_full_YYYYMMDD_HHMMSS.sql.gz as well;
                          such files are not encrypted
  AWS_S3_BUCKET           not supported by this version; must not be set
  SPILLWAY                the spillway command; SPILLWAY_CONFIG and the other SPILLWAY_ variables count as always
TEXT
}

fail() {
  printf 'backup.sh: %s\n' "$1" >&2
  exit "${2:-2}"
}

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
if [[ -n "${SPILLWAY:-}" ]]; then
  spillway=("$SPILLWAY")
elif [[ -e "$here/../packages/cli/bin/spillway.js" ]]; then
  spillway=("$here/../packages/cli/bin/spillway.js")
else
  spillway=(spillway)
fi

(($# <= 1)) || fail 'one word at most; see backup.sh --help'
mode=${1:---incremental}
case $mode in
  --full | --schema-only | --incremental) ;;
  -h | --help)
    usage
    exit 0
    ;;
  *) fail "unknown word $mode; see backup.sh --help" ;;
esac

if [[ -n "${AWS_S3_BUCKET:-}" ]]; then
  fail 'AWS_S3_BUCKET is set, but this version keeps repositories in folders only; nothing was done'
fi
if [[ -n "${BACKUP_ENCRYPTION_KEY+set}" ]]; then
  ((${#BACKUP_ENCRYPTION_KEY} >= 32)) || fail 'BACKUP_ENCRYPTION_KEY must have at least 32 characters; nothing was done'
  export BACKUP_ENCRYPTION_KEY
  export SPILLWAY_REPOSITORY__PASSPHRASE__ENV=BACKUP_ENCRYPTION_KEY
fi
compression=()
case ${BACKUP_COMPRESSION:-true} in
  true) ;;
  false) compression=(--compression-level 0) ;;
  *) fail 'BACKUP_COMPRESSION must be true or false; nothing was done' ;;
esac
days=${BACKUP_RETENTION_DAYS:-}
if [[ -n "$days" && ! "$days" =~ ^[1-9][0-9]{0,4}$ ]]; then
  fail 'BACKUP_RETENTION_DAYS must be a whole number of days, at least 1; nothing was done'
fi

run() {
  "${spillway[@]}" "$@"
}

# Damaged pages end a backup with code 3: it is there, and it is told. The steps after it are still taken.
warned=0
backup() {
  local code=0
  run backup "$@" ${compression[@]+"${compression[@]}"} || code=$?
  if ((code == 3)); then
    warned=3
  elif ((code != 0)); then
    exit "$code"
  fi
}

has_pg_dump() {
  command -v pg_dump >/dev/null && return 0
  local program
  for program in /usr/lib/postgresql/*/bin/pg_dump; do
    [[ -x "$program" ]] && return 0
  done
  return 1
}

export_files() {
  if [[ -n "${BACKUP_DIRECTORY:-}" ]]; then
    run dump export latest --format sql.gz --to "$BACKUP_DIRECTORY"
  fi
}

case $mode in
  --incremental)
    backup --type incremental
    ;;
  --schema-only)
    backup --source schema
    export_files
    ;;
  --full)
    backup --type full
    if has_pg_dump; then
      backup --source logical
      export_files
    else
      printf 'backup.sh: no dump was made, because pg_dump is not installed (Debian: postgresql-client-<major>)\n' >&2
    fi
    if [[ -n "$days" ]]; then
      run expire --keep-days "$days"
    fi
    ;;
esac
exit "$warned"
