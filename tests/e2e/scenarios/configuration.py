"""Parameters that need a reload or a restart, in both orders, or that Postgres refuses; and rules of pg_hba.conf."""

from __future__ import annotations

import time
from typing import Any

from framework import Failed, Test, Writer, hippo, until


def started(test: Test) -> dict[str, str]:
    """Return when the Postgres of each instance started."""
    question = "SELECT extract(epoch FROM pg_postmaster_start_time())"
    return {pod: test.superuser(pod, question) for pod in test.instances()}


def everywhere(test: Test, name: str, value: str, seconds: float = 90) -> float:
    """Wait until all instances run with a value. Return how long that took."""
    return until(f"{name} is {value}", lambda: all(shown(test, pod, name) == value for pod in test.instances()), seconds)


def shown(test: Test, pod: str, name: str) -> str:
    """Return the value with which an instance runs."""
    return test.superuser(pod, f"SHOW {name}")


def parameters(**values: Any) -> dict[str, Any]:
    """Return the cluster with these parameters."""
    return hippo(patroni={"dynamicConfiguration": {"postgresql": {"parameters": values}}})


def check_reload(test: Test) -> None:
    """The value is applied without a restart."""
    before = started(test)
    applied = test.apply(parameters(work_mem="5MB"))
    everywhere(test, "work_mem", "5MB")
    test.figure("reload everywhere", time.time() - applied, target=20)
    test.expect(started(test) == before, "Postgres restarted for work_mem")


def check_restart(test: Test, writer: Writer, connections: int, leader_goes: str) -> None:
    """Each instance restarts once, in the order that hot standby requires, and the leader stays the same."""
    test.wait_until_well(2)
    leader, before = test.leader(), started(test)
    with writer.gaps() as gaps:
        applied = test.apply(parameters(work_mem="5MB", max_connections=connections))
        everywhere(test, "max_connections", str(connections), 120)
        test.figure(f"max_connections everywhere, leader {leader_goes}", time.time() - applied, target=60)
        test.wait_until_well(2)
    after = started(test)
    order = sorted(after, key=lambda pod: float(after[pod]))
    test.expect(all(after[pod] != before[pod] for pod in before), "not all have restarted")
    test.expect(order[{"first": 0, "last": -1}[leader_goes]] == leader, f"restarted {order}, and {leader} leads")
    test.expect(test.leader() == leader, "the leader moved for a restart")
    test.figure("restart of the leader: longest gap", gaps[0], target=5)


def check_rule(test: Test) -> None:
    """A rule refuses one user in one database at once, and accepts them after it is removed."""
    rules = [
        {"connection": "hostssl", "databases": ["zoo"], "users": ["rhino"], "method": "reject"},
        {"connection": "hostssl", "method": "scram-sha-256"},
    ]
    test.sql("SELECT 1", user="rhino", database="zoo")
    applied = test.apply(hippo(authentication={"rules": rules}))
    until("rhino is kept out of zoo", lambda: is_kept_out(test))
    test.figure("rule of pg_hba.conf applies", time.time() - applied, target=20)
    test.sql("SELECT 1", user="rhino", database="hippo")
    test.apply(hippo())
    until("rhino is back in zoo", lambda: not is_kept_out(test))


def is_kept_out(test: Test) -> bool:
    """Whether a rule, and nothing else, refuses rhino."""
    try:
        test.sql("SELECT 1", user="rhino", database="zoo")
    except Failed as failure:
        if "pg_hba.conf rejects" not in str(failure):
            raise
        return True
    return False


def check_refused(test: Test) -> None:
    """No instance restarts for a parameter that Postgres refuses, and the log names it."""
    test.wait_until_well(2)
    before = started(test)
    test.apply(parameters(work_mem="much", no_such_thing="1"))

    def is_named() -> bool:
        lines = [line for line in test.caretaker_log(test.leader()).splitlines() if "refused settings" in line]
        return any("no_such_thing" in line and "work_mem" in line for line in lines)

    test.figure("refused parameters are in the log", until("the log names them", is_named, 90))
    test.sql("SELECT 1")
    test.expect(started(test) == before, "Postgres restarted for parameters that it refuses")


def check_impossible(test: Test) -> None:
    """If Postgres does not start with a parameter, only one replica restarts. After the correction it runs again."""
    test.wait_until_well(2)
    leader = test.leader()
    since = started(test)[leader]
    test.apply(parameters(shared_buffers="900TB"))
    replica = next(pod for pod in test.instances() if pod != leader)
    until("the replica is down", lambda: f"{replica} is " in test.caretaker_log(leader).splitlines()[-1], 120)
    time.sleep(20)
    test.sql("SELECT 1")
    test.expect(test.leader() == leader and started_of(test, leader) == since, "the leader was restarted too")
    corrected = test.apply(hippo())
    test.wait_until_well(2, 150)
    test.figure("replica is back after the correction", time.time() - corrected)
    test.expect(test.leader() == leader, "the leader moved")


def started_of(test: Test, pod: str) -> str:
    """Return when the Postgres of one instance started."""
    return test.superuser(pod, "SELECT extract(epoch FROM pg_postmaster_start_time())")


def run(test: Test) -> None:
    """Make one change after the other while an application writes."""
    test.apply(hippo())
    test.wait_until_well(2)
    test.start_client()
    writer = test.start_writer()
    check_reload(test)
    check_rule(test)
    check_refused(test)
    check_restart(test, writer, 120, leader_goes="last")
    check_restart(test, writer, 90, leader_goes="first")
    test.apply(hippo())
    everywhere(test, "max_connections", "100", 120)
    check_impossible(test)
    test.expect(not writer.lost(), f"acknowledged rows are lost: {writer.lost()}")
