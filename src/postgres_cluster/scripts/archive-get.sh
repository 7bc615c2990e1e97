#!/bin/bash
#
# `restore_command` of an instance: runs COMMAND, but a replica does not wait long for an unreachable repository. A replica
# asks the archive before it follows another primary, and several times before its promotion, and does nothing else in that
# time. pgBackRest alone tries for a minute each time (`archive-timeout`, `io-timeout`).
#
#   archive-get.sh COMMAND [ARGUMENT]...
#
# Postgres runs it in the data directory.
set -eu -o pipefail

# How long to wait for an answer and, if there is none, for the next try. Meanwhile pgBackRest fetches the file in the
# background (`archive-async`), so that a slow repository can answer the next request.
answer=3 silence=10

# Recovery that is not of a replica treats an error as the end of the archive, and would lose the WAL after it. So it must
# wait. With both files, this is a replica. With none, a replica is being promoted, and asks for the history of its timeline.
if [[ -e recovery.signal && ! -e standby.signal ]]; then
  exec "$@"
fi

until=${TMPDIR:-/tmp}/pgbackrest-archive-get-not-before
printf -v now '%(%s)T'
if [[ -s ${until} ]] && read -r not_before <"${until}" && [[ ${now} -lt ${not_before} ]]; then
  exit 1
fi

code=0
timeout --kill-after=1 "${answer}" "$@" || code=$?
case ${code} in
  0) ;;
  # `timeout` ended it.
  124 | 137)
    echo "$((now + answer + silence))" >"${until}"
    echo "archive-get.sh: the repository did not answer within ${answer} s, trying again in ${silence} s" >&2
    exit 1
    ;;
  # An exit code above 125 makes Postgres stop (PostgreSQL, `restore_command`).
  *) exit 1 ;;
esac
