"""Sessions of the superuser in which nobody else can have a say.

Who owns a database may set most settings for it, and roles may make objects in many schemas. A session of ours takes none
of either: what it runs with is here."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

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

def environment(database: str, seconds: int, path: str) -> dict[str, str]:
    """What `psql` has to know. From the environment libpq takes a name as it is, and looks for no connection string in it."""
    options, server = {**OPTIONS, "search_path": path, "statement_timeout": f"{seconds}s"}, version()
    for since, more in OPTIONS_SINCE.items():
        options.update(more if server >= since else {})
    return {
        "PGDATABASE": database,
        "PGAPPNAME": "caretaker",
        # No conversion: names in shared catalogs are bytes, and in some encodings not every name can be written in another.
        "PGCLIENTENCODING": "SQL_ASCII",
        "PGOPTIONS": connection_options(options),
        "PGCONNECT_TIMEOUT": "10",
    }


PSQL = ["psql", "--no-psqlrc", "--no-password", "--quiet", "--no-align", "--tuples-only"]
PSQL += ["--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse"]


def query(sql: str, database: str, arguments: Any, seconds: int, path: str) -> list[str]:
    """Run SQL, whoever holds it up."""
    script = "SET search_path TO '';\n" + DEFAULTS
    if arguments is not None:
        literal = json.dumps(arguments, ensure_ascii=False).replace("'", "''")
        script += f"SELECT pg_catalog.set_config('caretaker.arguments', '{literal}', false) \\g /dev/null\n"
    # A name may hold line breaks, and what looks like a message of ours after them. So these begin with what nobody can know.
    mark = secrets.token_hex(8)
    script += REPORT.sub(rf"RAISE \1 '{mark} ", sql)
    result = run(PSQL, timeout=seconds + 5, text=script, **environment(database, seconds, path))
    wrong, error = [], ""
    for line in result.stderr.split("\n"):
        level, _, message = line.partition(":")
        marked, message = message.startswith(f"  {mark} "), message.strip().removeprefix(f"{mark} ")
        if marked and level == "INFO":
            log(f"database {database}: {message}")
        elif marked:
            wrong.append(message)
        elif level in ("ERROR", "FATAL", "PANIC", "psql"):
            # The first ends the script; what looks like another is in the name of something.
            error = error or message
    if result.returncode != 0:
        wrong.append(error or f"psql ended with {result.returncode}")
    if wrong:
        raise Failure(failures(wrong))
    return result.stdout.split("\n")[:-1]


def failures(wrong: list[str]) -> str:
    """Tell the first failures of many."""
    more = [f"and {len(wrong) - 5} more"] if len(wrong) > 5 else []
    return "; ".join(wrong[:5] + more)
