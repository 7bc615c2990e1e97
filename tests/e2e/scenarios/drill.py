"""A cluster is lost except for the volume of its repository: a new one has exactly what was committed until a chosen second."""

from __future__ import annotations

import time
from typing import Any

from framework import CLAIM, PREFIX, Test, hippo, instance_sets, until

RENDERED = "pgrender.dev/cluster=hippo"
REPOSITORY = "hippo-repo1"

# How long the application writes in all, and how long after the chosen second.
WRITING_SECONDS = 60
LATER_SECONDS = 5

# How long a restore of a small cluster may take, from the decision to the first write.
TARGET_SECONDS = 45


def cluster(name: str, replicas: int, **spec: Any) -> dict[str, Any]:
    """Return a cluster whose backups of all types have schedules."""
    schedules = {"full": "0 1 1 1 *", "differential": "0 2 1 1 *", "incremental": "0 3 1 1 *"}
    repositories = [{"name": "repo1", "schedules": schedules, "volume": {"volumeClaimSpec": CLAIM}}]
    made = hippo(instances=instance_sets(instance1=replicas), backups={"pgbackrest": {"repos": repositories}}, **spec)
    made["metadata"]["name"] = name
    # So that the test knows when each row was committed, which is what the target of a restore refers to.
    made["spec"]["config"] = {"parameters": {"track_commit_timestamp": "on"}}
    made["spec"].pop("proxy")
    return made


def back_up(test: Test, kind: str) -> None:
    """Run the job of a schedule now, as a DBA does."""
    test.kubectl("create", "job", f"drill-{kind}", f"--from=cronjob/hippo-repo1-{kind}")
    test.kubectl("wait", "--for=condition=Complete", f"job/drill-{kind}", "--timeout=120s")


def rows(test: Test, condition: str = "true") -> list[str]:
    """Return the numbers of rows."""
    select = f"SELECT row FROM hippo.written WHERE {condition} ORDER BY row"
    return test.superuser(test.leader(), select, "hippo").split()


def archive(test: Test) -> None:
    """Wait until everything that was committed is archived."""
    leader = test.leader()
    segment = test.superuser(leader, "SELECT pg_walfile_name(pg_current_wal_lsn())")
    test.superuser(leader, "SELECT pg_switch_wal()")
    until("it is archived", lambda: test.superuser(leader, "SELECT last_archived_wal FROM pg_stat_archiver") >= segment)


def lose(test: Test) -> None:
    """Delete everything of the cluster, except the claim of the repository."""
    workloads = "statefulset,cronjob,job,pod"
    test.kubectl("delete", workloads, "--all", "--timeout=120s")
    until("all pods are gone", lambda: not test.get("pods")["items"])
    others = "service,configmap,secret,serviceaccount,role,rolebinding,poddisruptionbudget"
    test.kubectl("delete", others, f"--selector={RENDERED}")
    test.kubectl("delete", "endpoints", f"--selector={PREFIX}cluster=hippo")
    test.kubectl("delete", "pvc", f"--selector={PREFIX}data=postgres", "--timeout=60s")
    left = test.get(f"{workloads},{others},endpoints,pvc", f"--selector={PREFIX}cluster=hippo")["items"]
    names = [(one["kind"], one["metadata"]["name"]) for one in left]
    test.expect(names == [("PersistentVolumeClaim", REPOSITORY)], f"what is left of the cluster is {names}")


def repo_host(manifests: str) -> str:
    """Return the manifests that a repo host needs: those with the label of pgBackRest, except the jobs, and the Service that gives
    its pod a name. With the same seed, the keys are those of the lost cluster."""
    wanted = []
    for manifest in manifests.split("\n---\n"):
        of_pgbackrest = f'\n    {PREFIX}pgbackrest: ""\n' in manifest and "\nkind: CronJob\n" not in manifest
        if of_pgbackrest or "\n  name: hippo-pods\n" in manifest:
            wanted.append(manifest)
    return "\n---\n".join(wanted)


def run(test: Test) -> None:
    """Write for a minute with backups of all types, lose the cluster, and restore it to a second."""
    lost = cluster("hippo", 2)
    manifests = test.render(lost)
    test.apply_manifests(manifests)
    test.wait_until_well(2)
    until("there is a first backup", lambda: test.backups(), 120, pause=1)
    writer = test.start_writer()
    started = time.monotonic()
    for kind in ("full", "diff", "incr"):
        back_up(test, kind)
    backups = [backup["type"] for backup in test.backups()]
    test.expect(backups[-3:] == ["full", "diff", "incr"], f"the backups are {backups}")
    time.sleep(max(0, WRITING_SECONDS - LATER_SECONDS - (time.monotonic() - started)))
    chosen = test.superuser(test.leader(), "SELECT date_trunc('second', clock_timestamp())")
    time.sleep(LATER_SECONDS)
    test.kubectl("delete", "pod", writer.pod, "--wait=true")
    expected = rows(test, f"pg_xact_commit_timestamp(xmin) <= '{chosen}'")
    later = rows(test, f"pg_xact_commit_timestamp(xmin) > '{chosen}'")
    test.expect(len(expected) > 200 and len(later) > 20, f"{len(expected)} rows until {chosen}, {len(later)} after it")
    archive(test)
    lose(test)

    decided = time.monotonic()
    test.apply_manifests(repo_host(manifests))
    new = test.beside("rhino")
    options = ["--type=time", f'--target="{chosen}"']
    source = {"postgresCluster": {"clusterName": "hippo", "repoName": "repo1", "options": options}}
    new.apply(cluster("rhino", 2, dataSource=source))
    write = "CREATE TABLE IF NOT EXISTS hippo.drill (); SELECT 1"
    until("the new cluster writes", lambda: new.superuser(new.leader(), write, "hippo") == "1", 180)
    test.figure("a lost cluster at a chosen second: first write", time.monotonic() - decided, target=TARGET_SECONDS)
    new.wait_until_well(2, 120)
    test.figure("a lost cluster at a chosen second: two members stream", time.monotonic() - decided)
    there = rows(new)
    missing, more = sorted(set(expected) - set(there)), sorted(set(there) - set(expected))
    test.expect(there == expected, f"of {len(expected)} rows until {chosen}, {missing} are missing and {more} are too many")
    test.figure("rows that were committed until the second, and are there", len(there), unit="rows")
    test.figure("rows that were committed after it, and are not there", len(later), unit="rows")
    until("the new cluster has a backup of its own", lambda: len(new.backups()) == 1, 120, pause=1)
    kept = test.in_pod("hippo-repo-host-0", "ls", "/pgbackrest/repo1/backup/db", container="pgbackrest")
    test.expect(len([name for name in kept.split() if name[0].isdigit()]) == len(backups), f"the repository has {kept}")
