"""The leader's postmaster, container and pod are killed: writes continue, and no acknowledged row is lost.

ROUNDS is the number of times for each (3). Replication is synchronous, because only then an acknowledged row is in two places."""

from __future__ import annotations

import os
import time

from applications import Applications
from framework import Test, hippo, instance_sets, until

ROUNDS = int(os.environ.get("ROUNDS", "3"))

KILL_POSTMASTER = "kill -KILL $(head -1 $PGDATA/postmaster.pid)"

# Kills Patroni, the first process of the container. Then the runtime kills the others, and the kubelet starts the container
# again.
KILL_CONTAINER = """for process in /proc/[0-9]*; do
  [[ $(< $process/comm) != patroni ]] || kill -KILL ${process#/proc/}
done"""


def kill_postmaster(test: Test, leader: str) -> None:
    """Postgres ends, but Patroni stays."""
    test.in_pod(leader, "bash", "-c", KILL_POSTMASTER)


def kill_container(test: Test, leader: str) -> None:
    """Patroni ends, and Postgres with it."""
    test.in_pod(leader, "bash", "-c", KILL_CONTAINER)


def delete_pod(test: Test, leader: str) -> None:
    """All processes of the pod end, and its address is gone."""
    test.kubectl("delete", "pod", leader, "--grace-period=0", "--force")


def is_synchronous(test: Test) -> bool:
    """Whether a synchronous replica has all acknowledged rows. Patroni chooses one some seconds after a replica exists."""
    return any(member["Role"] == "Sync Standby" for member in test.members())


def run(test: Test) -> None:
    """Kill in each way, several times, while an application writes."""
    dynamic = {"synchronous_mode": True}
    test.apply(hippo(instances=instance_sets(instance1=3), patroni={"dynamicConfiguration": dynamic}))
    test.wait_until_well(3)
    applications = Applications(test)
    for what, kill, target in (
        ("postmaster", kill_postmaster, 2),
        ("container", kill_container, 8),
        ("pod", delete_pod, 5),
    ):
        for _ in range(ROUNDS):
            until("a replica is synchronous", lambda: is_synchronous(test))
            time.sleep(3)  # after its choice, Patroni waits this long and does not react
            with applications.gaps(f"{what} killed", target):
                leader = test.leader()
                killed = time.monotonic()
                kill(test, leader)
            test.wait_until_well(3, 120)
            test.figure(f"{what} killed: all ready and streaming", time.monotonic() - killed)
            applications.expect_nothing_lost()
    test.figure("rows acknowledged", len(applications.direct.commits()), unit="rows")
