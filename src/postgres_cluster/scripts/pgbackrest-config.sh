#!/bin/bash
#
# Sidecar of the repo host: reloads the pgBackRest server when its configuration or certificates change. Takes the first
# backup of the database in each repository, which replicas and point-in-time recovery need, and backups on demand.
#
#   pgbackrest-config.sh STANZA SERVER_CERTIFICATE_DIRECTORY CA_FILE SERVER_CONF_FILE \
#     REQUEST_FILE REPOSITORIES_DIRECTORY ANNOTATION [REPOSITORY_NUMBER]...
set -eu -o pipefail

stanza=$1 certificates=$2 authority=$3 configuration=$4 requests=$5 repositories=$6 annotation=$7
shift 7
numbers=("$@")

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

# Takes the first backup of each repository that lacks it. Sets `delay` to the seconds until the next check. A scheduled backup
# at the same time does no harm: only one backup can run, so the other one fails, and a later check finds the first.
first_backups() {
  local repository
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
}

# Whether the request with the value $1 is done. A record is in the repository in which the backup was taken; the user may have
# changed `repoName` since. A pod that ended before it could write the record has annotated the backup.
is_done() {
  local repository recorded text=$1
  for repository in "${numbers[@]}"; do
    recorded=
    IFS= read -r recorded 2> /dev/null < "${repositories}/repo${repository}/manual-backup" || :
    [[ ${recorded} != "$1" ]] || return 0
  done
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  [[ $(pgbackrest --stanza="${stanza}" --log-level-console=off --output=json info) == *"\"${annotation}\":\"${text}\""* ]]
}

# pgBackRest has annotations since version 2.41.
has_annotations() {
  [[ $(pgbackrest version) =~ ([0-9]+)\.([0-9]+) ]] && ((BASH_REMATCH[1] > 2 || BASH_REMATCH[2] >= 41))
}

# Records in repository $2 that the request with the value $1 is done, so that it is never done again: not after a restart, and
# not when the backup has expired.
record() {
  local file=${repositories}/repo$2/manual-backup
  printf '%s\n' "$1" > "${file}.new" && mv "${file}.new" "${file}"
}

# Takes the backup that is requested now, once for each value. The file contains the value, the number of the repository, and
# options for pgBackRest, one per line. It is empty if there is no request.
manual_backup() {
  local request words pause
  mapfile -t request 2> /dev/null < "${requests}" || return 0
  if ((${#request[@]} < 2)) || [[ ${request[*]} == "${done_request}" ]]; then
    return 0
  fi
  if [[ ${request[*]} != "${last_request}" ]]; then
    failures=0 next=0
  fi
  ((SECONDS >= next)) || return 0
  last_request=${request[*]}
  next=$((SECONDS + 10))
  local trigger=${request[0]} repository=${request[1]}
  if is_done "${trigger}"; then
    done_request=${request[*]}
    return
  fi
  # As in PGO, the first backup comes before all others.
  [[ $(state "${repository}") == taken ]] || return 0
  words=("${request[@]:2}")
  if has_annotations; then
    words+=("--annotation=${annotation}=${trigger}")
  fi
  echo "Taking the backup of repo${repository} that the annotation value \`${trigger}\` requests"
  if PGBACKREST_LOG_LEVEL_CONSOLE=warn pgbackrest --stanza="${stanza}" --repo="${repository}" "${words[@]}" backup &&
    record "${trigger}" "${repository}"; then
    done_request=${request[*]}
    echo "Took the backup of repo${repository} that the annotation value \`${trigger}\` requests"
  else
    failures=$((failures + 1))
    pause=$((failures < 7 ? 4 << failures : 300))
    next=$((SECONDS + pause))
    echo "The backup that the annotation value \`${trigger}\` requests failed, trying again in ${pause} s"
  fi
}

# Takes backups forever, one after the other.
backups() {
  local delay=0 check=0 retry=2 failures=0 next=0 done_request='' last_request=''
  while :; do
    if ((SECONDS >= check)); then
      first_backups "$@"
      check=$((SECONDS + delay))
    fi
    manual_backup
    pause 2
  done
}

# Changes whenever the kubelet replaces a mounted file.
version() {
  stat --dereference --format='%i %y' "$@"
}

backups "$@" &

loaded=$(version "${configuration}" "${certificates}" "${authority}")
while pause 5; do
  found=$(version "${configuration}" "${certificates}" "${authority}") || continue
  # The parent of the server is outside this container, so its ID is 0 here. A backup of ours has another parent.
  if [[ ${found} != "${loaded}" ]] && pkill -HUP --exact --parent=0 pgbackrest; then
    loaded=${found}
    echo "Reloaded the configuration and certificates of the pgBackRest server"
  fi
done
