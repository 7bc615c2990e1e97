#!/bin/bash
#
# Sidecar of the repo host: reloads the pgBackRest server when its configuration or certificates change. Takes the first
# backup of the database in each repository, which replicas and point-in-time recovery need.
#
#   pgbackrest-config.sh STANZA SERVER_CERTIFICATE_DIRECTORY CA_FILE SERVER_CONF_FILE [REPOSITORY_NUMBER]...
set -eu -o pipefail

stanza=$1 certificates=$2 authority=$3 configuration=$4
shift 4

# Used to wait without starting a process: nothing writes to this pipe.
exec {silence}<> <(:)
pause() {
  read -r -t "$1" -u "${silence}" || :
}

# Whether $1, the output of `info` for one repository, has a backup of the current database: the last one in the list `db`.
# Earlier ones are from before a major upgrade, or from before the cluster was deleted and created again.
is_backed_up() {
  local backups=${1#*'"backup":['} databases=${1##*'"db":['}
  backups=${backups%%'"cipher":'*}
  databases=${databases%%']'*}
  local id=${databases##*'"id":'}
  [[ ${backups} == *'"database":{"id":'"${id%%,*}"',"repo-key":'* ]]
}

# Prints `taken` if repository $1 has a backup, `ready` if it needs one, and `waiting` if there is no stanza yet.
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

# Checks forever that each repository has a backup of the current database. A scheduled backup at the same time does no
# harm: only one backup can run, so the other one fails, and a later check finds the first.
first_backups() {
  local retry=2 delay repository
  while :; do
    # A repository of an earlier cluster has the old stanza until the caretaker has upgraded it.
    delay=$((SECONDS < 300 ? 10 : 60))
    for repository; do
      case $(state "${repository}") in
        taken) continue ;;
        waiting)
          # The stanza is created soon after the cluster, but in a standby cluster perhaps never.
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
  # The parent of the server is outside this container, so its ID is 0 here. A backup of ours has another parent.
  if [[ ${found} != "${loaded}" ]] && pkill -HUP --exact --parent=0 pgbackrest; then
    loaded=${found}
    echo "Reloaded the configuration and certificates of the pgBackRest server"
  fi
done
