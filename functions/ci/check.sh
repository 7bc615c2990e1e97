#!/usr/bin/env bash
# Checks clusters in a pipeline. Needs no seed and no secret. On GitHub, each finding is shown beside its line.
#
#   check.sh [OPTION OF PGRENDER CHECK]... FILE|DIR...
set -euo pipefail

format=text
if [[ ${GITHUB_ACTIONS:-} == true ]]; then format=github; fi
exec pgrender check --format "$format" "$@"
