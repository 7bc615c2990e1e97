"""The caretaker collects facts for the exporter in every instance and of every pgBouncer, and every query of the exporter runs."""

from __future__ import annotations

import json
import re
import time
from functools import partial
from pathlib import Path
from typing import Any

from framework import CLAIM, Test, hippo, instance_sets, until

EXPORTER = Path(__file__).resolve().parents[3] / "src" / "postgres_cluster" / "exporter"
QUERIES = [EXPORTER / "queries.yaml", EXPORTER / "pgbouncer_queries.yaml"]
METRICS = "import urllib.request; print(urllib.request.urlopen('http://localhost:9187/metrics').read().decode())"


def facts(test: Test, pod: str) -> Any:
    """Return the facts, as Postgres reads them in another container than the caretaker's."""
    return json.loads(test.superuser(pod, "SELECT coalesce(monitor.facts(), '{}')") or "{}")


def queries(test: Test) -> str:
    """Return all queries. In YAML, each is a line or a block."""
    text = "\n".join(file.read_text() for file in QUERIES)
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
    cluster["spec"]["proxy"] = {"pgBouncer": {"replicas": 2}}
    test.apply(cluster, "--network-policies")
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
        test.expect(role == "primary" or "pools" not in there, f"{pod}: {sorted(there)}")
        test.superuser(pod, f"SET ROLE ccp_monitoring; SET search_path TO monitor; {queries(test)}")
    check_pools(test, cluster, leader)


def pods_of_pgbouncer(test: Test) -> set[str]:
    """Return the pods of pgBouncer."""
    items = test.get("pods", "--selector=postgres-operator.crunchydata.com/role=pgbouncer")["items"]
    return {pod["metadata"]["name"] for pod in items}


def measured(test: Test, leader: str) -> dict[str, int]:
    """Return which pods of pgBouncer have facts."""
    return {pod["pod"]: pod["up"] for pod in facts(test, leader).get("pools", {}).get("pods", [])}


def metrics(test: Test, pod: str, prefix: str) -> list[str]:
    """Return what the exporter of a pod serves."""
    text = test.in_pod(pod, "python3", "-c", METRICS, container="caretaker")
    return [line for line in text.splitlines() if line.startswith(prefix)]


def check_pools(test: Test, cluster: Any, leader: str) -> None:
    """The exporter of the leader serves what each pgBouncer says, and no instance restarts when pgBouncer is scaled."""
    test.start_client()
    until("PgBouncer takes hippo", lambda: test.sql("SELECT 1", service="pgbouncer"), 60)
    started = {pod: test.superuser(pod, "SELECT pg_postmaster_start_time()") for pod in test.instances()}

    def both() -> bool:
        return measured(test, leader) == dict.fromkeys(pods_of_pgbouncer(test), 1) and len(measured(test, leader)) == 2

    test.figure("both pgBouncers have facts", until("both pgBouncers have facts", both, 150, pause=1))
    before = time.monotonic()
    until("the statement is counted", lambda: metrics(test, leader, "ccp_pgbouncer_stats_query_count{"), 90, pause=1)
    test.figure("the statement is counted", time.monotonic() - before)
    pools = metrics(test, leader, "ccp_pgbouncer_pools_server_idle{")
    test.expect(any('conn_pool="hippo.hippo"' in line for line in pools), f"the pools are {pools}")
    up = metrics(test, leader, "ccp_pgbouncer_up{")
    test.expect(len(up) == 2 and all(line.endswith(" 1") for line in up), f"the pods are {up}")
    errors = [line for line in metrics(test, leader, "pg_exporter_") if "_error" in line and not line.endswith(" 0")]
    test.expect(not errors, f"queries fail: {errors}")
    [replica] = [pod for pod in test.instances() if pod != leader]
    test.expect(not metrics(test, replica, "ccp_pgbouncer_"), "the replica has metrics of pgBouncer")

    cluster["spec"]["proxy"]["pgBouncer"]["replicas"] = 0
    test.apply(cluster, "--network-policies")
    until("pgBouncer is gone", lambda: measured(test, leader) == {}, 150, pause=1)
    after = {pod: test.superuser(pod, "SELECT pg_postmaster_start_time()") for pod in test.instances()}
    test.expect(after == started, f"Postgres restarted: {started}, {after}")
    log = test.caretaker_log(leader)
    test.expect(all(word not in log for word in ("facts of pools: ", "certificate", "authentication")), f"the log is {log}")
