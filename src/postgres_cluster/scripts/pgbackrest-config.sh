#!/bin/bash
#
# Sidecar of the repo host: reloads the pgBackRest server when its configuration or certificates change, and takes the
# first backup of each database in each repository, which replicas and point-in-time recovery start from.
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

# Whether $1, what `info` says of one repository, has a backup of the database that the stanza is for now: the last of
# those in the list `db`, for there may have been others before a major upgrade, or before the cluster was made anew.
is_backed_up() {
  local backups=${1#*'"backup":['} databases=${1##*'"db":['}
  backups=${backups%%'"cipher":'*}
  databases=${databases%%']'*}
  local id=${databases##*'"id":'}
  [[ ${backups} == *'"database":{"id":'"${id%%,*}"',"repo-key":'* ]]
}

# What a first backup of repository $1 waits for: nothing (`ready`, `taken`) or the stanza (`waiting`).
# The codes are those of pgBackRest's command `info`: 0 is ok, 2 is a stanza without a backup.
state() {
  local info
  info=$(pgbackrest --stanza="${stanza}" --repo="$1" --log-level-console=off --output=json info) || info=
  case ${info} in
    *'"status":{"code":0,'*) if is_backed_up "${info}"; then echo taken; else echo ready; fi ;;
    *'"status":{"code":2,'*) echo ready ;;
    *) echo waiting ;;
  esac
}

# Sees to it for ever that each repository has a backup of the database that is there. A scheduled backup at the same time
# does no harm: Postgres lets one run at a time, so the other fails, and a later look finds what the first has made.
first_backups() {
  local retry=2 delay repository
  while :; do
    # A repository of an earlier cluster has its stanza and backups until the caretaker has upgraded it for this one.
    delay=$((SECONDS < 300 ? 10 : 60))
    for repository; do
      case $(state "${repository}") in
        taken) continue ;;
        waiting)
          # The stanza is there soon after the cluster, or it may take for ever, as in a standby.
          delay=$((SECONDS < 300 ? 2 : 10))
          continue
          ;;
      esac
      echo "Taking the first backup of repo${repository}"
      if pgbackrest --stanza="${stanza}" --repo="${repository}" --log-level-console=warn --type=full backup; then
        echo "Took the first backup of repo${repository}"
      else
        retry=$((retry < 150 ? retry * 2 : 300))
        delay=${retry}
        echo "The first backup of repo${repository} failed, trying again in ${delay} s"
      fi
    done
    pause "${delay}"
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
