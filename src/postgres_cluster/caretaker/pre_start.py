"""What is done before Patroni starts: there are Endpoints for it, and a replica waits for a leader, so that it does not become
one itself.

When all instances start at once, after a shutdown or an outage, Patroni lets any member lead that lacks less than
`maximum_lag_on_failover`. A former replica that starts a second earlier than the former leader would win, and the last
commits would be lost. With a leader there, or after a while without, Patroni decides as ever."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any

from endpoints import patroni_endpoints
from surroundings import Failure, Wanted, data_directory, find, log, read_wanted

# What Patroni takes to answer, on a slow machine.
START_SECONDS = 5


def wait_seconds(wanted: Wanted) -> float:
    """How long to wait at most: half a lease, and no longer than leaves Patroni the time to start before the liveness probe,
    which counts from the start of the container, gives up on it.

    Where replication is synchronous Patroni knows who has everything; a standby cluster loses nothing, because its source
    has it; and a single instance has nobody to wait for."""
    configuration = wanted.settings["dynamicConfiguration"]
    if configuration.get("synchronous_mode") or configuration.get("standby_cluster") or wanted.instances == 1:
        return 0
    lease, period = float(configuration["ttl"]), float(configuration["loop_wait"])
    return max(0, min(lease / 2, lease - period - START_SECONDS))


# Where Patroni left nothing, the cluster was deleted. Who led may then be a replica too, because it lost its lock when
# that was deleted first: it is not worth while to wait as long.
FORGOTTEN_SECONDS = 5


def was_led(endpoints: Any) -> bool:
    """Whether anybody ever held the lock; who gives it up leaves the rest of the record. New Endpoints are empty."""
    return endpoints is not None and "renewTime" in endpoints["metadata"].get("annotations", {})


def has_leader(endpoints: Any, now: datetime) -> bool:
    """Whether somebody holds Patroni's leader lock, and has renewed it in time. Clocks of nodes differ by little."""
    annotations = endpoints["metadata"].get("annotations", {})
    try:
        age = now - datetime.fromisoformat(annotations["renewTime"])
        return bool(annotations["leader"]) and age.total_seconds() < float(annotations["ttl"])
    except (KeyError, ValueError):
        return False


def wait_for_leader(wanted: Wanted, started: float) -> None:
    """Wait until there is a leader, or so long from the start."""
    seconds = wait_seconds(wanted)
    problem = "nobody leads"
    while time.monotonic() - started < seconds:
        try:
            endpoints = find(f"/endpoints/{wanted.cluster}-ha", timeout=5)
            if not was_led(endpoints):
                seconds = min(seconds, FORGOTTEN_SECONDS)
            elif has_leader(endpoints, datetime.now(timezone.utc)):
                return
        except Failure as failure:
            problem = str(failure)
        time.sleep(0.5)
    if seconds:
        log(f"pre-start: {problem} after {seconds:.0f} s, Patroni decides")


def create_endpoints(wanted: Wanted, started: float) -> None:
    """Create what Patroni may not. What fails here the caretaker does later; Patroni only starts more slowly then."""
    while time.monotonic() - started < START_SECONDS:
        try:
            patroni_endpoints(wanted)
            return
        except Failure as failure:
            log(f"pre-start: {failure}")
        time.sleep(0.5)


def pre_start() -> None:
    """Do it. It may never fail: Patroni starts either way."""
    started = time.monotonic()
    try:
        wanted = read_wanted()
        create_endpoints(wanted, started)
        if (data_directory() / "standby.signal").exists():
            wait_for_leader(wanted, started)
    except Exception as error:  # noqa: BLE001
        log(f"pre-start: {error}")
