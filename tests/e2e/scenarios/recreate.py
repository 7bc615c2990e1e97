"""The cluster is deleted and applied again: with and without its claims, and with and without Patroni's Endpoints.

At the end the namespace is deleted, and nothing blocks that."""

from __future__ import annotations

import json
import time
from typing import Any

from framework import Test, hippo, until


def delete(test: Test, manifests: str, claims: bool) -> None:
    """Delete the applied objects, as `kubectl delete` does. Delete the claims only if requested, because GitOps tools keep
    them."""
    documents = manifests.split("\n---\n")
    gone = [text for text in documents if claims or "\nkind: PersistentVolumeClaim\n" not in text]
    started = time.monotonic()
    test.kubectl("delete", "--filename=-", "--timeout=90s", text="\n---\n".join(gone))
    until("all pods are gone", lambda: not pods(test), 90)
    test.figure("deleted: no pod is left", time.monotonic() - started, target=30)


def pods(test: Test) -> list[str]:
    """Return the pods of the cluster, without those of the scenario."""
    return [pod["metadata"]["name"] for pod in test.get("pods")["items"] if pod["metadata"].get("labels")]


def left(test: Test) -> list[Any]:
    """Return the existing Endpoints."""
    return list(test.get("endpoints")["items"])


def come_back(test: Test, manifests: str, what: str, target: float = 20) -> None:
    """Apply again, and wait until the application logs in and all members are healthy."""
    applied = test.apply_manifests(manifests)
    until("hippo logs in", lambda: test.sql("SELECT 1") == "1", 90)
    test.figure(f"{what}: first login", time.time() - applied, target)
    test.wait_until_well(2, 120)
    test.figure(f"{what}: all ready and streaming", time.time() - applied, target=45)
    until("pgBackRest archives", lambda: test.in_pod(test.leader(), "pgbackrest", "--stanza=db", "check") == "", 60)


def write(test: Test) -> None:
    """Write rows to the database."""
    test.sql("CREATE TABLE IF NOT EXISTS animals (name text); INSERT INTO animals VALUES ('hippo')")


def animals(test: Test) -> str:
    """Return `1` if the table exists, otherwise `0`."""
    return test.sql("SELECT count(*) FROM pg_tables WHERE tablename = 'animals'")


def run(test: Test) -> None:
    """Try all four combinations, each from a running cluster."""
    manifests = test.render(hippo())
    test.apply_manifests(manifests)
    test.wait_until_well(2)
    until("there is a backup", lambda: test.backups(), 120, pause=1)
    test.start_client()
    write(test)
    system = test.superuser(test.leader(), "SELECT system_identifier FROM pg_control_system()")

    # `kubectl delete` also removes the Endpoints of a Service. Those of Patroni are restored below.
    patroni = [item for item in left(test) if item["metadata"]["name"] in ("hippo-ha", "hippo-ha-config")]
    for item in patroni:
        item["metadata"] = {key: item["metadata"][key] for key in ("name", "labels", "annotations")}
    memory = json.dumps({"apiVersion": "v1", "kind": "List", "items": patroni})

    delete(test, manifests, claims=False)
    until("no Endpoints are left", lambda: not left(test), 30)
    come_back(test, manifests, "over claims, nothing of Patroni")
    test.expect(animals(test) == "1", "the data is gone")

    delete(test, manifests, claims=False)
    test.kubectl("apply", "--filename=-", text=memory)
    # All members lost the leader lock when their permissions were deleted, and wait for half of `ttl` for a leader.
    come_back(test, manifests, "over claims, with what Patroni left", target=30)
    test.expect(animals(test) == "1", "the data is gone")
    same = test.superuser(test.leader(), "SELECT system_identifier FROM pg_control_system()")
    test.expect(same == system, "this is another database cluster")

    delete(test, manifests, claims=True)
    until("the claims are gone", lambda: not test.get("pvc")["items"], 60)
    until("no Endpoints are left", lambda: not left(test), 30)
    come_back(test, manifests, "over nothing")
    test.expect(animals(test) == "0", "the data is still there")

    delete(test, manifests, claims=True)
    until("the claims are gone", lambda: not test.get("pvc")["items"], 60)
    test.kubectl("apply", "--filename=-", text=memory)
    test.apply_manifests(manifests)
    advice = "kubectl annotate endpoints hippo-ha-config initialize-"
    until("the caretaker gives advice", lambda: advice in test.caretaker_log(test.instances()[0]), 60)
    test.kubectl(*advice.split()[1:])
    come_back(test, manifests, "over nothing, with what Patroni left")

    started = time.monotonic()
    test.kubectl("delete", "namespace", test.namespace, "--timeout=120s")
    test.figure("the namespace is gone", time.monotonic() - started, target=60)
