#!/bin/bash
#
# Runs COMMAND, and meanwhile sets log files in DIRECTORY aside, so that they do not grow for ever: `a.log` becomes `a.log.1` when
# it has more than BYTES, or when the last one was set aside more than MINUTES ago. The collector reads both. Only clusters with
# the collector have this.
#
#   rotate-logs.sh DIRECTORY BYTES MINUTES COMMAND [ARGUMENT]...
set -u

directory=$1 bytes=$2 minutes=$3
shift 3

# The time of the older file says when it was set aside. The first time, an empty one is made.
set_aside() {
  local file size began now
  now=$(date +%s)
  for file in "${directory}"/*.log; do
    [[ -f ${file} ]] || continue
    [[ -e ${file}.1 ]] || : >"${file}.1"
    size=$(stat --format=%s "${file}") || continue
    began=$(stat --format=%Y "${file}.1") || continue
    ((size > bytes || (size > 0 && now - began > minutes * 60))) || continue
    # Who has the file open goes on writing to it, so no line is lost. PgBouncer opens a new one when it is told to
    # (pgbouncer.org/usage.html, SIGHUP); pgBackRest does with its next command.
    if mv --force "${file}" "${file}.1" && touch "${file}.1"; then
      pkill -HUP --exact pgbouncer || :
    fi
  done
}

# Not a child of COMMAND, which would not expect one.
(while sleep 10; do set_aside; done &) 2>/dev/null
exec "$@"
