#!/bin/sh
#
# Container `collector`: runs the OpenTelemetry collector, and starts it again when it ends and when its files change.
#
#   collector.sh DIRECTORY FILES [PASSWORD]
#
# DIRECTORY has the file `config.yaml`, and perhaps more configurations in `receivers`. FILES has the user's files. PASSWORD is a file
# with the password of the role that queries log in as. All are in mounted volumes. This script never ends by itself. If it did, the
# pod would not be ready, and the Services would not lead to its Postgres.
set -u

directory=$1 files=$2 password=${3-}

say() {
  echo "collector: $*"
}

# Ends at once when the pod stops.
pause() {
  sleep "$1" &
  wait $!
}

# The kubelet replaces this link when a file changes (Kubernetes' `AtomicWriter`).
version() {
  for volume in "${directory}" "${files}" "${password%/*}"; do readlink "${volume}/..data" 2>/dev/null; done
}

find_program() {
  for name in /otelcol-contrib otelcol-contrib /otelcol otelcol; do
    if command -v "${name}"; then return 0; fi
  done
  return 1
}

# Says TEXT, but not twice.
said=
once() {
  if [ "${said}" != "$1" ]; then say "$1"; fi
  said=$1
}

# A process that has ended is there until `wait`, in state Z.
is_alive() {
  kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

# Writes the password for PostgreSQL's clients, which refuse a file that others can read (PostgreSQL, "The Password File").
write_password() {
  if [ -s "${password}" ]; then
    export PGPASSFILE=/tmp/pgpass
    (umask 077 && sed 's/[\\:]/\\&/g; s/^/*:*:*:*:/' "${password}" >"${PGPASSFILE}")
  fi
}

# ends PID SECONDS: waits until a process has ended, and kills it if it takes longer. Returns its exit code.
ends() {
  left=$2
  while is_alive "$1" && [ "${left}" -gt 0 ]; do
    pause 1
    left=$((left - 1))
  done
  kill -KILL "$1" 2>/dev/null
  wait "$1"
}

# Whether the collector accepts one more configuration. If not, it runs without it, so that wrong queries of a user, or a collector
# without the receiver for queries, do not keep logs from being sent.
accepts() {
  "${program}" validate --config "${directory}/config.yaml" --config "$1" >/tmp/validate 2>&1 &
  if ends $! 20; then return 0; fi
  if [ $((failures % 12)) = 0 ]; then say "runs without $1, which the collector refuses: $(cat /tmp/validate)"; fi
  return 1
}

failures=0
collector=
# shellcheck disable=SC2329 # called by the trap
stop() {
  # It sends what it has read before it ends.
  if [ -n "${collector}" ]; then
    kill "${collector}" 2>/dev/null
    ends "${collector}" 10
  fi
  exit 0
}
trap stop TERM INT

while :; do
  if ! program=$(find_program); then
    once "otelcol-contrib is not in this image, so no logs and metrics are sent"
  elif [ ! -s "${directory}/config.yaml" ]; then
    once "waiting for ${directory}/config.yaml"
  else
    loaded=$(version)
    write_password
    set -- --config "${directory}/config.yaml"
    for file in "${directory}"/receivers/*; do
      if [ -f "${file}" ] && accepts "${file}"; then set -- "$@" --config "${file}"; fi
    done
    "${program}" "$@" &
    collector=$!
    while is_alive "${collector}" && [ "$(version)" = "${loaded}" ]; do pause 5; done
    if is_alive "${collector}"; then
      say "the mounted files have changed, so the collector starts again"
      failures=0
      kill "${collector}"
      ends "${collector}" 10
      collector=
      continue
    fi
    wait "${collector}"
    code=$?
    collector=
    if [ $((failures % 12)) = 0 ]; then say "the collector ended with code ${code}, and starts again every 5 seconds"; fi
    failures=$((failures + 1))
  fi
  pause 5
done
