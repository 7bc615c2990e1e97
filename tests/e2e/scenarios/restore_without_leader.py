"""A cluster whose data is damaged, so that no Postgres starts, is restored in place."""

from __future__ import annotations

import time

from framework import Test, until

from scenarios.clone import archived, insert, rows
from scenarios.restore_in_place import cluster, is_aside, state, writes

POD = "hippo-instance1-0"
# As after a disk error. Postgres does not start without this file, and so nobody leads.
DAMAGE = "echo damaged > $PGDATA/global/pg_control && kill -KILL $(head -1 $PGDATA/postmaster.pid)"


def run(test: Test) -> None:
    """Damage the data of all instances, and restore everything that was archived."""
    test.apply(cluster(2))
    test.wait_until_well(2)
    test.superuser(test.leader(), "CREATE TABLE hippo.animals (name text)", "hippo")
    insert(test, "archived")
    until("there is a backup", lambda: test.backups(), 120, pause=1)
    archived(test)
    for pod in test.instances():
        test.in_pod(pod, "bash", "-c", DAMAGE)
    applied = test.apply(cluster(2, "rescue"))
    until("the restored leader writes", lambda: state(test, "rescue") == "done" and writes(test), 240)
    test.figure("a restore in place of a cluster without a leader: first write", time.time() - applied)
    test.wait_until_well(2, 180)
    for pod in test.instances():
        until("the row is there", lambda pod=pod: rows(test, pod) == "archived")
    test.expect(any(is_aside(test, pod) for pod in test.instances()), "the damaged data is not kept")
