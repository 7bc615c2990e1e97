"""Postgres in the scratch volume of a restore drill. Only this pod can connect to it, and no setting of the backup is used."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import restore
from session import environment
from surroundings import Failure, control_data, data_directory

# In addition to the settings of a restore: no archiving, and nothing that runs by itself. Without background workers, extensions
# such as pg_cron start no jobs, and subscriptions do not connect to their publishers.
SETTINGS = {
    "archive_command": "",
    "archive_mode": "off",
    "autovacuum": "off",
    "fsync": "off",
    "huge_pages": "off",
    "lc_messages": "C",
    "local_preload_libraries": "",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "max_connections": "20",
    # `pg_dump` locks every table.
    "max_locks_per_transaction": "1024",
    "max_wal_senders": "0",
    "max_worker_processes": "0",
    "port": "5432",
    "session_preload_libraries": "",
    "shared_buffers": "64MB",
    "unix_socket_permissions": "0700",
}

# Settings that a later version introduced.
SETTINGS_SINCE = {17: {"event_triggers": "off"}}

# The signs of the lines of the log that are kept.
SIGNS = ("ERROR", "FATAL", "PANIC", "restored log file", "last completed transaction", "redo done")


def settings_of(settings: Any, more: dict[str, str]) -> dict[str, str]:
    """Return all settings, except the names of files."""
    wanted = {**restore.SETTINGS, **SETTINGS, **more}
    version = settings["postgresVersion"]
    for since, later in SETTINGS_SINCE.items():
        wanted.update(later if version >= since else {})
    for name, since in restore.NEWER_SETTINGS.items():
        if version < since:
            wanted.pop(name, None)
    # Postgres does not start with fewer if the backup contains prepared transactions.
    wanted["max_prepared_transactions"] = control_data(data_directory())["max_prepared_xacts setting"]
    wanted["shared_preload_libraries"] = settings["sharedPreloadLibraries"]
    return wanted


def errors_in(lines: list[str]) -> str:
    """Join the different errors of Postgres and of pgBackRest in lines of a log."""
    errors = [line for line in lines if any(level in line for level in ("ERROR", "FATAL", "PANIC"))]
    return "; ".join(dict.fromkeys(errors))[:1500]


@contextlib.contextmanager
def running(settings: Any, rule: str, found: list[str], **more: str) -> Iterator[str]:
    """Run Postgres until it is no longer needed, with one rule for connections. Give the directory of its socket.

    Postgres is ready after the recovery, if there is one."""
    directory = data_directory()
    # It contains the settings that superusers of the cluster have set.
    (directory / "postgresql.auto.conf").write_text("")
    with tempfile.TemporaryDirectory(prefix="restore-drill-") as place:
        files = {name: Path(place) / f"{name}.conf" for name in ("config", "hba", "ident")}
        for file in files.values():
            file.touch()
        files["hba"].write_text(f"{rule}\n")
        wanted = {
            **settings_of(settings, more),
            **{f"{name}_file": str(file) for name, file in files.items()},
            "data_directory": str(directory),
            "unix_socket_directories": place,
        }
        words = [word for name, value in wanted.items() for word in ("-c", f"{name}={value}")]
        process = restore.start(["postgres", "-D", str(directory), *words])
        reader = threading.Thread(target=restore.echo, args=(process, "postgres", SIGNS, found))
        reader.start()
        try:
            while process.poll() is None and not restore.is_ready():
                time.sleep(0.1)
            started = process.poll() is None
            if started:
                yield place
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait()
            reader.join()
        if not started or process.returncode != 0:
            raise Failure(f"Postgres: {errors_in(found) or f'ended with status {process.returncode}'}")


@contextlib.contextmanager
def server(settings: Any, rule: str) -> Iterator[dict[str, str]]:
    """Run Postgres. Give the environment of its clients: superusers, whose settings no role and no database can change. The
    `search_path` is empty."""
    with running(settings, rule, []) as place:
        clients = environment("postgres", 0, "")
        clients["PGOPTIONS"] += " -c session_preload_libraries="
        if settings["postgresVersion"] >= 17:
            clients["PGOPTIONS"] += " -c event_triggers=off"
        # A lock can only be held by a prepared transaction.
        yield {**os.environ, **clients, "PGHOST": place, "PGPORT": SETTINGS["port"], "PGUSER": "postgres"}


def follow(name: str, command: list[str], clients: dict[str, str], *signs: str) -> tuple[int, list[str]]:
    """Run a program to its end, and copy its output to our log. Return its exit status, and the lines with one of the signs."""
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    found: list[str] = []
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=both,
            env=clients,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise Failure(f"`{command[0]}` does not start: {error}") from None
    restore.echo(process, name, signs, found)
    return process.wait(), found
