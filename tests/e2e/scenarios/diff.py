"""What `pgrender diff` says about a change is what the change does: to pods, Postgres, volumes, users and pgBouncer."""

from __future__ import annotations

import copy
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from framework import CLAIM, PGRENDER, PREFIX, SEED, Failed, Test, hippo, until
from programs import SLOWNESS
from programs import run as program

# How long nothing may happen after a change before it counts as done.
QUIET = 20


def parameters(**values: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change of these parameters."""
    return lambda cluster: cluster["spec"].setdefault("config", {}).setdefault("parameters", {}).update(values)


def annotation(key: str, value: str) -> Callable[[dict[str, Any]], None]:
    """Return a change of an annotation of the cluster."""
    return lambda cluster: cluster["metadata"].setdefault("annotations", {}).update({key: value})


def spec(**fields: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change of these fields of the spec."""
    return lambda cluster: cluster["spec"].update(fields)


def instances(**fields: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change of the instance set."""
    return lambda cluster: cluster["spec"]["instances"][0].update(fields)


def bouncer(**fields: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change of pgBouncer."""
    return lambda cluster: cluster["spec"]["proxy"]["pgBouncer"].update(fields)


def backups(**fields: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change of the backups."""
    return lambda cluster: cluster["spec"]["backups"]["pgbackrest"].update(fields)


def sized(size: str, **fields: Any) -> dict[str, Any]:
    """Return a claim of this size."""
    return {**CLAIM, "resources": {"requests": {"storage": size}}, **fields}


def users(cluster: dict[str, Any]) -> None:
    """Add a user."""
    cluster["spec"]["users"].append({"name": "zebra", "databases": ["zoo"]})


def no_zebra(cluster: dict[str, Any]) -> None:
    """Remove that user."""
    cluster["spec"]["users"].pop()


def database(cluster: dict[str, Any]) -> None:
    """Add a database."""
    cluster["spec"]["users"][0]["databases"].append("park")


def schedule(cluster: dict[str, Any]) -> None:
    """Change when backups run."""
    cluster["spec"]["backups"]["pgbackrest"]["repos"][0]["schedules"]["full"] = "0 3 * * 0"


RULES = [
    {"connection": "hostssl", "databases": ["zoo"], "users": ["rhino"], "method": "reject"},
    {"connection": "hostssl", "method": "scram-sha-256"},
]

# Each change is made after the one before.
CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "parameter that is reloaded": parameters(work_mem="8MB"),
    "parameter of a known extension": parameters(**{"pgaudit.log": "ddl"}),
    "parameter that needs a restart": parameters(max_connections="120"),
    "rule of pg_hba.conf": spec(authentication={"rules": RULES}),
    "user is added": users,
    "user is removed": no_zebra,
    "database is added": database,
    "password": annotation("pgrender.dev/rotate-password.hippo", "2"),
    "certificates": annotation("pgrender.dev/rotate-certificates", "2"),
    "resources of instances": instances(resources={"limits": {"memory": "700Mi"}}),
    "setting of pgBouncer": bouncer(config={"global": {"default_pool_size": "30"}}),
    "resources of pgBouncer": bouncer(resources={"limits": {"memory": "100Mi"}}),
    "more pgBouncers": bouncer(replicas=2),
    "fewer pgBouncers": bouncer(replicas=1),
    "volume grows": instances(dataVolumeClaimSpec=sized("2Gi")),
    "volume shrinks": instances(dataVolumeClaimSpec=sized("1Gi")),
    "storage class": instances(dataVolumeClaimSpec=sized("2Gi", storageClassName="other")),
    "WAL volume": instances(walVolumeClaimSpec=sized("1Gi")),
    "more replicas": instances(replicas=3),
    "fewer replicas": instances(replicas=2),
    "schedule": schedule,
    "retention": backups(**{"global": {"repo1-retention-full": "5", "repo1-retention-full-type": "count"}}),
    "type of a Service": spec(service={"type": "NodePort"}),
    "switchover is allowed": spec(patroni={"switchover": {"enabled": True}}),
    "switchover": annotation(f"{PREFIX}trigger-switchover", "1"),
    "labels of pods": spec(metadata={"labels": {"team": "zoo"}}),
    "paused": spec(paused=True),
    "no longer paused": spec(paused=False),
    "shutdown": spec(shutdown=True),
    "startup": spec(shutdown=False),
}


def said(test: Test, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return the report about the cluster, as JSON."""
    with tempfile.TemporaryDirectory() as directory:
        files = [Path(directory, name) for name in ("old.json", "new.json")]
        for file, cluster in zip(files, (old, new), strict=True):
            file.write_text(json.dumps(cluster))
        words = ["diff", f"--namespace={test.namespace}", "--format=json", *map(str, files)]
        report = json.loads(program(PGRENDER, *words, PGRENDER_SEED=SEED))
    clusters: list[dict[str, Any]] = report["clusters"]
    return clusters[0]


def pods(test: Test) -> dict[str, str]:
    """Return the pods with a fixed name, with their UIDs."""
    found = test.get("pods", f"--selector={PREFIX}data")["items"]
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in found if pod["metadata"]["name"] != "client"}


def bouncers(test: Test) -> set[str]:
    """Return the UIDs of pgBouncer's pods."""
    found = test.get("pods", f"--selector={PREFIX}role=pgbouncer")["items"]
    return {pod["metadata"]["uid"] for pod in found if not pod["metadata"].get("deletionTimestamp")}


def sizes(test: Test) -> dict[str, str]:
    """Return the capacity of each volume."""
    claims = test.get("pvc")["items"]
    return {claim["metadata"]["name"]: claim["status"].get("capacity", {}).get("storage", "") for claim in claims}


def state(test: Test) -> dict[str, Any]:
    """Return everything that a change can affect."""
    found: dict[str, Any] = {"pods": pods(test), "bouncers": bouncers(test), "sizes": sizes(test)}
    names = test.instances()
    if not names:
        return found
    ask = {
        "started": "SELECT extract(epoch FROM pg_postmaster_start_time())",
        "loaded": "SELECT extract(epoch FROM pg_conf_load_time())",
    }
    for name, question in ask.items():
        found[name] = {pod: test.superuser(pod, question) for pod in names}
    leader = test.leader()
    found["timeline"] = int(test.superuser(leader, "SELECT timeline_id FROM pg_control_checkpoint()"))
    found["roles"] = test.superuser(leader, "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles")
    found["databases"] = test.superuser(leader, "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database")
    found["backups"] = len(test.backups())
    return found


def is_rolled_out(test: Test) -> bool:
    """Whether all pods are those of the newest templates, and ready."""
    for workload in [*test.get("statefulsets")["items"], *test.get("deployments")["items"]]:
        wanted, status = workload["spec"]["replicas"], workload["status"]
        if status.get("observedGeneration") != workload["metadata"]["generation"]:
            return False
        if wanted and not status.get("updatedReplicas", 0) == status.get("readyReplicas", 0) == wanted:
            return False
        if status.get("replicas", 0) != wanted:
            return False
    return True


def settle(test: Test, cluster: dict[str, Any]) -> None:
    """Wait until the change has done everything that it does: until nothing has happened for a while."""
    end = time.monotonic() + 400 * SLOWNESS
    last, since = None, time.monotonic()
    while time.monotonic() < end:
        now = quiet_state(test, cluster)
        if now is None or now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > QUIET * SLOWNESS:
            return
        time.sleep(3)
    raise Failed("the cluster does not come to rest")


def quiet_state(test: Test, cluster: dict[str, Any]) -> dict[str, Any] | None:
    """Return the state; `None` while something is being replaced or restarted."""
    count = 0 if cluster["spec"].get("shutdown") else cluster["spec"]["instances"][0]["replicas"]
    try:
        is_quiet = is_rolled_out(test) and (not count or test.is_well(count))
        return state(test) if is_quiet else None
    except Failed:
        return None


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Return the keys of both whose values differ."""
    return {key for key in before.keys() & after.keys() if before[key] != after[key]}


def compare(report: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the differences between what was said and what happened."""
    effects = {effect["effect"] for effect in report["effects"]}
    told_pods = {pod for effect in report["effects"] for pod in effect.get("pods", [])}
    replaced = changed(before["pods"], after["pods"])
    wrong = []

    def expect(what: str, told: Any, seen: Any) -> None:
        if told != seen:
            wrong.append(f"{what}: said {told}, and it was {seen}")

    expect("replaced pods", told_pods, replaced)
    gone, new = before["pods"].keys() - after["pods"].keys(), after["pods"].keys() - before["pods"].keys()
    expect("pods are gone", bool(effects & {"instances-removed", "shutdown"}), bool(gone))
    expect("pods are new", bool(effects & {"instances-added", "startup"}), bool(new))
    kept = before["bouncers"] & after["bouncers"]
    expect("pgBouncers end", bool(effects & {"pgbouncer-replaced", "pgbouncer-removed", "shutdown"}), kept != before["bouncers"])
    expect("pgBouncers are new", bool(effects & {"pgbouncer-replaced", "pgbouncer-added", "startup"}), kept != after["bouncers"])
    expect("volumes grow", "volume-grows" in effects, bool(changed(before["sizes"], after["sizes"])))
    expect("volumes are created", "volume-created" in effects, bool(after["sizes"].keys() - before["sizes"].keys()))
    if "started" not in before or "started" not in after:
        return wrong
    restarted = changed(before["started"], after["started"]) - replaced
    # A switchover restarts the former leader as a replica.
    if "switchover" in effects:
        expect("Postgres restarts once", 1, len(restarted))
    else:
        expect("Postgres restarts", "postgres-restarts" in effects, bool(restarted))
    if "postgres-restarts" in effects:
        expect("each Postgres restarts", before["started"].keys() - replaced, restarted)
    reloaded = changed(before["loaded"], after["loaded"]) - replaced - restarted
    if reloaded:
        may = {"postgres-reloads", "postgres-restarts", "certificate-changes", "logins-change", "patroni-reloads"}
        may |= {"instances-replaced", "leader-moves", "switchover"}
        expect("Postgres may reload", True, bool(effects & may))
    if effects & {"postgres-reloads", "logins-change"} and not told_pods and not restarted:
        expect("Postgres reloads", before["loaded"].keys() & after["loaded"].keys(), reloaded)
    expect("the leader moves", bool(effects & {"leader-moves", "switchover"}), after["timeline"] > before["timeline"])
    expect("SQL runs", "sql-runs" in effects, (before["roles"], before["databases"]) != (after["roles"], after["databases"]))
    return wrong


def check(test: Test, name: str, old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Apply a change and compare. Return whether Kubernetes accepted it."""
    report = said(test, old, new)
    effects = sorted(effect["effect"] for effect in report["effects"] if effect["consequence"] != "nothing")
    print(f"  {name}: {', '.join(effects)}", flush=True)
    before = state(test)
    password = test.secret("hippo-pguser-hippo")["password"]
    is_refused = "refused" in effects
    try:
        manifests = test.render(new)
        test.kubectl("apply", "--server-side", "--field-manager=e2e", "--dry-run=server", "--filename=-", text=manifests)
    except Failed as failure:
        test.expect(is_refused, f"{name}: Kubernetes refuses the change, and nobody said so: {failure}")
        return False
    test.expect(not is_refused, f"{name}: Kubernetes accepts what it was said to refuse")
    test.apply_manifests(manifests)
    prune(test, report)
    settle(test, new)
    wrong = compare(report, before, state(test))
    if "password-changes" in effects:
        test.expect(not test.logs_in("hippo", "hippo", password), "the old password is still accepted")
    test.expect(not wrong, f"{name}: {'; '.join(wrong)}")
    return True


def prune(test: Test, report: dict[str, Any]) -> None:
    """Delete what has left the manifests, as Argo CD and Flux do, and keep what they keep."""
    for removed in report["objects"]:
        if removed["change"] == "removed" and removed["kind"] != "PersistentVolumeClaim":
            test.kubectl("delete", removed["kind"], removed["name"])


def check_live(test: Test, cluster: dict[str, Any]) -> None:
    """What the API server has is what was applied: there is nothing to say about it."""
    kinds = "serviceaccounts,roles,rolebindings,services,configmaps,secrets,pvc,poddisruptionbudgets,statefulsets,deployments,cronjobs"
    live = test.kubectl("get", kinds, "--output=yaml")
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "cluster.json")
        file.write_text(json.dumps(cluster))
        words = ["diff", f"--namespace={test.namespace}", "--fields", "-", str(file)]
        text = program(PGRENDER, *words, text=live, PGRENDER_SEED=SEED)
    test.expect(f"PostgresCluster {test.namespace}/hippo: no changes" in text, f"changes of what was just applied: {text}")


def run(test: Test) -> None:
    """Make one change after the other. `CHANGES` can name some of them, separated by commas."""
    cluster = hippo()
    test.apply(cluster)
    test.wait_until_well(2)
    test.start_client()
    until("there is a backup", lambda: test.backups(), 120, pause=1)
    settle(test, cluster)
    check_live(test, cluster)
    wanted = [name for name in os.environ.get("CHANGES", "").split(",") if name]
    count = 0
    for name, change in CHANGES.items():
        if wanted and name not in wanted:
            continue
        changed_cluster = copy.deepcopy(cluster)
        change(changed_cluster)
        if check(test, name, cluster, changed_cluster):
            cluster = changed_cluster
        count += 1
    check_live(test, cluster)
    test.figure("changes of which each did what was said", count, unit="changes")
