"""Starts a restore in place, once for each new value of PGO's annotation `pgbackrest-restore`.

One instance, normally the leader, checks the request and records that the restore begins. Then every sidecar ends its Patroni, the
restoring instance last: so no replica takes over, and everything is archived. The database container starts again, and goes on with
`before_patroni.py`."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import time
from datetime import datetime, timezone
from typing import Any

from aside import aside
from endpoints import has_leader
from pod import processes
from postgres import psql
from progress import ANNOTATION, is_in_progress, memory, read, record
from surroundings import (
    LABEL,
    LEADER,
    Failure,
    Wanted,
    data_directory,
    find,
    leadership,
    log,
    patroni,
    pods_of,
    primary_path,
)

# Without a leader for so long, any instance may start the restore: perhaps no Postgres starts, and that is why it is requested.
LEADERLESS_SECONDS = 30

LONGEST_MESSAGE = 1500

# How long a check is repeated that fails because something is away. After that, and after any other refusal, only another request
# or another value starts a restore: a restore that starts by itself, long after it was requested, would take back what was written
# since.
REPEATED_SECONDS = 600


class Unusable(Failure):
    """The request itself cannot succeed."""


# How long the stop waits until everything that was written is archived.
ARCHIVE_SECONDS = 60


def still_running(wanted: Wanted, trigger: str) -> list[str]:
    """Return the other instances whose Patroni may still run: their container runs, and they have not said that it waits."""
    me, found = os.environ["PATRONI_NAME"], []
    for pod in pods_of(wanted.cluster):
        metadata = pod["metadata"]
        statuses = pod["status"].get("containerStatuses", [])
        runs = any(status["name"] == "database" and "running" in status.get("state", {}) for status in statuses)
        is_instance = metadata["labels"].get(f"{LABEL}patroni") == f"{wanted.cluster}-ha"
        if is_instance and runs and metadata["name"] != me and metadata.get("annotations", {}).get(ANNOTATION) != trigger:
            found.append(metadata["name"])
    return sorted(found)


def option(arguments: list[str], name: str) -> str | None:
    """Return the value of an option of pgBackRest, the last one."""
    values = [word.split("=", 1)[1] for word in arguments if word.startswith(f"--{name}=")]
    return values[-1] if values else None


def moment(text: str) -> float | None:
    """Return a time in seconds since 1970; None if it is not in one of the usual forms. Without a time zone, it is UTC."""
    form = r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d+)? *(Z|UTC|([+-]\d\d)(?::?(\d\d))?)?"
    found = re.fullmatch(form, text.strip())
    if found is None:
        return None
    hours, minutes = found[5] or "+00", found[6] or "00"
    try:
        return datetime.fromisoformat(f"{found[1]}T{found[2]}{hours}:{minutes}").timestamp()
    except ValueError:
        return None


def check_backups(backups: list[Any], arguments: list[str], repository: int) -> None:
    """Fail if pgBackRest would not find a backup, or if recovery could not reach the target."""
    if not backups:
        raise Unusable(f"repo{repository} has no backup of this database cluster")
    label = option(arguments, "set")
    labels = [str(backup["label"]) for backup in backups]
    if label not in (None, "latest", *labels):
        raise Unusable(f"repo{repository} has no backup {label}; it has {', '.join(labels)}")
    if option(arguments, "type") != "time":
        return
    target = option(arguments, "target") or ""
    wanted = moment(target)
    if wanted is None:
        return  # Postgres understands more forms
    ends = [backup["timestamp"]["stop"] for backup in backups if label in (None, "latest", backup["label"])]
    if wanted < min(ends):
        first = datetime.fromtimestamp(min(ends), timezone.utc).isoformat(" ")
        raise Unusable(f"the target {target} is before the end of the first backup that can be used, {first}")
    if wanted > time.time():
        raise Unusable(f"the target {target} is in the future")


def check_space(backups: list[Any], label: str | None) -> None:
    """Fail if the restored data does not fit beside the present data, which is kept."""
    chosen = [backup for backup in backups if backup["label"] == label] or backups
    needed, free = int(chosen[-1]["info"]["size"]), shutil.disk_usage(data_directory().parent).free
    if needed > free:
        raise Unusable(
            f"the backup needs {needed >> 20} MiB, but the data volume has only {free >> 20} MiB left: request more storage for it, "
            "because the present data is kept until the restore is complete"
            + (f"; or remove {aside()}, from an earlier restore" if aside().exists() else "")
        )


def choose(backups: list[Any], usable: list[Any], arguments: list[str]) -> str | None:
    """Return the backup to restore if it is not the one that pgBackRest would choose, because the newest backups are of a timeline
    that an earlier restore has left. The user's choice of a backup or a timeline has precedence."""
    if len(usable) == len(backups) or option(arguments, "set") or option(arguments, "target-timeline"):
        return None
    target = moment(option(arguments, "target") or "") if option(arguments, "type") == "time" else None
    early = [backup for backup in usable if target is None or backup["timestamp"]["stop"] <= target]
    return str(early[-1]["label"]) if early else None


