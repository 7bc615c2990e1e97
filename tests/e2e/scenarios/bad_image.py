"""A wrong image tag, at creation and in an update. An apply corrects it, and nobody deletes a pod by hand."""

from __future__ import annotations

import time
from typing import Any

from framework import Test, hippo, image, instance_sets, until

WRONG = "test.local/no-such-image:0"


def reasons(test: Test) -> dict[str, str]:
    """Return the reason for which the database container of each instance waits."""
    found = {}
    for pod in test.instance_pods():
        statuses = pod["status"].get("initContainerStatuses", []) + pod["status"].get("containerStatuses", [])
        waiting = [status["state"]["waiting"]["reason"] for status in statuses if "waiting" in status["state"]]
        found[pod["metadata"]["name"]] = " ".join(waiting)
    return found


def fails(test: Test) -> list[str]:
    """Return the instances whose image cannot be pulled."""
    return [pod for pod, reason in reasons(test).items() if "ImagePull" in reason or "ErrImage" in reason]


def cluster(which: str) -> dict[str, Any]:
    """Return the cluster with this Postgres image."""
    return hippo(image=which, instances=instance_sets(instance1=3))


def run(test: Test) -> None:
    """Create with a wrong image, correct it, update to a wrong image, correct it."""
    test.apply(cluster(WRONG))
    until("no image can be had", lambda: len(fails(test)) == 3, 90)
    applied = test.apply(cluster(image()))
    test.wait_until_well(3, 180)
    test.figure("wrong at creation, corrected: all ready and streaming", time.time() - applied, target=60)

    test.start_client()
    writer = test.start_writer()
    before = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in test.instance_pods()}
    with writer.gaps() as gaps:
        test.apply(cluster(WRONG))
        until("an instance fails", lambda: fails(test), 90)
        time.sleep(20)
        after = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in test.instance_pods()}
        replaced = [pod for pod in before if after.get(pod) != before[pod]]
        test.expect(len(replaced) == 1 and fails(test) == replaced, f"the update went on to {replaced}")
    test.figure("wrong in an update: longest gap", gaps[0], target=5)
    test.sql("SELECT 1")
    applied = test.apply(cluster(image()))
    test.wait_until_well(3, 180)
    test.figure("wrong in an update, corrected: all ready and streaming", time.time() - applied, target=60)
    test.expect(not writer.lost(), f"acknowledged rows are lost: {writer.lost()}")
