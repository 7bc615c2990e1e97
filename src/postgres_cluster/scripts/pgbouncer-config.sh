#!/bin/bash
#
# Sidecar of PgBouncer: makes PgBouncer reload its configuration when a mounted file changes.
#
#   pgbouncer-config.sh DIRECTORY
set -eu -o pipefail

directory=$1

# Used to wait without starting a process: nothing writes to this pipe.
exec {silence}<> <(:)
pause() {
  read -r -t "$1" -u "${silence}" || :
}

# Changes whenever the kubelet replaces the mounted files.
version() {
  stat --dereference --format='%i %y' "${directory}"
}

loaded=$(version)
while pause 5; do
  found=$(version) || continue
  if [[ ${found} != "${loaded}" ]] && pkill -HUP --exact pgbouncer; then
    loaded=${found}
    echo "Reloaded the configuration of ${found#* }"
  fi
done
