"""How the caretaker talks to Postgres."""

from __future__ import annotations

import json
import time
from typing import Any, Callable

from impatience import impatience
from session import failures, query
from surroundings import Failure

# How long one database may take with what takes no time, locks of others included.
DATABASE_SECONDS = 10

# How long a duty may be at databases before the other duties have their turn.
ROUND_SECONDS = 30.0


def psql(
    sql: str, database: str = "postgres", arguments: Any = None, seconds: int = 120, path: str = ""
) -> list[str]:
    """Run SQL as superuser over the socket, and end the sessions that hold it up. Gives the lines that it printed.

    `arguments` reach the SQL as JSON in the setting `caretaker.arguments`. What the SQL reports with `RAISE INFO` goes to
    the log. An error is a failure, and so is a warning of ours; others, of an old collation for example, are not. `path` is what
    `RESET search_path` would give; until then the path is empty."""
    with impatience():
        return query(sql, database, arguments, seconds, path)


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
