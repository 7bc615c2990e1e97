"""pgBackRest's configuration for the data source of a new cluster, with the paths at which its files are in this pod.

A user's file may name another one, for example a key or a CA, and names it below `/etc/pgbackrest/conf.d`, where it is in the pods
of the other cluster, and in PGO's Job. Here that directory has the files of this cluster, and those of the data source are in a
directory of their own."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from surroundings import Failure, run

THERE = Path("/etc/pgbackrest/conf.d")
HERE = Path("/etc/pgbackrest/source")

# A line of pgBackRest's configuration whose value is a path in the directory. It ignores white space at both ends of a value.
PATH = re.compile(rf"^([^#\[=\n]+=[ \t]*){re.escape(str(THERE))}(?:/([^\n]*?))?([ \t\r]*)$", re.MULTILINE)


def localized(text: str, here: Path) -> str:
    """Return the text of a file, with another directory for each file that is there. Others are files of this cluster."""

    def replace(found: re.Match[str]) -> str:
        file = here / (found[2] or "")
        return f"{found[1]}{file}{found[3]}" if file.exists() else found[0]

    return PATH.sub(replace, text)


def configuration(here: Path = HERE) -> tempfile.TemporaryDirectory[str]:
    """Copy the files that pgBackRest reads into a new directory, which is deleted when the object is no longer used."""
    directory = tempfile.TemporaryDirectory(prefix="source-", dir="/tmp")
    for file in sorted(here.glob("*.conf")):
        copy = Path(directory.name) / file.name
        copy.touch(mode=0o600)
        copy.write_text(localized(file.read_text(errors="surrogateescape"), here), errors="surrogateescape")
    return directory


def check(directory: str, arguments: list[str]) -> None:
    """Fail if the repository cannot be read, or has no backup. pgBackRest tries four times, each with this timeout, and a restore
    with its own timeout would say so only after 4 minutes."""
    which = [word for word in arguments if word.startswith(("--stanza=", "--repo="))]
    words = [f"--config-include-path={directory}", *which, "--io-timeout=10", "--log-level-console=error", "--log-level-file=off"]
    result = run(["pgbackrest", *words, "--output=json", "info"], 300)
    if result.returncode != 0:
        raise Failure(f"pgbackrest info: {(result.stderr or result.stdout).strip()[:1500]}")
    # There is one stanza, and one repository.
    status: dict[str, Any] = json.loads(result.stdout)[0]["repo"][0]["status"]
    if status["code"] != 0:
        raise Failure(f"pgbackrest info: {status['message'][:1500]}")
