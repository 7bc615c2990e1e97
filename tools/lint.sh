#!/usr/bin/env bash
# Every linter over every tracked file of its kind. Stops at the first that finds something.
# A linter that is not there is named as skipped; with CI=true that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.cache/bin:$PWD/.cache/python/bin:$PATH

# run TOOL ARGUMENTS...: the tool, said aloud.
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
# The library alone, which needs neither a command line nor files.
run cargo clippy --lib --no-default-features --quiet -- --deny warnings
RUSTDOCFLAGS='--deny warnings' run cargo doc --no-deps --quiet

# No module depends on one that depends on it.
run tools/modules.py

# Shell files are known by their first line, for .ci/run has no suffix.
mapfile -t shell < <(git grep -lIE '^#!/(usr/)?bin/(env )?(ba)?sh' -- ':!*.md')
run shellcheck --severity style "${shell[@]}"

mapfile -t python < <(git ls-files '*.py')
if ((${#python[@]})); then
  run ruff check --config tools/ruff.toml "${python[@]}"
fi
# What runs in pods is typed.
mapfile -t caretaker < <(git ls-files 'src/*.py')
if ((${#caretaker[@]})); then
  run mypy --strict "${caretaker[@]}"
fi

# Not below fixtures and tests: some YAML there is broken on purpose.
mapfile -t yaml < <(git ls-files '*.yaml' '*.yml' '*/Kptfile' ':!fixtures' ':!tests')
run yamllint --strict --config-file tools/yamllint.yaml "${yaml[@]}"

# Links, commands and lines of the documentation.
run tools/documents.py
