"""The preStop hook of the database container: the leader hands over before its pod stops.

It may never fail or hang: the pod stops either way."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from pod import fingerprints_path, processes, reload_patroni
from postgres import psql
from surroundings import (
    LABEL,
    LEADER,
    LEADERS,
    UNAUTHORIZED,
    Failure,
    Leadership,
    Refused,
    Wanted,
    kubernetes,
    log,
    patroni,
    pods_of,
    read_wanted,
)

# The pod has 60 seconds to end. Of these the hook waits for an heir, and may then hand over; the rest is for Postgres.
HEIR_SECONDS = 25
# A StatefulSet makes a pod anew within a second, except while the namespace is deleted.
ALONE_SECONDS = 3
PRE_STOP_SECONDS = 40
# For so long the pod stays after it has handed over. Nodes hear of the new leader one after the other, and connections that they
# send here until then are answered; to an address that is gone they would hang for as long as the client waits.
LINGER_SECONDS = 2

# Patroni's default of `maximum_lag_on_failover`: who is within it counts as level.
LEVEL_BYTES = 1048576


def heirs(members: list[Any], leaving: set[str], updated: set[str]) -> list[str]:
    """Who may take over, the best first: the most advanced, and among those level one that need not restart any more.

    Members that follow, know their position and stay; Patroni before 3.0 calls one that streams `running`. With
    synchronous replication Patroni takes only synchronous ones."""
    replicas = [
        member
        for member in members
        if member["role"] not in LEADERS
        and member["state"] in ("streaming", "running")
        and member["name"] not in leaving
        and isinstance(member.get("lag"), int)
        and not member.get("tags", {}).get("nofailover")
    ]

    def rank(member: Any) -> tuple[bool, int, bool, int]:
        streams, lag = member["state"] == "streaming", member["lag"]
        return not streams, lag // LEVEL_BYTES, member["name"] not in updated, lag

    synchronous = [member for member in replicas if member["role"] in ("sync_standby", "quorum_standby")]
    return [member["name"] for member in sorted(synchronous or replicas, key=rank)]


REVISION, SET = "controller-revision-hash", f"{LABEL}instance-set"


def updated_pods(pods: dict[str, Any], me: str) -> set[str]:
    """The pods of my set that have another revision than I: a rolling update has been there already."""
    mine = pods[me]["labels"]
    siblings = {name for name, metadata in pods.items() if metadata["labels"].get(SET) == mine[SET]}
    return {name for name in siblings if pods[name]["labels"].get(REVISION) != mine.get(REVISION)}


def goes_on(wanted: Wanted) -> bool:
    """Whether pods that leave come back. The ConfigMap of fingerprints goes with the cluster, and says when it is shut
    down; it is asked for, because what is mounted may be older."""
    try:
        there = kubernetes("GET", fingerprints_path(wanted))["items"]
    except Refused:
        return False  # the permission to ask is deleted
    return any(
        "deletionTimestamp" not in config_map["metadata"] and config_map["data"].get("shutdown") != "true"
        for config_map in there
    )


def find_heir(wanted: Wanted, me: str) -> str | None:
    """Find who takes over; wait for members that are away, as when two instance sets are updated at the same time."""
    started = seen = time.monotonic()
    while time.monotonic() < min(started + HEIR_SECONDS, seen + ALONE_SECONDS):
        pods = {pod["metadata"]["name"]: pod["metadata"] for pod in pods_of(wanted.cluster)}
        view = patroni("GET", "/cluster", timeout=5)
        there = wanted.members(view)
        leaving = {name for name, metadata in pods.items() if "deletionTimestamp" in metadata}
        found = [] if view.get("pause") else heirs(there, leaving, updated_pods(pods, me))
        if found:
            return found[0]
        if wanted.instances == 1 or view.get("pause") or not goes_on(wanted):
            return None
        if any(f"{LABEL}patroni" in metadata["labels"] for name, metadata in pods.items() if name != me):
            seen = time.monotonic()
        time.sleep(0.5)
    return None


def speak_through_patroni() -> None:
    """Print to the log of the database container: what a hook prints is shown to nobody."""
    for pid, _ in processes("patroni"):
        try:
            os.dup2(os.open(f"/proc/{pid}/fd/1", os.O_WRONLY), 1)
        except OSError:
            continue
        return


def hand_over() -> None:
    """Hand the leader role to the best replica before this pod stops, so that nobody waits for its shutdown.

    Where nobody stays or comes back (shutdown, deletion, a single instance) there is nothing to hand over. A checkpoint
    makes the shutdown short, in which nobody is served."""
    me = os.environ["PATRONI_NAME"]
    if Leadership.ask() not in LEADER:
        return
    time.sleep(1)  # pods that are deleted together are not marked at the same moment
    wanted = read_wanted()
    heir = find_heir(wanted, me)
    try:
        psql("CHECKPOINT", seconds=10)
    except Failure as failure:
        log(f"pre-stop: {failure}")
    if heir:
        log(f"pre-stop: handed over to {heir}: {switch_over(wanted, me, heir)}")
        time.sleep(LINGER_SECONDS)


def switch_over(wanted: Wanted, me: str, heir: str) -> Any:
    """Ask Patroni for the handover, and again for a while when its password has just changed: it takes a new one from its
    files at its next look, and the caretaker that would tell it to stops as well."""
    deadline = time.monotonic() + float(wanted.settings["dynamicConfiguration"].get("loop_wait", 10)) + 3
    told = False
    while True:
        try:
            return patroni("POST", "/switchover", {"leader": me, "candidate": heir}, timeout=PRE_STOP_SECONDS)
        except Refused as refused:
            if refused.status != UNAUTHORIZED or time.monotonic() > deadline:
                raise
        told = told or bool(reload_patroni())
        time.sleep(0.5)


def pre_stop() -> None:
    """Hand over within the time that there is for it."""
    speak_through_patroni()
    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.alarm(PRE_STOP_SECONDS)
    try:
        hand_over()
    except Exception as error:  # noqa: BLE001
        log(f"pre-stop: {error}")
