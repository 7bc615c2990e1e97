"""Access to Postgres."""

from __future__ import annotations

import json
import time
from typing import Any, Callable

from impatience import impatience
from session import failures, query
from surroundings import Failure

# The time limit for short SQL in one database, including waiting for locks.
DATABASE_SECONDS = 10

# How long a duty may work on databases before the other duties run.
ROUND_SECONDS = 30.0


def psql(
    sql: str, database: str = "postgres", arguments: Any = None, seconds: int = 120, path: str = ""
) -> list[str]:
    """Run SQL as superuser over the socket, and terminate sessions that block it. Return the output lines.

    The SQL reads `arguments` as JSON from the setting `caretaker.arguments`. Each `RAISE INFO` of the SQL goes to the log. Errors
    and our warnings raise Failure, but other warnings, for example about a collation version, do not. The search_path is empty
    until `RESET search_path` sets it to `path`."""
    with impatience():
        return query(sql, database, arguments, seconds, path)


# `template1` is first, because new databases are copies of it. Databases of superusers precede those of users. A connection limit
# of -2 means that DROP DATABASE was interrupted, and no session can connect.
DATABASES = """
SELECT coalesce(json_agg(datname ORDER BY datname <> 'template1', datname <> 'postgres', NOT rolsuper, datname), '[]')
FROM pg_database JOIN pg_roles ON pg_roles.oid = datdba WHERE datallowconn AND datconnlimit <> -2
"""


class EveryDatabase:
    """Runs a function for every database that accepts connections. A failing or slow database does not block the others.
    Thousands of databases do not block other duties, because the next round continues where this one stops."""

    def __init__(self) -> None:
        self.left: list[str] = []
        self.wrong: list[str] = []

    def __call__(self, work: Callable[[str], Any]) -> float | None:
        """Do one round. If databases are left, return when to continue. Failures are raised after the last database."""
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
