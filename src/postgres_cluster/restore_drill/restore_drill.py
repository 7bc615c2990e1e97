"""A restore drill: restores the newest backup into a scratch volume, and checks whether it can be used.

Two containers of one pod run this program in the Postgres image, one after the other:

    restore_drill.py restore   restores the backup and replays the archive. It has the key of pgBackRest's clients. No session
                               exists here in which code from the database could run.
    restore_drill.py check     checks the restored database. It has no key, because SQL runs here.

The last line of the second one's log is the verdict. So the first one always ends with success, and leaves its result in a file.
It needs only the standard library of Python 3.9, and the files of the caretaker beside it.

    drill_restore.py   the backup and the archive
    drill_server.py    Postgres, without connections from outside
    drill_checks.py    the checks
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from drill_checks import check_checksums, check_with_sql, dump, verify_relations
from drill_restore import fetch_backup, newest_backup, replay, use_own_directories
from drill_server import server
from surroundings import Failure, data_directory, log

# `kubectl describe pod` shows this text.
TERMINATION_MESSAGE = Path("/dev/termination-log")

SETTINGS = Path(__file__).with_name("restore-drill.json")
SQL = Path(__file__).with_name("restore-drill.sql")


class Report:
    """What the drill has done: facts such as the label of the backup, and the time that each step took."""

    def __init__(self, facts: dict[str, str], failure: str = "") -> None:
        self.facts, self.failure = facts, failure

    @staticmethod
    def place() -> Path:
        """Return the file through which the two containers share the report."""
        return Path(tempfile.gettempdir()) / "restore-drill.json"

    @classmethod
    def read(cls) -> Report:
        """Read the report of the first container."""
        try:
            written = json.loads(cls.place().read_bytes())
            return cls(written["facts"], written["failure"])
        except (OSError, ValueError, KeyError) as error:
            return cls({}, f"the first container has left no report: {error}")

    def write(self) -> None:
        """Leave the report for the second container."""
        self.place().write_text(json.dumps({"facts": self.facts, "failure": self.failure}))

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Record a failure instead of raising it."""
        try:
            yield
        except Failure as failure:
            self.failure = str(failure)
        except Exception as error:  # noqa: BLE001
            self.failure = f"{type(error).__name__}: {error}"

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Record how long a step takes, also if it fails."""
        log(f"restore-drill: {name}")
        started = time.monotonic()
        try:
            yield
        finally:
            self.facts[name] = f"{time.monotonic() - started:.1f}s"

    def verdict(self) -> str:
        """Return one line that says what was restored, and what is wrong with it."""
        facts = "".join(f" {name}={fact}" for name, fact in self.facts.items())
        return f"restore-drill: failed{facts}: {self.failure}" if self.failure else f"restore-drill: passed{facts}"


def restore(settings: Any, report: Report) -> None:
    """Restore the newest backup, and replay the archive to its end."""
    if settings["sql"] and not SQL.exists():
        raise Failure(f"the ConfigMap and the key {settings['sql']} do not exist")
    use_own_directories()
    report.facts["repository"] = f"repo{settings['repository']}"
    backup = newest_backup(settings["repository"])
    report.facts.update(backup.facts())
    with report.step("restore"):
        fetch_backup(settings["repository"], backup)
    with report.step("replay"):
        reached = replay(settings, backup)
    report.facts.update(reached)


def check(settings: Any, report: Report) -> None:
    """Check the files, then the database."""
    if report.failure:
        raise Failure(report.failure)
    with report.step("checksums"):
        enabled = check_checksums()
    if not enabled:
        report.facts["checksums"] = "disabled"
    with server(settings, "local all postgres trust") as environment:
        if settings["sql"]:
            with report.step("sql"):
                check_with_sql(SQL, environment)
            return
        with report.step("amcheck"):
            verified = verify_relations(environment)
        if not verified:
            report.facts["amcheck"] = "unavailable"
        with report.step("dump"):
            report.facts["databases"] = str(dump(environment))


def clear() -> None:
    """Remove what was restored. The volume is deleted with the pod, and the pod stays until its Job is deleted."""
    for path in data_directory().parent.glob("*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def main() -> None:
    """Run one of the two parts."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("restore-drill: failed: the pod was stopped before the drill was done"))
    settings = json.loads(SETTINGS.read_bytes())
    os.environ["PATH"] = os.pathsep.join([*settings["programDirectories"], os.environ.get("PATH", os.defpath)])
    if sys.argv[1:] == ["restore"]:
        report = Report({})
        with report.recording():
            restore(settings, report)
        if report.failure:
            log(f"restore-drill: {report.failure}")
        report.write()
        return
    report = Report.read()
    with report.recording():
        check(settings, report)
    clear()
    with contextlib.suppress(OSError):
        TERMINATION_MESSAGE.write_text(report.verdict())
    log(report.verdict())
    sys.exit(1 if report.failure else 0)


if __name__ == "__main__":
    main()
