"""How the caretaker talks to Postgres: as superuser, so in sessions that nobody else can have a say in.

Who owns a database may set most settings for it, and roles may make objects in many schemas. A session of ours takes none
of either: what it runs with is here."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

from surroundings import Failure, data_directory, log, run

# Settings of the connection, which win over those of a database and of a role (PostgreSQL, "Parameter Interaction via the
# Configuration File"). These are of every version; one that Postgres does not know keeps it from letting us in.
OPTIONS = {
    # A verifier must be in no log and no view: neither as text of a statement (`log_*`, pgAudit, pg_stat_activity,
    # pg_stat_statements) nor as context of an error.
    "auto_explain.log_min_duration": "-1",
    "client_min_messages": "warning",
    "lc_messages": "C",
    "log_duration": "off",
    "log_error_verbosity": "terse",
    "log_min_duration_statement": "-1",
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "pg_stat_statements.track": "none",
    "pgaudit.log": "none",
    "standard_conforming_strings": "on",
    "track_activities": "off",
    # Replicas that lag must not hold up the SQL.
    "synchronous_commit": "local",
    # Every name without a schema is then one of pg_catalog. `pg_temp` is still searched before it for tables and types, but it is
    # this session's own, and the caretaker makes nothing in it. A path of `pg_catalog, pg_temp` is for functions that others call
    # in sessions of theirs (pgbouncer.py).
    "search_path": "",
    "role": "none",
    "local_preload_libraries": "",
    "session_replication_role": "origin",
    "default_transaction_deferrable": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "idle_in_transaction_session_timeout": "0",
    "lock_timeout": "5s",
    "plpgsql.extra_errors": "none",
    "plpgsql.extra_warnings": "none",
}

# Those that end a session, or log it, before it can set anything, and the version that brought them.
OPTIONS_SINCE = {
    12: {"log_transaction_sample_rate": "0"},
    14: {"idle_session_timeout": "0"},
    17: {"transaction_timeout": "0"},
}

# All others that somebody may have set for the database: back to what they are made with. `transaction_*` are of the
# transaction that began with ours above.
DEFAULTS = """
SELECT pg_catalog.set_config(name, boot_val, false) FROM pg_catalog.pg_settings
WHERE source IN ('database', 'user', 'database user') AND context IN ('user', 'superuser') AND boot_val IS NOT NULL
AND name NOT IN ('transaction_deferrable', 'transaction_isolation', 'transaction_read_only') \\g /dev/null
"""

# How our SQL says what it did, and what it could not do.
REPORT = re.compile(r"RAISE (INFO|WARNING) '")

# How long one database may take with what takes no time, locks of others included.
DATABASE_SECONDS = 10

# How long a duty may be at databases before the other duties have their turn.
ROUND_SECONDS = 30.0


def version() -> int:
    """The major version of the server, as its data says."""
    try:
        return int((data_directory() / "PG_VERSION").read_text())
    except (OSError, ValueError) as error:
        raise Failure(f"the version of the data directory: {error}") from None


def connection_options(options: dict[str, str]) -> str:
    """Write settings as libpq's `options`, where a backslash keeps a blank from ending one."""
    escaped = {name: value.replace("\\", "\\\\").replace(" ", "\\ ") for name, value in options.items()}
    return " ".join(f"-c {name}={value}" for name, value in escaped.items())


# How long our SQL waits for others before they are ended.
PATIENCE_SECONDS = 2

# Sessions that hold up ours: those with a lock that ours waits for in `postgres`, where nobody but administrators has much to do,
# and those that cannot even begin, because the owner of a database has a lock on it or on its catalogs. The latter have no time
# limit yet, outlive their clients, and would take all connections in the end, the superuser's reserve among them. A prepared
# transaction has locks and no session. `OFFSET 0` has Postgres look at all conditions before it ends a session.
CLEAR_THE_WAY = """
SELECT coalesce(json_agg(format('ended a session of role %s: it had a lock for too long', quote_ident(rolname))), '[]') FROM (
  SELECT pid, rolname FROM pg_stat_activity JOIN pg_roles ON pg_roles.oid = usesysid WHERE NOT rolsuper AND pid IN (
    SELECT unnest(pg_blocking_pids(pid)) FROM pg_stat_activity WHERE datname = 'postgres' AND application_name = 'caretaker'
    AND usesysid = (SELECT oid FROM pg_roles WHERE rolname = current_user)) OFFSET 0
) AS _ WHERE pg_terminate_backend(pid);
SELECT coalesce(json_agg(format('ended a session that could not begin in database %s: it is locked', quote_ident(datname))), '[]')
FROM (SELECT DISTINCT pid, datname FROM pg_locks JOIN pg_database ON pg_database.oid =
    CASE WHEN locktype = 'object' AND classid = 'pg_database'::regclass THEN objid ELSE database END
  WHERE NOT granted AND datname <> 'postgres'
  AND pid NOT IN (SELECT pid FROM pg_stat_activity WHERE usesysid IS NOT NULL OR backend_type <> 'client backend') OFFSET 0
) AS _ WHERE pg_terminate_backend(pid);
SELECT coalesce(json_agg(json_build_array(database, gid, quote_ident(owner))), '[]') FROM pg_prepared_xacts
JOIN pg_roles ON rolname = owner WHERE NOT rolsuper AND prepared < now() - interval '1 min' AND EXISTS (
  SELECT FROM pg_stat_activity WHERE datname = 'postgres' AND application_name = 'caretaker' AND 0 = ANY (pg_blocking_pids(pid)));
"""


