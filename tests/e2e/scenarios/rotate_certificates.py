"""New certificates, then a new CA, with clients that verify with the old or the new bundle: no connection fails.

The first rendering is for the previous window, so that the next one is for today. PgBouncer learns of it last: its pods have
random names, so the caretaker cannot annotate them, and they wait for the kubelet's periodic sync."""

from __future__ import annotations

import hashlib
import json
import ssl
import time
from pathlib import Path
from typing import Any

from framework import Failed, Test, hippo, instance_sets, until

from scenarios.users import processes

WINDOW_SECONDS = 182 * 24 * 60 * 60
SECONDS, PGBOUNCER_SECONDS = 30, 120
PROGRAMS = Path(__file__).resolve().parents[1]
BUNDLES = "/bundles"


def start_connector(test: Test, **bundles: str) -> None:
    """Start the applications, with the bundles by name."""
    data = {f"{name}.crt": text for name, text in bundles.items()}
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bundles"}, "data": data}
    test.kubectl("apply", "--filename=-", text=json.dumps(config_map))
    paths = [f"{BUNDLES}/{name}" for name in data]
    words = ["python3", "-c", (PROGRAMS / "connector.py").read_text(), "primary", "replicas", "pgbouncer", "--", *paths]
    pod = test.pod("connector", words)
    pod["spec"]["volumes"].append({"name": "bundles", "configMap": {"name": "bundles"}})
    pod["spec"]["containers"][0]["volumeMounts"].append({"name": "bundles", "mountPath": BUNDLES})
    test.start_pod(pod)
    until("everybody connects", lambda: len(test.kubectl("logs", "connector").splitlines()) > 12)


def refusals(test: Test) -> list[str]:
    """Return the failed attempts."""
    return [line for line in test.kubectl("logs", "connector").splitlines() if not line.endswith(" ok")]


def servers(test: Test) -> dict[str, tuple[str, int, str, str, str]]:
    """Return the servers: host, port and protocol, and the Secret and key of the certificate."""
    hosts = {pod: f"{pod}.hippo-pods.{test.namespace}.svc.cluster.local" for pod in test.instances()}
    instances, pgbackrest = "hippo-instance1-certs", "pgbackrest-server.crt"
    found = {}
    for pod, host in hosts.items():
        found[f"Postgres of {pod}"] = (host, 5432, "postgres", "hippo-cluster-cert", "tls.crt")
        found[f"Patroni of {pod}"] = (host, 8008, "tls", instances, "patroni.crt-combined")
        found[f"pgBackRest of {pod}"] = (host, 8432, "tls", instances, pgbackrest)
    repo_host = f"hippo-repo-host-0.hippo-pods.{test.namespace}.svc.cluster.local"
    found["pgBackRest of the repo host"] = (repo_host, 8432, "tls", "hippo-pgbackrest", "pgbackrest-repo-host.crt")
    found["PgBouncer"] = ("hippo-pgbouncer", 5432, "postgres", "hippo-pgbouncer", "pgbouncer-frontend.crt")
    return found


def served(test: Test, host: str, port: int, protocol: str) -> str:
    """Return the digest of the certificate that a server presents."""
    program = (PROGRAMS / "served.py").read_text()
    return test.in_pod("client", "python3", "-c", program, host, str(port), protocol, container="client")


def digest(certificate: str) -> str:
    """Return the digest of a certificate in PEM, which may follow its key."""
    certificate = certificate[certificate.index("-----BEGIN CERTIFICATE-----") :]
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()


def presents(test: Test, name: str, server: tuple[str, int, str], certificate: str) -> bool:
    """Whether a server presents a certificate. Patroni restarts its server for a new one, and may reset connections at that
    moment: members and the kubelet try again."""
    try:
        return served(test, *server) == digest(certificate)
    except Failed:
        if not name.startswith("Patroni"):
            raise
        return False


def rotate(test: Test, what: str, manifests: str) -> None:
    """Apply, wait until each server presents its new certificate, and check that all applications continue."""
    new = test.secrets(manifests)
    waiting = servers(test)
    for name, (host, port, protocol, secret, key) in waiting.items():
        test.expect(served(test, host, port, protocol) != digest(new[secret][key]), f"{name}: nothing is to rotate")
    before = processes(test)
    applied = test.apply_manifests(manifests)
    while waiting:
        for name, (host, port, protocol, secret, key) in list(waiting.items()):
            if presents(test, name, (host, port, protocol), new[secret][key]):
                del waiting[name]
                kind = name.split(" of ")[0]
                seconds = PGBOUNCER_SECONDS if kind == "PgBouncer" else SECONDS
                test.figure(f"{what}: {kind} presents the new certificate", time.time() - applied, seconds)
        test.expect(time.time() - applied < 180, f"old certificates are still presented by {list(waiting)}")
    # New connections use the new certificates.
    leader = test.leader()
    test.superuser(leader, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_replication")
    test.wait_until_well(2)
    test.in_pod(leader, "pgbackrest", "--stanza=db", "check")
    backups = len(test.backups())
    job = f"now-{int(applied)}"
    test.kubectl("create", "job", job, "--from=cronjob/hippo-repo1-full")
    test.kubectl("wait", "--for=condition=Complete", f"job/{job}", "--timeout=120s")
    test.expect(len(test.backups()) > backups, "the job made no backup")
    test.expect(before <= processes(test), "something restarted")
    test.expect(not refusals(test), f"connections failed: {refusals(test)}")


def run(test: Test) -> None:
    """Start in the previous window, render for today, then with the next CA."""
    cluster: dict[str, Any] = hippo(instances=instance_sets(instance1=2))
    first = test.render(cluster, f"--time={int(time.time()) - WINDOW_SECONDS}")
    second = test.render(cluster)
    cluster["metadata"]["annotations"]["pgrender.dev/rotate-ca"] = "2"
    third = test.render(cluster)

    test.apply_manifests(first)
    test.wait_until_well(2)
    until("there is a backup", lambda: test.backups(), 120, pause=1)
    test.start_client()
    until("PgBouncer takes hippo", lambda: test.sql("SELECT 1", service="pgbouncer"))
    bundles = [test.secrets(manifests)["hippo-cluster-cert"]["ca.crt"] for manifests in (first, third)]
    start_connector(test, old=bundles[0], new=bundles[1])

    rotate(test, "next window", second)
    rotate(test, "next CA", third)
    test.figure("connections, none refused", len(test.kubectl("logs", "connector").splitlines()), unit="connections")
