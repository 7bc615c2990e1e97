"""The preStop hook of the database container: the leader hands over before its pod stops.

It must not fail or hang, because the pod stops in any case."""

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

# The pod has 60 seconds to stop: the hook waits up to HEIR_SECONDS and takes up to PRE_STOP_SECONDS. Postgres needs the rest.
HEIR_SECONDS = 25
# A StatefulSet creates a deleted pod again within a second, except while the namespace is deleted.
ALONE_SECONDS = 3
PRE_STOP_SECONDS = 40
# How long the pod stays after the handover. Until a node learns of the new leader, it sends connections here. If this address no
# longer existed, they would hang until the client's timeout.
LINGER_SECONDS = 2

# Patroni's default of `maximum_lag_on_failover`. Replicas within the same step of this size count as equal.
LEVEL_BYTES = 1048576


def heirs(members: list[Any], leaving: set[str], updated: set[str]) -> list[str]:
    """Return the replicas that may take over, the best first: with the smallest lag, and among equals those already updated.

    They replicate, have a known lag, and do not stop. Patroni before 3.0 reports a streaming replica as `running`. With
    synchronous replication, Patroni accepts only synchronous replicas."""
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
    """Return the pods of my set that a rolling update has already replaced: they have another revision than mine."""
    mine = pods[me]["labels"]
    siblings = {name for name, metadata in pods.items() if metadata["labels"].get(SET) == mine[SET]}
    return {name for name in siblings if pods[name]["labels"].get(REVISION) != mine.get(REVISION)}


def goes_on(wanted: Wanted) -> bool:
    """Whether pods that stop are created again. The fingerprints ConfigMap is deleted with the cluster, and says if it is shut
    down. It is read from the API server, because the mounted copy may be older."""
    try:
        there = kubernetes("GET", fingerprints_path(wanted))["items"]
    except Refused:
        return False  # the RoleBinding is already deleted
    return any(
        "deletionTimestamp" not in config_map["metadata"] and config_map["data"].get("shutdown") != "true"
        for config_map in there
    )


def find_heir(wanted: Wanted, me: str) -> str | None:
    """Return the replica that takes over. Wait for missing members, as when two instance sets are updated together."""
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
    """Print to the log of the database container, because Kubernetes does not show the output of a hook."""
    for pid, _ in processes("patroni"):
        try:
            os.dup2(os.open(f"/proc/{pid}/fd/1", os.O_WRONLY), 1)
        except OSError:
            continue
        return


def hand_over() -> None:
    """Hand the leader role to the best replica before this pod stops, so that applications do not wait for its shutdown.

    If no other pod stays or comes back (shutdown, deletion, a single instance), there is no handover. The checkpoint shortens the
    shutdown, in which Postgres accepts no connections."""
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
    """Ask Patroni for the handover. If the password has just changed, reload Patroni and try again for some time: the sidecar,
    which normally reloads it, stops too."""
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
    """Hand over within the time limit."""
    speak_through_patroni()
    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.alarm(PRE_STOP_SECONDS)
    try:
        hand_over()
    except Exception as error:  # noqa: BLE001
        log(f"pre-stop: {error}")
