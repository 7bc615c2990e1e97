"""A cluster is restored in place to a chosen second, once for each value of PGO's annotation, and nothing is lost when it fails."""

from __future__ import annotations

import json
import time
from typing import Any

from framework import CLAIM, PREFIX, Test, hippo, instance_sets, until
from page import Page

from scenarios.clone import archived, insert, rows, timeline

ASIDE = "/pgdata/pg17.before-restore"


def cluster(replicas: int = 2, trigger: str | None = None, *options: str) -> dict[str, Any]:
    """Return a cluster without PgBouncer, with one repository on a volume, and a request to restore it."""
    pgbackrest: dict[str, Any] = {"repos": [{"name": "repo1", "volume": {"volumeClaimSpec": CLAIM}, "schedules": {"full": "0 1 * * 0"}}]}
    if trigger is not None:
        pgbackrest["restore"] = {"enabled": True, "repoName": "repo1", "options": list(options)}
    made = hippo(instances=instance_sets(instance1=replicas), backups={"pgbackrest": pgbackrest})
    made["spec"].pop("proxy", None)
    if trigger is not None:
        made["metadata"]["annotations"][f"{PREFIX}pgbackrest-restore"] = trigger
    return made


def progress(test: Test) -> dict[str, Any]:
    """Return what the cluster says about its restore, with the command of the page."""
    page = Page("docs/restore.md", "restore_in_place", test.namespace)
    text = page.run("-o jsonpath='{.metadata.annotations.pgrender")
    return dict(json.loads(text)) if text else {}


def state(test: Test, trigger: str) -> str | None:
    """Return the state of one restore."""
    found = progress(test)
    return found.get("state") if found.get("id") == trigger else None


def is_aside(test: Test, pod: str) -> bool:
    """Whether a pod keeps the data from before."""
    return "yes" in test.in_pod(pod, "bash", "-c", f"test -e {ASIDE} && echo yes || true", container="caretaker")


def restored(test: Test, trigger: str, applied: float, expected: str, members: int) -> None:
    """Wait until a restore is done and its rows are everywhere."""
    until("the restored leader writes", lambda: state(test, trigger) == "done" and writes(test), 180)
    test.figure("a restore in place: first write", time.time() - applied, target=30)
    test.wait_until_well(members, 120)
    test.figure(f"a restore in place: {members} members are ready", time.time() - applied)
    for pod in test.instances():
        until("all have the rows", lambda pod=pod: rows(test, pod) == expected)


def full_backup(test: Test) -> None:
    """Take a backup on the repo host."""
    words = ("pgbackrest", "--stanza=db", "--repo=1", "--type=full", "backup")
    test.in_pod("hippo-repo-host-0", *words, container="pgbackrest")


def writes(test: Test) -> bool:
    """Whether the leader accepts a write."""
    return test.superuser(test.leader(), "CREATE TABLE IF NOT EXISTS hippo.written (); SELECT 1", "hippo") == "1"


def ended_with(test: Test) -> str:
    """Return the termination messages of the containers of Postgres."""
    statuses = [status for pod in test.instance_pods() for status in pod["status"].get("containerStatuses", [])]
    ended = [status.get("lastState", {}).get("terminated") or {} for status in statuses if status["name"] == "database"]
    return " ".join(end.get("message", "") for end in ended)


