"""cert-manager creates the certificates: all pods start, verify and archive with them, and continue after a renewal.

The cluster must have cert-manager."""

from __future__ import annotations

import time

from framework import Failed, Skipped, Test, hippo, until

from scenarios.rotate_certificates import digest, served, servers
from scenarios.users import processes

# The kubelet finds a changed Secret only in its periodic sync, because cert-manager changes no rendered object.
SECONDS = 150


def run(test: Test) -> None:
    """Start and use a cluster, then renew all certificates."""
    try:
        test.kubectl("get", "crd", "certificates.cert-manager.io")
    except Failed:
        raise Skipped("cert-manager is not in this cluster") from None
    manifests = test.render(hippo(), "--certificates=cert-manager")
    test.expect(all("tls.key" not in data for data in test.secrets(manifests).values()), "a key is rendered")
    applied = test.apply_manifests(manifests)
    test.wait_until_well(2, 180)
    test.figure("all ready and streaming", time.time() - applied)
    test.start_client()
    for service in ("primary", "replicas", "pgbouncer"):
        until(f"hippo logs in through {service}", lambda service=service: test.sql("SELECT 1", service=service) == "1")
    until("there is a backup", lambda: test.backups(), 120, pause=1)

    # cert-manager creates a deleted Secret again, with another key. `cmctl renew` has the same effect.
    places = {
        "Postgres": "hippo-cluster-cert",
        "Patroni": "hippo-instance1-certs",
        "pgBackRest": "hippo-instance1-certs",
        "pgBackRest of the repo host": "hippo-repo-host-tls",
        "PgBouncer": "hippo-pgbouncer-tls",
    }
    waiting = {}
    for name, (host, port, protocol, *_) in servers(test).items():
        secret = places.get(name) or places[name.split(" of ")[0]]
        waiting[name] = (host, port, protocol, secret, served(test, host, port, protocol))
    before = processes(test)
    for secret in sorted({place[3] for place in waiting.values()}):
        test.kubectl("delete", "secret", secret)
    deleted = time.time()
    for name, (host, port, protocol, secret, old) in waiting.items():

        until(
            f"{name} presents the new certificate",
            lambda place=(host, port, protocol), secret=secret, old=old: (
                served(test, *place) == digest(test.secret(secret)["tls.crt"]) != old
            ),
            SECONDS,
            pause=1,
        )
        test.figure("a new certificate is presented", time.time() - deleted, SECONDS)
    test.expect(before <= processes(test), "something restarted")
    test.wait_until_well(2)
    for service in ("primary", "pgbouncer"):
        test.sql("SELECT 1", service=service)
    test.in_pod(test.leader(), "pgbackrest", "--stanza=db", "check")
