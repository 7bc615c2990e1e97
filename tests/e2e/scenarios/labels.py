"""An attacker who controls an instance of one cluster cannot put its pod behind a Service of another cluster with labels.

Patroni needs the right to patch its own pods, and RBAC cannot limit labels. But the pod has no container port with the name of
the Service's `targetPort`, so the Service sends it nothing."""

from __future__ import annotations

import json
from typing import Any

from attacker import instance_calls
from framework import PREFIX, Failed, Test, hippo, instance_sets, until

ATTACKER = "zebra-instance1-0"
TRIES = 20


def attacker() -> dict[str, Any]:
    """Return another cluster in the namespace."""
    cluster = hippo(instances=instance_sets(instance1=1))
    cluster["metadata"]["name"] = "zebra"
    del cluster["spec"]["proxy"], cluster["spec"]["users"]
    return cluster


def label(test: Test, **labels: str) -> str:
    """Label the attacker's pod with the token of the pod. Return its address."""
    body = {"metadata": {"labels": {PREFIX + key: value for key, value in labels.items()}}}
    pod = json.loads(instance_calls(test, ATTACKER, "PATCH", f"pods/{ATTACKER}", body)[1])
    there = pod["metadata"]["labels"]
    test.expect(all(there[PREFIX + key] == value for key, value in labels.items()), f"the labels are {there}")
    return str(pod["status"]["podIP"])


def addresses(test: Test, service: str, with_ports: bool) -> set[str]:
    """Return the addresses of a Service: those that have its port, or all."""
    slices = test.get("endpointslices", f"--selector=kubernetes.io/service-name={service}")["items"]
    return {
        address
        for one in slices
        if one.get("ports") or not with_ports
        for endpoint in one["endpoints"] or []
        for address in endpoint["addresses"]
    }


def servers(test: Test, service: str) -> set[str]:
    """Return the servers that answer a user of hippo, over many connections. A failed login is an answer of another server."""
    found = set()
    for _ in range(TRIES):
        try:
            found.add(test.sql("SELECT host(inet_server_addr())", service=service))
        except Failed as failure:
            found.add(str(failure).splitlines()[-1])
    return found


def run(test: Test) -> None:
    """Label the attacker's pod as each kind of server of the other cluster."""
    test.apply_manifests("\n---\n".join(map(test.render, [hippo(), attacker()])))
    test.wait_until_well(2)
    test.start_client()
    until("pgBouncer answers", lambda: test.sql("SELECT 1", service="pgbouncer") == "1")
    until("the attacker's Postgres is ready", lambda: "zebra" in test.get("endpoints", "zebra-ha")["metadata"]["name"])
    test.kubectl("wait", "--for=condition=Ready", f"pod/{ATTACKER}", "--timeout=90s")

    for service, cluster, role in (
        ("hippo-replicas", "hippo", "replica"),
        ("hippo-pgbouncer", "hippo", "pgbouncer"),
        ("hippo-replicas", "hippo", "replica"),
    ):
        before = addresses(test, service, with_ports=True)
        test.expect(before, f"{service} leads nowhere")

        def labelled(service: str = service, cluster: str = cluster, role: str = role) -> bool:
            # Patroni sets the role again.
            return label(test, cluster=cluster, role=role) in addresses(test, service, with_ports=False)

        until(f"{service} selects the attacker's pod", labelled)
        answers = servers(test, service.removeprefix("hippo-"))
        after = addresses(test, service, with_ports=True)
        label(test, cluster="zebra", role="master")
        test.expect(after == before, f"{service} leads to {after}, where it led to {before}")
        if role == "replica":
            test.expect(answers == before, f"{service} is answered by {answers}, not only by {before}")
        else:
            wrong = [answer for answer in answers if "exit" in answer or "error" in answer]
            test.expect(not wrong, f"{service} is answered by {wrong}")

    label(test, cluster="hippo", role="replica")
    name = f"{ATTACKER}.hippo-pods.{test.namespace}.svc.cluster.local"
    until("the attacker's pod is in hippo-pods", lambda: label(test, cluster="hippo") in addresses(test, "hippo-pods", False))
    found = test.in_pod("client", "sh", "-c", f"getent hosts {name} || true", container="client")
    test.expect(not found, f"{name} is {found}")
