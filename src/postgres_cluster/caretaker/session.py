"""Superuser sessions that no other role can influence.

The owner of a database may change most settings for it, and roles may create objects in many schemas. Our sessions use neither:
this module sets all of their settings."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

from surroundings import Failure, data_directory, log, run

# Settings of the connection, which override those of the database and the role (PostgreSQL, "Parameter Interaction via the
# Configuration File"). All versions have these; Postgres refuses a connection with an unknown setting.
OPTIONS = {
    # Verifiers must not appear in logs and views: neither in a statement (`log_*`, pgAudit, pg_stat_activity,
    # pg_stat_statements) nor in the context of an error.
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
    # Do not wait for replicas that lag.
    "synchronous_commit": "local",
    # With this, a name without a schema is one of pg_catalog. Postgres still searches `pg_temp` first for tables and types, but
    # the caretaker creates nothing there. Only functions that others call in their sessions need `pg_catalog, pg_temp`
    # (pgbouncer.py).
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

# Settings that could end or log a session before it can change settings, by the version that introduced them.
OPTIONS_SINCE = {
    12: {"log_transaction_sample_rate": "0"},
    14: {"idle_session_timeout": "0"},
    17: {"transaction_timeout": "0"},
}

# Resets other settings of the database or the role to built-in defaults. `transaction_*` are of the current transaction, which
# started with our settings.
DEFAULTS = """
SELECT pg_catalog.set_config(name, boot_val, false) FROM pg_catalog.pg_settings
WHERE source IN ('database', 'user', 'database user') AND context IN ('user', 'superuser') AND boot_val IS NOT NULL
AND name NOT IN ('transaction_deferrable', 'transaction_isolation', 'transaction_read_only') \\g /dev/null
"""

# Our SQL reports changes as INFO, and failures as WARNING.
REPORT = re.compile(r"RAISE (INFO|WARNING) '")

def version() -> int:
    """Return the major version of the data directory."""
    try:
        return int((data_directory() / "PG_VERSION").read_text())
    except (OSError, ValueError) as error:
        raise Failure(f"cannot read the version of the data directory: {error}") from None


def connection_options(options: dict[str, str]) -> str:
    """Return settings as libpq's `options`, in which a backslash escapes a space."""
    escaped = {name: value.replace("\\", "\\\\").replace(" ", "\\ ") for name, value in options.items()}
    return " ".join(f"-c {name}={value}" for name, value in escaped.items())


def environment(database: str, seconds: int, path: str) -> dict[str, str]:
    """Return the environment of `psql`. In PGDATABASE, libpq takes a name literally and not as a connection string."""
    options, server = {**OPTIONS, "search_path": path, "statement_timeout": f"{seconds}s"}, version()
    for since, more in OPTIONS_SINCE.items():
        options.update(more if server >= since else {})
    return {
        "PGDATABASE": database,
        "PGAPPNAME": "caretaker",
        # No conversion: names in shared catalogs are bytes, and some of them cannot be converted between encodings.
        "PGCLIENTENCODING": "SQL_ASCII",
        "PGOPTIONS": connection_options(options),
        "PGCONNECT_TIMEOUT": "10",
    }


PSQL = ["psql", "--no-psqlrc", "--no-password", "--quiet", "--no-align", "--tuples-only"]
PSQL += ["--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse"]


def query(sql: str, database: str, arguments: Any, seconds: int, path: str) -> list[str]:
    """Run SQL, without terminating sessions that block it."""
    script = "SET search_path TO '';\n" + DEFAULTS
    if arguments is not None:
        literal = json.dumps(arguments, ensure_ascii=False).replace("'", "''")
        script += f"SELECT pg_catalog.set_config('caretaker.arguments', '{literal}', false) \\g /dev/null\n"
    # A name may contain a line break, followed by text that looks like our messages. So ours begin with a random mark.
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
            # The first error ends the script. What looks like another error is part of a name.
            error = error or message
    if result.returncode != 0:
        wrong.append(error or f"psql ended with exit code {result.returncode}")
    if wrong:
        raise Failure(failures(wrong))
    return result.stdout.split("\n")[:-1]


def failures(wrong: list[str]) -> str:
    """Join failures into one line, at most five."""
    more = [f"and {len(wrong) - 5} more"] if len(wrong) > 5 else []
    return "; ".join(wrong[:5] + more)
