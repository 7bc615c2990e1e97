"""A running cluster that an earlier version of the program has rendered is applied anew: replicas stream again by themselves.
Needs that version, in PGRENDER_BEFORE."""

from __future__ import annotations

import json
import os
import time

from framework import SEED, Skipped, Test, hippo, until
from programs import run as run_program

# How often a replica would be let in: when, and what Postgres says.
LOGINS = """
directory=/tmp/replication
for _ in $(seq 400); do
  answer=$(psql -XAtqwc IDENTIFY_SYSTEM "host=$0 user=_crunchyrepl dbname=postgres replication=true sslmode=verify-ca connect_timeout=3 \
    sslcert=$directory/tls.crt sslkey=$directory/tls.key sslrootcert=$directory/ca.crt" 2>&1) && answer=in
  printf '%s %s\\n' "$(date +%s.%N)" "${answer##*$'\\n'}"
  sleep 0.1
done
"""


def refused(lines: list[str], since: float) -> float:
    """For how long logins were refused: from the first refusal to the next login."""
    total, begin = 0.0, 0.0
    for line in lines:
        when, answer = line.split(" ", 1)
        if float(when) < since:
            continue
        if answer == "in":
            total, begin = total + (float(when) - begin if begin else 0), 0.0
        else:
            begin = begin or float(when)
            print(f"    {float(when) - since:.1f} s: {answer}", flush=True)
    if begin:
        raise AssertionError("at the end logins were still refused")
    return total


def run(test: Test) -> None:
    """Render with the one, apply, render with the other, apply."""
    before = os.environ.get("PGRENDER_BEFORE")
    if not before:
        raise Skipped("PGRENDER_BEFORE names no earlier version")
    words = ["render", f"--namespace={test.namespace}"]
    test.apply_manifests(run_program(before, *words, text=json.dumps(hippo()), PGRENDER_SEED=SEED))
    test.wait_until_well(2, 180)
    leader = test.leader()
    replica = next(pod for pod in test.instances() if pod != leader)
    starts = {pod["metadata"]["uid"] for pod in test.instance_pods()}
    old = test.secret("hippo-replication-cert")
    writer = test.start_writer()

    host = f"{leader}.hippo-pods.{test.namespace}.svc"
    test.in_pod(replica, "bash", "-c", 'nohup bash -c "$1" "$0" >/tmp/logins 2>&1 </dev/null &', host, LOGINS)
    until("it logs in", lambda: " in" in test.in_pod(replica, "cat", "/tmp/logins"))
    applied = test.apply(hippo())
    waited = until("it has a certificate of its own", lambda: changed(test, replica, old), 120)
    test.figure("new certificate after the apply", waited, 60)
    until("the map is there", lambda: "_crunchyrepl@" in test.in_pod(leader, "cat", "/pgdata/pg17/pg_ident.conf"), 60)
    time.sleep(20)
    lines = test.in_pod(replica, "cat", "/tmp/logins").splitlines()
    test.figure("logins of the replica refused", refused(lines, applied), 30)
    test.expect(test.is_well(2), "not well")
    if starts != {pod["metadata"]["uid"] for pod in test.instance_pods()}:
        print("  pods were replaced", flush=True)

    # Until now it may have streamed over its first connection.
    for pod in test.instances():
        if pod != test.leader():
            test.superuser(pod, "SELECT pg_terminate_backend(pid) FROM pg_stat_wal_receiver")
    streams = lambda: all(streaming(test, pod) for pod in test.instances() if pod != test.leader())  # noqa: E731
    test.figure("streams again", until("the replica streams over a new connection", streams, 60), 15)
    test.wait_until_well(2)
    test.expect(not writer.lost(), f"commits are lost: {writer.lost()}")


def changed(test: Test, pod: str, old: dict[str, str]) -> bool:
    """Whether libpq has another certificate than before."""
    return test.in_pod(pod, "cat", "/tmp/replication/tls.crt").strip() != old["tls.crt"].strip()


def streaming(test: Test, pod: str) -> bool:
    """Whether a replica has a connection to the leader."""
    return test.superuser(pod, "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'") == "1"
