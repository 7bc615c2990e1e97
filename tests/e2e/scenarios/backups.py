"""Two repositories: first backups, archiving, all kinds of CronJobs, retention, and a restore from which Postgres starts."""

from __future__ import annotations

import json
import time
from typing import Any

from framework import CLAIM, Test, hippo, until

REPO_HOST = "hippo-repo-host-0"

# Restores the newest backup beside the repositories, replays all WAL from the archive, and counts the rows.
RESTORE = r"""
set -eu
export PATH="/usr/pgsql-17/bin:/usr/lib/postgresql/17/bin:/usr/libexec/postgresql17:${PATH}"
pgbackrest --config=/dev/null --stanza=db --repo1-path="$0" --pg1-path=/restore/data --log-level-file=off restore
postgres -D /restore/data -c hba_file=/restore/data/pg_hba.conf -c ident_file=/restore/data/pg_ident.conf \
  -c listen_addresses= -c unix_socket_directories=/tmp -c ssl=off -c archive_mode=off \
  -c log_directory=/tmp -c logging_collector=off -c shared_preload_libraries= -c hot_standby=off > /tmp/log 2>&1 &
for _ in {1..150}; do
  if psql --host=/tmp --dbname=hippo -XAtqc "SELECT string_agg(name, ' ' ORDER BY name) FROM hippo.animals" 2> /dev/null
  then exit; fi
  sleep 0.2
done
tail /tmp/log >&2
exit 1
"""


def cluster(retention: int) -> dict[str, Any]:
    """Return a cluster with two repositories. The first one keeps this many full backups."""
    first = {
        "name": "repo1",
        "schedules": {"full": "0 1 1 1 *", "differential": "0 2 1 1 *", "incremental": "0 3 1 1 *"},
        "volume": {"volumeClaimSpec": CLAIM},
    }
    second = {"name": "repo2", "schedules": {"full": "0 4 1 1 *"}, "volume": {"volumeClaimSpec": CLAIM}}
    settings = {"repo1-retention-full": str(retention), "repo2-retention-full": "1"}
    return hippo(backups={"pgbackrest": {"global": settings, "repos": [first, second]}})


def back_up(test: Test, schedule: str) -> None:
    """Run the job of a schedule now, as a DBA does."""
    name = f"{schedule}-{time.monotonic_ns()}"
    before = len(test.backups())
    started = time.monotonic()
    test.kubectl("create", "job", name, f"--from=cronjob/hippo-{schedule}")
    test.kubectl("wait", "--for=condition=Complete", f"job/{name}", "--timeout=120s")
    test.figure(f"backup by CronJob, {schedule}", time.monotonic() - started)
    test.expect(len(test.backups()) >= min(before, 2), "the backup is not there")


def kinds(test: Test, repository: int) -> list[str]:
    """Return the types of the backups in a repository, oldest first."""
    backups = [backup for backup in test.backups() if backup["database"]["repo-key"] == repository]
    test.expect(not any(backup["error"] for backup in backups), f"a backup has damaged pages: {backups}")
    return [backup["type"] for backup in backups]


def verify(test: Test) -> None:
    """Whether pgBackRest finds all files of all repositories intact, and archives into all of them."""
    test.in_pod(test.leader(), "pgbackrest", "--stanza=db", "check")
    test.in_pod(REPO_HOST, "pgbackrest", "--stanza=db", "check", container="pgbackrest")
    for repository in ("1", "2"):
        words = ["pgbackrest", "--stanza=db", f"--repo={repository}", "--output=text", "--verbose", "verify"]
        found = test.in_pod(REPO_HOST, *words, container="pgbackrest")
        test.expect("status: ok" in found and "error" not in found.replace("error: 0", ""), f"verify says: {found}")


def archive(test: Test, animal: str) -> None:
    """Commit a row, and wait until its WAL is archived. A restore can only get this row from the archive."""
    test.sql(f"INSERT INTO animals VALUES ('{animal}')")
    leader = test.leader()
    segment = test.superuser(leader, "SELECT pg_walfile_name(pg_current_wal_lsn())")
    test.superuser(leader, "SELECT pg_switch_wal()")
    archived = "SELECT last_archived_wal FROM pg_stat_archiver"
    waited = until("the log is archived", lambda: test.superuser(leader, archived) >= segment, 60)
    test.figure("write-ahead log is archived", waited, target=10)


def restored(test: Test, repository: int) -> str:
    """Return the content of a server that was restored only from a repository: the job's pod, with another command."""
    pod = test.get("cronjob", "hippo-repo1-full")["spec"]["jobTemplate"]["spec"]["template"]
    name = f"restore-repo{repository}"
    container = pod["spec"]["containers"][0]
    container["command"] = ["bash", "-c", RESTORE, f"/pgbackrest/repo{repository}"]
    container["volumeMounts"].append({"name": "restore", "mountPath": "/restore"})
    pod["spec"]["volumes"].append({"name": "restore", "emptyDir": {}})
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": pod["spec"]}
    test.kubectl("apply", "--filename=-", text=json.dumps(body))
    phases = ("Succeeded", "Failed")
    until("the restore ends", lambda: test.get("pod", name)["status"]["phase"] in phases, 120)
    return test.kubectl("logs", name)


def run(test: Test) -> None:
    """Take backups of all kinds, then restore."""
    applied = test.apply(cluster(retention=2))
    test.wait_until_well(2)
    until("both repositories have a backup", lambda: kinds(test, 1) == kinds(test, 2) == ["full"], 120, pause=1)
    test.figure("first backup in both repositories", time.time() - applied, target=40)
    test.start_client()
    test.sql("CREATE TABLE animals (name text)")
    archive(test, "hippo")
    for schedule in ("repo1-diff", "repo1-incr", "repo1-full", "repo2-full"):
        back_up(test, schedule)
    test.expect(kinds(test, 1) == ["full", "diff", "incr", "full"], f"repo1 has {kinds(test, 1)}")
    test.expect(kinds(test, 2) == ["full"], f"repo2 keeps one full backup, and has {kinds(test, 2)}")
    back_up(test, "repo1-full")
    test.expect(kinds(test, 1) == ["full", "full"], f"repo1 keeps two full backups, and has {kinds(test, 1)}")
    archive(test, "rhino")
    verify(test)
    for repository in (1, 2):
        log = restored(test, repository)
        test.expect(log.splitlines()[-1:] == ["hippo rhino"], f"what was restored from repo{repository} has: {log}")
