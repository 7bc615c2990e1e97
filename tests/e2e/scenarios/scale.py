"""From one instance to three, to two, to three again, to one, while an application writes.

The leader has the highest ordinal, which scaling down removes first."""

from __future__ import annotations

import time
from typing import Any

from framework import CLAIM, Test, hippo, instance_sets, until

LAST = "hippo-instance1-2"


def scaled(replicas: int) -> dict[str, Any]:
    """Return the cluster with this many instances."""
    return hippo(instances=instance_sets(instance1=replicas))


def claim(test: Test) -> str:
    """Return the UIDs of the last instance's claim and volume."""
    there = test.get("pvc", f"postgres-data-{LAST}")
    return f"{there['metadata']['uid']} {there['spec']['volumeName']}"


def move_leader(test: Test, target: str) -> None:
    """Move the leader to this instance, as a DBA does."""
    test.in_pod(test.leader(), "patronictl", "switchover", f"--candidate={target}", "--force")
    until(f"{target} leads", lambda: test.leader() == target)


def others_untouched(test: Test, before: dict[str, str]) -> None:
    """Scaling does not restart the remaining pods."""
    after = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in test.get("pods")["items"]}
    moved = [name for name, uid in before.items() if name in after and after[name] != uid]
    test.expect(not moved, f"scaling restarted {moved}")


def pods(test: Test) -> dict[str, str]:
    """Return all pods with their UIDs."""
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in test.get("pods")["items"]}


def services_follow(test: Test) -> None:
    """PgBouncer and pgBackRest know the current instances."""
    test.sql("SELECT 1", service="pgbouncer")
    test.sql("SELECT 1", service="replicas")
    test.in_pod(test.leader(), "pgbackrest", "--stanza=db", "check")


def run(test: Test) -> None:
    """Scale, and measure the interruptions of an application each time."""
    test.apply(scaled(1))
    test.wait_until_well(1)
    until("there is a backup to make replicas from", lambda: test.backups(), 120, pause=1)
    test.start_client()
    writer = test.start_writer()

    before = pods(test)
    applied = test.apply(scaled(3))
    test.wait_until_well(3, 120)
    test.figure("1 to 3: all stream", time.time() - applied, target=20)
    log = test.kubectl("logs", LAST, "--container=database")
    test.expect("replica has been created using pgbackrest" in log, "the replica was not made from the backup")
    others_untouched(test, before)
    services_follow(test)

    kept = claim(test)
    move_leader(test, LAST)
    test.wait_until_well(3)
    before = pods(test)
    with writer.gaps() as gaps:
        test.apply(scaled(2))
        until("the last instance is gone", lambda: LAST not in test.instances())
    test.wait_until_well(2)
    test.figure("3 to 2, away from the leader: longest gap", gaps[0], target=5)
    test.expect(claim(test) == kept, "the claim of the removed instance is another one")
    others_untouched(test, before)
    services_follow(test)

    before = pods(test)
    applied = test.apply(scaled(3))
    test.wait_until_well(3, 120)
    test.figure("2 to 3 again: all stream", time.time() - applied, target=20)
    test.expect(claim(test) == kept, "the claim was not used again")
    log = test.kubectl("logs", LAST, "--container=database")
    test.expect("replica has been created" not in log, "the data on the claim was not used")
    others_untouched(test, before)

    move_leader(test, LAST)
    test.wait_until_well(3)
    with writer.gaps() as gaps:
        test.apply(scaled(1))
        until("one instance is left", lambda: len(test.instances()) == 1)
    test.wait_until_well(1)
    test.figure("3 to 1, away from the leader: longest gap", gaps[0], target=5)
    test.expect(not writer.lost(), f"acknowledged rows are lost: {writer.lost()}")
    test.expect(CLAIM["accessModes"] == test.get("pvc", f"postgres-data-{LAST}")["spec"]["accessModes"], "another claim")
