"""Pods are replaced one at a time while an application writes, and the leader hands over before it stops."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from applications import Applications
from framework import CLAIM, Test, hippo, is_ready, until

# The time that PGO needs on the same machine for three replicas.
LONGEST_GAP, DURATION = 3.1, 30


def sized(memory: str, **replicas: int) -> dict[str, Any]:
    """Return a cluster whose Postgres containers request this much memory."""
    requests = {"requests": {"memory": memory}}
    return hippo(
        instances=[
            {"name": name, "replicas": count, "dataVolumeClaimSpec": CLAIM, "resources": requests}
            for name, count in replicas.items()
        ]
    )


def roll(test: Test, applications: Applications, name: str, cluster: dict[str, Any], pods: int) -> None:
    """Apply a change of all pods, and check the rolling update."""
    before = {pod["metadata"]["uid"] for pod in test.instance_pods()}
    with applications.gaps(name, LONGEST_GAP) as gaps:
        test.apply(cluster)
        took = until("all pods are new and ready", lambda: all_new(test, before, pods), 120)
        # Members report their state once per `loop_wait`, so this may take ten seconds longer.
        test.wait_until_well(pods, 120)
    test.figure(f"{name}: all pods new and ready", took, DURATION)
    test.figure(f"{name}: gaps over 0.5 s", sum(gap > 0.5 for gap in gaps), unit="gaps")
    applications.expect_nothing_lost()


def all_new(test: Test, before: set[str], count: int) -> bool:
    """Whether all pods have been replaced and are ready."""
    pods = test.instance_pods()
    return len(pods) == count and all(is_ready(pod) and pod["metadata"]["uid"] not in before for pod in pods)


def one_at_a_time(test: Test) -> bool:
    """Whether each pod was created only after the pod before it was ready."""
    spans = []
    for pod in test.instance_pods():
        ready = next(entry for entry in pod["status"]["conditions"] if entry["type"] == "Ready")
        spans.append((moment(pod["metadata"]["creationTimestamp"]), moment(ready["lastTransitionTime"])))
    spans.sort()
    return all(created >= ready for (_, ready), (created, _) in zip(spans, spans[1:], strict=False))


def moment(text: str) -> datetime:
    """Parse a time of Kubernetes."""
    return datetime.fromisoformat(text)


def run(test: Test) -> None:
    """Update three replicas with the leader at each ordinal, delete the leader's pod, then update two sets of one replica."""
    roll_one_set(test)
    test.clear()
    roll_two_sets(test)


def roll_two_sets(test: Test) -> None:
    """Two sets of one replica: both StatefulSets replace their pod at the same time."""
    test.apply(sized("64Mi", left=1, right=1))
    test.wait_until_well(2)
    applications = Applications(test)
    for round_ in range(2):
        roll(test, applications, "two sets of one", sized(f"{65 + round_}Mi", left=1, right=1), 2)


def roll_one_set(test: Test) -> None:
    """One set of three replicas."""
    test.apply(sized("64Mi", instance1=3))
    test.wait_until_well(3)
    applications = Applications(test)
    for round_, leader in enumerate(test.instances()):
        if test.leader() != leader:
            test.in_pod(leader, "patronictl", "switchover", "--force", "--candidate", leader)
            test.wait_until_well(3)
        roll(test, applications, f"three replicas, {leader[-1]} leads", sized(f"{65 + round_}Mi", instance1=3), 3)
        test.expect(one_at_a_time(test), "a pod was replaced before the one before it was ready")

    for _ in range(3):
        old = test.leader()
        with applications.gaps("leader's pod deleted", LONGEST_GAP):
            test.kubectl("delete", "pod", old)
        test.wait_until_well(3)
        test.expect(test.leader() != old, "the leader did not hand over")
