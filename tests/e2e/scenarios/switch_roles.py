"""Two clusters switch roles and switch back without losing a row, and a former primary that has diverged says what it would lose."""

from __future__ import annotations

import time
from typing import Any

from framework import Test, until

from scenarios.clone import archived
from scenarios.standby import ACCEPT, cluster, streams

DOMAIN = "--trust-domain=zoo"


def follows(source: Test, **annotations: str) -> dict[str, Any]:
    """Return a cluster that follows another one."""
    standby = {"enabled": True, "host": f"hippo-primary.{source.namespace}.svc"}
    return cluster(2, {**ACCEPT, **{f"pgrender.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}}, standby=standby)


def leads(**spec: Any) -> dict[str, Any]:
    """Return a cluster that follows no other."""
    return cluster(2, ACCEPT, **spec)


def rows(test: Test, pod: str) -> str:
    """Return all rows."""
    return test.superuser(pod, "SELECT string_agg(word, ' ' ORDER BY number) FROM words")


def insert(test: Test, word: str) -> bool:
    """Commit a row. An attempt while Postgres is a standby is a failure."""
    return test.superuser(test.leader(), f"INSERT INTO words (word) VALUES ('{word}') RETURNING 'done'") == "done"


def says(test: Test, text: str, since: float) -> bool:
    """Whether the caretaker of an instance has logged a text since a time."""
    age = f"--since={int(time.time() - since) + 1}s"
    return any(text in test.kubectl("logs", pod, "--container=caretaker", age) for pod in test.instances())


def promote(test: Test, word: str) -> None:
    """Promote a standby cluster, and measure how long its first write takes."""
    applied = test.apply(leads(), DOMAIN)
    until("the promoted cluster writes", lambda: insert(test, word), 60, pause=0.1)
    test.figure("promotion of a standby: first write", time.time() - applied, target=5)


def arrives(test: Test, expected: str) -> None:
    """Wait until all instances stream, and check their rows."""
    until("all instances stream", lambda: len(test.instances()) == 2 and streams(test), 120)
    for pod in test.instances():
        until("all rows are there", lambda pod=pod: rows(test, pod) == expected, 60)


def switch(old: Test, new: Test, word: str) -> None:
    """Make the primary a standby of the other cluster, and then promote that one."""
    applied = old.apply(follows(new), DOMAIN)
    until("the source has everything", lambda: says(old, "has everything up to", applied), 120)
    old.figure("a primary becomes a standby of its standby", time.time() - applied)
    promote(new, word)


def run(test: Test) -> None:
    """Switch, switch back, switch again; then promote both, and repair that; then stop one before the switch."""
    one, two = test, Test("switch-roles")
    two.figures = test.figures
    with two.in_namespace():
        one.apply(leads(), DOMAIN)
        one.wait_until_well(2, 120)
        one.superuser(one.leader(), "CREATE TABLE words (number serial, word text)")
        insert(one, "a")
        two.apply(follows(one), DOMAIN)
        arrives(two, "a")

        switch(one, two, "b")
        arrives(one, "a b")
        switch(two, one, "c")
        arrives(two, "a b c")
        switch(one, two, "d")
        arrives(one, "a b c d")

        # Both are primaries, and both write.
        applied = time.time()
        promote(one, "e")
        insert(two, "lost")
        timeline = two.superuser(two.leader(), "SELECT timeline_id FROM pg_control_checkpoint()")
        two.apply(follows(one), DOMAIN)
        until("it says what it would lose", lambda: says(two, "transactions that the source does not have", applied), 120)
        test.expect(says(two, f'pgrender.dev/discard-timeline: "{timeline}"', applied), "it does not say what to do")
        for pod in two.instances():
            test.expect(rows(two, pod).endswith("d lost"), f"{pod} has {rows(two, pod)}")
        two.kubectl("delete", "pod", *two.instances())
        until("it is back", lambda: len(two.instances()) == 2 and all(rows(two, pod).endswith("d lost") for pod in two.instances()), 120)
        agreed = two.apply(follows(one, discard_timeline=timeline), DOMAIN)
        arrives(two, "a b c d e")
        test.figure("a diverged primary is rewound after the annotation", time.time() - agreed)
        test.expect(says(two, "discarding", agreed), "it does not say what it discards")

        # A name that leads to the cluster itself. The standby follows nothing until it has another source.
        alias = {"type": "ExternalName", "externalName": f"hippo-primary.{two.namespace}.svc.cluster.local"}
        two.apply_object({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "alias"}, "spec": alias})
        applied = two.apply(cluster(2, ACCEPT, standby={"enabled": True, "host": f"alias.{two.namespace}.svc"}), DOMAIN)
        until("it says that it would follow itself", lambda: says(two, "is this cluster itself", applied), 120)
        insert(one, "f")
        two.apply(follows(one, discard_timeline=timeline), DOMAIN)
        arrives(two, "a b c d e f")

        # The standby is promoted by mistake. Its own archive has its timeline, which it must neither follow nor use again.
        promote(two, "wrong")
        archived(two)
        timeline = two.superuser(two.leader(), "SELECT timeline_id FROM pg_control_checkpoint()")
        two.apply(follows(one, discard_timeline=timeline), DOMAIN)
        arrives(two, "a b c d e f")

        # The primary is stopped before the standby is promoted.
        one.apply(leads(shutdown=True), DOMAIN)
        until("the primary is stopped", lambda: not one.instances(), 120)
        promote(two, "g")
        archived(two)
        one.apply(follows(two), DOMAIN)
        arrives(one, "a b c d e f g")
        log = "".join(one.kubectl("logs", pod, "--container=database") for pod in one.instances())
        test.expect("starts as a standby" in log and "received promote request" not in log, "it started as a primary")

        # A former primary that has diverged is made anew.
        promote(one, "wrong")
        applied = one.apply(follows(two), DOMAIN)
        until("it says what it would lose", lambda: says(one, "transactions that the source does not have", applied), 120)
        data = "postgres-operator.crunchydata.com/cluster=hippo,postgres-operator.crunchydata.com/data=postgres"
        stopped = follows(two)
        stopped["spec"]["shutdown"] = True
        one.apply(stopped, DOMAIN)
        until("it is stopped", lambda: not one.instances(), 120)
        one.kubectl("delete", "pvc", f"--selector={data}")
        one.kubectl("annotate", "endpoints", "hippo-ha-config", "initialize-")
        one.apply(follows(two), DOMAIN)
        arrives(one, "a b c d e f g")
