"""Creates the database cluster from the data source of the spec, in place of `initdb`. Patroni runs this in one instance only.

pgBackRest restores a backup. Postgres then replays the archive of the data source up to the target and promotes itself, on a new
timeline, without a connection from outside and without archiving. When it has stopped, Patroni starts it as the leader.

A failure is in the log of the container and in its termination message, and Patroni tries again when the container restarts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Callable

from source_files import check, configuration
from surroundings import Failure, Wanted, control_data, data_directory, find, kubernetes, log, read_wanted, run

# `kubectl describe pod` shows this text.
TERMINATION_MESSAGE = Path("/dev/termination-log")

# How long to wait for our own repositories, whose host starts at the same time.
REPOSITORY_SECONDS = 120

# Recovery uses neither the configuration in the backup, which is that of another cluster, nor the network. While `hot_standby` is
# off, the number of connections and the like may be smaller than in the other cluster, and Postgres is ready only after its
# promotion. WAL of the new timeline stays until Patroni starts Postgres with the command for our own archive. `ALTER SYSTEM` in the
# other cluster may have set commands that would run at the end of recovery.
SETTINGS = {
    "archive_cleanup_command": "",
    "archive_command": "false",
    "archive_library": "",
    "archive_mode": "on",
    "hot_standby": "off",
    "listen_addresses": "",
    "log_destination": "stderr",
    "logging_collector": "off",
    "max_logical_replication_workers": "0",
    "recovery_end_command": "",
    "ssl": "off",
    # A target without a time zone is in UTC, also for pgBackRest, which chooses the backup by it.
    "timezone": "UTC",
    "wal_level": "logical",
}


# The first version of Postgres with these settings.
NEWER_SETTINGS = {"archive_cleanup_command": 12, "archive_library": 15, "recovery_end_command": 12}


def marker() -> Path:
    """Return the file that exists from the start of a restore until it is complete."""
    return Path(f"{data_directory()}.restoring")


def start(command: list[str]) -> subprocess.Popen[str]:
    """Start a program with one stream of output, in its own process group."""
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    try:
        return subprocess.Popen(
            command, stdout=pipe, stderr=both, encoding="utf-8", errors="replace", start_new_session=True
        )
    except OSError as error:
        raise Failure(f"`{command[0]}` does not start: {error}") from None


def echo(process: subprocess.Popen[str], name: str, signs: tuple[str, ...], found: list[str]) -> None:
    """Copy the output of a program to our log until it ends, and add the lines with a sign of an error to `found`."""
    for line in process.stdout or []:
        log(f"{name}: {line.rstrip()}")
        if any(sign in line for sign in signs):
            found.append(line.strip())


def fetch(arguments: list[str]) -> None:
    """Restore the files of a backup."""
    errors: list[str] = []
    process = start(["pgbackrest", *arguments, "restore"])
    echo(process, "restore", ("ERROR",), errors)
    if process.wait() != 0:
        raise Failure(f"pgbackrest restore: {'; '.join(errors)[:1500] or f'exit status {process.returncode}'}")


def is_ready() -> bool:
    """Whether Postgres accepts connections: the last line of `postmaster.pid` says so."""
    try:
        return (data_directory() / "postmaster.pid").read_text().split("\n")[7].strip() == "ready"
    except (OSError, IndexError):
        return False


def recover(wanted: Wanted, before_it_stops: Callable[[str], None] | None = None) -> None:
    """Replay the archive up to the target, promote, and stop. Only this program can connect in between: the directory of the socket,
    which `before_it_stops` gets, is closed to others."""
    directory = data_directory()
    parameters = wanted.settings["dynamicConfiguration"].get("postgresql", {}).get("parameters") or {}
    with tempfile.TemporaryDirectory(prefix="restore-", dir="/tmp") as place:
        files = {name: Path(place) / f"{name}.conf" for name in ("postgresql", "hba", "ident")}
        files["hba"].write_text("local postgres postgres trust\n")
        files["ident"].touch()
        settings = {
            **SETTINGS,
            "config_file": str(files["postgresql"]),
            "data_directory": str(directory),
            "hba_file": str(files["hba"]),
            "ident_file": str(files["ident"]),
            "port": "5432",
            # Postgres does not start with fewer if there are prepared transactions in the backup or in the archive.
            "max_prepared_transactions": control_data(directory)["max_prepared_xacts setting"],
            "shared_preload_libraries": str(parameters.get("shared_preload_libraries", "")),
            "unix_socket_directories": place,
        }
        for name, version in NEWER_SETTINGS.items():
            if wanted.settings["postgresVersion"] < version:
                del settings[name]
        files["postgresql"].touch()
        # On the command line, settings have precedence over those of `ALTER SYSTEM` in the backup.
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        errors: list[str] = []
        server = start(["postgres", "-D", str(directory), *words])
        reader = threading.Thread(target=echo, args=(server, "restore", ("FATAL", "PANIC"), errors))
        reader.start()
        while server.poll() is None and not is_ready():
            time.sleep(0.1)
        promoted = server.poll() is None
        try:
            if promoted and before_it_stops:
                before_it_stops(place)
        finally:
            if promoted:
                server.send_signal(signal.SIGINT)
            server.wait()
            reader.join()
        if not promoted or server.returncode != 0:
            raise Failure(f"recovery: {'; '.join(errors)[:1500] or f'Postgres ended with status {server.returncode}'}")


# In the other cluster, a subscription has a replication slot at its publisher. If ours used it too, changes would reach only one of
# them. There is no command for subscriptions of other databases.
DISABLE_SUBSCRIPTIONS = """
UPDATE pg_catalog.pg_subscription SET subenabled = false FROM pg_catalog.pg_database WHERE pg_database.oid = subdbid AND subenabled
RETURNING pg_catalog.quote_ident(subname) || ' in database ' || pg_catalog.quote_ident(datname)
"""


def disable_subscriptions(socket: str) -> None:
    """Disable all subscriptions of logical replication, before anything connects to a publisher."""
    # Not at the top: in a pod of an earlier version, `surroundings` must load this file first.
    from session import PSQL, environment

    result = run(PSQL, 60, DISABLE_SUBSCRIPTIONS, **{**environment("postgres", 60, ""), "PGHOST": socket, "PGPORT": "5432", "PGUSER": "postgres"})
    if result.returncode != 0:
        raise Failure(f"subscriptions cannot be disabled: {' '.join(result.stderr.split())[:300]}")
    for name in result.stdout.split("\n")[:-1]:
        log(f"restore: disabled subscription {name}, because the other cluster may use its replication slot")


def check_own_repositories(wanted: Wanted, system: str) -> None:
    """Fail if one of our repositories already belongs to a database cluster with this identifier. It is the data source itself, or
    this cluster archived there before its data was lost. Two timelines in one archive would damage both."""
    if not wanted.settings["stanza"]:
        return
    # Not at the top: in a pod of an earlier version, this file is loaded while `backups.py` is.
    from backups import pgbackrest, stanza_of

    deadline = time.monotonic() + REPOSITORY_SECONDS
    while True:
        try:
            stanza = stanza_of(json.loads(pgbackrest("info", "--output=json")))
            broken = [entry["key"] for entry in stanza["repo"] if entry["status"]["code"] not in (0, 1, 2, 3)]
            if not broken:
                break
            problem = f"repo{broken[0]} is not available"
        except Failure as failure:
            problem = str(failure)
        if time.monotonic() > deadline:
            raise Failure(f"our own repositories cannot be checked: {problem}")
        time.sleep(1)
    for entry in stanza["db"]:
        if str(entry["system-id"]) == system:
            raise Failure(
                f"repo{entry['repo-key']} of this cluster already has backups of this database: give the cluster a repository of its "
                "own or, if its data was lost, restore from that repository"
            )


def remove_data() -> None:
    """Remove what was restored so far. There was no data before."""
    for place in ((data_directory() / "pg_wal").resolve(), data_directory()):
        shutil.rmtree(place, ignore_errors=True)


def restore(words: list[str]) -> None:
    """Do all steps. `words` are the arguments of pgBackRest that depend on the instance set."""
    try:
        wanted = read_wanted()
        source: dict[str, Any] = wanted.settings["restore"]
        if source is None:
            raise Failure("the spec has no data source")
        log(f"restore: restoring {source['from']}")
        started = time.monotonic()
        marker().touch()
        # Postgres fetches the archive with the same files, so they stay until the recovery ends.
        files = configuration()
        check(files.name, source["arguments"])
        fetch([f"--config-include-path={files.name}", *source["arguments"], *words])
        check_own_repositories(wanted, control_data(data_directory())["Database system identifier"])
        recover(wanted, disable_subscriptions)
        files.cleanup()
        # The dynamic configuration of the other cluster.
        (data_directory() / "patroni.dynamic.json").unlink(missing_ok=True)
        os.sync()
        marker().unlink()
        log(f"restore: restored {source['from']} in {time.monotonic() - started:.0f} s")
    except Failure as failure:
        message = f"restore: {failure}"
        remove_data()
        try:
            TERMINATION_MESSAGE.write_text(message)
        except OSError:
            pass
        sys.exit(message)


def forget_abandoned(wanted: Wanted) -> None:
    """Remove the data of a restore that was interrupted, and Patroni's note that this cluster is being created. Otherwise, no
    instance would create it."""
    if not marker().exists():
        return
    log("pre-start: removing the data of a restore that was interrupted")
    remove_data()
    path = f"/endpoints/{wanted.cluster}-ha-config"
    endpoints = find(path)
    if endpoints and endpoints["metadata"].get("annotations", {}).get("initialize") == "":
        change = {"metadata": {"annotations": {"initialize": None}, "resourceVersion": endpoints["metadata"]["resourceVersion"]}}
        kubernetes("PATCH", path, change)
    marker().unlink()
