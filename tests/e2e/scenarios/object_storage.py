"""Object storage over TLS: all types of backups, retention, and new clusters that start from the bucket, after errors too."""

from __future__ import annotations

import json
import time
from typing import Any

import object_server
from framework import PREFIX, Test, hippo, instance_sets, until
from object_server import SECRET, conf, options, put_secret, repository

from scenarios.clone import archived, create_table, insert, rows, timeline

# What repo1 has after all backups but the last one.
ALL = ["full", "diff", "incr"]


def cluster(test: Test, name: str, replicas: int = 1, **spec: Any) -> dict[str, Any]:
    """Return a cluster without PgBouncer, with one repository in object storage. It keeps one full backup."""
    first = {**repository(test), "schedules": {"full": "0 1 1 1 *", "incremental": "0 2 1 1 *"}}
    pgbackrest = {
        "configuration": [{"secret": {"name": SECRET}}],
        "global": {**options(f"/{name}"), "repo1-retention-full": "1"},
        "repos": [first],
    }
    made = hippo(instances=instance_sets(instance1=replicas), backups={"pgbackrest": pgbackrest}, **spec)
    made["metadata"]["name"] = name
    made["spec"].pop("proxy", None)
    return made


def data_source(test: Test, secret: str, target: str = "", endpoint: str = "") -> dict[str, Any]:
    """Return a data source: the repository of `hippo` in the bucket, up to a time, or all of it."""
    point_in_time = ["--type=time", f'--target="{target}"'] if target else []
    return {
        "pgbackrest": {
            "configuration": [{"secret": {"name": secret}}],
            # The name of this file is not that of a file of the cluster itself.
            "global": {**options("/hippo"), "repo1-storage-ca-file": "/etc/pgbackrest/conf.d/authority-of-the-source.crt"},
            "options": point_in_time,
            "repo": repository(test, endpoint),
        }
    }


def kinds(test: Test) -> list[str]:
    """Return the types of the backups, oldest first."""
    backups = test.backups()
    test.expect(not any(backup["error"] for backup in backups), f"a backup has damaged pages: {backups}")
    return [backup["type"] for backup in backups]


def archive(test: Test) -> tuple[str, str]:
    """Return the first and the last WAL segment in the archive."""
    stanzas = json.loads(test.in_pod(test.leader(), "pgbackrest", "--stanza=db", "info", "--output=json"))
    (found,) = stanzas[0]["archive"]
    return found["min"], found["max"]


def scheduled(test: Test, kind: str) -> None:
    """Run the job of a schedule now, as a DBA does."""
    started = time.monotonic()
    name = f"{kind}-{time.monotonic_ns()}"
    test.kubectl("create", "job", name, f"--from=cronjob/hippo-repo1-{kind}")
    test.kubectl("wait", "--for=condition=Complete", f"job/{name}", "--timeout=120s")
    test.figure(f"backup to object storage by CronJob, {kind}", time.monotonic() - started)


def back_up(test: Test) -> None:
    """Take a backup of each type, then another full one, which removes all earlier ones."""
    applied = test.apply(cluster(test, "hippo"))
    test.wait_until_well(1)
    until("the first backup is there", lambda: kinds(test) == ALL[:1], 120, pause=1)
    test.figure("first backup in object storage", time.time() - applied, target=40)
    create_table(test)
    insert(test, "before")

    manual = cluster(test, "hippo")
    manual["spec"]["backups"]["pgbackrest"]["manual"] = {"repoName": "repo1", "options": ["--type=diff"]}
    manual["metadata"]["annotations"][f"{PREFIX}pgbackrest-backup"] = "now"
    test.apply(manual)
    until("the requested backup is there", lambda: kinds(test) == ALL[:2], 120, pause=1)
    scheduled(test, "incr")
    test.expect(kinds(test) == ALL, f"the backups are {kinds(test)}")
    first, last = archive(test)
    files = object_server.objects(test, "hippo/backup/db")
    scheduled(test, "full")
    test.expect(kinds(test) == ["full"], f"one full backup is kept, but there are {kinds(test)}")
    test.expect(archive(test)[0] > first and archive(test)[1] > last, f"the archive has {archive(test)}, and had {first}, {last}")
    gone = set(files) - set(object_server.objects(test, "hippo/backup/db"))
    test.expect(len(gone) > len(files) / 2, f"only {len(gone)} of {len(files)} objects of expired backups are gone")
    test.in_pod(test.leader(), "pgbackrest", "--stanza=db", "check")
    found = test.in_pod(test.leader(), "pgbackrest", "--stanza=db", "--output=text", "--verbose", "verify")
    test.expect("status: ok" in found and "error" not in found.replace("error: 0", ""), f"verify says: {found}")


