"""Makes a cluster of the shape that PGO makes: names, labels, owners, field manager, volumes and directories.

PGO itself does not run. Its PostgresCluster exists only if its CustomResourceDefinition is installed."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from framework import CLAIM, PREFIX, Test, hippo, until
from programs import Failed, run
from scenarios.take_over import authority, certificate, secret

SHAPE = Path(__file__).parent / "made_by_pgo"
INSTANCES = ("hippo-instance1-b9tc", "hippo-instance1-sfvz")
PASSWORD = "it's <so> wet: 100% /@?"


def cluster(namespace: str) -> dict[str, Any]:
    """Return the PostgresCluster: two instances with a WAL volume, and an annotation for a restore that PGO has done."""
    made = hippo(instances=[{"name": "instance1", "replicas": 2, "dataVolumeClaimSpec": CLAIM, "walVolumeClaimSpec": CLAIM}])
    made["metadata"].update({"namespace": namespace, "finalizers": [f"{PREFIX}finalizer"]})
    made["metadata"]["annotations"][f"{PREFIX}pgbackrest-restore"] = "done by PGO"
    return made


def secrets(test: Test) -> list[dict[str, Any]]:
    """Return PGO's Secrets. One certificate has the names of all servers and clients, except that of replicas."""
    pods = [f"{name}.hippo-pods" for name in (f"{INSTANCES[0]}-0", f"{INSTANCES[1]}-0", "hippo-repo-host-0")]
    hosts = [f"{pod}.{test.namespace}.svc.cluster.local" for pod in pods]
    services = [f"hippo-{name}.{test.namespace}.svc" for name in ("primary", "replicas")]
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        authority(directory)
        root = {f"root.{end}": (directory / f"ca.{end}").read_text() for end in ("crt", "key")}
        servers = certificate(directory, ["pgbackrest@pgo", *hosts, *pods, *services])
        replication = certificate(directory, ["_crunchyrepl"])
    combined = {**servers, "combined": servers["tls.key"] + servers["tls.crt"]}
    made = [secret("pgo-root-cacert", root), secret("hippo-replication-cert", replication), secret("hippo-pgbackrest", servers)]
    made += [secret("hippo-cluster-cert", servers)]
    keys = {"user": "hippo", "password": PASSWORD, "dbname": "hippo", "host": services[0], "port": "5432"}
    made += [secret("hippo-pguser-hippo", keys), *(secret(f"{instance}-certs", combined) for instance in INSTANCES)]
    for instance, there in zip(INSTANCES, made[-2:], strict=True):
        there["metadata"]["labels"][f"{PREFIX}instance"] = instance
    del made[0]["metadata"]["labels"]
    return made


def owners(test: Test) -> list[dict[str, Any]]:
    """Create the PostgresCluster, and return the owner references of its objects. Without the CustomResourceDefinition there are
    none."""
    try:
        run("kubectl", "get", "crd", f"postgresclusters.{PREFIX.rstrip('/')}")
    except Failed:
        return []
    test.kubectl("apply", "--server-side", "--filename=-", text=json.dumps(cluster(test.namespace)))
    there = test.get("postgrescluster", "hippo")
    owner = {"apiVersion": there["apiVersion"], "kind": there["kind"], "name": "hippo", "uid": there["metadata"]["uid"]}
    return [{**owner, "controller": True, "blockOwnerDeletion": True}]


class Pgo:
    """What PGO does at run time, as far as the scenario needs it."""

    def __init__(self, test: Test) -> None:
        self.test = test
        self.owners = owners(test)
        self.secrets = secrets(test)

    def reconcile(self) -> None:
        """Apply every object as PGO does: with its field manager, and by force."""
        for there in self.secrets:
            owner = self.owners if "labels" in there["metadata"] else [
                {key: owner[key] for key in ("apiVersion", "kind", "name", "uid")} for owner in self.owners
            ]
            there["metadata"]["ownerReferences"] = owner
        texts = [json.dumps({"apiVersion": "v1", "kind": "List", "items": self.secrets})]
        texts.append(self.filled("cluster.yaml"))
        texts += [self.filled("instance.yaml").replace("INSTANCE", instance) for instance in INSTANCES]
        words = ["apply", "--server-side", "--force-conflicts", "--field-manager=postgrescluster-controller", "--filename=-"]
        for text in texts:
            self.test.kubectl(*words, text=text)
        address = self.test.get("service", "hippo-ha")["spec"]["clusterIP"]
        metadata = {
            "name": "hippo-primary",
            "labels": {f"{PREFIX}cluster": "hippo", f"{PREFIX}role": "primary"},
            "ownerReferences": self.owners,
        }
        subsets = [{"addresses": [{"ip": address}], "ports": [{"name": "postgres", "port": 5432, "protocol": "TCP"}]}]
        endpoints = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": subsets}
        self.test.kubectl(*words, text=json.dumps(endpoints))

    def filled(self, name: str) -> str:
        """Return a template with the values of this namespace."""
        text = (SHAPE / name).read_text()
        images = {"PGBACKREST_IMAGE": "RELATED_IMAGE_PGBACKREST", "POSTGRES_IMAGE": "RELATED_IMAGE_POSTGRES_17"}
        for image, variable in images.items():
            text = text.replace(image, os.environ[variable])
        text = text.replace("NAMESPACE", self.test.namespace).replace("OWNERS", json.dumps(self.owners))
        return text.replace("LABEL/", PREFIX)

    def bootstrap(self) -> None:
        """Start the instances, and create the user, its database, and the first backup."""
        self.reconcile()
        self.test.wait_until_well(2, 120)
        leader = self.test.leader()
        for statement in (
            f"CREATE ROLE hippo LOGIN PASSWORD '{PASSWORD.replace(chr(39), chr(39) * 2)}'",
            "CREATE DATABASE hippo OWNER hippo",
        ):
            self.test.superuser(leader, statement)
        self.test.superuser(leader, "CREATE SCHEMA hippo AUTHORIZATION hippo", "hippo")
        self.test.in_pod(leader, "pgbackrest", "--stanza=db", "stanza-create")
        words = ["pgbackrest", "--stanza=db", "--repo=1", "--type=full", "--start-fast", "backup"]
        self.test.in_pod("hippo-repo-host-0", *words, container="pgbackrest")
        until("there is a backup", lambda: len(self.test.backups()) == 1)
