"""A cluster as PGO makes it is left with its volumes: the steps of `pgrender adopt` are run, undone, and run again to the end.

The scenario needs `openssl` on this machine. It runs the commands of README.md as they are, except those that stop and start PGO."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import framework
from framework import PREFIX, SEED, Test, Writer, until
from pgo import INSTANCES, PASSWORD, Pgo, cluster
from programs import Failed

# The longest interruption: stop Postgres, start it again, and some commands in between.
LONGEST_GAP = 45
STEPS = range(10)
NEW_NAMES = ("hippo-instance1-0", "hippo-instance1-1")


class Block(NamedTuple):
    """A block of commands of README.md."""

    step: int
    undo: bool
    script: str


def blocks(text: str) -> list[Block]:
    """Return the blocks that can be run here, in their order."""
    found = []
    step, paragraph, lines = -1, "", iter(text.splitlines())
    above = ""
    for line in lines:
        if line.startswith("## "):
            step = int(line.split()[1].rstrip("."))
        if line.startswith("```sh"):
            script = "\n".join(iter(lambda: next(lines), "```"))
            if line == "```sh":
                found.append(Block(step, "Undo" in paragraph, script))
        elif line and not above:
            paragraph = line
        elif line:
            paragraph += line
        above = line
    return found


class Directory:
    """The working directory of an administrator."""

    def __init__(self, test: Test, pgo: Pgo, path: Path) -> None:
        self.test = test
        self.has_definition = bool(pgo.owners)
        self.path = path
        self.steps = path / "adopt"
        path.mkdir()
        (path / "seed").write_text(SEED)

    def export(self) -> None:
        """Export the cluster, and write the steps."""
        kinds = "pvc,pv,secret,endpoints,pods"
        if self.has_definition:
            there = self.test.get(f"postgrescluster,{kinds}")
        else:
            there = self.test.get(kinds)
            there["items"].append(cluster(self.test.namespace))
        (self.path / "export.yaml").write_text(json.dumps(there))
        framework.run(framework.PGRENDER, "adopt", f"--output-dir={self.steps}", str(self.path / "export.yaml"))
        written = "".join(file.read_text() for file in self.steps.iterdir())
        values = [value for item in there["items"] if item["kind"] == "Secret" for value in item["data"].values()]
        self.test.expect(PASSWORD not in written and not any(value in written for value in values), "a file has a secret")

    def run(self, step: int, undo: bool = False, part: int | None = None) -> str:
        """Run the commands of a step, or those that undo it, or one block of them."""
        output = ""
        environment = {"PATH": f"{Path(framework.PGRENDER).parent}:{os.environ['PATH']}"}
        all_blocks = blocks((self.steps / "README.md").read_text())
        found = [block for block in all_blocks if (block.step, block.undo) == (step, undo)]
        for position, block in enumerate(found):
            if part in (None, position):
                print(f"  {time.strftime('%X')} {'undo ' if undo else ''}step {step}", flush=True)
                script = f"cd '{self.steps}'\n{block.script}"
                output += framework.run("bash", "-euo", "pipefail", "-c", script, timeout=300, **environment) + "\n"
        return output


def facts(test: Test, pods: dict[str, str]) -> dict[str, Any]:
    """Return what must not change: the system identifier, and the inodes of a data directory and its WAL by their old names."""
    identifier = test.superuser(test.leader(), "SELECT system_identifier FROM pg_control_system()")
    words = ["stat", "--dereference", "--format=%i", "/pgdata/pg17/PG_VERSION", "/pgdata/pg17/pg_wal"]
    return {"identifier": identifier, **{old: test.in_pod(pod, *words) for old, pod in pods.items()}}


def timeline(test: Test) -> int:
    """Return the timeline of the leader."""
    return int(test.superuser(test.leader(), "SELECT timeline_id FROM pg_control_checkpoint()"))


def move(test: Test, directory: Directory, writer: Writer, what: str) -> None:
    """Run all steps but the last, and measure the interruption."""
    for step in STEPS[:3]:
        directory.run(step)
    with writer.gaps() as gaps:
        for step in STEPS[3:7]:
            directory.run(step)
    test.figure(what, gaps[0], LONGEST_GAP)
    directory.run(7)
    test.wait_until_well(2)


def check(test: Test, before: dict[str, Any], writer: Writer) -> None:
    """Check that the new cluster has everything of the old one."""
    former = [claim["spec"]["volumeName"] for claim in test.get("pvc")["items"]]
    test.expect(len(former) > len(set(former)), "the old claims are gone")
    volumes = {claim["metadata"]["name"]: claim["spec"]["volumeName"] for claim in test.get("pvc")["items"]}
    pods = {old: new for old in INSTANCES for new in NEW_NAMES if volumes[f"{old}-pgdata"] == volumes[f"postgres-data-{new}"]}
    test.expect(len(pods) == len(INSTANCES), f"the volumes are elsewhere: {volumes}")
    after = facts(test, pods)
    test.expect(after == before, f"before {before}, after {after}")
    test.expect(not writer.lost(), f"commits are lost: {writer.lost()}")
    test.expect(len(test.backups()) == 1, "the backup is not there, or there is another one")
    until("the archive works", lambda: test.in_pod(test.leader(), "pgbackrest", "--stanza=db", "check") is not None)
    waits = [member["Member"] for member in test.members() if member.get("Pending restart")]
    restarts = [pod for pod in test.instances() if "restarted Postgres" in test.caretaker_log(pod)]
    test.expect(not waits and not restarts, f"Postgres restarts again: {waits}, {restarts}")


def undo(test: Test, directory: Directory, pgo: Pgo) -> None:
    """Undo all steps, and let PGO continue."""
    for step in (6, 5, 4):
        directory.run(step, undo=True)
    directory.run(3, undo=True, part=0)
    pgo.reconcile()
    directory.run(3, undo=True, part=1)
    directory.run(1, undo=True)
    until("PGO's instances are well", lambda: test.is_well(2) and test.leader().removesuffix("-0") in INSTANCES, 120)


@contextlib.contextmanager
def cleaned(test: Test) -> Iterator[None]:
    """Delete the volumes with the namespace, and the PostgresCluster even if the last step is not reached."""
    try:
        yield
    finally:
        with contextlib.suppress(Failed):
            test.kubectl("patch", "postgrescluster", "hippo", "--type=merge", '--patch={"metadata":{"finalizers":null}}')
        for volume in test.get("pv")["items"]:
            if volume["spec"].get("claimRef", {}).get("namespace") == test.namespace:
                patch = '--patch={"spec":{"persistentVolumeReclaimPolicy":"Delete"}}'
                test.kubectl("patch", "pv", volume["metadata"]["name"], patch)


def run(test: Test) -> None:
    """Make the cluster, leave PGO, come back, and leave it for good."""
    with tempfile.TemporaryDirectory() as name, cleaned(test):
        pgo = Pgo(test)
        pgo.bootstrap()
        writer = test.start_writer()
        before = facts(test, {instance: f"{instance}-0" for instance in INSTANCES})
        line = timeline(test)

        first = Directory(test, pgo, Path(name) / "first")
        first.export()
        move(test, first, writer, "longest gap, leaving")
        check(test, before, writer)
        until("the timeline is the next one", lambda: timeline(test) == line + 1)

        undo(test, first, pgo)
        after = facts(test, {instance: f"{instance}-0" for instance in INSTANCES})
        test.expect(after == before, f"before {before}, after the undo {after}")
        test.expect(not writer.lost(), f"commits are lost: {writer.lost()}")

        second = Directory(test, pgo, Path(name) / "second")
        second.export()
        move(test, second, writer, "longest gap, leaving")
        check(test, before, writer)
        last(test, second, writer)


def last(test: Test, directory: Directory, writer: Writer) -> None:
    """Run the last steps. Nothing of PGO remains, and nothing of pgrender goes."""
    claims = {f"postgres-{kind}-{name}" for kind in ("data", "wal") for name in NEW_NAMES} | {"hippo-repo1"}
    owned = directory.run(8).splitlines()
    owned = [line for line in owned if "serverside-applied" not in line and line]
    test.expect(not owned, f"these still have an owner: {owned}")
    test.expect("only-of-pgo" not in test.get("configmap", "hippo-pgbackrest-config")["data"], "a key of PGO is left")
    directory.run(9)
    time.sleep(20)
    test.expect({claim["metadata"]["name"] for claim in test.get("pvc")["items"]} == claims, "these are not the claims")
    kinds = "statefulset,deployment,cronjob,service,configmap,secret,serviceaccount,role,rolebinding,endpoints"
    for item in test.get(kinds, f"--selector={PREFIX}cluster=hippo")["items"]:
        name = f"{item['kind']} {item['metadata']['name']}"
        owned = [owner["kind"] for owner in item["metadata"].get("ownerReferences", [])]
        test.expect("PostgresCluster" not in owned, f"{name} has an owner")
        ours = item["kind"] == "Endpoints" or "pgrender.dev/cluster" in item["metadata"]["labels"]
        test.expect(ours, f"{name} is left")
    test.expect(test.get("secret", "pgo-root-cacert")["data"], "the CA of PGO is gone")
    # Nobody else manages a field any more.
    test.kubectl("apply", "--server-side", f"--filename={directory.steps / 'manifests.yaml'}")
    test.wait_until_well(2)
    words = ["pgbackrest", "--stanza=db", "--repo=1", "--type=full", "--start-fast", "backup"]
    test.in_pod("hippo-repo-host-0", *words, container="pgbackrest")
    until("there is a new backup beside the old one", lambda: len(test.backups()) == 2)
    test.expect(not writer.lost(), f"commits are lost: {writer.lost()}")
