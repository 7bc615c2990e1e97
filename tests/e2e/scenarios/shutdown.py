"""`spec.shutdown` and a new start, while an application writes: no acknowledged row is lost, and the last leader leads again.

Only the last leader is sure to have all commits, but Patroni alone accepts the first member that starts."""

from __future__ import annotations

import os
import time

from framework import PREFIX, Test, hippo, instance_sets, until

ROUNDS = int(os.environ.get("ROUNDS", "3"))


def run(test: Test) -> None:
    """Shut down during writes, and start again. Repeat it, because the result depends on timing."""
    up, down = hippo(instances=instance_sets(instance1=3)), hippo(instances=instance_sets(instance1=3), shutdown=True)
    test.apply(up)
    test.wait_until_well(3)
    test.start_client()
    writer = test.start_writer()
    for _ in range(ROUNDS):
        leader = test.leader()
        applied = test.apply(down)
        pods = f"--selector={PREFIX}cluster=hippo"
        until("all pods are gone", lambda selector=pods: not test.get("pods", selector)["items"], 90)
        test.figure("shut down: no pod is left", time.time() - applied, target=30)
        for kind, name in (("cronjob", "hippo-repo1-full"), ("cronjob", "hippo-repo1-diff")):
            test.expect(test.get(kind, name)["spec"]["suspend"], f"{name} would back up what is shut down")
        applied = test.apply(up)
        until("hippo logs in", lambda: test.sql("SELECT 1") == "1", 90)
        test.figure("up again: first login", time.time() - applied, target=15)
        test.wait_until_well(3, 120)
        test.figure("up again: all ready and streaming", time.time() - applied, target=40)
        test.expect(test.leader() == leader, f"{leader} led, and {test.leader()} leads now")
        test.expect(not writer.lost(), f"acknowledged rows are lost: {writer.lost()}")
    test.figure("rows acknowledged", len(writer.commits()), unit="rows")
