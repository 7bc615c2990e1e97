"""pgBackRest: the stanza, and the first backup where no repo host takes it."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from surroundings import Failure, Wanted, log, patroni, run


def pgbackrest(*words: str, timeout: float = 120) -> str:
    """Run pgBackRest for this cluster's one stanza. An unreachable repository is given up after seconds, not minutes."""
    result = run(["pgbackrest", "--stanza=db", "--io-timeout=15", "--log-level-console=warn", *words], timeout)
    if result.returncode != 0:
        lines = (result.stderr + result.stdout).split("\n")
        raise Failure(f"pgbackrest {words[0]}: {'; '.join(line.strip() for line in lines if 'ERROR' in line)[:500]}")
    return result.stdout


def stanza_of(information: Any) -> Any:
    """What `pgbackrest info` says of our stanza."""
    return next((stanza for stanza in information if stanza["name"] == "db"), {"repo": [], "db": [], "backup": []})


def lacks_stanza(stanza: Any, repositories: list[int], system: str, version: int) -> list[int]:
    """Which repositories have no stanza, or one of another database cluster. Codes 0 and 2: well, and no backup yet."""
    usable = {repository["key"] for repository in stanza["repo"] if repository["status"]["code"] in (0, 2)}
    newest = {entry["repo-key"]: entry for entry in stanza["db"]}
    ours = {key for key, db in newest.items() if str(db["system-id"]) == system and db["version"] == str(version)}
    return [repository for repository in repositories if repository not in usable & ours]


def stanza(wanted: Wanted) -> None:
    """Create or upgrade the stanza where a repository lacks it."""
    if not wanted.settings["stanza"]:
        return
    repositories = sorted(wanted.settings["volumeRepositories"] + wanted.settings["cloudRepositories"])
    system = str(patroni("GET", "/patroni").get("database_system_identifier"))
    there = stanza_of(json.loads(pgbackrest("info", "--output=json")))
    lacking = lacks_stanza(there, repositories, system, wanted.settings["postgresVersion"])
    if not lacking:
        return
    of_others = any(entry["repo-key"] in lacking for entry in there["db"])
    # With locks of its own: `archive-push` in the same pod would meet ours, and then wait a minute for nothing.
    pgbackrest("stanza-upgrade" if of_others else "stanza-create", "--lock-path=/tmp/pgbackrest-caretaker")
    log(f"created the stanza in {', '.join(f'repo{number}' for number in lacking)}")


class FirstBackup:
    """The first full backup of a cluster whose repositories are all in object storage.

    With a repository on a volume the repo host takes it. It may run for hours, so it is looked after, not waited for."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def __call__(self, wanted: Wanted) -> float | None:
        """Start the backup if there is none, then say how it ended."""
        if self.process is None:
            repositories = wanted.settings["cloudRepositories"]
            if not wanted.settings["stanza"] or not repositories or wanted.settings["volumeRepositories"]:
                return None
            there = stanza_of(json.loads(pgbackrest("info", "--output=json")))
            if any(backup["database"]["repo-key"] == repositories[0] for backup in there["backup"]):
                return None
            command = ["pgbackrest", "--stanza=db", "--log-level-console=off", "--log-level-stderr=off", "backup"]
            self.process = subprocess.Popen([*command, f"--repo={repositories[0]}", "--type=full"], text=True)
            log(f"started the first full backup, to repo{repositories[0]}")
        if self.process.poll() is None:
            return 5
        code, self.process = self.process.returncode, None
        if code != 0:
            raise Failure(f"the first full backup ended with {code}; its log is in pgBackRest's log directory")
        log("finished the first full backup")
        return None
