#!/bin/bash
#
# Makes the directory of the repo host's logs, writable for any user of the group.
#
#   repo-log-directory.sh DIRECTORY
set -eu -o pipefail

umask 0002
mkdir --parents "$1"
