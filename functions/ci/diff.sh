#!/usr/bin/env bash
# Writes, as Markdown, how the rendered objects of a directory differ from those of another commit. Needs no seed and no secret.
# On GitHub, the result is also in the summary of the job. Run it in the top directory of the repository.
#
#   diff.sh COMMIT DIR FILE
#
#   COMMIT   what to compare with, for example HEAD^1 or origin/main. It must be in the clone.
#   DIR      the directory with the clusters
#   FILE     the file to write to
set -euo pipefail

(($# == 3)) || {
  echo "usage: diff.sh COMMIT DIR FILE" >&2
  exit 2
}
commit=$1 directory=${2%/} file=$3

git rev-parse --quiet --verify "$commit^{commit}" >/dev/null || {
  echo "error: the commit \`$commit\` is not in this clone: fetch more of the history (\`fetch-depth\`, \`GIT_DEPTH\`)" >&2
  exit 1
}

if ! git cat-file -e "$commit:$directory" 2>/dev/null; then
  echo "\`$directory\` is new: everything in it will be created." >"$file"
elif [[ ! -e $directory ]]; then
  echo "\`$directory\` is removed, with all its clusters." >"$file"
else
  pgrender diff --format markdown "$commit:$directory" "$directory" >"$file"
fi

if [[ -n ${GITHUB_STEP_SUMMARY:-} ]]; then cat "$file" >>"$GITHUB_STEP_SUMMARY"; fi
