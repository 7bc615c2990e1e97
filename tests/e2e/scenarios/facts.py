"""The caretaker collects facts for the exporter in every instance, and every query of the exporter runs there."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

from framework import CLAIM, Test, hippo, instance_sets, until

QUERIES = Path(__file__).resolve().parents[3] / "src" / "postgres_cluster" / "exporter" / "queries.yaml"


def facts(test: Test, pod: str) -> Any:
    """Return the facts, as Postgres reads them in another container than the caretaker's."""
    return json.loads(test.superuser(pod, "SELECT coalesce(monitor.facts(), '{}')") or "{}")


def queries(test: Test) -> str:
    """Return all queries. In YAML, each is a line or a block."""
    text = QUERIES.read_text()
    found = re.findall(r"^  query: (?:\|\n((?:    .*\n)+)|(.+)\n)", text, re.MULTILINE)
    test.expect(len(found) == text.count("  query: "), "a query was not found")
    return "".join(f"{block or line};\n" for block, line in found)


def has_role(test: Test, pod: str, role: str) -> bool:
    """Whether the facts of an instance contain its role."""
    return bool(facts(test, pod).get("pod", {}).get("patroni", {}).get("role") == role)


def run(test: Test) -> None:
    """Compare the facts with what the programs say themselves."""
    repositories = [{"name": "repo1", "volume": {"volumeClaimSpec": CLAIM}}]
    cluster = hippo(
        instances=instance_sets(instance1=2),
        backups={"pgbackrest": {"repos": repositories}},
        monitoring={"pgmonitor": {"exporter": {}}},
    )
    cluster["spec"].pop("proxy", None)
    test.apply(cluster)
    test.wait_until_well(2)
    leader = test.leader()
    [replica] = [pod for pod in test.instances() if pod != leader]
    until("there is a backup", lambda: test.backups(), 120, pause=1)
    until("the function is there", lambda: test.superuser(leader, "SELECT to_regprocedure('monitor.facts()')"), 60)
    for pod, role in ((leader, "primary"), (replica, "replica")):
        until(f"the role of {pod} is known", partial(has_role, test, pod, role), 90)
        there = facts(test, pod)
        patroni = there["pod"]["patroni"]
        test.expect(patroni["up"] == patroni["running"] == patroni["timeline"] == 1, f"{pod}: {patroni}")
        test.expect(patroni["paused"] == patroni["pending_restart"] == 0, f"{pod}: {patroni}")
        [volume] = there["pod"]["volumes"]
        test.expect(volume["mount_point"] == "/pgdata" and 0 < volume["available_bytes"] < volume["total_bytes"], f"{volume}")
        certificates = {entry["program"]: entry for entry in there["pod"]["certificates"]}
        test.expect(sorted(certificates) == ["patroni", "postgres"], f"{pod}: {certificates}")
        test.expect(all(entry["valid"] == 1 for entry in certificates.values()), f"{pod}: {certificates}")
        test.expect(there["backups"]["repositories"][0]["repo"] == 1, f"{pod}: {there['backups']}")
        test.expect(("databases" in there) == (role == "primary"), f"{pod}: {sorted(there)}")
        test.superuser(pod, f"SET ROLE ccp_monitoring; SET search_path TO monitor; {queries(test)}")
