#!/bin/sh
#
# Container `exporter`: runs postgres_exporter, and starts it again when it ends and when its queries or its password change. It
# works with every image that has a shell and postgres_exporter: those of Crunchy, Debian, Bitnami, and of the project (BusyBox).
#
#   exporter.sh QUERIES PASSWORD WEB COLLECTORS PORT VERSION
#
# QUERIES is a directory, PASSWORD a file, WEB a file or empty. COLLECTORS is `on` or `off`: the collectors that postgres_exporter
# has itself. VERSION is that of Postgres.
#
# This script never ends by itself. If it did, the pod would not be ready, and the Services would not lead to its Postgres.
set -u

queries=$1 password=$2 web=$3 collectors=$4 port=$5 version=$6
all_queries=/tmp/queries.yml

say() {
  echo "exporter: $*"
}

# Waits, but ends at once when the pod stops.
pause() {
  sleep "$1" &
  wait $!
}

# find_program: prints where postgres_exporter is in this image.
find_program() {
  for name in postgres_exporter prometheus-postgres-exporter /opt/cpm/bin/postgres_exporter*/postgres_exporter \
    /opt/bitnami/postgres-exporter/bin/postgres_exporter; do
    if command -v "${name}"; then return 0; fi
  done
  return 1
}

# query_files: prints the names of all files of queries. The kubelet keeps the files in directories with a dot, so `*` finds each once.
query_files() {
  for file in "${queries}"/* "${queries}"/*/*; do
    if [ -f "${file}" ]; then echo "${file}"; fi
  done
}

# state: prints something that changes when a mounted file does.
state() {
  {
    query_files
    echo "${password}"
    echo "${web:-${password}}"
  } | while read -r file; do
    echo "${file}"
    cat -- "${file}" 2>/dev/null
  done | cksum
}

# collect_queries: writes all files of queries into one, because postgres_exporter reads only one. It reads one YAML document, so lines
# that begin or end a document become empty, and so does a byte order mark.
collect_queries() {
  mark=$(printf '\357\273\277')
  query_files | while read -r file; do
    sed -E -e "1s/^${mark}//" -e 's/^%.*//' -e 's/^(---|\.\.\.)([[:space:]]*|[[:space:]]+#.*)$//' -- "${file}"
    echo
  done >"${all_queries}"
}

# has OPTION: whether this version of postgres_exporter has an option. It shows an option with two states as `--[no-]option`.
has() {
  printf '%s\n' "${help}" | sed 's/\[no-\]//g' | grep -q -e "--$1\([ =]\|\$\)"
}

# built_in: prints the options that turn off all collectors that postgres_exporter has itself.
built_in() {
  printf '%s\n' "${help}" | sed -n 's/\[no-\]//; s/^ *--\(collector\.[a-z_]*\)\( .*\)\{0,1\}$/--no-\1/p'
  for option in disable-default-metrics disable-settings-metrics; do
    if has "${option}"; then echo "--${option}"; fi
  done
}

# is_running PID: whether it runs. A process that has ended is there until `wait`, in state Z.
is_running() {
  kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

# once TEXT: says it, but not again and again.
said=
once() {
  if [ "${said}" != "$1" ]; then say "$1"; fi
  said=$1
}

failures=0
pid=
# shellcheck disable=SC2329 # called by the trap
stop() {
  if [ -n "${pid}" ]; then kill "${pid}" 2>/dev/null; fi
  exit 0
}
trap stop TERM INT

while :; do
  if ! program=$(find_program); then
    once "postgres_exporter is not in this image, so there are no metrics"
    pause 60
    continue
  fi
  if [ ! -s "${password}" ]; then
    once "waiting for the password in ${password}"
    pause 3
    continue
  fi

  # With a space in it, postgres_exporter does not connect and shows the password in its log ("malformed dsn"). It removes white
  # space at the beginning and end. Without the `x`, the shell would remove a line break at the end.
  case $(cat -- "${password}" && echo x) in
    *" "*)
      once "the password contains a space, with which postgres_exporter cannot log in, so there are no metrics: choose another one"
      pause 3
      continue
      ;;
    [[:space:]]* | *[[:space:]]x)
      once "the password begins or ends with white space, so postgres_exporter cannot log in: choose another one"
      ;;
  esac

  help=$("${program}" --help 2>&1)
  set -- "--web.listen-address=:${port}"
  started=$(state)
  collect_queries
  if [ -s "${all_queries}" ]; then set -- "$@" "--extend.query-path=${all_queries}"; fi
  if [ -n "${web}" ]; then
    # Without this option, the metrics would be served in clear text.
    if has web.config.file; then
      set -- "$@" "--web.config.file=${web}"
    elif has web.config; then
      set -- "$@" "--web.config=${web}"
    else
      once "this version of postgres_exporter cannot serve metrics over TLS, so there are no metrics"
      pause 60
      continue
    fi
  fi
  if [ "${collectors}" = off ]; then
    # shellcheck disable=SC2046 # one word for each option
    set -- "$@" $(built_in)
  else
    # It reads the size of every file of every database in each scrape. The default queries do that every 5 minutes.
    if has collector.database; then set -- "$@" --no-collector.database; fi
    # Postgres 17 has other columns (PostgreSQL 17, "Release Notes"), and not all versions of postgres_exporter know that.
    if [ "${version}" -ge 17 ] && has collector.stat_bgwriter; then set -- "$@" --no-collector.stat_bgwriter; fi
  fi

  "${program}" "$@" &
  pid=$!
  if [ "${failures}" = 0 ]; then say "started ${program}"; fi
  while is_running "${pid}" && [ "$(state)" = "${started}" ]; do pause 5; done
  if is_running "${pid}"; then
    failures=0
    say "the mounted files have changed, so postgres_exporter starts again"
    kill "${pid}"
    wait "${pid}"
  else
    wait "${pid}"
    code=$?
    # A panic in Go. Its own collectors cannot cope with names that are not UTF-8, which a role with CREATEDB can give to a database.
    if [ "${code}" = 2 ] && [ "${collectors}" = on ]; then
      collectors=off
      say "postgres_exporter has crashed, so it starts without the collectors that it has itself"
    fi
    if [ $((failures % 20)) = 0 ]; then say "postgres_exporter ended with code ${code}, and starts again every 5 seconds"; fi
    failures=$((failures + 1))
    pause 5
  fi
  pid=
done
