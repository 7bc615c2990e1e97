"""The exporter's role, its schema, and pg_stat_statements."""

from __future__ import annotations

from extensions import create
from pgbouncer import OWN_SCHEMA
from postgres import EveryDatabase, psql
from roles import service_role
from surroundings import Failure, Wanted

ROLE = "ccp_monitoring"
# Without "$user", because a role that may create in `postgres` may own a schema with this role's name.
LIMITS = {"jit": "off", "lock_timeout": "2min", "search_path": "monitor"}

every_database = EveryDatabase()


def monitoring(wanted: Wanted) -> float | None:
    """Let the exporter read statistics, or disable its role if there is no exporter.

    The role comes first, so that it can log in even if a database has errors."""
    role = wanted.roles["monitoring"]
    wrong = service_role(ROLE, role, ["pg_monitor"], LIMITS)
    again = None
    if role:
        try:
            psql(OWN_SCHEMA, arguments={"schema": "monitor", "owner": ROLE})
        except Failure as failure:
            wrong.append(str(failure))
        try:
            again = every_database(lambda database: create(database, ["pg_stat_statements"], update=True))
        except Failure as failure:
            wrong.append(str(failure))
    if wrong:
        raise Failure("; ".join(wrong))
    return again
