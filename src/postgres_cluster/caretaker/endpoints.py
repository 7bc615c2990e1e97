"""The Endpoints objects in which Patroni keeps its leader lock, its configuration and requests for a switchover."""

from __future__ import annotations

import urllib.parse
from datetime import datetime
from typing import Any

from surroundings import LABEL, Wanted, apply, kubernetes, log


def patroni_endpoints(wanted: Wanted) -> None:
    """Create the missing ones, empty. Patroni then only patches them.

    Patroni would create them by POST. RBAC cannot limit POST to some names, so an instance could create the Endpoints of a future
    cluster, with a configuration that its Patroni would use. So Patroni may only change its own. The next run of this duty
    creates deleted ones again."""
    labels = {f"{LABEL}cluster": wanted.cluster, f"{LABEL}patroni": f"{wanted.cluster}-ha"}
    selector = urllib.parse.quote(",".join(f"{key}={value}" for key, value in labels.items()))
    listing = kubernetes("GET", f"/endpoints?labelSelector={selector}")
    there = {item["metadata"]["name"] for item in listing["items"]}
    # Kubernetes deletes Endpoints together with their Service. Those without a Service are deleted with the leader's Service.
    for suffix, has_service in (("", True), ("-config", True), ("-failover", False), ("-sync", False)):
        name = f"{wanted.cluster}-ha{suffix}"
        if name not in there:
            owner = {} if has_service else {"ownerReferences": [leader_service(wanted)]}
            apply("Endpoints", f"/endpoints/{name}", {"metadata": {"labels": labels, **owner}})
            log(f"created Endpoints {name}")


def leader_service(wanted: Wanted) -> dict[str, str]:
    """Return an owner reference to the Service of the leader."""
    name = f"{wanted.cluster}-ha"
    uid = kubernetes("GET", f"/services/{name}")["metadata"]["uid"]
    return {"apiVersion": "v1", "kind": "Service", "name": name, "uid": uid}


def was_led(endpoints: Any) -> bool:
    """Whether any member ever held the lock. A released lock keeps `renewTime`, but new Endpoints are empty."""
    return endpoints is not None and "renewTime" in endpoints["metadata"].get("annotations", {})


def has_leader(endpoints: Any, now: datetime) -> bool:
    """Whether a member holds Patroni's leader lock and has renewed it in time. The clocks of nodes are assumed to agree."""
    annotations = endpoints["metadata"].get("annotations", {})
    try:
        age = now - datetime.fromisoformat(annotations["renewTime"])
        return bool(annotations["leader"]) and age.total_seconds() < float(annotations["ttl"])
    except (KeyError, ValueError):
        return False
