"""The backup repository is unreachable: a failover is as fast as usual, and a shutdown does not wait for the repository."""

from __future__ import annotations

import time

from framework import Test, Writer, hippo, instance_sets, is_ready, until

# The time that a failover takes with the repository, and the time that it may take longer without it.
LONGEST_GAP, MORE = 3.1, 5
KILLED_GAP = 5


def replace(test: Test, writer: Writer, what: str, pods: list[str], *options: str, target: float) -> None:
    """Delete pods, one of which is the leader, and measure the interruption."""
    with writer.gaps() as gaps:
        test.kubectl("delete", "pod", *pods, *options)
    test.figure(f"{what}: longest gap", gaps[0], target)
    test.wait_until_well(3, 120)


def run(test: Test) -> None:
    """Stop the repo host and replace the leader in each way. Do the same with the repo host. Then replace all pods at once."""
    test.apply(hippo(instances=instance_sets(instance1=3)))
    test.wait_until_well(3)
    until("there is a backup", lambda: test.backups(), 120, pause=1)
    writer = test.start_writer()
    scale = ("scale", "statefulset", "hippo-repo-host")
    force = ("--grace-period=0", "--force")
    for with_it in (False, True):
        test.kubectl(*scale, f"--replicas={int(with_it)}")
        until("the repo host is there or gone", lambda with_it=with_it: repo_hosts(test) == [True] * with_it, 60)
        name = "deleted with the repo host" if with_it else "deleted without a repo host"
        others = ["hippo-repo-host-0"] if with_it else []
        # WAL segments wait for the archive, as usual.
        test.superuser(test.leader(), "SELECT pg_switch_wal()")
        replace(test, writer, f"leader {name}", [test.leader(), *others], target=LONGEST_GAP + MORE)
        test.superuser(test.leader(), "SELECT pg_switch_wal()")
        replace(test, writer, f"leader killed, {name}", [test.leader(), *others], *force, target=KILLED_GAP + MORE)

    test.kubectl(*scale, "--replicas=0")
    until("the repo host is gone", lambda: not repo_hosts(test), 60)
    test.superuser(test.leader(), "SELECT pg_switch_wal()")
    started = time.monotonic()
    with writer.gaps() as gaps:
        test.kubectl("delete", "pod", *test.instances())
    test.figure("all instances deleted: gone", time.monotonic() - started)
    test.figure("all instances deleted: longest gap", gaps[0], 40)
    test.wait_until_well(3, 120)
    test.kubectl(*scale, "--replicas=1")
    until("pgBackRest archives again", lambda: test.in_pod(test.leader(), "pgbackrest", "--stanza=db", "check") == "", 120)


def repo_hosts(test: Test) -> list[bool]:
    """Return for each repo host whether it is ready."""
    pods = test.get("pods", "--selector=postgres-operator.crunchydata.com/pgbackrest-dedicated")["items"]
    return [is_ready(pod) for pod in pods]
