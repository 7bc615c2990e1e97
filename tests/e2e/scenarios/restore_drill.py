"""The restore drill says what it restored, fails for a damaged backup, and leaves nothing behind."""

from __future__ import annotations

import json
import time
from typing import Any

from framework import CLAIM, Failed, Test, hippo, instance_sets, until

REPO_HOST = "hippo-repo-host-0"
CRON_JOB = "hippo-restore-drill"
LABEL = "pgrender.dev/restore-drill"

# How long a finished job is kept here.
KEPT_SECONDS = 60


def cluster(**annotations: str) -> dict[str, Any]:
    """Return a cluster with a drill that the controller never starts during the test."""
    pgbackrest = {
        "jobs": {"resources": {"limits": {"memory": "300Mi"}}, "ttlSecondsAfterFinished": KEPT_SECONDS},
        "repos": [{"name": "repo1", "volume": {"volumeClaimSpec": CLAIM}}],
    }
    made = hippo(instances=instance_sets(instance1=1), backups={"pgbackrest": pgbackrest})
    made["spec"].pop("proxy")
    made["metadata"]["annotations"] |= {LABEL: "0 0 29 2 *"}
    made["metadata"]["annotations"] |= {f"{LABEL}-{name}": value for name, value in annotations.items()}
    return made


def drill(test: Test, name: str) -> tuple[bool, str]:
    """Start a drill as a DBA does. Return whether it passed, and the last line of its log."""
    test.kubectl("create", "job", name, f"--from=cronjob/{CRON_JOB}")
    ends = {"Complete", "Failed"}

    def end() -> set[str]:
        conditions = test.get("job", name)["status"].get("conditions", [])
        return ends & {condition["type"] for condition in conditions if condition["status"] == "True"}

    until("the drill ends", end, 180, pause=0.5)
    passed = end() == {"Complete"}
    verdict = test.kubectl("logs", f"job/{name}").splitlines()[-1].partition(" ")[2]
    print(f"  {verdict[:600]}", flush=True)
    return passed, verdict


def facts_of(verdict: str) -> dict[str, str]:
    """Return the facts in the line of a drill that has passed."""
    return dict(fact.split("=", 1) for fact in verdict.split()[2:])


def volumes(test: Test) -> list[str]:
    """Return the claims and volumes of drills."""
    claims = [claim["metadata"]["name"] for claim in test.get("pvc", f"--selector={LABEL}")["items"]]
    bound = [volume["spec"].get("claimRef", {}) for volume in test.get("pv")["items"]]
    return claims + [
        claim["name"] for claim in bound if claim.get("namespace") == test.namespace and "-drill-" in claim.get("name", "")
    ]


def in_repository(test: Test, script: str) -> str:
    """Run a script in the directory of the repository."""
    return test.in_pod(REPO_HOST, "bash", "-ceu", f"cd /pgbackrest/repo1\n{script}", container="pgbackrest")


def histories(test: Test) -> str:
    """Return the timelines in the archive, except the first one."""
    return in_repository(test, "find archive -name '*.history' -o -name '0000000[2-9]*'")


def state(test: Test) -> Any:
    """Return what a drill must not change: pods, backups, timelines."""
    pods = test.get("pods", "--selector=postgres-operator.crunchydata.com/data")["items"]
    restarts = {
        pod["metadata"]["name"]: (pod["metadata"]["uid"], [one["restartCount"] for one in pod["status"]["containerStatuses"]])
        for pod in pods
    }
    return restarts, [backup["label"] for backup in test.backups()], histories(test)


def archived(test: Test) -> str:
    """Commit a row, and wait until it is archived. Return the time before the commit, in UTC."""
    leader = test.leader()
    moment = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')"
    now = test.superuser(leader, moment)
    test.superuser(leader, "INSERT INTO hippo.animals VALUES ('last')", "hippo")
    segment = test.superuser(leader, "SELECT pg_walfile_name(pg_current_wal_lsn())")
    test.superuser(leader, "SELECT pg_switch_wal()")
    until("it is archived", lambda: test.superuser(leader, "SELECT last_archived_wal FROM pg_stat_archiver") >= segment)
    return now


