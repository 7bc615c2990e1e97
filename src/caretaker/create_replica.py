"""How Patroni makes a replica, or the leader of a standby cluster, from a backup (`create_replica_methods`).

A repository may hold backups of another database cluster: of one that had this name before. pgBackRest would restore the newest,
whichever it is of, and Patroni then refuses the data for good: "system ID mismatch"."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from backups import pgbackrest, stanza_of
from surroundings import Failure, find, log, read_wanted


def newest(stanza: Any, repository: int, system: str | None) -> str | None:
    """The label of the newest backup of a database cluster in a repository; of any where it is not known which."""
    databases = [
        entry["id"]
        for entry in stanza["db"]
        if entry["repo-key"] == repository and system in (None, str(entry["system-id"]))
    ]
    labels = [
        str(backup["label"])
        for backup in stanza["backup"]
        if backup["database"]["repo-key"] == repository and backup["database"]["id"] in databases
    ]
    return labels[-1] if labels else None


def create_replica(words: list[str]) -> None:
    """Become the command that restores a backup of this database cluster. Where there is none, Patroni tries its next way."""
    repository = next(int(word.removeprefix("--repo=")) for word in words if word.startswith("--repo="))
    try:
        memory = find(f"/endpoints/{read_wanted().cluster}-ha-config") or {"metadata": {}}
        system = memory["metadata"].get("annotations", {}).get("initialize")
        label = newest(stanza_of(json.loads(pgbackrest("info", "--output=json"))), repository, system)
    except Failure as failure:
        sys.exit(f"create-replica: {failure}")
    if label is None:
        sys.exit(f"create-replica: repo{repository} has no backup of this database cluster")
    log(f"create-replica: restoring backup {label} of repo{repository}")
    os.execvp(words[0], [*words, f"--set={label}"])
