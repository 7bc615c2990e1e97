#!/bin/sh
#
# Container `collector`: runs the OpenTelemetry collector, and starts it again when it ends and when its files change.
#
#   collector.sh DIRECTORY
#
# DIRECTORY has the file `config.yaml`, and is a mounted volume. This script never ends by itself. If it did, the pod would not be
# ready, and the Services would not lead to its Postgres.
set -u

directory=$1

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
  readlink "${directory}/..data" 2>/dev/null
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

collector=
# shellcheck disable=SC2329 # called by the trap
stop() {
  # It sends what it has read before it ends.
  if [ -n "${collector}" ]; then
    kill "${collector}" 2>/dev/null
    wait "${collector}"
  fi
  exit 0
}
trap stop TERM INT

failures=0
while :; do
  if ! program=$(find_program); then
    once "otelcol-contrib is not in this image, so no logs and metrics are sent"
  elif [ ! -s "${directory}/config.yaml" ]; then
    once "waiting for ${directory}/config.yaml"
  else
    loaded=$(version)
    "${program}" --config "${directory}/config.yaml" &
    collector=$!
    while is_alive "${collector}" && [ "$(version)" = "${loaded}" ]; do pause 5; done
    if is_alive "${collector}"; then
      say "the mounted files have changed, so the collector starts again"
      failures=0
      kill "${collector}"
      wait "${collector}"
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
