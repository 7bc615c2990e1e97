"""An idle caretaker needs almost no CPU time, and a paused one changes nothing."""

from __future__ import annotations

import time

from cost import cost
from framework import Test, hippo, instance_sets, until

SECONDS = 60
MOST_PERCENT, MOST_MEBIBYTES = 1, 40

CARETAKER = r"words[1:] == [b'/etc/pgrender/caretaker.py', b'']"


def check_cost(test: Test) -> None:
    """Wait until it is idle, then measure for a minute."""
    time.sleep(30)
    before = {pod: cost(test, pod, CARETAKER)[0] for pod in test.instances()}
    time.sleep(SECONDS)
    leader = test.leader()
    for pod, seconds in before.items():
        role = "leader" if pod == leader else "replica"
        after, mebibytes = cost(test, pod, CARETAKER)
        test.figure(f"CPU of a {role}'s caretaker", 100 * (after - seconds) / SECONDS, MOST_PERCENT, "% of a core")
        test.figure(f"memory of a {role}'s caretaker", mebibytes, MOST_MEBIBYTES, "MiB")


def check_pause(test: Test) -> None:
    """A new user is created only after the end of the pause."""
    cluster = hippo(instances=instance_sets(instance1=2), paused=True)
    cluster["spec"]["users"].append({"name": "okapi", "databases": ["forest"]})
    test.apply(cluster)
    time.sleep(15)
    there = test.superuser(test.leader(), "SELECT count(*) FROM pg_roles WHERE rolname = 'okapi'")
    test.expect(there == "0", "a user was made in the pause")
    del cluster["spec"]["paused"]
    applied = test.apply(cluster)
    until("okapi logs in", lambda: test.sql("SELECT 1", "okapi", "forest"))
    test.figure("end of the pause: first login", time.time() - applied, target=5)


def run(test: Test) -> None:
    """Measure, then pause."""
    test.apply(hippo(instances=instance_sets(instance1=2)))
    test.wait_until_well(2)
    until("there is a backup", lambda: test.backups(), 120, pause=1)
    test.start_client()
    check_cost(test)
    check_pause(test)
