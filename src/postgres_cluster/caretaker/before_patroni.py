"""Restores the cluster in place, or waits until another instance has done so, in the database container before Patroni starts.

The restoring instance moves its data aside, restores a backup, replays the archive up to the target, and promotes. Then it makes
Patroni forget how far the database cluster had come, because Patroni would not accept a leader that is behind. Patroni starts, and
this instance leads. The data of the other instances is only removed then, and they become new replicas.

The data that was aside stays on the volume of the instance that restored, until the next restore or until somebody removes it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from aside import aside, has_data, move_aside, put_back, remove
from endpoints import has_leader
from in_place import option, still_running
from probes import answered
from progress import (
    acknowledge,
    find_progress,
    is_in_progress,
    memory,
    record,
    remember,
)
from restore import TERMINATION_MESSAGE, fetch, marker, recover, remove_data
from surroundings import (
    Failure,
    Wanted,
    control_data,
    data_directory,
    find,
    kubernetes,
    log,
    read_wanted,
)

# A failed restore is repeated after this time, or as soon as the request changes.
RETRY_SECONDS = 60
# How long a replica waits for the leader, so that Patroni does not create it from a backup.
LEADER_SECONDS = 120

# What Patroni records about the database cluster, by the suffix of its Endpoints. The configuration and the system identifier stay.
FORGOTTEN = {
    "": ("leader", "optime", "slots", "retain_slots", "failsafe"),
    "-config": ("history",),
    "-failover": ("leader", "member", "scheduled_at"),
    "-sync": ("leader", "sync_standby", "quorum"),
}


def before_patroni() -> None:
    """Return when Patroni may start. Without a restore in progress, that is at once."""
    try:
        wanted = read_wanted()
        progress = find_progress(wanted)
        if "doing" not in memory() and not is_in_progress(progress):
            settle(wanted, progress)
            return
    except Failure as failure:
        if "doing" not in memory():
            log(f"pre-start: {failure}")
            return
    log("restore: Patroni waits for the restore in place")
    try:
        with answered():
            go_on_until_done()
    except Exception as error:  # noqa: BLE001
        # Patroni must not start with data that is not settled.
        end_container(f"restore: {type(error).__name__}: {error}")


def go_on_until_done() -> None:
    """Return when Patroni may start. Failures of requests and files are repeated."""
    failures = 0
    while True:
        try:
            if step(read_wanted()):
                return
            failures = 0
        except (Failure, OSError) as failure:
            failures += 1
            if failures in (1, 10) or failures % 100 == 0:
                log(f"restore: {failure}")
        time.sleep(0.5)


def end_container(message: str) -> None:
    """End the container, whose main process is the shell that runs this program. `kubectl describe pod` shows the message."""
    try:
        TERMINATION_MESSAGE.write_text(message)
    except OSError:
        pass
    os.kill(os.getppid(), signal.SIGTERM)
    sys.exit(message)


def settle(wanted: Wanted, progress: dict[str, Any]) -> None:
    """Compare the data with the last restore, which may have taken place while this pod was away."""
    trigger = progress.get("done")
    there = has_data(data_directory())
    if trigger is None:
        request = wanted.settings["restoreInPlace"]
        if request and not there and not is_known(wanted):
            # The cluster is created with this request, and there is nothing to restore.
            remember(done=request["trigger"], first=request["trigger"])
    elif memory().get("done") != trigger:
        # A cluster that was created with the request has no older data.
        if there and progress.get("first") != trigger:
            with answered():
                if not is_led_in_time(wanted):
                    return  # this may be the only data
                log(f"restore: removing the data of this instance, which is older than the restore `{trigger}`")
                remove(data_directory())
        remember(done=trigger)


def is_led_in_time(wanted: Wanted) -> bool:
    """Wait for another instance to lead, because older data must not become the leader's. Return whether one does."""
    deadline = time.monotonic() + LEADER_SECONDS
    while not has_other_leader(wanted):
        if time.monotonic() > deadline:
            return False
        time.sleep(1)
    return True


def has_other_leader(wanted: Wanted) -> bool:
    """Whether another instance leads."""
    lock = find(f"/endpoints/{wanted.cluster}-ha")
    return bool(
        lock
        and has_leader(lock, datetime.now(timezone.utc))
        and lock["metadata"]["annotations"]["leader"] != os.environ["PATRONI_NAME"]
    )


def is_known(wanted: Wanted) -> bool:
    """Whether Patroni has a record of the database cluster."""
    endpoints = find(f"/endpoints/{wanted.cluster}-ha-config")
    return bool(endpoints and endpoints["metadata"].get("annotations", {}).get("initialize"))


def step(wanted: Wanted) -> bool:
    """Do what is next. Return whether Patroni may start."""
    progress, mine, me = find_progress(wanted), memory(), os.environ["PATRONI_NAME"]
    if is_in_progress(progress):
        if progress["instance"] not in wanted.names and me == wanted.names[0]:
            record(wanted, progress["id"], "restoring")  # the other instance was removed from the spec
            return False
        if progress["instance"] == me:
            return restore_here(wanted, progress)
        if mine.get("doing") != progress["id"]:
            if "doing" not in mine:
                remove(aside())  # from an earlier restore
            remember(doing=progress["id"], instance=progress["instance"], since=None)
        move_aside()
        acknowledge(progress["id"])
        return False
    state, done = progress.get("state"), progress.get("done")
    if mine.get("instance") == me and state != "cancelled" and done != mine["doing"]:
        record(wanted, mine["doing"], "restoring")  # the Endpoints were deleted during the restore
        return False
    if done and done != mine.get("done"):
        return finish(wanted, done, progress.get("instance") if state == "done" else None)
    if done and state == "done" and ("instance" in progress or done == mine.get("doing")):
        return finish(wanted, done, progress.get("instance"))
    if state in ("cancelled", "refused"):
        undo()
        return True
    # Endpoints that were created anew name no instance. The restoring instance records its progress again.
    return False


