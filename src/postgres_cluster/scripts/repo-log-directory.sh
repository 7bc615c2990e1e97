#!/bin/bash
#
# Creates the directory for the logs of the repo host, which the group can write to.
#
#   repo-log-directory.sh DIRECTORY
set -eu -o pipefail

umask 0002
mkdir --parents "$1"
