"""Object storage into which two clusters could archive: a standby cluster uses the repository of the cluster that it follows.

After a promotion, the former source may still run, and both are the same database for pgBackRest. So the promoted cluster archives
only when nothing of another cluster has arrived for some time. And a cluster stops archiving when the repository contains a later
timeline than its own, because only another cluster can have written it: that cluster was promoted, and owns the repository now.
Until then, both have written to timelines of their own, and no file is overwritten."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from postgres import psql
from surroundings import Failure, Wanted, leadership, log, patroni, run

# The `archive_command` of a cluster that does not archive.
HELD = "echo 'nothing is archived: another cluster may use this repository; see the log of the caretaker' >&2; false"

# How long nothing of another cluster may arrive. A cluster archives at least every `archive_timeout`, if anything is written.
QUIET_SECONDS = 150

# How long to wait between two looks.
LOOK_SECONDS = 10


def parameters(configuration: Any) -> dict[str, Any]:
    """Return the parameters of Postgres in Patroni's dynamic configuration."""
    there: dict[str, Any] = (configuration.get("postgresql") or {}).get("parameters") or {}
    return there


def is_shared(wanted: Wanted) -> bool:
    """Whether another cluster can reach a repository of this one. A volume belongs to one cluster."""
    return bool(wanted.settings["stanza"] and wanted.settings["cloudRepositories"])


def held(wanted: Wanted, there: Any, right: Any, follows: bool, followed: bool) -> Any:
    """Return a configuration that archives nothing if this cluster is a standby, or was one and has not looked yet. Only
    ArchiveOwner ends that.

    Patroni since 4.1 archives the last WAL of a primary that becomes a standby, so this waits until it is one."""
    waits = parameters(there).get("archive_command") == HELD
    begins = leadership.now() == "standby_leader" if follows else followed
    if is_shared(wanted) and (waits or begins):
        parameters(right)["archive_command"] = HELD
    return right


def newest_files(information: Any, repositories: list[int], system: str) -> dict[int, str]:
    """Return the last WAL file of this database cluster in each repository that has one, from `pgbackrest info`."""
    nothing: dict[str, list[Any]] = {"repo": [], "db": [], "archive": []}
    stanza = next((stanza for stanza in information if stanza["name"] == "db"), nothing)
    for repository in stanza["repo"]:
        # 1 to 3: there is no stanza, no backup, or no data of the stanza yet.
        if repository["key"] in repositories and repository["status"]["code"] not in (0, 1, 2, 3):
            raise Failure(f"repo{repository['key']} is not available: {repository['status']['message']}")
    ours = {(entry["repo-key"], entry["id"]) for entry in stanza["db"] if str(entry["system-id"]) == system}
    newest: dict[int, str] = {}
    for archive in stanza["archive"]:
        repository, file = archive["database"]["repo-key"], archive["max"]
        if (repository, archive["database"]["id"]) in ours and repository in repositories and file:
            newest[repository] = max(file, newest.get(repository, ""))
    return newest


def later(newest: dict[int, str], timeline: int) -> list[str]:
    """Describe the repositories with WAL of a later timeline."""
    return [
        f"repo{repository} has WAL of timeline {int(file[:8], 16)}"
        for repository, file in sorted(newest.items())
        if int(file[:8], 16) > timeline
    ]


class ArchiveOwner:
    """Lets this cluster archive into object storage only as long as no other cluster does."""

    def __init__(self) -> None:
        self.seen: dict[int, str] | None = None
        self.since = 0.0
        self.arrived = ""

    def __call__(self, wanted: Wanted) -> float | None:
        """Look into the repositories."""
        if not is_shared(wanted):
            return None
        # Not at the top: in a pod of an earlier version, this file is loaded while `backups.py` is.
        from backups import pgbackrest

        waits = parameters(patroni("GET", "/config")).get("archive_command") == HELD
        system = str(patroni("GET", "/patroni").get("database_system_identifier"))
        timeline = int("".join(psql("SELECT pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn())"))[:8], 16)
        information = json.loads(pgbackrest("info", "--output=json"))
        newest = newest_files(information, wanted.settings["cloudRepositories"], system)
        if found := later(newest, timeline):
            if not waits:
                patroni("PATCH", "/config", {"postgresql": {"parameters": {"archive_command": HELD}}})
            self.seen = None
            raise Failure(
                f"{'; '.join(found)}, but this cluster is on timeline {timeline}: another cluster was promoted and archives there, so "
                "this one archives nothing any more. WAL stays in `pg_wal` until it is archived. Give this cluster a path of its own "
                "(`global.repoN-path`), or make it a standby of the other one"
            )
        if not waits:
            return None
        return self.wait(wanted, newest)

    def wait(self, wanted: Wanted, newest: dict[int, str]) -> float | None:
        """Archive when nothing has arrived for long enough, or when there is nothing of this database."""
        if newest != self.seen:
            files = ", ".join(f"{file} in repo{repository}" for repository, file in sorted(newest.items()))
            self.arrived = "" if self.seen is None else files
            if self.seen is None and newest:
                log(f"archiving starts when nothing of another cluster has arrived for {QUIET_SECONDS} s")
            self.seen, self.since = newest, time.monotonic()
        if newest and time.monotonic() - self.since < QUIET_SECONDS:
            if not self.arrived:
                return LOOK_SECONDS
            raise Failure(
                f"another cluster still archives into the repository of this one: {self.arrived} has arrived. This cluster accepts "
                "writes, but archives nothing until the other one no longer does: stop it, make it a standby of this one, or give "
                "one of them a path of its own (`global.repoN-path`)"
            )
        command = parameters(wanted.settings["dynamicConfiguration"])["archive_command"]
        patroni("PATCH", "/config", {"postgresql": {"parameters": {"archive_command": command}}})
        self.seen = None
        log("no other cluster archives into the repository of this one: archiving starts")
        return None


def newest_history(timeline: int) -> tuple[int, str]:
    """Return the newest timeline in the repository, and its history file. Like Postgres, ask for one timeline after the other."""
    history = ""
    with tempfile.TemporaryDirectory(prefix="history-", dir="/tmp") as place:
        file = Path(place) / "history"
        while True:
            command = ["pgbackrest", "--stanza=db", "--io-timeout=15", "--log-level-console=warn", "archive-get"]
            result = run([*command, f"{timeline + 1:08X}.history", str(file)], 60)
            if result.returncode == 1:  # it does not exist (pgBackRest, "Archive Get Command")
                return timeline, history
            if result.returncode != 0:
                problem = " ".join((result.stderr + result.stdout).split())[:300]
                raise Failure(f"the repository cannot be asked for timeline {timeline + 1}: {problem}")
            timeline, history = timeline + 1, file.read_text()
