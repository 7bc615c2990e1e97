"""`kubectl diff` finds no difference after an apply, a failover and a backup, and no field has two managers.

A GitOps controller reports a difference if the cluster changes a field of the manifests at run time."""

from __future__ import annotations

import subprocess
from typing import Any

from framework import Failed, Test, hippo, instance_sets, until

# Objects that Patroni and the caretaker write at run time.
RUN_TIME = ("endpoints/hippo-ha", "endpoints/hippo-ha-config", "endpoints/hippo-primary")


def expect_no_drift(test: Test, manifests: str, when: str) -> None:
    """Compare the manifests with the cluster, as two controllers do: the one that applied them, and one that takes over. Both
    work without force."""
    for manager in ("e2e", "another"):
        words = ["kubectl", f"--namespace={test.namespace}", "diff", "--server-side", f"--field-manager={manager}"]
        result = subprocess.run(
            [*words, "--filename=-"], input=manifests, capture_output=True, text=True, check=False, timeout=120
        )
        if result.returncode != 0:
            raise Failed(f"{when}, for the field manager {manager}: {result.stdout[-3000:]}{result.stderr[-2000:]}")
        print(f"  no difference {when}, for the field manager {manager}", flush=True)


def managers(test_object: Any) -> set[str]:
    """Return the field managers of an object."""
    return {entry["manager"] for entry in test_object["metadata"].get("managedFields", [])}


def run(test: Test) -> None:
    """Compare after each event in a cluster. Then apply as a second controller."""
    manifests = test.render(hippo(instances=instance_sets(instance1=2)))
    test.apply_manifests(manifests)
    expect_no_drift(test, manifests, "right after the apply")
    test.wait_until_well(2)
    expect_no_drift(test, manifests, "when all is ready")

    old = test.leader()
    test.kubectl("delete", "pod", old)
    until("another leads", lambda: test.leader() != old)
    test.wait_until_well(2)
    expect_no_drift(test, manifests, "after a failover")

    until("the first backup", lambda: len(test.backups()) == 1, 120, pause=1)
    test.kubectl("create", "job", "now", "--from=cronjob/hippo-repo1-full")
    test.kubectl("wait", "--for=condition=Complete", "job/now", "--timeout=120s")
    test.expect(len(test.backups()) == 2, "the job made no backup")
    expect_no_drift(test, manifests, "after a backup")

    words = ["apply", "--server-side", "--filename=-"]
    test.kubectl(*words, "--field-manager=another", text=manifests)
    test.kubectl(*words, "--field-manager=e2e", text=manifests)
    expect_no_drift(test, manifests, "after another controller applied")
    test.expect(test.is_well(2), f"members are unwell: {test.members()}")
    for name in RUN_TIME:
        owners = managers(test.get(name, "--show-managed-fields"))
        test.expect(not owners & {"e2e", "another"}, f"{name} is owned by {owners}")
    leader = test.leader()
    test.in_pod(leader, "patronictl", "switchover", "--force")
    until("Patroni still moves the leader", lambda: test.leader() != leader)
    test.wait_until_well(2)
    expect_no_drift(test, manifests, "after a switchover")
