"""Patroni's configuration, restarts and switchover, and the Endpoints that applications use."""

from __future__ import annotations

import json
import time
from typing import Any

import progress
from postgres import psql
from standby import adjusted, source_of
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
    leadership,
    log,
    patroni,
    primary_path,
)

# A replica must have at least the values of the leader, or it stops replaying (PostgreSQL, "Hot Standby").
HOT_STANDBY_SETTINGS = {
    "max_connections",
    "max_locks_per_transaction",
    "max_prepared_transactions",
    "max_wal_senders",
    "max_worker_processes",
}
HEALTHY = ("running", "streaming", "in archive recovery")


def dynamic_configuration(wanted: Wanted) -> float | None:
    """Replace Patroni's whole dynamic configuration if it differs. Patroni distributes it and reloads the members."""
    try:
        there = patroni("GET", "/config")
    except Refused as refused:
        if refused.status != 502:
            raise
        return 1  # the cluster is being bootstrapped with this configuration
    right = adjusted(wanted, there)
    if there.get("pause"):
        right.setdefault("pause", True)  # of `patronictl pause`, which stays until `patronictl resume`
    if there != right:
        patroni("PUT", "/config", right)
        log(f"configured Patroni: {', '.join(differences(there, right))}")
        # Only a PATCH wakes Patroni (`do_PATCH_config` in patroni/api.py). Without it, a change waits for up to `loop_wait` seconds.
        patroni("PATCH", "/config", {"loop_wait": right["loop_wait"]})
    # The configuration of a standby depends on whether it is one yet.
    return 2 if source_of(right) and leadership.now() != "standby_leader" else None


def differences(there: Any, right: Any, path: str = "") -> list[str]:
    """Return the names of settings that differ, without values, because a parameter may contain a password."""
    if not (isinstance(there, dict) and isinstance(right, dict)):
        return [] if there == right else [path]
    keys = sorted({*there, *right})
    return [name for key in keys for name in differences(there.get(key), right.get(key), f"{path}.{key}".lstrip("."))]


# The leader's values of these settings, and the replicas that stream from it now; Patroni's view is some seconds old. A replica
# that has replayed past the last checkpoint knows the settings with which the leader started.
FOLLOWED = """
SELECT json_build_object(
  'settings', (SELECT json_object_agg(name, setting) FROM pg_catalog.pg_settings WHERE name LIKE 'max%'),
  'followers', (SELECT coalesce(json_agg(application_name), '[]')
    FROM pg_catalog.pg_stat_replication, pg_catalog.pg_control_checkpoint()
    WHERE state = 'streaming' AND replay_lsn > checkpoint_lsn))
"""


def pending(members: list[Any]) -> list[Any]:
    """Return the members with settings that need a restart."""
    return [member for member in members if member.get("pending_restart")]


def must_wait(replica: Any, settings: dict[str, str]) -> bool:
    """Whether the replica's only pending settings are hot standby settings for which the leader still has higher values."""
    reasons = replica.get("pending_restart_reason") or {"unknown": {}}
    try:
        return all(
            name in HOT_STANDBY_SETTINGS and int(values["new_value"]) < int(settings[name])
            for name, values in reasons.items()
        )
    except (KeyError, TypeError, ValueError):
        return False


def next_restart(members: list[Any], settings: dict[str, str]) -> Any:
    """Return the member that restarts next, or None.

    Replicas restart first: they need a raised hot standby setting before the leader, and a setting with which Postgres does not
    start is found before it reaches the leader. The leader needs a lowered hot standby setting first: until then, a replica
    starts with the old value and would restart again and again."""
    leader = [member for member in pending(members) if member["role"] in LEADERS]
    replicas = [member for member in pending(members) if member["role"] not in LEADERS]
    return next(iter([replica for replica in replicas if not must_wait(replica, settings)] + leader), None)


def follows(member: Any, followers: list[str]) -> bool:
    """Whether a replica streams from the leader. A cascading replica (`replicatefrom`) is assumed to follow."""
    return member["role"] in LEADERS or member["name"] in followers or "replicatefrom" in member.get("tags", {})