def undo() -> None:
    """Put the data back, if this restore has moved it. Otherwise, what is aside is from an earlier one."""
    if "doing" in memory():
        put_back()
        marker().unlink(missing_ok=True)
        log("restore: it was cancelled, and the data was put back")
    else:
        log("restore: it was cancelled before the data of this instance was moved")
    acknowledge(None)
    remember(doing=None, instance=None, failed=None)


def finish(wanted: Wanted, trigger: str, instance: str | None) -> bool:
    """After the restore in another instance: become a new replica, as soon as there is a leader."""
    mine = memory()
    if instance != os.environ["PATRONI_NAME"] and mine.get("done") != trigger:
        if "since" not in mine:
            remember(since=time.time())
            return False
        is_led = has_other_leader(wanted)
        if not is_led and time.time() - mine["since"] < LEADER_SECONDS:
            return False
        remove(data_directory())
        # Without a leader, or if this instance was the leader, its data may have commits that are nowhere else.
        if is_led and any((aside() / name).exists() for name in ("standby.signal", "recovery.conf")):
            remove(aside())
        elif aside().exists():
            log(f"restore: the data from before is in {aside()} of this pod until you remove it")
        remember(done=trigger)
    acknowledge(None)
    remember(doing=None, instance=None, failed=None, since=None)
    return True


def restore_here(wanted: Wanted, progress: dict[str, Any]) -> bool:
    """Restore, or put the data back if the request is no longer in the spec."""
    request, mine = wanted.settings["restoreInPlace"], memory()
    if mine.get("done") == progress["id"]:
        complete(wanted, progress["id"])
        return True
    if request is None:
        undo()
        record(wanted, progress["id"], "cancelled")
        return True
    failed = mine.get("failed") or {}
    if failed.get("request") == request and time.time() - failed["at"] < RETRY_SECONDS:
        return False
    if still_running(wanted, progress["id"]):
        return False
    trigger = request["trigger"]
    if "doing" not in mine:
        # From an earlier restore.
        remove(aside())
    remember(doing=trigger, instance=os.environ["PATRONI_NAME"])
    if marker().exists():
        remove_data()
    else:
        move_aside()
    marker().touch()
    record(wanted, trigger, "restoring", timeline=timeline(aside()))
    try:
        attempt(wanted, request, progress.get("backup"))
    except Failure as failure:
        remove_data()
        message = f"restore: {failure}"
        log(message)
        remember(failed={"request": request, "at": time.time()})
        record(wanted, trigger, "failed", message=message)
        if failed.get("request") != request:
            end_container(message)
        return False
    remember(done=trigger, failed=None)
    complete(wanted, trigger)
    return True


def attempt(wanted: Wanted, request: Any, backup: str | None) -> None:
    """Restore the files, replay the archive, and promote."""
    log(f"restore: restoring repo{request['repository']} in place, as the annotation value `{request['trigger']}` requests")
    started = time.monotonic()
    directory = request["walDirectories"][instance_set(wanted)]
    words = [*request["arguments"], f"--link-map=pg_wal={directory}"]
    if backup and not (option(words, "set") or option(words, "target-timeline")):
        words.append(f"--set={backup}")
    # Postgres takes any failure of its command for the end of the archive, except an exit code above 125. pgBackRest has exit code
    # 1 for a file that does not exist.
    get = f'pgbackrest --stanza=db --repo={request["repository"]} archive-get %f "%p"'
    words.append(f"--recovery-option=restore_command={get} || exit $(( $? == 1 ? 1 : 255 ))")
    # Files that were fetched for another timeline.
    shutil.rmtree(data_directory().parent / "pgbackrest-spool" / "archive" / "db" / "in", ignore_errors=True)
    fetch(words)
    recover(wanted)
    (data_directory() / "patroni.dynamic.json").unlink(missing_ok=True)
    os.sync()
    log(f"restore: restored in {time.monotonic() - started:.0f} s")


def timeline(directory: Path) -> str | None:
    """Return the timeline of a data directory; None if it cannot be read."""
    try:
        return control_data(directory)["Latest checkpoint's TimeLineID"]
    except (Failure, KeyError):
        return None


def instance_set(wanted: Wanted) -> str:
    """Return the name of the instance set of this pod."""
    prefix = os.environ["PATRONI_NAME"].rsplit("-", 1)[0]
    return next(str(there["name"]) for there in wanted.settings["instanceSets"] if f"{wanted.cluster}-{there['name']}" == prefix)


def complete(wanted: Wanted, trigger: str) -> None:
    """Make Patroni forget how far the database cluster had come, and tell the other instances."""
    acknowledge(None)
    for suffix, names in FORGOTTEN.items():
        path = f"/endpoints/{wanted.cluster}-ha{suffix}"
        if find(path) is not None:
            kubernetes("PATCH", path, {"metadata": {"annotations": dict.fromkeys(names)}})
    marker().unlink(missing_ok=True)
    remember(doing=None, instance=None)
    record(wanted, trigger, "done")
    if aside().exists():
        log(f"restore: done; the data from before is in {aside()} of this pod until you remove it")
