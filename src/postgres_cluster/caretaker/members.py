"""Patroni's configuration, restarts and switchover, and the Endpoints that applications use."""

from __future__ import annotations

import json
import time
from typing import Any

from postgres import psql
from surroundings import (
    LABEL,
    LEADERS,
    SWITCHOVER,
    Failure,
    Refused,
    Wanted,
    apply,
    data_directory,
    find,
    kubernetes,
    log,
    patroni,
)

# A replica must have at least what the leader has of these, or it stops replaying (PostgreSQL, "Hot Standby").
HOT_STANDBY_SETTINGS = {
    "max_connections",
    "max_locks_per_transaction",
    "max_prepared_transactions",
    "max_wal_senders",
    "max_worker_processes",
}
HEALTHY = ("running", "streaming", "in archive recovery")


def dynamic_configuration(wanted: Wanted) -> float | None:
    """Replace Patroni's dynamic configuration, whole, when it is another one. Patroni itself passes it on and reloads."""
    right = wanted.settings["dynamicConfiguration"]
    try:
        there = patroni("GET", "/config")
    except Refused as refused:
        if refused.status != 502:
            raise
        return 1  # the cluster is being initialized, with just this configuration
    if there == right:
        return None
    patroni("PUT", "/config", right)
    log(f"configured Patroni: {', '.join(differences(there, right))}")
    return None


def differences(there: Any, right: Any, path: str = "") -> list[str]:
    """Name what differs, without values: a parameter may hold a password."""
    if not (isinstance(there, dict) and isinstance(right, dict)):
        return [] if there == right else [path]
    keys = sorted({*there, *right})
    return [name for key in keys for name in differences(there.get(key), right.get(key), f"{path}.{key}".lstrip("."))]


# What the leader has of these settings, and who follows it at this moment; Patroni's view is seconds old. A replica that
# has replayed past the last checkpoint knows with which settings the leader started.
FOLLOWED = """
SELECT json_build_object(
  'settings', (SELECT json_object_agg(name, setting) FROM pg_catalog.pg_settings WHERE name LIKE 'max%'),
  'followers', (SELECT coalesce(json_agg(application_name), '[]')
    FROM pg_catalog.pg_stat_replication, pg_catalog.pg_control_checkpoint()
    WHERE state = 'streaming' AND replay_lsn > checkpoint_lsn))
"""


def pending(members: list[Any]) -> list[Any]:
    """The members that a setting waits for until they restart."""
    return [member for member in members if member.get("pending_restart")]


def must_wait(replica: Any, settings: dict[str, str]) -> bool:
    """Whether a replica waits for a restart with nothing but hot standby settings that the leader still has higher."""
    reasons = replica.get("pending_restart_reason") or {"unknown": {}}
    try:
        return all(
            name in HOT_STANDBY_SETTINGS and int(values["new_value"]) < int(settings[name])
            for name, values in reasons.items()
        )
    except (KeyError, TypeError, ValueError):
        return False


def next_restart(members: list[Any], settings: dict[str, str]) -> Any:
    """Choose who restarts next, or None.

    Replicas go first: a raised hot standby setting must be there before the leader has it, and a setting with which
    Postgres does not start is found out before it reaches the leader. A lowered one must reach the leader first; until then
    a replica starts with the old value, and would be restarted again and again."""
    leader = [member for member in pending(members) if member["role"] in LEADERS]
    replicas = [member for member in pending(members) if member["role"] not in LEADERS]
    return next(iter([replica for replica in replicas if not must_wait(replica, settings)] + leader), None)


def follows(member: Any, followers: list[str]) -> bool:
    """Whether a replica streams from the leader; one that Patroni has replicate from another replica is taken to."""
    return member["role"] in LEADERS or member["name"] in followers or "replicatefrom" in member.get("tags", {})


class Calm:
    """Tells when the members have had time to take in the configuration: each looks every `loop_wait` seconds, in its own
    time, and so does not know for a while what another knows already."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.since = 0.0

    def has_come(self, wanted: Wanted, news: set[str]) -> bool:
        """Whether nothing new was heard for that long; what is heard no more does not count."""
        configuration = wanted.settings["dynamicConfiguration"]
        news = news | {json.dumps(configuration, sort_keys=True)}
        if not news <= self.known:
            self.since = time.monotonic()
        self.known = news
        return time.monotonic() - self.since > float(configuration.get("loop_wait", 10)) + 2


class PendingRestarts:
    """Restart Postgres where a setting waits for it, one pod at a time, and only while all members are well."""

    def __init__(self) -> None:
        self.calm = Calm()

    def __call__(self, wanted: Wanted) -> float | None:
        """Restart one, and come back soon for the next."""
        view = patroni("GET", "/cluster")
        there = wanted.members(view)
        waiting = {f"{member['name']} {member.get('pending_restart_reason')}" for member in pending(there)}
        if not self.calm.has_come(wanted, waiting) or not waiting or view.get("pause"):
            return None
        followed = json.loads("".join(psql(FOLLOWED)))
        member = next_restart(there, followed["settings"])
        if member is None:
            return None
        unwell = [
            f"{other['name']} is {other['state'] or 'away'}"
            for other in there
            if other["state"] not in HEALTHY or not follows(other, followed["followers"])
        ]
        if unwell:
            raise Failure(f"{member['name']} waits for a restart of Postgres, but {', '.join(unwell)}")
        patroni("POST", "/restart", {"restart_pending": True}, member=member["name"], timeout=180)
        log(
            f"restarted Postgres of {member['name']}: {', '.join(member.get('pending_restart_reason', {})) or 'settings'}"
        )
        return 2


REFUSED_SETTINGS = """
SELECT DISTINCT format('line %s of %s: %s: %s', f.sourceline, f.sourcefile, f.name, error)
FROM pg_file_settings f LEFT JOIN pg_settings s ON lower(s.name) = lower(f.name)
WHERE error IS NOT NULL AND f.sourcefile IS NOT NULL AND s.context IS DISTINCT FROM 'postmaster'
UNION ALL
SELECT format('%s is unknown to Postgres or has an impossible value', wanted)
FROM json_array_elements_text(current_setting('caretaker.arguments')::json) AS _ (wanted)
LEFT JOIN pg_settings ON lower(name) = lower(wanted)
WHERE (name IS NULL AND wanted NOT LIKE '%.%')
  OR (source = 'default' AND NOT pending_restart AND category NOT LIKE 'Write-Ahead Log / %Recovery%')
