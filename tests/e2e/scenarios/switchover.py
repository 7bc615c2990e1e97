"""PGO's request for a switchover moves the leader, once for each value of the annotation."""

from __future__ import annotations

import time

from framework import PREFIX, Test, hippo, instance_sets, until

LONGEST_GAP, BOUNCER = 3.1, 1


def run(test: Test) -> None:
    """Ask for any other leader, then for a certain one; apply again; ask for what cannot be."""
    cluster = hippo(instances=instance_sets(instance1=3), patroni={"switchover": {"enabled": True}})
    test.apply(cluster)
    test.wait_until_well(3)
    writer, bouncer = test.start_writer(), test.start_writer(bouncer=True)
    annotations = cluster["metadata"]["annotations"]
    for request in ("first", "second"):
        old = test.leader()
        target = "" if request == "first" else next(pod for pod in test.instances() if pod != old)
        if target:
            cluster["spec"]["patroni"]["switchover"]["targetInstance"] = target
        annotations[f"{PREFIX}trigger-switchover"] = request
        with writer.gaps() as gaps, bouncer.gaps() as bounced:
            applied = test.apply(cluster)
            until("another leads", lambda old=old: test.leader() != old)
            moved = time.time()
        test.figure("apply to another leader", moved - applied, 10)
        test.figure("longest gap", gaps[0], LONGEST_GAP)
        test.figure("longest gap through pgBouncer", bounced[0], LONGEST_GAP + BOUNCER)
        new = test.leader()
        test.expect(target in ("", new), f"{new} leads and not {target}")
        test.wait_until_well(3)
        test.apply(cluster)
        time.sleep(12)
        test.expect(test.leader() == new, "the leader moved a second time for one request")
    for application in (writer, bouncer):
        test.expect(not application.lost(), f"acknowledged rows are lost: {application.lost()}")
