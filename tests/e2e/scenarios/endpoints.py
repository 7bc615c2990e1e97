"""An attacker who controls an instance of one cluster cannot create Endpoints for another, and Patroni works with rights to its
own only.

Before a cluster exists, somebody could create its `<cluster>-ha-config`. Its Patroni would use that: parameters, commands,
another leader."""

from __future__ import annotations

import json
from typing import Any

from attacker import APPLY, MERGE, WHOLE, instance_calls
from framework import PREFIX, Test, hippo, instance_sets, until

ATTACKER = "zebra-instance1-0"
WRITTEN = "/pgdata/written-by-zebra"
NAMES = ("hippo-ha", "hippo-ha-config", "hippo-ha-failover", "hippo-ha-sync", "hippo-primary")


def own(test: Test) -> str:
    """Return the configuration of the attacker's own cluster."""
    return str(test.get("endpoints", "zebra-ha-config")["metadata"]["annotations"]["config"])


def prepared(test: Test, name: str) -> dict[str, Any]:
    """Return an object that could attack the other cluster: the attacker's own configuration, with a command."""
    configuration = json.loads(own(test))
    configuration["postgresql"]["callbacks"] = {"on_start": f"touch {WRITTEN}"}
    annotations = {
        "hippo-ha-config": {"config": json.dumps(configuration)},
        "hippo-ha-failover": {"member": "hippo-instance1-0"},
    }
    metadata = {
        "name": name,
        "labels": {f"{PREFIX}cluster": "hippo", f"{PREFIX}patroni": "hippo-ha"},
        "annotations": annotations.get(name, {}),
    }
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}


def prepare(test: Test) -> None:
    """Try all ways to create each object that the other cluster will have. The last one is what Patroni would run."""
    created = []
    for name in NAMES:
        for method, path, content in (
            ("POST", "endpoints", WHOLE),
            ("PUT", f"endpoints/{name}", WHOLE),
            ("PATCH", f"endpoints/{name}?fieldManager=zebra&force=true", APPLY),
            ("PATCH", f"endpoints/{name}", MERGE),
        ):
            status, answer = instance_calls(test, ATTACKER, method, path, prepared(test, name), content)
            if status != 403:
                created.append(f"{method} {path} is answered with {status}: {' '.join(answer.split())[:60]}")
    test.apply(hippo())
    test.wait_until_well(2, 120)
    for pod in test.instances():
        written = test.in_pod(pod, "sh", "-c", f"if [ -e {WRITTEN} ]; then echo yes; fi")
        test.expect(not written, f"{pod} has run a command of the other cluster; {created}")
    test.expect(not created, "\n".join(created))


def come_back(test: Test) -> None:
    """Deleted objects are created again, and commits continue."""
    writer = test.start_writer()
    for name in ("hippo-ha-failover", "hippo-ha-sync", "hippo-ha-config", "hippo-primary", "hippo-ha"):
        with writer.gaps(settle=20) as gaps:
            test.kubectl("delete", "endpoints", name)
            until(f"{name} is back", lambda name=name: test.get("endpoints", name), 330)
        test.figure(f"{name} deleted: longest gap between commits", gaps[0], target=25)
        until("all is well", lambda: test.is_well(2), 60)
    test.expect(not writer.lost(), f"lost: {writer.lost()}")


def switch_over(test: Test) -> None:
    """A manual switchover, which patronictl requests in other Endpoints of Patroni."""
    leader = test.leader()
    test.in_pod(leader, "patronictl", "switchover", "--force", f"--leader={leader}", "hippo-ha")
    until("another leads", lambda: test.leader() not in ("", leader), 30)
    test.wait_until_well(2)


def run(test: Test) -> None:
    """Attack first, then create the other cluster."""
    attacker = hippo(instances=instance_sets(instance1=1))
    attacker["metadata"]["name"] = "zebra"
    del attacker["spec"]["proxy"], attacker["spec"]["users"]
    test.apply(attacker)
    until("the attacker has an instance", lambda: test.get("pod", ATTACKER))
    test.kubectl("wait", "--for=condition=Ready", f"pod/{ATTACKER}", "--timeout=120s")
    until("the attacker's cluster is there", lambda: own(test))
    prepare(test)
    switch_over(test)
    come_back(test)
    until("the attacker's primary works", lambda: test.superuser(ATTACKER, "SELECT 1") == "1")
    # A deleted cluster leaves no objects.
    test.clear()
