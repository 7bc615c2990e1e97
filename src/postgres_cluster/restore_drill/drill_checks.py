"""The second part of a restore drill: what is checked in the restored database."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from drill_server import follow
from postgres import DATABASES
from session import PSQL
from surroundings import Failure, control_data, data_directory, run


def checked(name: str, command: list[str], environment: dict[str, str], *signs: str) -> None:
    """Run a program, whose failure is a failure of the drill."""
    status, found = follow(name, command, environment, *signs)
    if status != 0:
        raise Failure(f"{name}: {'; '.join(found)[:1500] or f'exit status {status}'}")


def check_checksums() -> bool:
    """Compare each page with its checksum, while Postgres does not run. Return whether the cluster has checksums."""
    if control_data(data_directory())["Data page checksum version"] == "0":
        return False
    command = ["pg_checksums", "--check", f"--pgdata={data_directory()}"]
    checked("pg_checksums", command, {**os.environ, "LC_ALL": "C"}, "error")
    return True


def ask(sql: str, environment: dict[str, str]) -> str:
    """Return the output of SQL in the database `postgres`."""
    result = run(PSQL, 60, sql, **environment)
    if result.returncode != 0:
        raise Failure(f"psql: {result.stderr.strip()[:1500]}")
    return result.stdout.strip()


def verify_relations(environment: dict[str, str]) -> bool:
    """Check the structure of all tables and B-tree indexes with amcheck (PostgreSQL, "pg_amcheck"). Return whether the image has
    it: `pg_amcheck` exists since version 14.

    The names of databases are never part of a command, because a name such as `host=example.com` would be a connection string."""
    available = ask("SELECT count(*) FROM pg_available_extensions WHERE name = 'amcheck'", environment) == "1"
    if not available or shutil.which("pg_amcheck") is None:
        return False
    command = ["pg_amcheck", "--all", "--install-missing", "--maintenance-db=postgres", "--no-password"]
    checked("pg_amcheck", command, environment, "")
    return True


def dump(environment: dict[str, str]) -> int:
    """Dump roles and all databases, which reads every catalog and every row. Return the number of databases.

    `pg_dump` runs no function of the database for this (PostgreSQL, "pg_dump", `restrict_nonsystem_relation_kind`)."""
    nowhere = ["--no-password", "--no-sync", "--file=/dev/null"]
    checked("pg_dumpall", ["pg_dumpall", "--globals-only", "--database=postgres", *nowhere], environment, "error")
    databases = json.loads(ask(DATABASES, environment))
    for database in databases:
        command = ["pg_dump", "--lock-wait-timeout=60000", *nowhere]
        checked(f"pg_dump {database}", command, {**environment, "PGDATABASE": database}, "error")
    return len(databases)


def check_with_sql(file: Path, environment: dict[str, str]) -> None:
    """Run the user's SQL as superuser, first in the database `postgres`. An error fails the drill.

    Its sessions have no settings of a database or a role: the owner of a database could otherwise turn off what the SQL relies on, for
    example `plpgsql.check_asserts`."""
    checked("sql", [*PSQL, "--command=DELETE FROM pg_catalog.pg_db_role_setting"], environment, "ERROR", "FATAL", "error")
    checked("sql", [*PSQL, f"--file={file}"], environment, "ERROR", "FATAL", "error")
