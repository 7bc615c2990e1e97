#!/bin/bash
#
# Gives the user of the pod, whatever its ID, the name `postgres`: writes a passwd and a group file for nss_wrapper. Postgres
# needs a name for its user, and "peer" in pg_hba.conf needs that name to be `postgres`.
#
#   nss-wrapper.sh DIRECTORY
set -eu -o pipefail

directory=$1
user=$(id -u)
group=$(id -g)

umask 0002
mkdir --parents "${directory}"

{
  sed --expression='/^postgres:/d' --expression="/^[^:]*:[^:]*:${user}:/d" /etc/passwd
  echo "postgres:x:${user}:${group}:postgres:${HOME:-/}:/bin/bash"
} > "${directory}/passwd"

{
  sed --expression='/^postgres:/d' /etc/group
  echo "postgres:x:${group}:postgres"
} > "${directory}/group"
