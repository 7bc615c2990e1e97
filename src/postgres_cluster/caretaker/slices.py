"""EndpointSlices of `<cluster>-ha` and `<cluster>-primary`, for a Kubernetes that does not create them from Endpoints.

The Services have no selector: Patroni and the caretaker write their Endpoints. kube-proxy and DNS read EndpointSlices, which a
controller of Kubernetes creates from Endpoints, unless the administrator has disabled it (KEP-4974)."""

from __future__ import annotations

import os
import time
import urllib.parse
from typing import Any

from endpoints import leader_service
from pod import wait_for_event
from surroundings import LABEL, Wanted, apply, kubernetes, log, pause_after, read_wanted

API = "discovery.k8s.io/v1"
MIRROR = "endpointslicemirroring-controller.k8s.io"
MANAGER, SERVICE = "endpointslice.kubernetes.io/managed-by", "kubernetes.io/service-name"

# How long to wait until the controller is assumed to be absent.
MIRROR_SECONDS = 3


def endpoint_slice(wanted: Wanted, endpoints: Any) -> dict[str, Any]:
    """Return an EndpointSlice with the addresses of these Endpoints."""
    subset: Any = next(iter(endpoints.get("subsets") or []), {"addresses": [], "ports": []})
    addresses = [address["ip"] for address in subset.get("addresses") or []]
    name = endpoints["metadata"]["name"]
    labels = {f"{LABEL}cluster": wanted.cluster, MANAGER: "pgrender.dev", SERVICE: name}
    ports = [{"name": "", "protocol": "TCP", **port} for port in subset.get("ports") or []]
    return {
        "metadata": {"labels": labels},
        "addressType": "IPv6" if any(":" in address for address in addresses) else "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
        "ports": ports,
    }


def differs(there: Any, right: dict[str, Any]) -> bool:
    """Whether a slice has other addresses or ports, or lacks our labels."""
    labels = there["metadata"].get("labels", {})
    return (there.get("endpoints") or [], there.get("ports") or []) != (right["endpoints"], right["ports"]) or any(
        labels.get(key) != value for key, value in right["metadata"]["labels"].items()
    )


def is_mine(there: Any) -> bool:
    """Whether a slice has the address of this pod."""
    mine = os.environ["PATRONI_KUBERNETES_POD_IP"]
    return any(mine in endpoint["addresses"] for endpoint in there.get("endpoints") or [])


class Slices:
    """Keeps the slices right. Only the leader does it; while there is no leader, the former leader."""

    def __init__(self) -> None:
        self.missing_since: float | None = None
        self.told = False

    def __call__(self, wanted: Wanted, leaders: Any) -> float:
        """Compare both slices with the Endpoints. Return the seconds until the next check."""
        leader = leaders["metadata"].get("annotations", {}).get("leader")
        me = os.environ["PATRONI_NAME"]
        if leader not in (me, "", None):
            self.missing_since = None
            return 300
        names = [f"{wanted.cluster}-ha", f"{wanted.cluster}-primary"]
        selector = urllib.parse.quote(f"{SERVICE} in ({','.join(names)})")
        slices = kubernetes("GET", f"/endpointslices?labelSelector={selector}", api=API)["items"]
        mirrored = {item["metadata"]["labels"][SERVICE] for item in slices if item["metadata"]["labels"].get(MANAGER) == MIRROR}
        ours = {item["metadata"]["name"]: item for item in slices if item["metadata"]["name"] in names}
        if leader != me:
            if is_mine(ours.get(names[0], {})):
                self.write(wanted, {**leaders, "subsets": []}, ours)
            return 300
        if mirrored:
            for name in ours:
                kubernetes("DELETE", f"/endpointslices/{name}", api=API)
                log(f"deleted EndpointSlice {name}, because Kubernetes creates one from Endpoints")
            return 300
        if not ours and self.may_come():
            return 1
        if not wanted.settings["endpointSlices"]:
            if not self.told:
                log(f"{' and '.join(names)} are unreachable: Kubernetes creates no EndpointSlices from Endpoints; render with `--endpoint-slices`")
            self.told = True
            return 300
        self.write(wanted, leaders, ours)
        self.write(wanted, kubernetes("GET", f"/endpoints/{names[1]}"), ours)
        return 60

    def may_come(self) -> bool:
        """Whether the controller may still create its first slice."""
        self.missing_since = self.missing_since or time.monotonic()
        return time.monotonic() - self.missing_since < MIRROR_SECONDS

    @staticmethod
    def write(wanted: Wanted, endpoints: Any, ours: dict[str, Any]) -> None:
        """Give a slice the addresses of these Endpoints."""
        name, right = endpoints["metadata"]["name"], endpoint_slice(wanted, endpoints)
        there = ours.get(name)
        if there is not None and not differs(there, right):
            return
        # An empty slice keeps its `addressType`, which is immutable.
        kind = there["addressType"] if there and not right["endpoints"] else right["addressType"]
        owner = {"ownerReferences": [leader_service(wanted)], **right["metadata"]}
        apply("EndpointSlice", f"/endpointslices/{name}", {**right, "addressType": kind, "metadata": owner}, api=API)
        addresses = [address for endpoint in right["endpoints"] for address in endpoint["addresses"]]
        log(f"pointed EndpointSlice {name} to {', '.join(addresses) or 'no address'}")


def follow_endpoints() -> None:
    """Watch the Endpoints of the leader, and keep the slices right."""
    slices, failures = Slices(), 0
    while True:
        try:
            wanted = read_wanted()
            path = f"/endpoints?fieldSelector=metadata.name%3D{wanted.cluster}-ha"
            listing = kubernetes("GET", path)
            seconds = min([slices(wanted, item) for item in listing["items"]], default=300)
            wait_for_event(path, listing["metadata"]["resourceVersion"], int(seconds))
            failures = 0
        except Exception as error:  # noqa: BLE001
            failures += 1
            log(f"EndpointSlices: {error}; trying again in {pause_after(failures):.0f} s")
            time.sleep(pause_after(failures))
