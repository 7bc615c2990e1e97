"""An idle caretaker needs almost no CPU time, and a paused one changes nothing."""

from __future__ import annotations

import time

from framework import Test, hippo, instance_sets, until

SECONDS = 60
MOST_PERCENT, MOST_MEBIBYTES = 1, 40

# The CPU time so far in seconds, and the memory in MiB.
READ_COST = r"""
import os
for pid in filter(str.isdigit, os.listdir('/proc')):
    words = open(f'/proc/{pid}/cmdline', 'rb').read().split(b'\0')
    if words[1:] == [b'/etc/pgrender/caretaker.py', b'']:
        fields = open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()
        status = dict(line.split(':', 1) for line in open(f'/proc/{pid}/status'))
        print(sum(map(int, fields[11:15])) / os.sysconf('SC_CLK_TCK'), int(status['VmRSS'].split()[0]) / 1024)
"""


def cost(test: Test, pod: str) -> tuple[float, float]:
    """Return CPU time and memory of a pod's caretaker."""
    seconds, mebibytes = test.in_pod(pod, "python3", "-c", READ_COST, container="caretaker").split()
    return float(seconds), float(mebibytes)


def check_cost(test: Test) -> None:
    """Wait until it is idle, then measure for a minute."""
    time.sleep(30)
    before = {pod: cost(test, pod)[0] for pod in test.instances()}
    time.sleep(SECONDS)
    leader = test.leader()
    for pod, seconds in before.items():
        role = "leader" if pod == leader else "replica"
        after, mebibytes = cost(test, pod)
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
