"""Clusters of one trust domain in two namespaces trust each other. A cluster of another domain is not trusted."""

from __future__ import annotations

from framework import Failed, Test, hippo, instance_sets, until

CONNECT = 'read -r PGPASSWORD; export PGPASSWORD; exec psql -XAtqc "SELECT 1" "$0"'


def connect(client: Test, server: Test) -> str:
    """Log in to a cluster in another namespace, and verify it with the CA bundle of this namespace."""
    keys = server.secret("hippo-pguser-hippo")
    target = f"host={keys['host']} user=hippo dbname=hippo sslmode=verify-full connect_timeout=5"
    words = ["bash", "-c", CONNECT, target]
    return client.in_pod("client", *words, container="client", text=f"{keys['password']}\n")


def run(test: Test) -> None:
    """Three clusters: two in one domain, and one in another."""
    near, far, stranger = test, Test("two-domains"), Test("two-domains")
    cluster = hippo(instances=instance_sets(instance1=1))
    del cluster["spec"]["proxy"]
    with far.in_namespace(), stranger.in_namespace():
        for member in (near, far):
            member.apply(cluster, "--trust-domain=zoo")
        stranger.apply(cluster)
        for member in (near, far, stranger):
            member.wait_until_well(1, 120)
            member.start_client()
            until("its own clients log in", lambda member=member: member.sql("SELECT 1"))
        for client, server in ((near, far), (far, near)):
            test.expect(connect(client, server) == "1", "clusters of one domain do not trust each other")
        for client, server in ((near, stranger), (stranger, near), (stranger, far)):
            try:
                connect(client, server)
            except Failed as failure:
                test.expect("certificate verify failed" in str(failure), f"refused for another reason: {failure}")
            else:
                raise Failed("clusters of different domains trust each other")
