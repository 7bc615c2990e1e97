#!/usr/bin/env bash
# Prints the shell commands of the README's section "Try it", so that they can be run as they stand there.
set -euo pipefail
cd "$(dirname "$0")/.."
awk '
  /^## /   { in_section = ($0 == "## Try it") }
  /^```/   { in_commands = (in_section && $0 == "```sh"); next }
  in_commands { print; found = 1 }
  END      { exit !found }
' README.md
