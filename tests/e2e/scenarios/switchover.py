"""PGO's annotation for a switchover moves the leader, once for each value."""

from __future__ import annotations

import time

from applications import Applications
from framework import PREFIX, Test, hippo, instance_sets, until

LONGEST_GAP = 3.1


def run(test: Test) -> None:
    """Request any other leader, then a certain one. Apply again. Request an impossible one."""
    cluster = hippo(instances=instance_sets(instance1=3), patroni={"switchover": {"enabled": True}})
    test.apply(cluster)
    test.wait_until_well(3)
    applications = Applications(test)
    annotations = cluster["metadata"]["annotations"]
    for request in ("first", "second"):
        old = test.leader()
        target = "" if request == "first" else next(pod for pod in test.instances() if pod != old)
        if target:
            cluster["spec"]["patroni"]["switchover"]["targetInstance"] = target
        annotations[f"{PREFIX}trigger-switchover"] = request
        with applications.gaps(f"{request} switchover", LONGEST_GAP):
            applied = test.apply(cluster)
            until("another leads", lambda old=old: test.leader() != old)
            moved = time.time()
        test.figure("apply to another leader", moved - applied, 10)
        new = test.leader()
        test.expect(target in ("", new), f"{new} leads and not {target}")
        test.wait_until_well(3)
        test.apply(cluster)
        time.sleep(12)
        test.expect(test.leader() == new, "the leader moved a second time for one request")
    applications.expect_nothing_lost()