class Calm:
    """Says when all members have had time to read the configuration. Each member reads it every `loop_wait` seconds, so for some
    time one member knows more than another."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.since = 0.0

    def has_come(self, wanted: Wanted, news: set[str]) -> bool:
        """Whether there was no news for that long. News that disappears does not count."""
        configuration = wanted.settings["dynamicConfiguration"]
        news = news | {json.dumps(configuration, sort_keys=True)}
        if not news <= self.known:
            self.since = time.monotonic()
        self.known = news
        return time.monotonic() - self.since > float(configuration.get("loop_wait", 10)) + 2


class PendingRestarts:
    """Restarts Postgres where a setting needs it, one pod at a time, and only while all members are healthy."""

    def __init__(self) -> None:
        self.calm = Calm()

    def __call__(self, wanted: Wanted) -> float | None:
        """Restart one member, and return the time until the next."""
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
            raise Failure(f"{member['name']} needs a restart of Postgres, but {', '.join(unwell)}")
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
    """Reports parameters that Postgres refuses. Patroni leaves them out and reports that only in its own log."""

    def __init__(self) -> None:
        self.calm = Calm()

    def __call__(self, wanted: Wanted) -> None:
        """Compare the wanted parameters with those of Postgres."""
        if not self.calm.has_come(wanted, set()):
            return
        parameters = wanted.settings["dynamicConfiguration"].get("postgresql", {}).get("parameters") or {}
        refused = psql(
            REFUSED_SETTINGS, arguments=sorted(name for name, value in parameters.items() if value is not None)
        )
        if refused:
            raise Failure("; ".join(refused))


def lost_data(wanted: Wanted) -> None:
    """Say why nothing starts if Patroni has a record of the database cluster, but no instance has its data.

    The caretaker does not start an empty one instead: a volume may only be late, or a backup temporarily unreachable."""
    if (data_directory() / "PG_VERSION").exists() or "doing" in progress.memory():
        return
    lock, memory = (find(f"/endpoints/{wanted.cluster}-ha{suffix}") for suffix in ("", "-config"))
    if not lock or not memory:
        return
    lock, memory = (there["metadata"].get("annotations", {}) for there in (lock, memory))
    if memory.get("initialize") and not lock.get("leader"):
        raise Failure(
            f"there is no leader, and this pod has no data: Patroni waits for the database cluster {memory['initialize']}, from "
            "another instance or a backup; to create an empty one instead, run "
            f"`kubectl annotate endpoints {wanted.cluster}-ha-config initialize-`"
        )


def primary_endpoints(wanted: Wanted) -> None:
    """Point `<cluster>-primary` at the ClusterIP of `<cluster>-ha`, which does not change in a failover.

    The first member does it before there is a leader: otherwise DNS would cache for some time that the name does not exist. A
    new object records the current `trigger-switchover` as done, and the last restore in place."""
    address = kubernetes("GET", f"/services/{wanted.cluster}-ha")["spec"].get("clusterIP", "None")
    if address in ("None", ""):
        raise Failure(f"Service {wanted.cluster}-ha has no ClusterIP")
    port = {"name": "postgres", "port": wanted.settings["port"], "protocol": "TCP"}
    labels = {f"{LABEL}cluster": wanted.cluster, f"{LABEL}role": "primary"}
    subsets = [{"addresses": [{"ip": address}], "ports": [port]}]
    there = find(primary_path(wanted))
    if there is None:
        trigger = (wanted.settings["switchover"] or {}).get("trigger", "")
        annotations = {SWITCHOVER: json.dumps({"done": trigger}), **progress.remembered()}
        metadata = {"labels": labels, "annotations": annotations}
        apply("Endpoints", primary_path(wanted), {"metadata": metadata, "subsets": subsets})
        log(f"created Endpoints {wanted.cluster}-primary with {address}")
        return
    has_labels = labels.items() <= there["metadata"].get("labels", {}).items()
    if there.get("subsets") != subsets or not has_labels:
        kubernetes("PATCH", primary_path(wanted), {"metadata": {"labels": labels}, "subsets": subsets})
        log(f"changed Endpoints {wanted.cluster}-primary to {address}")


def switchover(wanted: Wanted) -> None:
    """Move the leader once for each new value of PGO's annotation `trigger-switchover`.

    An annotation of the Endpoints `<cluster>-primary` records the progress. As in PGO, the timeline is recorded first: if it has
    changed at the next look, the leader has already moved."""
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
        log(f"moved the leader away from {leader['name']}, as annotation value `{trigger}` requested")
    remember(wanted, {"done": trigger})


def remember(wanted: Wanted, memory: Any) -> None:
    """Record the progress of a switchover."""
    kubernetes("PATCH", primary_path(wanted), {"metadata": {"annotations": {SWITCHOVER: json.dumps(memory)}}})
