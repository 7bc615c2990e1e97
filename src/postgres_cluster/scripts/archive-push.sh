#!/bin/bash
#
# `archive_command` of an instance: runs COMMAND without a time limit, but a shutdown does not wait long for an unreachable
# repository. Postgres stops only after its archiver has tried each segment up to three times, and pgBackRest alone tries for
# a minute each time (`archive-timeout`). Segments that are not archived stay in `pg_wal`.
#
#   archive-push.sh COMMAND [ARGUMENT]...
#
# Postgres runs it in the data directory.
set -eu -o pipefail

# How long a shutdown waits for the repository.
patience=3

# Whether Postgres shuts down: the last line of its lock file says so (PostgreSQL, src/include/utils/pidfile.h).
shuts_down() {
  local lines
  mapfile -t lines <postmaster.pid && [[ ${lines[7]-} == stopping* ]]
}

# Used to wait without starting a process: nothing writes to this pipe.
exec {nothing}<> <(:)
pause() {
  read -r -t "$1" -u "${nothing}" || :
}

given_up=${TMPDIR:-/tmp}/pgbackrest-archive-push-given-up
if [[ -e ${given_up} ]]; then
  ! shuts_down || exit 1
  rm --force "${given_up}"
fi

"$@" &
push=$!

# Ends the command when a shutdown has waited long enough.
watch() {
  until shuts_down; do
    pause 0.5
  done
  pause "${patience}"
  : >"${given_up}"
  echo "archive-push.sh: Postgres shuts down, and the repository did not answer within ${patience} s" >&2
  kill "${push}"
}
watch &
watcher=$!

code=0
wait "${push}" || code=$?
kill "${watcher}" 2>/dev/null || :
# An exit code above 125 makes Postgres restart its archiver (PostgreSQL, `archive_command`).
exit "$((code > 125 ? 1 : code))"
