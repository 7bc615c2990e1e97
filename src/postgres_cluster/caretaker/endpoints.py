"""The Endpoints objects in which Patroni keeps its lock, its configuration and what it is asked for."""

from __future__ import annotations

import urllib.parse

from surroundings import LABEL, Wanted, apply, kubernetes, log


def patroni_endpoints(wanted: Wanted) -> None:
    """Create those that are not there, empty, as Patroni leaves them too: it then changes them and creates none.

    Patroni would create them by POST. The right to do that is the right to create Endpoints of any name: those of another
    cluster, before that is there, with a configuration that its Patroni would follow. So it has only the right to change its
    own, and an object that is deleted is back when this is done next."""
    labels = {f"{LABEL}cluster": wanted.cluster, f"{LABEL}patroni": f"{wanted.cluster}-ha"}
    selector = urllib.parse.quote(",".join(f"{key}={value}" for key, value in labels.items()))
    listing = kubernetes("GET", f"/endpoints?labelSelector={selector}")
    there = {item["metadata"]["name"] for item in listing["items"]}
    # Kubernetes removes Endpoints together with their Service; those of no Service go with the leader's.
    for suffix, has_service in (("", True), ("-config", True), ("-failover", False), ("-sync", False)):
        name = f"{wanted.cluster}-ha{suffix}"
        if name not in there:
            owner = {} if has_service else {"ownerReferences": [leader_service(wanted)]}
            apply("Endpoints", f"/endpoints/{name}", {"metadata": {"labels": labels, **owner}})
            log(f"created Endpoints {name}")


def leader_service(wanted: Wanted) -> dict[str, str]:
    """The reference to the Service of the leader."""
    name = f"{wanted.cluster}-ha"
    uid = kubernetes("GET", f"/services/{name}")["metadata"]["uid"]
    return {"apiVersion": "v1", "kind": "Service", "name": name, "uid": uid}
