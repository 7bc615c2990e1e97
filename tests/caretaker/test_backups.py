"""Backups on demand that the leader's caretaker takes, with the real pgBackRest. Its repository is a directory here."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src" / "postgres_cluster" / "caretaker"))

import backups
from servers import Server, version_of_pgbackrest
from surroundings import Failure, Wanted


class OnDemand(unittest.TestCase):
    """Which backups there are after which requests."""

    @classmethod
    def setUpClass(cls) -> None:
        server = Server(version_of_pgbackrest())
        cls.addClassCleanup(server.stop)
        directory = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, directory)
        options = {
            "repo1-path": directory / "repo1",
            "repo2-path": directory / "repo2",
            "lock-path": directory / "lock",
            "log-path": directory,
            "archive-check": "n",
            "start-fast": "y",
            # Many small files take long.
            "repo1-bundle": "y",
            "repo2-bundle": "y",
            # What the user may have set for the repo host.
            "backup-standby": "y",
        }
        database = {
            "pg1-path": os.environ["PGDATA"],
            "pg1-socket-path": os.environ["PGHOST"],
            "pg1-user": "postgres",
        }
        text = "\n".join(f"{name}={value}" for name, value in options.items())
        text += "\n[db]\n" + "\n".join(f"{name}={value}" for name, value in database.items())
        (directory / "pgbackrest.conf").write_text(f"[global]\n{text}\n")
        environment = unittest.mock.patch.dict("os.environ", PGBACKREST_CONFIG=str(directory / "pgbackrest.conf"))
        environment.start()
        cls.addClassCleanup(environment.stop)
        cls.directory = directory

    def setUp(self) -> None:
        """Start with no backup, and an API server that has only the Endpoints."""
        for repository in ("repo1", "repo2"):
            shutil.rmtree(self.directory / repository, ignore_errors=True)
        subprocess.run(["pgbackrest", "--stanza=db", "stanza-create"], check=True, capture_output=True)
        self.endpoints: dict[str, Any] = {"metadata": {"annotations": {"other": "kept"}}}
        api = unittest.mock.patch.object(backups, "kubernetes", self.kubernetes)
        api.start()
        self.addCleanup(api.stop)
        self.duty = backups.ManualBackup()

    def kubernetes(self, method: str, path: str, body: Any = None) -> Any:
        """Read or merge the Endpoints."""
        self.assertEqual(path, "/endpoints/hippo-primary")
        if method == "PATCH":
            self.endpoints["metadata"]["annotations"].update(body["metadata"]["annotations"])
        return self.endpoints

    def settle(self, trigger: str, *options: str, repository: int = 1) -> str:
        """Run the duty until it has nothing to do. Return its log."""
        request = {"trigger": trigger, "repository": repository, "options": list(options)}
        settings = {"cluster": "hippo", "volumeRepositories": [], "cloudRepositories": [1, 2], "manualBackup": request}
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            for _ in range(600):
                pause = self.duty(Wanted(settings, {}))
                if pause in (None, 10):
                    break
                time.sleep(0.1)
        return out.getvalue()

    def first_backup(self) -> None:
        """Take the first backup, as its own duty does."""
        first = backups.FirstBackup()
        settings = {"stanza": True, "volumeRepositories": [], "cloudRepositories": [1, 2]}
        with contextlib.redirect_stdout(io.StringIO()):
            while first(Wanted(settings, {})) is not None:
                time.sleep(0.1)

    def taken(self) -> list[tuple[int, str, str | None]]:
        """Return the repository, the type, and the value that requested it, of all backups."""
        stanza = backups.stanza_of(json.loads(backups.pgbackrest("info", "--output=json")))
        return [
            (there["database"]["repo-key"], there["type"], there.get("annotation", {}).get(backups.ANNOTATION))
            for there in stanza["backup"]
        ]

    def test_each_value_is_one_backup_after_the_first_one(self) -> None:
        self.assertEqual(self.settle("one", "--type=diff"), "")
        self.assertEqual(self.taken(), [], "a backup on demand waits for the first backup")
        self.first_backup()
        self.assertIn("finished the backup that the annotation value `one` requests", self.settle("one", "--type=diff"))
        expected = [(1, "full", None), (1, "diff", "one")]
        self.assertEqual(self.taken(), expected)
        self.assertEqual(self.settle("one", "--type=full"), "")
        self.assertEqual(self.endpoints["metadata"]["annotations"]["other"], "kept")
        # Another leader knows it from the Endpoints, or if that record is lost, from the backup; in another repository, too.
        self.duty = backups.ManualBackup()
        self.assertEqual(self.settle("one"), "")
        del self.endpoints["metadata"]["annotations"][backups.BACKUP]
        self.assertEqual(self.settle("one", repository=2), "")
        self.assertEqual(self.taken(), expected)
        self.assertEqual(backups.done(Wanted({"cluster": "hippo"}, {})), "one")
        self.settle('two = "spaces" and a \\', "--annotation=why=test", repository=2)
        self.assertEqual(self.taken(), [*expected, (2, "full", 'two = "spaces" and a \\')])

    def test_a_failure_is_not_recorded(self) -> None:
        self.first_backup()
        with self.assertRaisesRegex(Failure, "value `one` requests ended with exit code"):
            self.settle("one", "--process-max=1000")
        self.assertNotIn(backups.BACKUP, self.endpoints["metadata"]["annotations"])
        self.settle("one", "--type=incr")
        self.assertEqual(self.taken(), [(1, "full", None), (1, "incr", "one")])

    def test_a_record_that_fails_is_written_later_without_another_backup(self) -> None:
        self.first_backup()
        with unittest.mock.patch.object(backups, "record", side_effect=Failure("away")), self.assertRaises(Failure):
            self.settle("one")
        self.assertIn("finished", self.settle("one"))
        self.assertEqual(self.taken(), [(1, "full", None), (1, "incr", "one")])
        self.assertEqual(backups.done(Wanted({"cluster": "hippo"}, {})), "one")

    def test_a_backup_that_has_expired_is_not_repeated(self) -> None:
        self.first_backup()
        self.settle("one", "--type=full", "--repo1-retention-full=1")
        self.settle("two", "--type=full", "--repo1-retention-full=1")
        self.assertEqual(self.taken(), [(1, "full", "two")])
        self.assertEqual(self.settle("two"), "")


class Versions(unittest.TestCase):
    """Which versions of pgBackRest annotate backups."""

    def test_annotations_exist_since_2_41(self) -> None:
        for said, has in (
            ("pgBackRest 2.40", False),
            ("pgBackRest 2.41", True),
            ("pgBackRest 2.56.0", True),
            ("", False),
        ):
            self.assertEqual(backups.has_annotations(said), has, said)


if __name__ == "__main__":
    unittest.main()
