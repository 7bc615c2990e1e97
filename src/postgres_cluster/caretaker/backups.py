"""pgBackRest: the stanza, backups in object storage, and the backup from which a replica is created."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any, Callable

from surroundings import (
    BACKUP,
    LEADERS,
    Failure,
    Wanted,
    find,
    kubernetes,
    log,
    patroni,
    primary_path,
    read_wanted,
    run,
)

# The configuration of an instance knows no other instance, so its pgBackRest cannot back up from a standby. A variable takes
# precedence over the option in the configuration.
ALONE = {"PGBACKREST_BACKUP_STANDBY": "n"}

# The annotation of a backup in pgBackRest that contains the value of the cluster's annotation.
ANNOTATION = "pgbackrest-backup"


def pgbackrest(*words: str, timeout: float = 120) -> str:
    """Run pgBackRest for our stanza. With the short `io-timeout`, an unreachable repository fails within seconds."""
    result = run(["pgbackrest", "--stanza=db", "--io-timeout=15", "--log-level-console=warn", *words], timeout)
    if result.returncode != 0:
        lines = (result.stderr + result.stdout).split("\n")
        raise Failure(f"pgbackrest {words[0]}: {'; '.join(line.strip() for line in lines if 'ERROR' in line)[:500]}")
    return result.stdout


def stanza_of(information: Any) -> Any:
    """Return our stanza from the output of `pgbackrest info`."""
    return next((stanza for stanza in information if stanza["name"] == "db"), {"repo": [], "db": [], "backup": []})


def lacks_stanza(stanza: Any, repositories: list[int], system: str, version: int) -> list[int]:
    """Return the repositories without a stanza for this database cluster. Status 0 means ok, and 2 means no backup yet."""
    usable = {repository["key"] for repository in stanza["repo"] if repository["status"]["code"] in (0, 2)}
    newest = {entry["repo-key"]: entry for entry in stanza["db"]}
    ours = {key for key, db in newest.items() if str(db["system-id"]) == system and db["version"] == str(version)}
    return [repository for repository in repositories if repository not in usable & ours]


def backups_of(stanza: Any, repository: int, is_meant: Callable[[Any], bool]) -> list[Any]:
    """Return the backups in a repository, oldest first, of the databases that `is_meant` accepts."""
    databases = [entry["id"] for entry in stanza["db"] if entry["repo-key"] == repository and is_meant(entry)]
    return [
        backup
        for backup in stanza["backup"]
        if backup["database"]["repo-key"] == repository and backup["database"]["id"] in databases
    ]


def made_at(system: str) -> int:
    """Return when a database cluster was created, in seconds since 1970. The upper half of the system identifier is this time
    (PostgreSQL, `BootStrapXLOG`)."""
    return int(system) >> 32


def others(stanza: Any, repositories: list[int], system: str, version: int) -> list[str]:
    """Describe the repositories that hold another database cluster. Ours may use them: the old backups stay until they expire.

    Fail if the other one still uses a repository. Otherwise its archiving would fail, and its backups would expire."""
    newest = {entry["repo-key"]: entry for entry in stanza["db"] if entry["repo-key"] in repositories}
    said = []
    for repository, there in sorted(newest.items()):
        if str(there["system-id"]) == system:
            continue
        whose = f"repo{repository} holds another database, with system identifier {there['system-id']} and version {there['version']}"
        theirs = backups_of(stanza, repository, lambda entry: str(entry["system-id"]) != system)
        if int(there["version"].split(".")[0]) > version:
            raise Failure(f"{whose}, which is newer than {version}: give this cluster a repository of its own")
        if any(backup["timestamp"]["stop"] > made_at(system) for backup in theirs):
            raise Failure(f"{whose}, which was backed up after this one was created: give each a repository of its own")
        said.append(f"{whose}: this cluster now uses it, and those backups stay until they expire")
    return said


def stanza(wanted: Wanted) -> None:
    """Create the stanza in repositories that lack it, or upgrade it if it belongs to another database cluster."""
    if not wanted.settings["stanza"]:
        return
    repositories = sorted(wanted.settings["volumeRepositories"] + wanted.settings["cloudRepositories"])
    system, version = str(patroni("GET", "/patroni").get("database_system_identifier")), wanted.settings["postgresVersion"]
    there = stanza_of(json.loads(pgbackrest("info", "--output=json")))
    lacking = lacks_stanza(there, repositories, system, version)
    if not lacking:
        return
    of_others = others(there, lacking, system, version)
    upgrade = any(entry["repo-key"] in lacking for entry in there["db"])
    # With its own lock path, because `archive-push` in the same pod would find this lock, and wait for a minute.
    pgbackrest("stanza-upgrade" if upgrade else "stanza-create", "--lock-path=/tmp/pgbackrest-caretaker")
    for line in of_others:
        log(line)
    log(f"{'upgraded' if upgrade else 'created'} the stanza in {', '.join(f'repo{number}' for number in lacking)}")


def current_backups(stanza: Any, repository: int) -> list[Any]:
    """Return the backups in a repository, oldest first, of the current database cluster of its stanza."""
    current = max((entry["id"] for entry in stanza["db"] if entry["repo-key"] == repository), default=0)
    return backups_of(stanza, repository, lambda entry: bool(entry["id"] == current))


def is_backed_up(stanza: Any, repository: int) -> bool:
    """Whether a repository has a backup of the current database cluster of its stanza."""
    return bool(current_backups(stanza, repository))


class FirstBackup:
    """The first full backup of a cluster whose repositories are all in object storage.

    If a repository is on a volume, the repo host takes it. The backup may run for hours, so the duty does not wait for it."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def __call__(self, wanted: Wanted) -> float | None:
        """Start the backup if there is none, and later log its result."""
        if self.process is None:
            repositories = wanted.settings["cloudRepositories"]
            if not wanted.settings["stanza"] or not repositories or wanted.settings["volumeRepositories"]:
                return None
            there = stanza_of(json.loads(pgbackrest("info", "--output=json")))
            if is_backed_up(there, repositories[0]):
                return None
            command = ["pgbackrest", "--stanza=db", "--log-level-console=off", "--log-level-stderr=off", "backup"]
            command += [f"--repo={repositories[0]}", "--type=full"]
            self.process = subprocess.Popen(command, env={**os.environ, **ALONE}, text=True)
            log(f"started the first full backup, to repo{repositories[0]}")
        if self.process.poll() is None:
            return 5
        code, self.process = self.process.returncode, None
        if code != 0:
            raise Failure(f"the first full backup ended with exit code {code}; see its log in pgBackRest's log directory")
        log("finished the first full backup")
        return None


