"""The first part of a restore drill: the newest backup of a repository, and the archive after it."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from typing import Any, NamedTuple

from backups import pgbackrest, stanza_of
from drill_server import errors_in, running
from restore import fetch
from surroundings import Failure, data_directory

# What Postgres logs during recovery, with `lc_messages=C`.
RESTORED = re.compile(r'restored log file "([0-9A-F]{24})" from archive')
LAST = re.compile(r"last completed transaction was at log time (\S+) (\S+?)\+00")
DONE = re.compile(r"redo done at ([0-9A-F/]+)")


class Backup(NamedTuple):
    """A backup, and the last file of the write-ahead log that the archive contains for its database."""

    label: str
    taken: int
    size: int
    last_file: str

    def facts(self) -> dict[str, str]:
        """Return the words for the verdict."""
        taken = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.taken))
        return {"backup": self.label, "taken": taken, "size": f"{self.size / 2**20:.1f}MiB"}


def use_own_directories() -> None:
    """Let pgBackRest write only into the volumes of this pod. Variables take precedence over the configuration of instances."""
    volume = data_directory().parent
    os.environ.update(
        PGBACKREST_LOCK_PATH=f"{tempfile.gettempdir()}/pgbackrest",
        PGBACKREST_LOG_LEVEL_FILE="off",
        PGBACKREST_PG1_PATH=str(data_directory()),
        PGBACKREST_SPOOL_PATH=f"{volume}/pgbackrest-spool",
    )
    (volume / "pgbackrest-spool").mkdir(exist_ok=True)


def newest_backup(repository: int) -> Backup:
    """Return the newest backup of a repository."""
    stanza = stanza_of(json.loads(pgbackrest("info", f"--repo={repository}", "--output=json")))
    if not stanza["backup"]:
        said = {entry["status"]["message"] for entry in stanza["repo"]} - {"ok"}
        raise Failure(f"repo{repository} has no backup: {', '.join(sorted(said)) or 'it has no stanza'}")
    backup = max(stanza["backup"], key=lambda backup: int(backup["timestamp"]["stop"]))
    archives = [entry["max"] or "" for entry in stanza["archive"] if entry["database"] == backup["database"]]
    return Backup(backup["label"], backup["timestamp"]["stop"], backup["info"]["size"], max(archives, default=""))


def fetch_backup(repository: int, backup: Backup) -> None:
    """Restore the files of a backup. pgBackRest compares each one with its checksum in the backup."""
    data_directory().mkdir(mode=0o700)
    fetch(
        [
            "--stanza=db",
            f"--repo={repository}",
            f"--set={backup.label}",
            # Everything stays in the scratch volume.
            "--no-link-all",
            f"--tablespace-map-all={data_directory().parent}/tablespaces",
            "--log-level-console=info",
        ]
    )


def replay(settings: Any, backup: Backup) -> dict[str, str]:
    """Replay the archive to its end. Return the words for the verdict.

    Postgres also ends the recovery when a file in the middle is missing or damaged, because it cannot tell this from the end of
    the archive. So the replay must have read the last file of the archive."""
    command = f'pgbackrest --stanza=db --repo={settings["repository"]} archive-get %f "%p"'
    found: list[str] = []
    with running(settings, "local all all reject", found, restore_command=command):
        pass
    text = "\n".join(found)
    files = RESTORED.findall(text)
    if backup.last_file and backup.last_file not in files:
        reached = DONE.search(text)
        errors = errors_in(found)
        why = f": {errors}" if errors else ""
        raise Failure(
            f"the archive ends with {backup.last_file}, but the replay ended at {reached[1] if reached else 'its start'} after "
            f"{max(files, default='no file')}, because the next file is missing or damaged{why}"
        )
    last = LAST.search(text)
    return {"last-transaction": f"{last[1]}T{last[2]}Z" if last else "none", "wal-files": str(len(files))}
