"""Real PostgreSQL servers for tests: each installed version, with pgAudit if that is installed."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src" / "postgres_cluster" / "caretaker"))

import caretaker
import credentials
from surroundings import Wanted

ROOT = Path(__file__).resolve().parents[2]


def programs() -> dict[str, Path]:
    """Return the directories of the servers, by version. Debian does not put them on PATH; `tools/install.sh` adds one."""
    places = [*Path("/usr/lib/postgresql").glob("*/bin"), *(ROOT / ".cache").glob("postgresql-*/bin")]
    places = [place for place in places if (place / "initdb").exists()]
    if not places and shutil.which("initdb"):
        places = [Path(str(shutil.which("initdb"))).parent]
    return {version_of(place): place for place in places}


def version_of(place: Path) -> str:
    """Return the major version of a server. A distribution may add words after it."""
    said = subprocess.run([place / "postgres", "--version"], check=True, capture_output=True, text=True).stdout
    return said.split()[2].partition(".")[0]


# pgBackRest of Debian 12 does not know newer ones.
NEWEST_OF_PGBACKREST = 15


def version_of_pgbackrest() -> str:
    """Return the newest version of a server that pgBackRest knows. Skip the tests if there is none, which with CI=true is a failure."""
    versions = [version for version in programs() if int(version) <= NEWEST_OF_PGBACKREST]
    if not versions or not shutil.which("pgbackrest"):
        if os.environ.get("CI") == "true":
            raise AssertionError("no PostgreSQL server for pgBackRest, and CI=true")
        raise unittest.SkipTest("no PostgreSQL server or no pgBackRest on this machine")
    return max(versions, key=int)


def administer(*command: str) -> None:
    """Run one of the server's programs, as another user than root, whom they refuse."""
    user: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **user)


# The caretaker connects as superuser over the socket, and all other roles with their password.
HBA = "local all postgres trust\nlocal all all scram-sha-256\n"
PRELOADED = "pg_stat_statements"


class Server:
    """A server of one version, which logs as much as possible."""

    def __init__(self, version: str, *initdb: str) -> None:
        binaries = programs()[version]
        self.directory = Path(tempfile.mkdtemp())
        if os.geteuid() == 0:
            shutil.chown(self.directory, "nobody", "nogroup")
        data = str(self.directory / "data")
        administer(
            str(binaries / "initdb"),
            "-D",
            data,
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-A",
            "trust",
            "-N",
            *initdb,
        )
        (self.directory / "data" / "pg_hba.conf").write_text(HBA)
        library = subprocess.run(
            [binaries / "pg_config", "--pkglibdir"], capture_output=True, text=True, check=False
        ).stdout
        self.extensions = ["pgaudit"] if (Path(library.strip() or binaries / "../lib") / "pgaudit.so").exists() else []
        settings = {
            "fsync": "off",
            "jit": "off",
            "listen_addresses": "",
            "log_error_verbosity": "verbose",
            "log_min_duration_statement": "0",
            "log_min_messages": "debug1",
            "log_statement": "all",
            "max_prepared_transactions": "4",
            "pg_stat_statements.track": "all",
            "shared_buffers": "32MB",
            "shared_preload_libraries": ",".join([*self.extensions, "pg_stat_statements"]),
            "unix_socket_directories": str(self.directory),
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self.pg_ctl = [str(binaries / "pg_ctl"), "-D", data, "-l", str(self.directory / "log"), "-w"]
        administer(*self.pg_ctl, "-o", options, "start")
        # This directory comes before Debian's `psql`, which is a script that searches for the real one.
        os.environ["PATH"] = f"{binaries}{os.pathsep}{os.environ['PATH']}"
        os.environ.update(PGHOST=str(self.directory), PGPORT="5432", PGUSER="postgres", PGDATA=data)

    def stop(self) -> None:
        """Stop the server and delete its data."""
        administer(*self.pg_ctl, "-m", "immediate", "stop")
        shutil.rmtree(self.directory)

    def log(self) -> str:
        """Return the server's log."""
        return (self.directory / "log").read_text(errors="replace")


class OnServer:
    """Base of tests that run on a server of each version: `on_every_server` combines the subclasses with `TestCase`."""

    version: str
    server: Server
    # More options of `initdb`.
    initdb: tuple[str, ...] = ()

    @classmethod
    def setUpClass(cls) -> None:
        """Start the server."""
        cls.server = Server(cls.version, *cls.initdb)
        cls.addClassCleanup(cls.server.stop)


def on_every_server(names: dict[str, Any], *tests: type) -> None:
    """Replace each of these classes by one class for each version. With CI=true a server must be installed."""
    if not programs() and os.environ.get("CI") == "true":
        raise AssertionError("no PostgreSQL server, and CI=true")
    skipped = unittest.skip("no PostgreSQL server on this machine")
    for test in tests:
        for version in sorted(programs()) or [""]:
            name = f"{test.__name__}{version}"
            case = type(name, (test, unittest.TestCase), {"version": version, "__module__": test.__module__})
            names[name] = case if version else skipped(case)


# The duties for databases and roles, in the caretaker's order.
DUTIES = {duty.name: duty.work for group in caretaker.GROUPS for duty in group.duties}
ON_DATABASES = ("extensions", "databases", "users", "schemas", "pgbouncer", "monitoring", "allow init sql", "init sql")


def converge(wanted: Wanted) -> tuple[list[str], list[str]]:
    """Run all duties as the caretaker does. Return the log lines, without the time, and the failures."""
    out, failed = io.StringIO(), []
    with contextlib.redirect_stdout(out):
        for name in ON_DATABASES:
            try:
                while DUTIES[name](wanted) is not None:
                    pass
            except Exception as error:  # noqa: BLE001
                failed.append(f"{name}: {error}")
    return [line.partition(" ")[2] for line in out.getvalue().split("\n")[:-1]], failed


SETTINGS = ("search_path=", "role=none", "default_transaction_read_only=off", "statement_timeout=0", "lock_timeout=0")
OPTIONS = " ".join(f"-c {setting}" for setting in SETTINGS)


def sql(text: str, database: str = "postgres", role: str = "postgres", stop: bool = True) -> list[str]:
    """Run SQL as a role, whose password contains its name, without the caretaker's code. Return the output lines."""
    environment = {**os.environ, "PGDATABASE": database, "PGUSER": role, "PGPASSWORD": password(role)}
    if role == "postgres":
        # Settings of tenants must only affect the caretaker.
        environment["PGOPTIONS"] = OPTIONS
    command = ["psql", "-X", "-w", "-q", "-A", "-t", *(["-v", "ON_ERROR_STOP=1"] if stop else [])]
    result = subprocess.run(command, input=text.encode(), env=environment, capture_output=True, check=False)
    if stop and result.returncode != 0:
        raise Refusal(result.stderr.decode(errors="replace"))
    return result.stdout.decode(errors="surrogateescape").split("\n")[:-1]


class Refusal(Exception):
    """Postgres refused the SQL."""


def password(role: str) -> str:
    """The password of a role in tests."""
    return f"password of {role}"


def verifier(role: str) -> str:
    """The verifier of a role, the same each time."""
    return credentials.scram(password(role), b"salt", 4096)
