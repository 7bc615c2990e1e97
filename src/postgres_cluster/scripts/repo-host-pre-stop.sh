#!/bin/bash
#
# preStop hook of the repo host's pgBackRest server: when all pods stop together, instances still archive their last WAL here.
# Without the server, each of them would wait until the end of its grace period.
#
#   repo-host-pre-stop.sh CONFIGURATION_FILE
#
# When an instance stops, its own pgBackRest server ends at once, but Postgres answers until all WAL is archived. So an
# instance whose pgBackRest server answers does not stop, and the hook does not wait for it.
set -u -o pipefail

configuration=$1

answers() {
  # shellcheck disable=SC2016 # the inner shell has its own arguments
  timeout 1 bash -c 'exec 3<> "/dev/tcp/$0/$1"' "$1" "$2" 2> /dev/null
}

declare -A hosts ports
while read -r line; do
  [[ ${line} =~ ^(pg[0-9]+)-(host|port)\ =\ (.+)$ ]] || continue
  case ${BASH_REMATCH[2]} in
    host) hosts[${BASH_REMATCH[1]}]=${BASH_REMATCH[3]} ;;
    port) ports[${BASH_REMATCH[1]}]=${BASH_REMATCH[3]} ;;
  esac
done < "${configuration}"

# Whether an instance is stopping and still archives. The port is that of pgBackRest's option `pg-host-port`.
somebody_stops() {
  local name
  for name in "${!hosts[@]}"; do
    ! answers "${hosts[${name}]}" 8432 && answers "${hosts[${name}]}" "${ports[${name}]:-5432}" && return 0
  done
  return 1
}

# Pods that are deleted together do not all stop at the same moment.
sleep 2
# The pod has 60 seconds to stop.
while [[ ${SECONDS} -lt 50 ]] && somebody_stops; do sleep 0.5; done
