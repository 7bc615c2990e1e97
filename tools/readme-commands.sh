#!/usr/bin/env bash
# Prints the first block of shell commands in the README's section "Try it", so that a test can run exactly these commands.
set -euo pipefail
cd "$(dirname "$0")/.."
awk '
  /^## /                                 { section = $0 }
  section == "## Try it" && $0 == "```sh" { inside = 1; next }
  inside && $0 == "```"                   { exit }
  inside                                  { print; found = 1 }
  END                                     { exit !found }
' README.md
