"""A cluster is created again while its repository is kept: the caretaker logs it, uses the repository, and the cluster gets its
own first backup."""

from __future__ import annotations

from framework import Test, hippo, until


def run(test: Test) -> None:
    """Take a backup, delete everything except the repository, apply again."""
    test.apply(hippo())
    test.wait_until_well(2)
    until("there is a backup", lambda: test.backups(), 120, pause=1)
    test.kubectl("delete", "statefulset,deployment,cronjob,job,pod", "--all", "--timeout=120s")
    until("all pods are gone", lambda: not test.get("pods")["items"])
    claims = [item["metadata"]["name"] for item in test.get("pvc")["items"]]
    test.kubectl("delete", "pvc", *(name for name in claims if "repo1" not in name), "--timeout=60s")
    test.kubectl("delete", "endpoints", "--all")

    test.apply(hippo())
    test.wait_until_well(2, 120)
    until("the new cluster has a backup of its own", lambda: len(test.backups()) == 2, 120, pause=1)
    first, second = (backup["database"]["id"] for backup in test.backups())
    test.expect((first, second) == (1, 2), f"the backups are of databases {first} and {second}")
    log = test.caretaker_log(test.leader())
    test.expect("repo1 holds another database, with system identifier" in log, log)
    test.in_pod(test.leader(), "pgbackrest", "--stanza=db", "check")