def clear_the_way() -> None:
    """End the sessions, and roll back the prepared transactions, that hold up ours."""
    blocking, beginning, prepared = map(json.loads, query(CLEAR_THE_WAY, "postgres", None, 5, ""))
    for line in blocking + beginning:
        log(line)
    for database, name, owner in prepared:
        literal = name.replace("'", "''")
        query(f"ROLLBACK PREPARED '{literal}'", database, None, 5, "")
        log(f"database {database}: rolled back a prepared transaction of role {owner}: it had a lock for too long")


@contextlib.contextmanager
def impatience() -> Iterator[None]:
    """End the sessions that hold up what is done meanwhile, when it takes long."""
    done = threading.Event()

    def clear() -> None:
        while not done.wait(PATIENCE_SECONDS):
            try:
                clear_the_way()
            except Failure as failure:
                log(f"the sessions that hold up others: {failure}")

    thread = threading.Thread(target=clear)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def psql(
    sql: str, database: str = "postgres", arguments: Any = None, seconds: int = 120, path: str = ""
) -> list[str]:
    """Run SQL as superuser over the socket, and end the sessions that hold it up. Gives the lines that it printed.

    `arguments` reach the SQL as JSON in the setting `caretaker.arguments`. What the SQL reports with `RAISE INFO` goes to
    the log. An error is a failure, and so is a warning of ours; others, of an old collation for example, are not. `path` is what
    `RESET search_path` would give; until then the path is empty."""
    with impatience():
        return query(sql, database, arguments, seconds, path)


def query(sql: str, database: str, arguments: Any, seconds: int, path: str) -> list[str]:
    """Run SQL, whoever holds it up."""
    options, server = {**OPTIONS, "search_path": path, "statement_timeout": f"{seconds}s"}, version()
    for since, more in OPTIONS_SINCE.items():
        options.update(more if server >= since else {})
    script = "SET search_path TO '';\n" + DEFAULTS
    if arguments is not None:
        literal = json.dumps(arguments, ensure_ascii=False).replace("'", "''")
        script += f"SELECT pg_catalog.set_config('caretaker.arguments', '{literal}', false) \\g /dev/null\n"
    # A name may hold line breaks, and what looks like a message of ours after them. So these begin with what nobody can know.
    mark = secrets.token_hex(8)
    script += REPORT.sub(rf"RAISE \1 '{mark} ", sql)
    result = run(
        ["psql", "--no-psqlrc", "--no-password", "--quiet", "--no-align", "--tuples-only"]
        + ["--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse"],
        timeout=seconds + 5,
        text=script,
        # From the environment libpq takes a name as it is, and looks for no connection string in it.
        PGDATABASE=database,
        PGAPPNAME="caretaker",
        # No conversion: names in shared catalogs are bytes, and in some encodings not every name can be written in another.
        PGCLIENTENCODING="SQL_ASCII",
        PGOPTIONS=connection_options(options),
        PGCONNECT_TIMEOUT="10",
    )
    wrong = []
    for line in result.stderr.split("\n"):
        level, _, message = line.partition(":")
        marked, message = message.startswith(f"  {mark} "), message.strip().removeprefix(f"{mark} ")
        if marked and level == "INFO":
            log(f"database {database}: {message}")
        elif marked or result.returncode != 0 and level in ("ERROR", "FATAL", "PANIC", "psql"):
            wrong.append(message)
    if wrong or result.returncode != 0:
        raise Failure(failures(wrong) or f"psql ended with {result.returncode}")
    return result.stdout.split("\n")[:-1]


def failures(wrong: list[str]) -> str:
    """Tell the first failures of many."""
    more = [f"and {len(wrong) - 5} more"] if len(wrong) > 5 else []
    return "; ".join(wrong[:5] + more)


# `template1` goes first: new databases are copies of it. Those that the caretaker made go before those of users. One whose
# limit is -2 was left half dropped, and lets nobody in.
DATABASES = """
SELECT coalesce(json_agg(datname ORDER BY datname <> 'template1', datname <> 'postgres', NOT rolsuper, datname), '[]')
FROM pg_database JOIN pg_roles ON pg_roles.oid = datdba WHERE datallowconn AND datconnlimit <> -2
"""


class EveryDatabase:
    """Does something in all databases that take connections. One that fails or is slow does not hold up the others, and
    thousands of them do not hold up other duties: what is not done in one round is done in the next."""

    def __init__(self) -> None:
        self.left: list[str] = []
        self.wrong: list[str] = []

    def __call__(self, work: Callable[[str], Any]) -> float | None:
        """Do it, and say when to go on if there was no time for all. Failures are told when it was done everywhere."""
        if not self.left:
            self.left, self.wrong = json.loads("".join(psql(DATABASES))), []
        started = time.monotonic()
        while self.left and time.monotonic() - started < ROUND_SECONDS:
            database = self.left.pop(0)
            try:
                work(database)
            except Failure as failure:
                self.wrong.append(f"database {database}: {failure}")
        if self.left:
            return 1
        if self.wrong:
            raise Failure(failures(self.wrong))
        return None


def identifier(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'
