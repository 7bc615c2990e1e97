"""A new cluster starts from the backups of another one, up to a chosen second, and ignores the data source afterwards."""

from __future__ import annotations

import time
from typing import Any

from framework import CLAIM, Test, hippo, instance_sets, until
from page import Page


def cluster(name: str, replicas: int, **spec: Any) -> dict[str, Any]:
    """Return a cluster without PgBouncer, with one repository on a volume."""
    repositories = [{"name": "repo1", "volume": {"volumeClaimSpec": CLAIM}}]
    made = hippo(instances=instance_sets(instance1=replicas), backups={"pgbackrest": {"repos": repositories}}, **spec)
    made["metadata"]["name"] = name
    made["spec"].pop("proxy", None)
    return made


def rows(test: Test, pod: str) -> str:
    """Return all rows."""
    return test.superuser(pod, "SELECT string_agg(name, ' ' ORDER BY name) FROM hippo.animals", "hippo")


def create_table(test: Test) -> None:
    """Create the table, as soon as the caretaker has created the schema of the user."""
    there = "SELECT to_regnamespace('hippo')"
    until("the schema is there", lambda: test.superuser(test.leader(), there, "hippo") == "hippo")
    test.superuser(test.leader(), "CREATE TABLE hippo.animals (name text)", "hippo")


def subscribe(test: Test) -> None:
    """Create a subscription, and set a time zone that is in the backup."""
    test.superuser(test.leader(), "CREATE SUBSCRIPTION s CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false)", "hippo")
    test.superuser(test.leader(), "ALTER SUBSCRIPTION s ENABLE", "hippo")
    test.superuser(test.leader(), "ALTER SYSTEM SET timezone TO 'Asia/Tokyo'")


def timeline(test: Test) -> int:
    """Return the timeline of the leader."""
    return int(test.superuser(test.leader(), "SELECT timeline_id FROM pg_control_checkpoint()"))


def insert(test: Test, name: str) -> str:
    """Commit a row, and return the time after it. Then switch to a new WAL segment, so that the row is archived."""
    test.superuser(test.leader(), f"INSERT INTO hippo.animals VALUES ('{name}')", "hippo")
    now = test.superuser(test.leader(), "SET timezone TO 'UTC'; SELECT clock_timestamp()")
    time.sleep(1)
    return now


def archived(test: Test) -> None:
    """Wait until everything that was committed is archived. Without a record, there would be no segment to archive."""
    leader = test.leader()
    test.superuser(leader, "SELECT pg_logical_emit_message(true, 'e2e', '')")
    segment = test.superuser(leader, "SELECT pg_walfile_name(pg_current_wal_lsn())")
    test.superuser(leader, "SELECT pg_switch_wal()")
    until("it is archived", lambda: test.superuser(leader, "SELECT last_archived_wal FROM pg_stat_archiver") >= segment)


def logs(test: Test, pod: str) -> str:
    """Return the log of the container that restores."""
    return test.kubectl("logs", pod, "--container=database", "--tail=-1")


def run(test: Test) -> None:
    """Clone to a second, replace the pods, lose a replica, and try what must be refused."""
    test.apply(cluster("hippo", 1))
    test.wait_until_well(1)
    subscribe(test)
    create_table(test)
    insert(test, "before")
    until("there is a backup", lambda: test.backups(), 120, pause=1)
    wanted = insert(test, "chosen")
    insert(test, "later")
    archived(test)

    clone = test.beside("rhino")
    # Without a time zone it is UTC, whatever the setting of the other cluster is.
    options = ["--type=time", f'--target="{wanted.removesuffix("+00")}"']
    source = {"postgresCluster": {"clusterName": "hippo", "repoName": "repo1", "options": options}}
    applied = clone.apply(cluster("rhino", 2, dataSource=source))
    writes = "CREATE TABLE IF NOT EXISTS hippo.written (); SELECT 1"
    until("the clone writes", lambda: clone.superuser(clone.leader(), writes, "hippo") == "1", 120)
    test.figure("a clone of a small cluster: first write", time.time() - applied, target=15)
    clone.wait_until_well(2)
    test.figure("a clone of a small cluster: two members stream", time.time() - applied)
    for pod in clone.instances():
        until("all have the rows", lambda pod=pod: rows(clone, pod) == "before chosen")
    enabled = "SELECT string_agg(subname || ' ' || subenabled, ' ') FROM pg_subscription"
    test.expect(clone.superuser(clone.leader(), enabled) == "s false", "the clone uses the replication slot of its source")
    test.expect("disabled subscription s in database hippo" in logs(clone, clone.leader()), "nothing is said about the subscription")
    test.expect(test.superuser(test.leader(), enabled) == "s true", "the source lost its subscription")
    test.expect(timeline(clone) == 2, f"the clone has timeline {timeline(clone)}")
    until("the clone has its own backup", lambda: len(clone.backups()) == 1, 120, pause=1)
    archived(clone)
    test.expect(rows(test, test.leader()) == "before chosen later", "the source has changed")
    test.expect(len(test.backups()) == 1, "the clone backs up into the repository of its source")

    insert(clone, "new")
    replica = next(pod for pod in clone.instances() if pod != clone.leader())
    test.kubectl("delete", "pod,pvc", "--wait=false", f"--selector={'postgres-operator.crunchydata.com/instance'}={replica}")
    clone.apply(cluster("rhino", 2, dataSource=source))
    until("the lost replica is new", lambda: clone.is_well(2), 120)
    test.kubectl("delete", "pod", *clone.instances())
    clone.wait_until_well(2)
    for pod in clone.instances():
        until("all rows are still there", lambda pod=pod: rows(clone, pod) == "before chosen new")

    killed = test.beside("mole")
    source["postgresCluster"]["options"] = []
    killed.apply(cluster("mole", 2, dataSource=source))
    until("it restores", lambda: any("restore: restoring" in logs(killed, pod) for pod in killed.instances()), 120, pause=0)
    test.kubectl("delete", "pod", *killed.instances(), "--grace-period=0", "--force")
    until("the interrupted clone starts", lambda: rows(killed, killed.leader()) == "before chosen later", 240)

    wrong = test.beside("hippo-look")
    options = ["--type=time", '--target="2020-01-01 00:00:00+00"']
    source = {"postgresCluster": {"clusterName": "hippo", "repoName": "repo1", "options": options}}
    wrong.apply(cluster("hippo-look", 1, dataSource=source))

    def message() -> str:
        return Page("docs/restore.md", "clone", test.namespace).run("lastState.terminated.message")

    until("the pod says why it cannot start", lambda: "restore: " in message(), 120)
    test.expect("unable to find backup set with stop time less than" in message(), f"the pod says: {message()}")
    source["postgresCluster"]["options"] = []
    wrong.apply(cluster("hippo-look", 1, dataSource=source))
    until("the corrected clone starts", lambda: rows(wrong, wrong.leader()) == "before chosen later", 180)
