"""The API server is down for five minutes: the leader does not change, and applications see no interruption.

The commands in API_SERVER_STOP and API_SERVER_START stop and start the API server."""

from __future__ import annotations

import json
import os
import subprocess
import time

from applications import Applications
from framework import Skipped, Test, hippo, instance_sets, until

SECONDS = 300
LONGEST_GAP = 2


def run(test: Test) -> None:
    """Stop the API server while applications write. Afterwards everything must work as before."""
    stop, start = (os.environ.get(f"API_SERVER_{what}") for what in ("STOP", "START"))
    if not stop or not start:
        raise Skipped("API_SERVER_STOP and API_SERVER_START name no commands")
    test.apply(hippo(instances=instance_sets(instance1=3)))
    test.wait_until_well(3)
    applications = Applications(test)
    # The leader stores the members that it will ask, and reads that record in its next run.
    until("all members are to be asked", lambda: len(asked(test)) == 3, 60)
    time.sleep(15)
    leader = test.leader()
    timeline = test.superuser(leader, TIMELINE)
    with applications.gaps("API server away", LONGEST_GAP):
        subprocess.run(stop, shell=True, check=True)  # noqa: S602
        try:
            time.sleep(SECONDS)
        finally:
            subprocess.run(start, shell=True, check=True)  # noqa: S602
        until("the API server is back", lambda: test.get("pods"), 120)
        # After the start, the expired leases must be renewed first.
        time.sleep(30)
    test.wait_until_well(3, 120)
    test.expect(test.leader() == leader, f"{test.leader()} leads, not {leader}")
    test.expect(test.superuser(leader, TIMELINE) == timeline, "there is another timeline")
    applications.expect_nothing_lost()


def asked(test: Test) -> list[str]:
    """Return the members that the leader asks when it cannot reach the API server."""
    annotations = test.get("endpoints", "hippo-ha")["metadata"]["annotations"]
    return list(json.loads(annotations.get("failsafe", "{}")))


TIMELINE = "SELECT timeline_id FROM pg_control_checkpoint()"
