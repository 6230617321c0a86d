#!/usr/bin/env bash
# The plan's words for restoring; all work but that of plain SQL files is done by `spillway`. See docs/plan-commands.md.
#
# 1. A physical backup goes into an empty folder, named by RESTORE_INTO, and never over a live server.
# 2. A .sql.gz goes into the database named by RESTORE_DATABASE, in one transaction, and only where it has no tables.
# Nothing is asked: where something is missing, the exact command is told.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: restore.sh --list-backups | --latest | FILE.sql.gz | BACKUP-ID [-- OPTIONS]

  --list-backups   what there is, and from when to when the cluster can be brought back
  --latest         the latest moment in the repository, into the folder RESTORE_INTO
  BACKUP-ID        beginning with this backup, into the folder RESTORE_INTO
  FILE.sql.gz      plain SQL into the empty database RESTORE_DATABASE, on the server that PGHOST, PGPORT and PGUSER name

OPTIONS go to `spillway restore`, such as --at '2024-01-15T14:30:00+02:00' --start.

Variables:
  RESTORE_INTO            an empty or new folder
  RESTORE_DATABASE        a database without tables
  BACKUP_ENCRYPTION_KEY   passphrase of the repository, at least 32 characters (else that of the configuration)
  SPILLWAY                the spillway command; SPILLWAY_CONFIG and the other SPILLWAY_ variables count as always
TEXT
}

fail() {
  printf 'restore.sh: %s\n' "$1" >&2
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

(($# >= 1)) || fail 'say what to restore; see restore.sh --help'
what=$1
shift
if (($# > 0)); then
  [[ $1 == -- ]] || fail "unknown word $1; options for spillway restore stand behind --"
  shift
fi

case $what in
  -h | --help)
    usage
    exit 0
    ;;
  s3://*)
    fail 's3:// is not supported by this version, which keeps repositories in folders only; nothing was done'
    ;;
esac
if [[ -n "${AWS_S3_BUCKET:-}" ]]; then
  fail 'AWS_S3_BUCKET is set, but this version keeps repositories in folders only; nothing was done'
fi
if [[ -n "${BACKUP_ENCRYPTION_KEY+set}" ]]; then
  ((${#BACKUP_ENCRYPTION_KEY} >= 32)) || fail 'BACKUP_ENCRYPTION_KEY must have at least 32 characters; nothing was done'
  export BACKUP_ENCRYPTION_KEY
  export SPILLWAY_REPOSITORY__PASSPHRASE__ENV=BACKUP_ENCRYPTION_KEY
fi

restore_cluster() {
  if [[ -z "${RESTORE_INTO:-}" ]]; then
    fail "name an empty folder: RESTORE_INTO=/srv/restored restore.sh $what"
  fi
  "${spillway[@]}" restore --into "$RESTORE_INTO" "$@"
}

restore_sql() {
  local file=$1
  [[ -r "$file" ]] || fail "cannot read $file"
  if [[ -z "${RESTORE_DATABASE:-}" ]]; then
    fail "name an empty database: RESTORE_DATABASE=water_restored restore.sh $file"
  fi
  gzip -t -- "$file" || fail "$file is not whole; nothing was restored" 13
  # A name with an = in it must not be read as a connection string.
  local quoted=${RESTORE_DATABASE//\\/\\\\}
  quoted=${quoted//\'/\\\'}
  local psql=(psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 "--dbname=dbname='$quoted'")
  local tables
  tables=$("${psql[@]}" --no-align --tuples-only --command="SELECT count(*) FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'") ||
    fail "database $RESTORE_DATABASE cannot be asked; make it with: createdb -T template0 '$RESTORE_DATABASE'" 20
  if ((tables > 0)); then
    fail "database $RESTORE_DATABASE has $tables tables, views and sequences already; nothing was restored" 15
  fi
  gzip -dc -- "$file" | "${psql[@]}" --single-transaction --output=/dev/null ||
    fail "$file was not restored; database $RESTORE_DATABASE is as it was before" 1
  printf 'Restored %s into database %s.\n' "$file" "$RESTORE_DATABASE"
}

case $what in
  --list-backups)
    "${spillway[@]}" backups
    printf '\n'
    "${spillway[@]}" dump list
    ;;
  --latest)
    restore_cluster "$@"
    ;;
  --*) fail "unknown word $what; see restore.sh --help" ;;
  *.sql.gz)
    restore_sql "$what"
    ;;
  *)
    restore_cluster --backup "$what" "$@"
    ;;
esac
