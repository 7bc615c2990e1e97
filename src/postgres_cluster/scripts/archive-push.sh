#!/bin/bash
#
# `archive_command` of an instance: runs the command that it is given for as long as it takes, but a shutdown does not wait
# long for a repository that is out of reach. Postgres ends only when its archiver has tried everything, three times if need be,
# and pgBackRest on its own tries for a minute each time (`archive-timeout`). What is not archived then stays in `pg_wal`.
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

# A wait that starts no process: nothing ever writes to this pipe.
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

# Ends the command when a shutdown has waited for it.
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
# More than 125 has the archiver of Postgres start anew (PostgreSQL, `archive_command`).
exit "$((code > 125 ? 1 : code))"