def run(test: Test) -> None:
    """Restore to a second, be interrupted, go back along the old timeline; then what is refused, fails, is cancelled, or corrected."""
    page = Page("docs/restore.md", "restore_in_place", test.namespace)
    test.apply(cluster(2, "with the cluster"))
    test.wait_until_well(2)
    page.run("suspend")
    test.expect("| f" in page.run("role=master"), "the page does not find the leader")
    test.superuser(test.leader(), "CREATE TABLE hippo.animals (name text)", "hippo")
    insert(test, "before")
    until("there is a backup", lambda: test.backups(), 120, pause=1)
    until("a new cluster has nothing to restore", lambda: state(test, "with the cluster") == "done")
    system = test.superuser(test.leader(), "SELECT system_identifier FROM pg_control_system()")
    wanted = insert(test, "chosen")
    insert(test, "mistake")
    test.superuser(test.leader(), "ALTER ROLE hippo PASSWORD NULL; CREATE ROLE intruder LOGIN", "hippo")
    archived(test)

    # To a chosen second.
    leader = test.leader()
    target = ("--type=time", f'--target="{wanted}"')
    applied = test.apply(cluster(2, "first", *target))
    restored(test, "first", applied, "before chosen", 2)
    test.expect(test.leader() == leader, f"{test.leader()} leads, and not {leader}")
    test.expect(timeline(test) > 1, f"the timeline is {timeline(test)}")
    there = test.superuser(test.leader(), "SELECT system_identifier FROM pg_control_system()")
    test.expect(there == system, "the system identifier has changed")
    test.expect(test.superuser(leader, "SELECT count(*) FROM pg_roles WHERE rolname = 'intruder'") == "0", "a role is there")
    until("the password is that of the spec", lambda: test.superuser(leader, HAS_PASSWORD) == "t")
    test.expect([is_aside(test, pod) for pod in test.instances()] == [pod == leader for pod in test.instances()], "aside")
    archived(test)

    # The same value does nothing, also when the Endpoints are deleted and the leader moves.
    insert(test, "new")
    test.apply(cluster(2, "first", "--type=immediate"))
    test.kubectl("delete", "endpoints", "hippo-primary")
    replica = next(pod for pod in test.instances() if pod != leader)
    test.in_pod(leader, "patronictl", "switchover", "--force", f"--candidate={replica}")
    until("the replica leads", lambda: test.leader() == replica)
    test.wait_until_well(2, 120)
    until("the record is there again", lambda: state(test, "first") == "done")
    time.sleep(10)
    for pod in test.instances():
        until("the new row is still there", lambda pod=pod: rows(test, pod) == "before chosen new")
    page.run("rm -rf")
    test.expect(not is_aside(test, leader), "the page does not remove the data from before")
    test.expect("full backup" in page.run("pgbackrest info"), "the page does not show the backups")

    # Again, although the newest backup is of the timeline that this restore leaves, and the restoring pod is killed in the middle.
    wanted = insert(test, "kept")
    full_backup(test)
    insert(test, "second mistake")
    archived(test)
    leader = test.leader()
    test.apply(cluster(2, "second", "--type=time", f'--target="{wanted}"'))
    until("it is restored", lambda: state(test, "second") == "restoring", 90, pause=0)
    test.kubectl("delete", "pod", leader, "--grace-period=0", "--force")
    until("the restored leader writes", lambda: state(test, "second") == "done" and writes(test), 180)
    test.wait_until_well(2, 120)
    for pod in test.instances():
        until("all have the rows", lambda pod=pod: rows(test, pod) == "before chosen kept new")
    # A backup of the timeline that was left is not used, neither for a replica nor for the next restore.
    replica = next(pod for pod in test.instances() if pod != test.leader())
    test.kubectl("delete", "pod,pvc", "--wait=false", f"--selector={PREFIX}instance={replica}")
    test.apply(cluster(2, "second"))
    until("the lost replica is new", lambda: test.is_well(2), 120)
    insert(test, "last")
    archived(test)
    test.apply(cluster(2, "to the end"))
    until("it is restored", lambda: state(test, "to the end") == "done" and writes(test), 180)
    test.wait_until_well(2, 120)
    test.expect(rows(test, test.leader()) == "before chosen kept last new", f"there are {rows(test, test.leader())}")

    # Back to what was there before the second restore.
    insert(test, "unwanted")
    archived(test)
    full = next(backup["label"] for backup in test.backups())
    timelines = [backup["archive"]["stop"][:8] for backup in test.backups()]
    left = str(int(timelines[-1], 16))
    test.apply(cluster(2, "back", f"--target-timeline={left}", f"--set={full}"))
    until("it is restored", lambda: state(test, "back") == "done" and writes(test), 180)
    test.wait_until_well(2, 120)
    mistake = "before chosen kept new second mistake"
    test.expect(rows(test, test.leader()) == mistake, f"there are {rows(test, test.leader())}")
    test.expect(progress(test).get("timeline", "0") > left, f"the progress is {progress(test)}")

    # What cannot succeed is refused, and nothing stops.
    started = test.superuser(test.leader(), "SELECT pg_postmaster_start_time()")
    for trigger, option, why in (
        ("too early", '--target="2020-01-01 00:00:00+00"', "before the end of the first backup"),
        ("too late", '--target="2100-01-01 00:00:00+00"', "in the future"),
    ):
        test.apply(cluster(2, trigger, "--type=time", option))
        until("it is refused", lambda trigger=trigger: state(test, trigger) == "refused", 60)
        test.expect(why in progress(test)["message"], f"the cluster says: {progress(test)}")
    test.apply(cluster(2, "no such backup", "--set=20200101-000000F"))
    until("it is refused", lambda: state(test, "no such backup") == "refused", 60)
    test.expect(test.superuser(test.leader(), "SELECT pg_postmaster_start_time()") == started, "Postgres has restarted")

    # Withdrawn before anything has moved: what is aside then is from an earlier restore.
    leader = test.leader()
    test.in_pod(leader, "bash", "-c", f"test -e {ASIDE} || (mkdir {ASIDE} && echo 17 >{ASIDE}/PG_VERSION)", container="caretaker")
    test.apply(cluster(2, "withdrawn at once"))
    until("it begins", lambda: state(test, "withdrawn at once") is not None, 60, pause=0)
    test.apply(cluster(2))
    until("it is withdrawn", lambda: state(test, "withdrawn at once") in ("cancelled", "done"), 180)
    if state(test, "withdrawn at once") == "cancelled":
        test.wait_until_well(2, 120)
        test.expect(rows(test, test.leader()) == mistake, "the data of an earlier restore was put back")

    # What fails later keeps the data. The request is withdrawn, and the data is back.
    archived(test)
    leader = test.leader()
    test.apply(cluster(2, "cancelled", "--type=name", "--target=nobody"))
    until("it fails", lambda: state(test, "cancelled") == "failed", 120)
    until("the container says why", lambda: "recovery ended before configured recovery target" in ended_with(test), 60)
    test.apply(cluster(2))
    until("it is cancelled", lambda: state(test, "cancelled") == "cancelled", 120)
    test.wait_until_well(2, 120)
    test.expect(rows(test, test.leader()) == mistake, "the data is not back")
    test.expect(not is_aside(test, leader), "the data is still aside")

    # A failure that is corrected, and a pod that is deleted meanwhile.
    test.apply(cluster(2, "corrected", "--type=name", "--target=nobody"))
    until("it fails again", lambda: state(test, "corrected") == "failed", 120)
    test.kubectl("delete", "pod", *test.instances())
    until("the pods are new", lambda: len(test.instances()) == 2, 90)
    applied = test.apply(cluster(2, "corrected"))
    until("the corrected restore is done", lambda: state(test, "corrected") == "done" and writes(test), 240)
    test.wait_until_well(2, 180)
    for pod in test.instances():
        until("everything that was archived is there", lambda pod=pod: rows(test, pod) == mistake)


HAS_PASSWORD = "SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolname = 'hippo'"
