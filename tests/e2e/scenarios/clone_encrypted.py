"""New clusters start from the encrypted repository of another cluster, whose password is in a Secret."""

from __future__ import annotations

from typing import Any

from framework import Test, until

from scenarios.clone import archived, cluster, create_table, insert, rows, timeline

PASSWORD = "hush-hush"  # noqa: S105


def encrypted(name: str, secret: str, **spec: Any) -> dict[str, Any]:
    """Return a cluster whose repository is encrypted with the password in a Secret."""
    made = cluster(name, 1, **spec)
    pgbackrest = made["spec"]["backups"]["pgbackrest"]
    pgbackrest["global"] = {"repo1-cipher-type": "aes-256-cbc"}
    pgbackrest["configuration"] = [{"secret": {"name": secret}}]
    return made


def put_password(test: Test, secret: str, password: str) -> None:
    """Create a Secret with a file of pgBackRest."""
    text = f"[global]\nrepo1-cipher-pass={password}\n"
    test.apply_object({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret}, "stringData": {"cipher.conf": text}})


def check(clone: Test) -> None:
    """Wait for the rows, and for a backup of its own."""
    until(f"{clone.cluster} has the rows", lambda: rows(clone, clone.leader()) == "before later", 240)
    clone.expect(timeline(clone) == 2, f"{clone.cluster} has timeline {timeline(clone)}")
    until(f"{clone.cluster} has its own backup", lambda: len(clone.backups()) == 1, 120, pause=1)


def run(test: Test) -> None:
    """Clone in one input with the source, and alone: with the Secret of the source, and first with another one."""
    put_password(test, "hippo-cipher", PASSWORD)
    put_password(test, "rhino-cipher", "another")
    hippo = encrypted("hippo", "hippo-cipher")
    test.apply(hippo)
    test.wait_until_well(1)
    create_table(test)
    insert(test, "before")
    until("there is a backup", lambda: len(test.backups()) == 1, 120, pause=1)
    test.expect(test.backups()[0]["error"] is False, f"the backup has an error: {test.backups()}")
    insert(test, "later")
    archived(test)

    source = {"postgresCluster": {"clusterName": "hippo", "repoName": "repo1"}}
    together = encrypted("rhino", "rhino-cipher", dataSource=source)
    rhino = test.beside("rhino")
    test.apply_manifests(test.render_together([hippo, together]))
    alone = encrypted("mouse", "rhino-cipher", dataSource=source)
    mouse = test.beside("mouse")
    mouse.apply(alone)
    until("mouse says what is wrong", lambda: "pgbackrest info: " in mouse.termination_message(), 240)
    print(f"  {mouse.termination_message()}", flush=True)
    test.expect("another" not in mouse.termination_message(), "the message contains the password")
    mouse.apply(encrypted("mouse", "hippo-cipher", dataSource=source))
    check(rhino)
    check(mouse)
    test.expect(len(test.backups()) == 1, "a clone backs up into the repository of its source")
