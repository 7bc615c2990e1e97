#!/usr/bin/env bash
# Runs all linters on all tracked files of their kind. Stops at the first linter that finds a fault.
# Reports a linter that is not installed as skipped; with CI=true that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.cache/bin:$PWD/.cache/python/bin:$PATH

# run TOOL ARGUMENTS...: prints the name of the tool, and runs it.
run() {
  if command -v "$1" >/dev/null; then
    echo "$1 ${2:-}"
    "$@"
  else
    echo "skipped $1: not found; \`make tools\` installs it" >&2
    [[ ${CI:-} != true ]]
  fi
}

run cargo fmt --check
run cargo clippy --all-targets --quiet -- --deny warnings
# The library without the command line.
run cargo clippy --lib --no-default-features --quiet -- --deny warnings
RUSTDOCFLAGS='--deny warnings' run cargo doc --no-deps --quiet

# Modules have no circular dependencies.
run tools/modules.py

# Shell files are found by their first line, because .ci/run has no suffix.
mapfile -t shell < <(git grep -lIE '^#!/(usr/)?bin/(env )?(ba)?sh' -- ':!*.md')
run shellcheck --severity style "${shell[@]}"

mapfile -t python < <(git ls-files '*.py')
if ((${#python[@]})); then
  run ruff check --config tools/ruff.toml "${python[@]}"
fi
# The Python files that run in pods have types.
mapfile -t caretaker < <(git ls-files 'src/*.py')
if ((${#caretaker[@]})); then
  run mypy --strict "${caretaker[@]}"
fi

# Not in fixtures and tests, where some YAML is broken on purpose.
mapfile -t yaml < <(git ls-files '*.yaml' '*.yml' '*/Kptfile' ':!fixtures' ':!tests')
run yamllint --strict --config-file tools/yamllint.yaml "${yaml[@]}"

# Links, commands and lines of the documentation.
run tools/documents.py