def was_taken(stanza: Any, trigger: str) -> bool:
    """Whether a repository has the backup that this value of the annotation requested."""
    return any((backup.get("annotation") or {}).get(ANNOTATION) == trigger for backup in stanza["backup"])


def has_annotations(version: str) -> bool:
    """Whether this version of pgBackRest can annotate backups, which it does since 2.41."""
    found = re.search(r"(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= (2, 41)


class ManualBackup:
    """The backup in object storage that PGO's annotation `pgbackrest-backup` requests, once for each of its values.

    The repo host takes a backup to a volume. The record that a value is done is an annotation of the Endpoints
    `<cluster>-primary`, and the backup itself has one, because this program could end before it writes the record."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.trigger = ""

    def __call__(self, wanted: Wanted) -> float | None:
        """Start the backup if it is not done yet, and later record and log its result."""
        if self.process is None:
            request = wanted.settings["manualBackup"]
            if not request or done(wanted) == request["trigger"]:
                return None
            there = stanza_of(json.loads(pgbackrest("info", "--output=json")))
            repositories = wanted.settings["volumeRepositories"] + wanted.settings["cloudRepositories"]
            if was_taken(there, request["trigger"]):
                record(wanted, request["trigger"])
                return None
            if not any(is_backed_up(there, repository) for repository in repositories):
                return 10  # as in PGO, the first backup comes before all others
            self.start(request)
        assert self.process
        if self.process.poll() is None:
            return 5
        if self.process.returncode == 0:
            record(wanted, self.trigger)
        code, self.process = self.process.returncode, None
        if code != 0:
            raise Failure(f"the backup that the annotation value `{self.trigger}` requests ended with exit code {code}")
        log(f"finished the backup that the annotation value `{self.trigger}` requests")
        return 1  # there may be another value by now

    def start(self, request: Any) -> None:
        """Start pgBackRest."""
        self.trigger = request["trigger"]
        annotated = has_annotations(run(["pgbackrest", "version"], 10).stdout)
        words = [*request["options"], *([f"--annotation={ANNOTATION}={self.trigger}"] if annotated else [])]
        # The user's options take precedence over the environment.
        logs = {"PGBACKREST_LOG_LEVEL_CONSOLE": "off", "PGBACKREST_LOG_LEVEL_STDERR": "error"}
        self.process = subprocess.Popen(
            ["pgbackrest", "--stanza=db", f"--repo={request['repository']}", *words, "backup"],
            env={**os.environ, **logs, **ALONE},
            text=True,
        )
        log(f"started the backup that the annotation value `{self.trigger}` requests, to repo{request['repository']}")


def done(wanted: Wanted) -> str | None:
    """Return the value of the annotation whose backup was recorded last."""
    annotations = kubernetes("GET", primary_path(wanted))["metadata"].get("annotations", {})
    recorded = json.loads(annotations.get(BACKUP, "{}")).get("done")
    return None if recorded is None else str(recorded)


def record(wanted: Wanted, trigger: str) -> None:
    """Record that the backup is done, so that it is never taken again: not by another leader, and not when it has expired."""
    annotations = {BACKUP: json.dumps({"done": trigger})}
    kubernetes("PATCH", primary_path(wanted), {"metadata": {"annotations": annotations}})


def is_ancestor(backup: Any, timeline: int | None, history: list[Any]) -> bool:
    """Whether the leader's timeline contains a backup. After a restore to an earlier time, the newest backups may be of a timeline
    that was left, and a replica from one of them could never follow the leader.

    `history` is Patroni's: the number of each timeline that was left, and the position. Without a leader, every backup counts."""
    # Not at the top: in a pod of an earlier version, `surroundings` must load that file first.
    from lineage import lsn

    if timeline is None:
        return True
    number, stop = int(backup["archive"]["stop"][:8], 16), lsn(backup["lsn"]["stop"])
    return number == timeline or any(entry[0] == number and stop <= entry[1] for entry in history)


def is_of_newest_timeline(backup: Any, stanza: Any) -> bool:
    """Whether the timeline of a backup is the newest in the archive."""
    newest = max((archive["max"] or "" for archive in stanza["archive"]), default="")
    return bool(backup["archive"]["stop"][:8] >= newest[:8])


def is_complete(backup: Any, followed: int) -> bool:
    """Whether a backup is later than the timeline up to which this cluster followed another one without a common repository,
    because WAL of that time is missing here."""
    return not followed or int(backup["archive"]["start"][:8], 16) > followed


def newest(
    stanza: Any, repository: int, system: str | None, is_meant: Callable[[Any], bool] = lambda _: True
) -> str | None:
    """Return the label of the newest backup that `is_meant` accepts, of a database cluster; of any one if `system` is None."""
    there = backups_of(stanza, repository, lambda entry: system in (None, str(entry["system-id"])))
    labels = [str(backup["label"]) for backup in there if is_meant(backup)]
    return labels[-1] if labels else None


def leader_timeline() -> int | None:
    """Return the timeline of the leader; None if there is none."""
    members = patroni("GET", "/cluster")["members"]
    return next((member.get("timeline") for member in members if member["role"] in LEADERS), None)


def create_replica(words: list[str]) -> None:
    """Run the command with which Patroni creates a replica, or a standby leader, from a backup (`create_replica_methods`).

    The backup must be of this database cluster. If there is none, Patroni tries its next method. pgBackRest alone would restore
    the newest backup, even of an earlier database cluster. Patroni then never accepts the data: "system ID mismatch"."""
    # Not at the top: in a pod of an earlier version, `surroundings` must load these files first.
    from progress import find_progress
    from standby import recorded

    repository = next(int(word.removeprefix("--repo=")) for word in words if word.startswith("--repo="))
    try:
        wanted = read_wanted()
        source = wanted.settings["dynamicConfiguration"].get("standby_cluster")
        if source and not source.get("restore_command"):
            sys.exit("create-replica: a standby cluster without `repoName` archives nothing, so its own backups are too old")
        memory = find(f"/endpoints/{wanted.cluster}-ha-config") or {"metadata": {}}
        annotations = memory["metadata"].get("annotations", {})
        # Empty while the first instance of a standby cluster is being created.
        system = annotations.get("initialize") or None
        history, timeline = json.loads(annotations.get("history") or "[]"), leader_timeline()
        followed = recorded(wanted).get("followed", 0)
        there = stanza_of(json.loads(pgbackrest("info", "--output=json")))
        # Without a leader, nobody knows which timelines an earlier restore has left.
        was_restored = timeline is None and find_progress(wanted).get("done")

        def is_meant(backup: Any) -> bool:
            if was_restored and not is_of_newest_timeline(backup, there):
                return False
            return is_ancestor(backup, timeline, history) and is_complete(backup, followed)

        label = newest(there, repository, system, is_meant)
    except Failure as failure:
        sys.exit(f"create-replica: {failure}")
    if label is None:
        sys.exit(f"create-replica: repo{repository} has no backup that a replica of this database cluster can start from")
    log(f"create-replica: restoring backup {label} of repo{repository}")
    os.execvp(words[0], [*words, f"--set={label}"])
