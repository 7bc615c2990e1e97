"""Larger volumes only need an apply, and nothing restarts. A smaller one is refused, and nothing changes."""

from __future__ import annotations

import copy
import time
from typing import Any

from framework import CLAIM, Failed, Test, hippo, until

CLAIMS = ["postgres-data-hippo-instance1-0", "postgres-data-hippo-instance1-1", "hippo-repo1"]


def sized(size: str) -> dict[str, Any]:
    """Return the cluster with all volumes of this size."""
    cluster = hippo()
    larger: dict[str, Any] = copy.deepcopy(CLAIM)
    larger["resources"]["requests"]["storage"] = size
    cluster["spec"]["instances"][0]["dataVolumeClaimSpec"] = larger
    cluster["spec"]["backups"]["pgbackrest"]["repos"][0]["volume"]["volumeClaimSpec"] = larger
    return cluster


def capacities(test: Test) -> set[str]:
    """Return the capacities of the volumes in Kubernetes."""
    return {test.get("pvc", claim)["status"]["capacity"]["storage"] for claim in CLAIMS}


def pods(test: Test) -> dict[str, str]:
    """Return all pods with their UIDs."""
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in test.get("pods")["items"]}


def run(test: Test) -> None:
    """Enlarge the volumes, then try to shrink them."""
    test.apply(sized("1Gi"))
    test.wait_until_well(2)
    before = pods(test)
    applied = test.apply(sized("2Gi"))
    until("the volumes have grown", lambda: capacities(test) == {"2Gi"})
    test.figure("volumes have grown", time.time() - applied)
    test.expect(test.is_well(2) and pods(test) == before, "something restarted for a larger volume")
    try:
        test.apply(sized("1Gi"))
    except Failed as failure:
        test.expect("can not be less than" in str(failure), f"refused for another reason: {failure}")
    else:
        raise Failed("a smaller volume was accepted")
    test.expect(capacities(test) == {"2Gi"}, "a volume has shrunk")
    test.expect(test.is_well(2) and pods(test) == before, "something restarted for a smaller volume")