def start_from_bucket(test: Test, wanted: str) -> Test:
    """Start a cluster up to a time, after two errors: a server that does not exist, and a wrong key in a Secret."""
    clone = test.beside("rhino")
    authority = test.secret(SECRET)["ca.crt"]
    put_secret(test, "s3-source", **{"s3.conf": conf(repo1_s3_key_secret="wrong"), "authority-of-the-source.crt": authority})
    nowhere = f"nowhere.{test.namespace}.svc"
    started = time.monotonic()
    clone.apply(cluster(test, "rhino", 2, dataSource=data_source(test, "s3-source", wanted, nowhere)))
    until("the pod says that there is no such server", lambda: nowhere in clone.termination_message(), 300)
    test.figure("a new cluster reports that object storage is unreachable", time.monotonic() - started, target=100)

    applied = clone.apply(cluster(test, "rhino", 2, dataSource=data_source(test, "s3-source", wanted)))
    until("the pod says that the key is wrong", lambda: "403 (Forbidden)" in clone.termination_message(), 240)
    test.figure("a new cluster reports a wrong key, after its endpoint was corrected", time.time() - applied)
    test.expect("wrong" not in clone.termination_message(), f"the message contains the key: {clone.termination_message()}")

    put_secret(test, "s3-source", **{"s3.conf": conf(), "authority-of-the-source.crt": authority})
    corrected = time.monotonic()
    until("the corrected cluster has the rows", lambda: rows(clone, clone.leader()) == "before chosen", 400)
    test.figure("a new cluster starts after its Secret was corrected", time.monotonic() - corrected)
    clone.wait_until_well(2, 180)
    return clone


def run(test: Test) -> None:
    """Back up, start another cluster from the bucket, delete the first one, and start a third one."""
    object_server.start(test)
    back_up(test)
    wanted = insert(test, "chosen")
    insert(test, "later")
    archived(test)
    there = test.backups()

    clone = start_from_bucket(test, wanted)
    for pod in clone.instances():
        until("all have the rows", lambda pod=pod: rows(clone, pod) == "before chosen")
    test.expect(timeline(clone) == 2, f"the new cluster has timeline {timeline(clone)}")
    until("it has its own backup", lambda: kinds(clone) == ["full"], 120, pause=1)
    archived(clone)
    test.expect(object_server.objects(test, "rhino/archive/db"), "the new cluster does not archive to its own path")
    test.expect(test.backups() == there, "the new cluster has changed the repository that it started from")
    test.expect(rows(test, test.leader()) == "before chosen later", "the first cluster has changed")

    test.kubectl("delete", "--wait=true", "--timeout=120s", "--filename=-", text=test.render(cluster(test, "hippo")))
    until("the first cluster is gone", lambda: not test.instance_pods(), 120)
    last = test.beside("mouse")
    applied = last.apply(cluster(test, "mouse", dataSource=data_source(test, "s3-source")))
    until("its successor has all rows", lambda: rows(last, last.leader()) == "before chosen later", 180)
    test.figure("a new cluster from the bucket of a deleted one: rows", time.time() - applied, target=40)
    test.expect(timeline(last) == 2, f"its successor has timeline {timeline(last)}")
    until("it has its own backup", lambda: kinds(last) == ["full"], 120, pause=1)