def check(wanted: Wanted) -> str | None:
    """Fail if the restore cannot succeed, so that nothing is stopped for it. Return the backup, if it must be chosen."""
    # Not at the top: in a pod of an earlier version, this file is loaded while `backups.py` is.
    from backups import backups_of, is_ancestor, leader_timeline, pgbackrest, stanza_of

    request = wanted.settings["restoreInPlace"]
    endpoints = find(f"/endpoints/{wanted.cluster}-ha-config") or {"metadata": {}}
    annotations = endpoints["metadata"].get("annotations", {})
    repository = request["repository"]
    there = stanza_of(json.loads(pgbackrest("info", f"--repo={repository}", "--output=json")))
    backups = backups_of(there, repository, lambda entry: str(entry["system-id"]) == annotations.get("initialize"))
    check_backups(backups, request["arguments"], repository)
    check_space(backups, option(request["arguments"], "set"))
    try:
        timeline = leader_timeline()
    except Failure:
        timeline = None  # Patroni does not run either
    history = json.loads(annotations.get("history") or "[]")
    return choose(backups, [backup for backup in backups if is_ancestor(backup, timeline, history)], request["arguments"])


class RestoreInPlace:
    """The duty of the sidecars."""

    def __init__(self) -> None:
        self.leaderless_since: float | None = None
        self.ended: set[int] = set()
        self.waiting: list[str] = []

    def __call__(self, wanted: Wanted) -> float | None:
        """Take part in a restore, or start the one that is requested."""
        # Before the progress is read: a Patroni that starts later may run.
        running = [pid for pid, _ in processes("patroni")]
        endpoints = find(primary_path(wanted))
        progress = read(endpoints)
        if is_in_progress(progress):
            self.take_part(wanted, progress, running)
            return 0.5
        self.ended.clear()
        request = wanted.settings["restoreInPlace"]
        if not request or endpoints is None:
            return 1 if request else None
        trigger = request["trigger"]
        if progress.get("done") == trigger:
            return None
        if memory().get("done") == trigger:
            # The Endpoints were deleted, or the cluster was created with this value.
            record(wanted, trigger, "done", endpoints, first=memory().get("first"))
            return None
        if "doing" in memory() or not self.may_start(wanted):
            return 1
        digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:16]
        is_refused = progress.get("state") == "refused" and progress.get("request") == digest
        since = float(progress["since"]) if is_refused else time.time()
        if time.time() - since > REPEATED_SECONDS:
            return None
        try:
            self.start(wanted, endpoints)
        except Failure as failure:
            message = str(failure)[:LONGEST_MESSAGE]
            if isinstance(failure, Unusable):
                since = 0
            if not is_refused or progress.get("message") != message:
                record(wanted, trigger, "refused", endpoints, message=message, request=digest, since=str(since))
            raise
        return 0.5

    def may_start(self, wanted: Wanted) -> bool:
        """Whether this instance starts the restore: it leads, or nobody has led for some time."""
        if leadership.now() in LEADER:
            return True
        lock = find(f"/endpoints/{wanted.cluster}-ha")
        if lock and has_leader(lock, datetime.now(timezone.utc)):
            self.leaderless_since = None
            return False
        self.leaderless_since = self.leaderless_since or time.monotonic()
        return time.monotonic() - self.leaderless_since > LEADERLESS_SECONDS

    @staticmethod
    def start(wanted: Wanted, endpoints: Any) -> None:
        """Check the request, and record that the restore begins. Only one instance can do this, because `record` fails if the
        Endpoints have changed."""
        backup = check(wanted)
        if leadership.now() in LEADER and patroni("GET", "/config").get("pause"):
            raise Unusable("Patroni is paused: resume it with `patronictl resume`")
        trigger = wanted.settings["restoreInPlace"]["trigger"]
        record(wanted, trigger, "stopping", endpoints, backup=backup)
        log(f"restore: the annotation value `{trigger}` requests a restore in place, so all instances stop Postgres")

    def take_part(self, wanted: Wanted, progress: dict[str, Any], running: list[int]) -> None:
        """End Patroni. It stops Postgres, which archives everything. The restoring instance waits for the others."""
        new = [pid for pid in running if pid not in self.ended]
        if not new:
            return
        if progress["instance"] == os.environ["PATRONI_NAME"]:
            waiting = still_running(wanted, progress["id"])
            if waiting:
                if wanted.settings["restoreInPlace"] is None:
                    record(wanted, progress["id"], "cancelled")  # the data of this instance is not aside
                elif waiting != self.waiting:
                    message = f"waiting until these instances have stopped: {', '.join(waiting)}"
                    log(f"restore: {message}")
                    record(wanted, progress["id"], "stopping", message=message)
                self.waiting = waiting
                return
            if leadership.role in LEADER:
                prepare_stop()
        log("restore: stopping Patroni and Postgres")
        for pid in new:
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        self.ended.update(new)


def prepare_stop() -> None:
    """Shorten the stop of Postgres, in which it accepts no connections, and archive what was written until now. While it stops, it
    waits only a few seconds for the repository (`archive-push.sh`)."""
    try:
        psql("CHECKPOINT", seconds=60)
        segment = "".join(psql("SELECT pg_catalog.pg_walfile_name(pg_catalog.pg_switch_wal())"))
        started = time.monotonic()
        while "".join(psql("SELECT last_archived_wal FROM pg_catalog.pg_stat_archiver")) < segment:
            if time.monotonic() - started > ARCHIVE_SECONDS:
                raise Failure(f"{segment} is not archived after {ARCHIVE_SECONDS} s; it stays in the data that is kept")
            time.sleep(0.5)
    except Failure as failure:
        log(f"restore: {failure}")
