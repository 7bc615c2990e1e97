#!/bin/bash
#
# `restore_command` of an instance: runs the command that it is given, but no replica waits long for a repository that is
# out of reach. A replica asks the archive before it follows another primary, and several times before it is promoted,
# and it does nothing else meanwhile. pgBackRest on its own tries for a minute each time (`archive-timeout`, `io-timeout`).
#
#   archive-get.sh COMMAND [ARGUMENT]...
#
# Postgres runs it in the data directory.
set -eu -o pipefail

# How long the repository has for its answer, and how long nobody asks again when there was none. What a slow repository
# did not give in time is fetched in the background (`archive-async`), for the next question.
answer=3 silence=10

# Recovery that is no replica's takes "no" for the end of the archive, and would lose what comes after: it has to wait. Where
# both files are, it is a replica's; with none, one is being promoted, and asks for the history of its timeline.
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
  # More than 125 has Postgres stop (PostgreSQL, `restore_command`).
  *) exit 1 ;;
esac
