"""A change of all pods while the replicas are not ready: the leader stays until another instance can take over."""

from __future__ import annotations

from applications import Applications
from framework import Test, is_ready, until

from scenarios.rolling_update import LONGEST_GAP, all_new, sized

# Patroni does not answer and does not stop, as with a disk that does not answer.
HANG = ("pkill", "-STOP", "--full", "patroni /etc/patroni")


def run(test: Test) -> None:
    """Stop both replicas' Patroni, apply, and watch the leader."""
    test.apply(sized("100Mi", instance1=3))
    test.wait_until_well(3)
    applications = Applications(test)
    leader = test.leader()
    before = {pod["metadata"]["uid"] for pod in test.instance_pods()}
    for replica in test.instances():
        if replica != leader:
            test.in_pod(replica, *HANG)
    until("no replica is ready", lambda: ready(test) == [leader], 90)

    with applications.gaps("replicas that are not ready", LONGEST_GAP):
        test.apply(sized("101Mi", instance1=3))
        until("another instance is ready", lambda: others_are_ready(test, leader), 240)
        until("all pods are new and ready", lambda: all_new(test, before, 3), 240)
        test.wait_until_well(3, 120)
    applications.expect_nothing_lost()


def ready(test: Test) -> list[str]:
    """Return the instances that are ready and not being deleted."""
    return [pod["metadata"]["name"] for pod in test.instance_pods() if is_ready(pod)]


def others_are_ready(test: Test, leader: str) -> bool:
    """Whether the leader may stop; it must not have stopped before."""
    there = ready(test)
    others = [pod for pod in there if pod != leader]
    test.expect(others or leader in there, "the leader goes while no other instance is ready")
    return bool(others)
