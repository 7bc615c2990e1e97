"""A running cluster of an earlier pgrender is applied again: its pods are replaced, the leader hands over, and replicas stream
again without help.

PGRENDER_BEFORE is the earlier program."""

from __future__ import annotations

import json
import os

from framework import SEED, Skipped, Test, hippo, instance_sets, until
from programs import run as run_program

from scenarios.rolling_update import LONGEST_GAP, all_new

REPLICAS = 3


def run(test: Test) -> None:
    """Render with the earlier program and apply. Then do the same with the new one."""
    before = os.environ.get("PGRENDER_BEFORE")
    if not before:
        raise Skipped("PGRENDER_BEFORE names no earlier version")
    cluster = hippo(instances=instance_sets(instance1=REPLICAS))
    words = ["render", f"--namespace={test.namespace}"]
    test.apply_manifests(run_program(before, *words, text=json.dumps(cluster), PGRENDER_SEED=SEED))
    test.wait_until_well(REPLICAS, 180)
    # The leader is replaced last, so new replicas must work with an old leader.
    last = test.instances()[0]
    if test.leader() != last:
        test.in_pod(test.leader(), "patronictl", "switchover", "--force", "--candidate", last)
        test.wait_until_well(REPLICAS)
    pods = {pod["metadata"]["uid"] for pod in test.instance_pods()}
    writer = test.start_writer()
    with writer.gaps() as gaps:
        test.apply(cluster)
        took = until("all pods are new and ready", lambda: all_new(test, pods, REPLICAS), 180)
        test.wait_until_well(REPLICAS, 120)
    test.figure("all pods new and ready", took, 60)
    test.figure("longest gap", gaps[0], LONGEST_GAP)
    test.expect(test.leader() != last, "the leader did not hand over")

    streams = lambda: all(streaming(test, pod) for pod in test.instances() if pod != test.leader())  # noqa: E731
    until("the replicas stream", streams, 60)
    test.expect(not writer.lost(), f"commits are lost: {writer.lost()}")


def streaming(test: Test, pod: str) -> bool:
    """Whether a replica streams from the leader."""
    return test.superuser(pod, "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'") == "1"
