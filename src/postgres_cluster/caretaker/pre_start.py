"""Before Patroni starts, creates its Endpoints, and makes a former replica wait for a leader, so that it does not become one.

When all instances start together, after a shutdown or an outage, Patroni accepts any member as the leader that lags less than
`maximum_lag_on_failover`. So a former replica that starts a second before the former leader could become the leader, and the
last commits would be lost. When there is a leader, or after a time limit, Patroni decides as usual."""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone

from before_patroni import before_patroni
from endpoints import has_leader, patroni_endpoints, was_led
from restore import forget_abandoned
from standby import configure_stopped, source_of
from surroundings import Failure, Wanted, data_directory, find, log, read_wanted

# How long Patroni needs to start, on a slow machine.
START_SECONDS = 5


def wait_seconds(wanted: Wanted) -> float:
    """Return the longest wait: half of `ttl`, but short enough that Patroni can start before the liveness probe fails, which
    counts from the start of the container.

    No wait is needed with synchronous replication, because Patroni knows which member has all commits; in a standby cluster,
    because its source has them; and for a single instance."""
    configuration = wanted.settings["dynamicConfiguration"]
    if configuration.get("synchronous_mode") or configuration.get("standby_cluster") or wanted.instances == 1:
        return 0
    lease, period = float(configuration["ttl"]), float(configuration["loop_wait"])
    return max(0, min(lease / 2, lease - period - START_SECONDS))


# If Patroni's record is gone, the cluster was deleted. The former leader may be a replica too, because it was demoted when its
# lock was deleted. So a long wait is useless.
FORGOTTEN_SECONDS = 5


def wait_for_leader(wanted: Wanted, started: float) -> None:
    """Wait until there is a leader, or until the time limit."""
    seconds = wait_seconds(wanted)
    problem = "there is no leader"
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
        log(f"pre-start: {problem} after {seconds:.0f} s, so Patroni starts")


def create_endpoints(wanted: Wanted, started: float) -> None:
    """Create the Endpoints that Patroni may not create. If this fails, the sidecar does it later, and Patroni starts more
    slowly."""
    while time.monotonic() - started < START_SECONDS:
        try:
            patroni_endpoints(wanted)
            return
        except Failure as failure:
            log(f"pre-start: {failure}")
        time.sleep(0.5)


def before_start(wanted: Wanted) -> None:
    """Make a former primary a standby before it starts, if the spec says so and no other instance leads."""
    if not source_of(wanted.settings["dynamicConfiguration"]):
        return
    endpoints = find(f"/endpoints/{wanted.cluster}-ha", timeout=5)
    if not endpoints:
        return
    holder = endpoints["metadata"].get("annotations", {}).get("leader")
    if holder == os.environ["PATRONI_NAME"] or not has_leader(endpoints, datetime.now(timezone.utc)):
        configure_stopped(wanted)


def pre_start() -> None:
    """Do all steps. Failures are only logged, because Patroni must start in any case."""
    started = time.monotonic()
    try:
        wanted = read_wanted()
        create_endpoints(wanted, started)
        before_patroni()
        forget_abandoned(wanted)
        before_start(wanted)
        if (data_directory() / "standby.signal").exists():
            wait_for_leader(wanted, started)
    except Exception as error:  # noqa: BLE001
        log(f"pre-start: {error}")