"""


class RefusedSettings:
    """Say which parameters Postgres does not take. Patroni leaves them out and says so only in its own log."""

    def __init__(self) -> None:
        self.calm = Calm()

    def __call__(self, wanted: Wanted) -> None:
        """Compare what is wanted with what Postgres runs with."""
        if not self.calm.has_come(wanted, set()):
            return
        parameters = wanted.settings["dynamicConfiguration"].get("postgresql", {}).get("parameters") or {}
        refused = psql(
            REFUSED_SETTINGS, arguments=sorted(name for name, value in parameters.items() if value is not None)
        )
        if refused:
            raise Failure("; ".join(refused))


def lost_data(wanted: Wanted) -> None:
    """Say why nothing starts where Patroni remembers a database cluster, but nobody has its data any more.

    It is not for us to begin an empty one in its place: a volume may only be late, and a backup not reachable."""
    if (data_directory() / "PG_VERSION").exists():
        return
    lock, memory = (find(f"/endpoints/{wanted.cluster}-ha{suffix}") for suffix in ("", "-config"))
    if not lock or not memory:
        return
    lock, memory = (there["metadata"].get("annotations", {}) for there in (lock, memory))
    if memory.get("initialize") and not lock.get("leader"):
        raise Failure(
            f"nobody leads, and this pod has no data: Patroni waits for the database cluster {memory['initialize']}, from "
            "another instance or a backup; to begin an empty one instead, "
            f"`kubectl annotate endpoints {wanted.cluster}-ha-config initialize-`"
        )


def primary_path(wanted: Wanted) -> str:
    """The Endpoints object of the Service that applications use."""
    return f"/endpoints/{wanted.cluster}-primary"


def primary_endpoints(wanted: Wanted) -> None:
    """Point `<cluster>-primary` at the ClusterIP of `<cluster>-ha`, which stays the same through every failover.

    Any member may do it, and the first one does, before there is a leader: who asks for the name too early would
    be told for a while that there is none. A new object remembers the switchover that was asked for by then as done."""
    address = kubernetes("GET", f"/services/{wanted.cluster}-ha")["spec"].get("clusterIP", "None")
    if address in ("None", ""):
        raise Failure(f"Service {wanted.cluster}-ha has no ClusterIP")
    port = {"name": "postgres", "port": wanted.settings["port"], "protocol": "TCP"}
    labels = {f"{LABEL}cluster": wanted.cluster, f"{LABEL}role": "primary"}
    subsets = [{"addresses": [{"ip": address}], "ports": [port]}]
    there = find(primary_path(wanted))
    if there is None:
        trigger = (wanted.settings["switchover"] or {}).get("trigger", "")
        metadata = {"labels": labels, "annotations": {SWITCHOVER: json.dumps({"done": trigger})}}
        apply("Endpoints", primary_path(wanted), {"metadata": metadata, "subsets": subsets})
        log(f"created Endpoints {wanted.cluster}-primary with {address}")
        return
    has_labels = labels.items() <= there["metadata"].get("labels", {}).items()
    if there.get("subsets") != subsets or not has_labels:
        kubernetes("PATCH", primary_path(wanted), {"metadata": {"labels": labels}, "subsets": subsets})
        log(f"changed Endpoints {wanted.cluster}-primary to {address}")


def switchover(wanted: Wanted) -> None:
    """Move the leader once for each new value of PGO's annotation `trigger-switchover`.

    What was done is remembered on the Endpoints of `<cluster>-primary`. As in PGO, the timeline is written down first:
    when it has changed by the time we look again, the leader has moved already."""
    request = wanted.settings["switchover"]
    if not request or not request["trigger"]:
        return
    trigger = request["trigger"]
    annotations = kubernetes("GET", primary_path(wanted))["metadata"].get("annotations", {})
    memory = json.loads(annotations.get(SWITCHOVER, "null")) or {"done": trigger}
    if SWITCHOVER in annotations and memory.get("done") == trigger:
        return
    view = patroni("GET", "/cluster")
    leader = next((member for member in view["members"] if member["role"] in LEADERS), None)
    if leader is None:
        raise Failure("no leader to switch over from")
    if memory.get("asked") != trigger and memory.get("done") != trigger:
        memory = {**memory, "asked": trigger, "timeline": leader.get("timeline")}
        remember(wanted, memory)
    if memory.get("done") != trigger and leader.get("timeline") == memory["timeline"]:
        target = request.get("target")
        if request.get("type") == "Failover":
            patroni("POST", "/failover", {"candidate": target}, timeout=60)
        else:
            patroni("POST", "/switchover", {"leader": leader["name"], "candidate": target}, timeout=60)
        log(f"moved the leader away from {leader['name']}, as `{trigger}` asked")
    remember(wanted, {"done": trigger})


def remember(wanted: Wanted, memory: Any) -> None:
    """Write down how far a switchover got."""
    kubernetes("PATCH", primary_path(wanted), {"metadata": {"annotations": {SWITCHOVER: json.dumps(memory)}}})
