#!/bin/bash
#
# Prepares the volumes of an instance before Patroni starts, and refuses to start with unsuitable data.
#
#   postgres-startup.sh VERSION WAL_DIRECTORY LOG_DIRECTORY PGBACKREST_LOG_DIRECTORY PROGRAM_DIRECTORIES
#
# PGDATA is the data directory, at the root of its volume. Every step may be interrupted and run again.
set -eu -o pipefail

version=$1 wal_directory=$2 log_directory=$3 pgbackrest_log_directory=$4 program_directories=$5
volume=${PGDATA%/*}
wal_volume=${wal_directory%/*}

halt() {
  echo "postgres-startup: $*" >&2
  exit 1
}

# Prints the owners of a path and its parents, because wrong owners cause most failures here.
permissions() {
  local path=$1
  while [[ -n ${path} ]]; do
    stat --dereference --format='%A %4u %4g %n' "${path}" || :
    path=${path%/*}
  done
}

# Makes a directory that the group can write to, because the user of the pod may change.
make_directory() {
  (umask 0002 && mkdir --parents "$1")
}

# Postgres requires a data directory that it owns and that others cannot write to. If another user owns it, for example
# after a change of the pod's user, moves its content into a new directory.
own_directory() {
  local directory=$1 remade=$1.remade entry
  # An earlier run was interrupted between the last two steps below.
  [[ -e ${directory} || ! -e ${remade} ]] || mv --no-target-directory "${remade}" "${directory}"

  if [[ ! -e ${directory} || -O ${directory} ]]; then
    install --directory --mode=0750 "${directory}"
  elif [[ -w ${directory} && -g ${directory} ]]; then
    echo "Replacing ${directory} by a new directory, because another user owns it"
    install --directory --mode=0750 "${remade}"
    shopt -s dotglob nullglob
    for entry in "${directory}"/*; do mv --target-directory="${remade}" "${entry}"; done
    shopt -u dotglob nullglob
    rmdir "${directory}"
    mv --no-target-directory "${remade}" "${directory}"
  else
    halt "another user owns the data directory:"$'\n'"$(permissions "${directory}")"
  fi
}

# Moves the directory behind the link $2 to $1, usually on another volume, and changes the link. The original has the
# suffix `.moving` until the end. So if a later run finds this name, the original is complete, and is copied again.
move_behind_link() {
  local wanted=$1 link=$2 current
  wanted=$(realpath --canonicalize-missing "${wanted}")
  current=$(realpath --canonicalize-missing "${link}")

  # A restore in place that was interrupted has moved the write-ahead log aside, but not yet the data directory.
  [[ -d ${current} || -e ${PGDATA}.before-restore || ! -d ${current}.before-restore ]] ||
    mv --no-target-directory "${current}.before-restore" "${current}"

  if [[ ! -e ${current}.moving ]]; then
    [[ -d ${current} ]] || halt "the write-ahead log is in ${current}, which does not exist: mount its volume again"
    [[ ${current} != "${wanted}" ]] || return 0
    [[ ! -e ${wanted} ]] || rmdir "${wanted}" ||
      halt "cannot move ${current} to ${wanted}: find out which one is current and move the other away"
    mv --no-target-directory "${current}" "${current}.moving"
  fi
  echo "Moving ${current} to ${wanted}"
  rm --recursive --force "${wanted}"
  cp --archive "${current}.moving" "${wanted}"
  sync --file-system "${wanted}"
  ln --no-dereference --force --symbolic "${wanted}" "${link}"
}

PATH="${program_directories}:${PATH}"
echo "Preparing Postgres ${version} as user $(id -u), groups $(id -G)"

# pgBackRest's spool path is on the volume of the write-ahead log, so that it fills the same volume. Its content may be lost.
spool=${volume}/pgbackrest-spool
if [[ ${wal_volume} != "${volume}" ]]; then
  make_directory "${wal_volume}/pgbackrest-spool"
  [[ -L ${spool} ]] || rm --recursive --force "${spool}"
  ln --no-dereference --force --symbolic "${wal_volume}/pgbackrest-spool" "${spool}"
elif [[ -L ${spool} ]]; then
  rm "${spool}"
fi

found=$(postgres --version) || halt "there is no Postgres ${version} in this image"
[[ ${found} =~ \)\ ${version}($|[^0-9]) ]] || halt "expected Postgres ${version} in this image, found ${found}"

if [[ -e ${PGDATA}/postgresql.conf ]]; then
  configured=$(postgres -C data_directory || echo "${PGDATA}")
  [[ ${configured} == "${PGDATA}" ]] || halt "expected data_directory ${PGDATA}, but postgresql.conf has ${configured}"
fi

# Restored data has another name until Patroni bootstraps from it.
data_directory=${PGDATA}
[[ ! -d ${PGDATA}_bootstrap ]] || data_directory=${PGDATA}_bootstrap
own_directory "${data_directory}"

if [[ ${log_directory} != "${PGDATA}"/* ]]; then
  make_directory "${log_directory}"
elif [[ -e ${data_directory}/PG_VERSION ]]; then
  make_directory "${data_directory}/${log_directory#"${PGDATA}"/}"
fi
make_directory "${volume}/patroni/log"
make_directory "${pgbackrest_log_directory}"

# libpq refuses a key that the group can read, and the group can read all mounted keys.
install -D --mode=0600 --target-directory=/tmp/replication /pgconf/tls/replication/{tls.crt,tls.key,ca.crt}

if [[ ! -e ${data_directory}/PG_VERSION ]]; then
  echo "There is no data yet"
  exit 0
fi
data_version=$(< "${data_directory}/PG_VERSION")
[[ ${data_version} == "${version}" ]] || halt "expected data of Postgres ${version}, found data of ${data_version}"

# Data from a Debian server has no postgresql.conf, but Postgres does not start without it.
[[ -e ${data_directory}/postgresql.conf ]] || touch "${data_directory}/postgresql.conf"

move_behind_link "${wal_directory}" "${data_directory}/pg_wal"
# The originals of all moves are no longer needed.
rm --recursive --force "${data_directory}/pg_wal.moving" "${volume}/pg${version}_wal.moving" "${wal_directory}.moving"
