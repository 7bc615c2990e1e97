"""Backups on demand: one for each value of PGO's annotation, whatever is applied again and whichever pod is deleted."""

from __future__ import annotations

import time
from typing import Any

from framework import PREFIX, Test, hippo, instance_sets, is_ready, until

REPO_HOST = "hippo-repo-host-0"

# The time in which a backup that is requested twice would be there.
LONG_ENOUGH = 20


def cluster(value: str, *options: str) -> dict[str, Any]:
    """Return a cluster that requests a backup."""
    cluster = hippo(instances=instance_sets(instance1=1))
    cluster["spec"]["backups"]["pgbackrest"]["manual"] = {"repoName": "repo1", "options": list(options)}
    cluster["metadata"]["annotations"][f"{PREFIX}pgbackrest-backup"] = value
    return cluster


def taken(test: Test) -> list[tuple[str, str]]:
    """Return the type of each backup and the value that requested it, oldest first."""
    backups = test.backups()
    test.expect(not any(backup["error"] for backup in backups), f"a backup has damaged pages: {backups}")
    return [(backup["type"], backup.get("annotation", {}).get("pgbackrest-backup", "")) for backup in backups]


def pods(test: Test) -> dict[str, tuple[str, int]]:
    """Return the UID of each pod, and how often its containers have restarted."""
    return {
        pod["metadata"]["name"]: (
            pod["metadata"]["uid"],
            sum(status["restartCount"] for status in pod["status"].get("containerStatuses", [])),
        )
        for pod in test.get("pods")["items"]
    }


def replace_repo_host(test: Test) -> None:
    """Delete the pod of the repo host, and wait for the next one."""
    before = pods(test)[REPO_HOST]
    test.kubectl("delete", "pod", REPO_HOST)
    until("there is another repo host", lambda: pods(test).get(REPO_HOST, before) != before, 90)
    until("it is ready", lambda: is_ready(test.get("pod", REPO_HOST)), 90)


def run(test: Test) -> None:
    """Request backups: with the cluster, later, twice, and while the repo host is replaced."""
    test.apply(cluster("with the cluster", "--type=diff"))
    test.wait_until_well(1)
    expected = [("full", ""), ("diff", "with the cluster")]
    until("the first backup and the requested one are there", lambda: taken(test) == expected, 150, pause=1)
    before = pods(test)

    applied = test.apply(cluster("later", "--type full --start-fast"))
    expected.append(("full", "later"))
    until("the backup is there", lambda: taken(test) == expected, 90, pause=1)
    test.figure("backup on demand, from the request to the end", time.time() - applied, target=40)

    test.apply(cluster("later", "--type=incr"))
    time.sleep(LONG_ENOUGH)
    test.expect(taken(test) == expected, f"the same value has started a backup: {taken(test)}")
    test.expect(pods(test) == before, f"a request has restarted pods: {before}, {pods(test)}")

    replace_repo_host(test)
    time.sleep(LONG_ENOUGH)
    test.expect(taken(test) == expected, f"a restart has started a backup: {taken(test)}")

    test.apply(cluster("interrupted", "--type=incr"))
    replace_repo_host(test)
    expected.append(("incr", "interrupted"))
    until("the interrupted backup is there", lambda: taken(test) == expected, 150, pause=1)
    time.sleep(LONG_ENOUGH)
    test.expect(taken(test) == expected, f"the interrupted backup was taken twice: {taken(test)}")
    log = test.kubectl("logs", REPO_HOST, "--container=pgbackrest-config")
    test.expect("failed" not in log, f"the repo host says: {log}")
