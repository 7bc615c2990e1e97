"""A standby cluster streams from a primary cluster that accepts it, and is independent after its promotion."""

from __future__ import annotations

import base64
from typing import Any

from framework import Test, hippo, instance_sets, until

ACCEPT = {"pgrender.dev/accept-standby": "true"}


def cluster(replicas: int, annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a cluster without PgBouncer."""
    made = hippo(instances=instance_sets(instance1=replicas), **spec)
    del made["spec"]["proxy"]
    made["metadata"]["annotations"].update(annotations or {})
    return made


def names_cluster(certificate: str) -> bool:
    """Whether a certificate belongs to the replicas of a cluster."""
    lines = [line for line in certificate.splitlines() if not line.startswith("-")]
    return b"_crunchyrepl@" in base64.b64decode("".join(lines))


def streams(test: Test) -> bool:
    """Whether all instances stream."""
    count = "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'"
    return all(test.superuser(pod, count) == "1" for pod in test.instances())


def run(test: Test) -> None:
    """First the standby is refused, then accepted, then promoted."""
    primary, follower = test, Test("standby")
    domain = "--trust-domain=zoo"
    with follower.in_namespace():
        primary.apply(cluster(1), domain)
        primary.wait_until_well(1, 120)
        leader = primary.leader()
        primary.superuser(leader, "CREATE TABLE watched AS SELECT 1 AS number")
        standby = {"enabled": True, "host": f"hippo-primary.{primary.namespace}.svc"}
        follower.apply(cluster(2, standby=standby), domain)
        refusal = 'no match in usermap "_crunchyrepl"'
        log = lambda: primary.kubectl("logs", leader, "--container=database")  # noqa: E731
        until("the standby is refused", lambda: refusal in log(), 120)

        primary.apply(cluster(1, ACCEPT), domain)
        waited = until("the standby cluster streams", lambda: len(follower.instances()) == 2 and streams(follower), 180)
        test.figure("a standby cluster of two streams after it is let in", waited)
        primary.superuser(leader, "UPDATE watched SET number = 2")
        for pod in follower.instances():
            until("it arrives", lambda pod=pod: follower.superuser(pod, "SELECT number FROM watched") == "2")
        test.expect(not names_cluster(follower.secret("hippo-replication-cert")["tls.crt"]), "its source does not know it")

        follower.apply(cluster(2), domain)
        until("it writes", lambda: follower.superuser(follower.leader(), "INSERT INTO watched VALUES (3) RETURNING 3") == "3")
        follower.wait_until_well(2)
        replica = next(pod for pod in follower.instances() if pod != follower.leader())
        until("it has its own name", lambda: names_cluster(follower.in_pod(replica, "cat", "/tmp/replication/tls.crt")))
        map_of = lambda: follower.in_pod(follower.leader(), "cat", "/pgdata/pg17/pg_ident.conf")  # noqa: E731
        until("it lets in no other", lambda: '"_crunchyrepl" "_crunchyrepl"' not in map_of())
        follower.superuser(replica, "SELECT pg_terminate_backend(pid) FROM pg_stat_wal_receiver")
        until("it streams again", lambda: follower.is_well(2))
        arrived = lambda: follower.superuser(replica, "SELECT count(*) FROM watched") == "2"  # noqa: E731
        until("what was written arrives", arrived)