def run_with_sql(test: Test) -> None:
    """Let SQL of the user decide."""
    test.apply(cluster(sql="hippo-checks/animals.sql"))
    passed, verdict = drill(test, "without-sql")
    test.expect(not passed and "hippo-checks/animals.sql do not exist" in verdict, f"without the SQL: {verdict}")
    good = "\\c hippo\nSELECT 'there are ' || count(*) || ' animals' FROM hippo.animals;"
    test.kubectl("create", "configmap", "hippo-checks", f"--from-literal=animals.sql={good}")
    passed, verdict = drill(test, "good-sql")
    test.expect(passed and "sql" in facts_of(verdict), f"with SQL: {verdict}")
    log = test.kubectl("logs", "job/good-sql")
    test.expect("sql: there are 2 animals" in log, f"the log is {log}")
    bad = json.dumps({"data": {"animals.sql": "SELECT 1 / 0"}})
    test.kubectl("patch", "configmap", "hippo-checks", "--type=merge", f"--patch={bad}")
    passed, verdict = drill(test, "bad-sql")
    test.expect(not passed and "division by zero" in verdict, f"with an error: {verdict}")


def damage(test: Test) -> None:
    """Overwrite bytes of the largest file of the backup, as a failing disk does."""
    in_repository(
        test,
        "file=$(find backup -type f -path '*F/pg_data/*' -printf '%s %p\\n' | sort -n | tail -n 1 | cut -d ' ' -f 2-)\n"
        "dd if=/dev/zero of=\"${file}\" bs=1 count=512 conv=notrunc seek=$(($(stat -c %s \"${file}\") / 2)) 2> /dev/null",
    )


def run(test: Test) -> None:
    """Drill while an application writes, with SQL, and after the backup was damaged."""
    test.apply(cluster())
    test.wait_until_well(1)
    create = "CREATE TABLE IF NOT EXISTS hippo.animals (name text); SELECT 1"
    until("the schema is there", lambda: test.superuser(test.leader(), create, "hippo") == "1")
    test.superuser(test.leader(), "INSERT INTO hippo.animals VALUES ('first')", "hippo")
    until("there is a backup", lambda: test.backups(), 120, pause=1)
    committed = archived(test)
    before = state(test)

    writer = test.start_writer()
    started = time.monotonic()
    with writer.gaps() as gaps:
        passed, verdict = drill(test, "good")
    test.figure("a restore drill of a small cluster", time.monotonic() - started)
    test.figure("longest gap between commits during a drill", gaps[0], target=2)
    test.expect(passed, f"the drill has failed: {verdict}")
    facts = facts_of(verdict)
    test.expect(facts["backup"] == before[1][-1] and facts["repository"] == "repo1", f"the verdict is {verdict}")
    test.expect(facts["last-transaction"] >= committed, f"committed at {committed}, and the verdict is {verdict}")
    test.expect(int(facts["databases"]) >= 4, f"the verdict is {verdict}")
    test.expect({"restore", "replay", "checksums", "amcheck", "dump"} <= facts.keys(), f"the verdict is {verdict}")
    test.expect(facts["checksums"] != "disabled", f"the verdict is {verdict}")
    test.expect(writer.lost() == [], "commits are lost")
    test.expect(state(test) == before, f"the drill has changed {before} to {state(test)}")
    test.expect(volumes(test), "the drill has no volume of its own")

    run_with_sql(test)
    damage(test)
    passed, verdict = drill(test, "damaged")
    test.expect(not passed, f"a damaged backup passes: {verdict}")
    test.expect("pgbackrest restore: " in verdict and "ERROR" in verdict, f"the verdict is {verdict}")
    test.expect(state(test) == before, f"the drill has changed {before} to {state(test)}")

    def nothing_is_left() -> bool:
        left = test.get("jobs")["items"] + test.get("pods", f"--selector={LABEL}")["items"]
        if left or volumes(test):
            raise Failed(f"there are {[one['metadata']['name'] for one in left]} and {volumes(test)}")
        return True

    until("jobs, pods and volumes of drills are gone", nothing_is_left, KEPT_SECONDS + 60, pause=2)
