#!/usr/bin/env bash
# Writes, as Markdown, what a change does to the clusters of a directory, compared with another commit. Needs no seed and no
# secret. On GitHub, the result is also in the summary of the job.
#
#   diff.sh COMMIT DIR FILE
#
#   COMMIT   what to compare with, for example HEAD^1 or origin/main. It must be in the clone.
#   DIR      the directory with the clusters, from the top directory of the repository
#   FILE     the file to write to
#
# If pgrender cannot read what is in COMMIT, FILE says so and the script succeeds, because the change may be what repairs it.
set -euo pipefail

(($# == 3)) || {
  echo "usage: diff.sh COMMIT DIR FILE" >&2
  exit 2
}
commit=$1 directory=${2%/} file=$3 summary=${GITHUB_STEP_SUMMARY:-/dev/null}
if [[ $file != /* ]]; then file=$PWD/$file; fi
if [[ $summary != /* ]]; then summary=$PWD/$summary; fi
cd "$(git rev-parse --show-toplevel)"

git rev-parse --quiet --verify "$commit^{commit}" >/dev/null || {
  echo "error: the commit \`$commit\` is not in this clone: fetch more of the history (\`fetch-depth\`, \`GIT_DEPTH\`)" >&2
  exit 1
}

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
mkdir "$temporary/empty"

# A `./` keeps a name with a colon from being read as a revision.
new=./$directory
if [[ $directory == /* ]]; then
  echo "error: \`$directory\` is not a path in the repository: write it from the top directory, without the first \`/\`" >&2
  exit 1
elif [[ ! -e $directory ]]; then
  # What was removed is compared with nothing.
  new=$temporary/empty
  git cat-file -e "$commit:$directory" || {
    echo "error: \`$directory\` is neither in this directory nor in the commit \`$commit\`: write it from the top" \
      "directory of the repository, \`$PWD\`" >&2
    exit 1
  }
fi

# If the commit does not have the directory, pgrender shows that everything in it is created.
code=0
pgrender diff --format markdown "$commit:$directory" "$new" >"$file" 2>"$temporary/errors" || code=$?
if ((code != 0)); then
  cat "$temporary/errors" >&2
  if [[ $new == "$temporary/empty" ]] || pgrender diff "$temporary/empty" "$new" >/dev/null 2>&1; then
    code=0
    echo "What changes cannot be shown, because pgrender cannot render what is in the commit to compare with. The files" \
      "of this change have no such error."
  else
    echo "What changes cannot be shown, because pgrender cannot render the files of this change."
  fi >"$file"
  # Four spaces make it a block of code, whatever is in it.
  { echo && sed 's/^/    /' "$temporary/errors"; } >>"$file"
fi

cat "$file" >>"$summary"
exit "$code"
