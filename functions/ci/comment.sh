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

if [[ ${GITHUB_ACTIONS:-} == true ]]; then
  header="Authorization: Bearer ${GITHUB_TOKEN:?}"
  comments=$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/issues/${PULL_REQUEST:?}/comments
  comment=$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/issues/comments
  first='per_page=100'
  change=PATCH
else
  header="PRIVATE-TOKEN: ${PGRENDER_NOTE_TOKEN:?}"
  comments=$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes
  comment=$comments
  first='per_page=100&sort=asc'
  change=PUT
fi

# request METHOD URL: sends standard input as JSON, if there is any. The token is not among the arguments, which others can see.
request() {
  curl --silent --show-error --fail --max-time 60 --request "$1" --header 'Content-Type: application/json' \
    --config <(printf 'header = "%s"\n' "$header") --data-binary @- "$2"
}

text=$(head -c "$most" "$1")
if (($(wc -c <"$1") > most)); then
  # The cut may be inside of a block of code.
  fences=$(grep -c '^```' <<<"$text" || true)
  if ((fences % 2)); then text+=$'\n```'; fi
  text+=$'\n\nThe rest is too long for a comment. The summary or the artifact of the job has all of it.'
fi
body=$(jq --null-input --arg body "$marker"$'\n'"$text" '{body: $body}')

known=$(request GET "$comments?$first" </dev/null |
  jq --raw-output --arg marker "$marker" 'map(select(.body | startswith($marker)) | .id) | first // empty')
if [[ -n $known ]]; then
  request "$change" "$comment/$known" <<<"$body" >/dev/null
else
  request POST "$comments" <<<"$body" >/dev/null
fi
