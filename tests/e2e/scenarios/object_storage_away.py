"""Object storage that is unreachable: the cluster starts, and a failover is as fast as usual."""

from __future__ import annotations

from framework import Test, hippo, instance_sets

from scenarios.repository_away import KILLED_GAP, LONGEST_GAP, MORE, replace

# An address that never answers, not even with an error (RFC 5737).
NOBODY = "192.0.2.1:443"


def run(test: Test) -> None:
    """Start, write, and replace the leader in each way."""
    s3 = {"bucket": "backups", "endpoint": NOBODY, "region": "nowhere"}
    backups = {"pgbackrest": {"repos": [{"name": "repo1", "s3": s3}]}}
    keys = {"repo1-s3-key": "nobody", "repo1-s3-key-secret": "knows"}
    backups["pgbackrest"]["global"] = {"repo1-s3-key-type": "shared", **keys}
    test.apply(hippo(instances=instance_sets(instance1=3), backups=backups))
    test.wait_until_well(3, 240)
    writer = test.start_writer()
    for what, options in (("deleted", ()), ("killed", ("--grace-period=0", "--force"))):
        # WAL segments wait for the archive, as usual.
        test.superuser(test.leader(), "SELECT pg_switch_wal()")
        target = (KILLED_GAP if options else LONGEST_GAP) + MORE
        replace(test, writer, f"leader {what} without object storage", [test.leader()], *options, target=target)
    test.expect(not writer.lost(), f"acknowledged rows are lost: {writer.lost()}")
