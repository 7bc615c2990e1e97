#!/bin/bash
#
# Sidecar of the repo host: reloads the pgBackRest server when its configuration or certificates change, and takes the
# first backup of each repository, which replicas and point-in-time recovery start from.
#
#   pgbackrest-config.sh STANZA SERVER_CERTIFICATE_DIRECTORY CA_FILE SERVER_CONF_FILE [REPOSITORY_NUMBER]...
set -eu -o pipefail

stanza=$1 certificates=$2 authority=$3 configuration=$4
shift 4

# A wait that starts no process: nothing ever writes to this pipe.
exec {silence}<> <(:)
pause() {
  read -r -t "$1" -u "${silence}" || :
}

# What a first backup of repository $1 waits for: nothing (`ready`, `taken`) or the stanza (`waiting`).
# The codes are those of pgBackRest's command `info`: 0 is ok, 2 is a stanza without a backup.
state() {
  local info
  info=$(pgbackrest --stanza="${stanza}" --repo="$1" --log-level-console=off --output=json info) || info=
  case ${info} in
    *'"status":{"code":0,'*) echo taken ;;
    *'"status":{"code":2,'*) echo ready ;;
    *) echo waiting ;;
  esac
}

# Tries until each repository has a backup. A scheduled backup at the same time does no harm: Postgres lets one run at
# a time, so the other fails, and a later look finds what the first has made.
first_backups() {
  local retry=2 delay repository remaining
  while [[ $# -gt 0 ]]; do
    remaining=()
    # The stanza is there soon after the cluster, or it may take for ever, as in a standby.
    delay=$((SECONDS < 300 ? 2 : 10))
    for repository; do
      case $(state "${repository}") in
        taken) ;;
        waiting) remaining+=("${repository}") ;;
        ready)
          echo "Taking the first backup of repo${repository}"
          if pgbackrest --stanza="${stanza}" --repo="${repository}" --log-level-console=warn --type=full backup; then
            echo "Took the first backup of repo${repository}"
          else
            remaining+=("${repository}")
            retry=$((retry < 150 ? retry * 2 : 300))
            delay=${retry}
            echo "The first backup of repo${repository} failed, trying again in ${delay} s"
          fi
          ;;
      esac
    done
    set -- ${remaining[@]+"${remaining[@]}"}
    [[ $# -eq 0 ]] || pause "${delay}"
  done
}

# Changes whenever the kubelet replaces a mounted file.
version() {
  stat --dereference --format='%i %y' "$@"
}

first_backups "$@" &

loaded=$(version "${configuration}" "${certificates}" "${authority}")
while pause 5; do
  found=$(version "${configuration}" "${certificates}" "${authority}") || continue
  # The server was started by the kubelet, outside this container; a backup of ours was not.
  if [[ ${found} != "${loaded}" ]] && pkill -HUP --exact --parent=0 pgbackrest; then
    loaded=${found}
    echo "Reloaded the configuration and certificates of the pgBackRest server"
  fi
done
