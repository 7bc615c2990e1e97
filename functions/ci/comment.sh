#!/usr/bin/env bash
# Writes a Markdown file as a comment of the pull request (GitHub) or as a note of the merge request (GitLab). A later run changes
# the same comment. Needs bash, curl and jq.
#
#   comment.sh FILE
#
#   on GitHub    GITHUB_TOKEN, the token of the job, with the permission `pull-requests: write`, and PULL_REQUEST, its number
#   on GitLab    PGRENDER_NOTE_TOKEN, a project access token with the scope `api`: the token of the job cannot write notes
set -euo pipefail

# How the comment is found again. Markdown does not show it.
readonly marker='<!-- written by pgrender diff -->'
# GitHub refuses more than 65536 characters.
readonly most=60000

(($# == 1)) || {
  echo "usage: comment.sh FILE" >&2
  exit 2
}

# request METHOD URL: sends standard input as JSON, if there is any. The token is not among the arguments, which others can see.
request() {
  curl --silent --show-error --fail --max-time 60 --request "$1" --header 'Content-Type: application/json' \
    --config <(printf 'header = "%s"\n' "$header") --data-binary @- "$2"
}

# `author` is a filter of jq that is true for what the owner of the token has written. Anybody can write the marker.
if [[ ${GITHUB_ACTIONS:-} == true ]]; then
  header="Authorization: Bearer ${GITHUB_TOKEN:?}"
  comments=$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/issues/${PULL_REQUEST:?}/comments
  comment=$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/issues/comments
  order=''
  change=PATCH
  # GitHub does not tell the token of a job who it is.
  me=$(request GET "$GITHUB_API_URL/user" </dev/null 2>/dev/null | jq '.login') || me='"github-actions[bot]"'
  author='.user.login'
else
  header="PRIVATE-TOKEN: ${PGRENDER_NOTE_TOKEN:?}"
  comments=$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes
  comment=$comments
  order='&sort=asc'
  change=PUT
  me=$(request GET "$CI_API_V4_URL/user" </dev/null | jq '.id')
  author='.author.id'
fi

if (($(wc -c <"$1") > most)); then
  # Whole lines, so that no character is cut. The cut may be inside of a block of code, and of a part that unfolds.
  text=$(LC_ALL=C awk -v most="$most" '{ size += length($0) + 1; if (size > most) exit; print }' "$1")
  fences=$(grep -c '^```' <<<"$text" || true)
  if ((fences % 2)); then text+=$'\n```'; fi
  opened=$(grep -c '^<details>' <<<"$text" || true)
  closed=$(grep -c '^</details>' <<<"$text" || true)
  if ((opened > closed)); then text+=$'\n\n</details>'; fi
  text+=$'\n\nThe rest is too long for a comment. The summary or the artifact of the job has all of it.'
else
  text=$(<"$1")
fi
body=$(jq --null-input --arg body "$marker"$'\n'"$text" '{body: $body}')

known=''
for ((page = 1; page <= 100; page++)); do
  found=$(request GET "$comments?per_page=100$order&page=$page" </dev/null)
  known=$(jq --raw-output --arg marker "$marker" --argjson me "$me" \
    "map(select((.body | startswith(\$marker)) and $author == \$me) | .id) | first // empty" <<<"$found")
  if [[ -n $known ]] || (($(jq length <<<"$found") < 100)); then break; fi
done
if [[ -n $known ]]; then
  request "$change" "$comment/$known" <<<"$body" >/dev/null
else
  request POST "$comments" <<<"$body" >/dev/null
fi
