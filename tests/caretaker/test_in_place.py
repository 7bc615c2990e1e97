"""The restore in place: what is refused before anything stops, and data directories that are moved aside and back."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
import unittest
import unittest.mock
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src" / "postgres_cluster" / "caretaker"))

import aside
import backups
import before_patroni
import in_place
import progress
import restore
import surroundings


class Interrupted(Exception):
    """The end of the process in a test."""


class Aside(unittest.TestCase):
    """Moving data directories, interrupted at every step."""

    # These functions change the file system, one step each.
    STEPS = (
        (Path, "rename"),
        (Path, "replace"),
        (Path, "symlink_to"),
        (Path, "unlink"),
        (shutil, "rmtree"),
    )

    def setUp(self) -> None:
        place = self.enterContext(tempfile.TemporaryDirectory())  # type: ignore[attr-defined]
        self.root = Path(place)

    def fresh(self, wal_volume: bool, content: str = "old") -> Path:
        """Make a data directory with its WAL behind a link, alone on its volumes. Return it."""
        shutil.rmtree(self.root)
        data = self.root / "pgdata" / "pg17"
        wal = self.root / ("pgwal" if wal_volume else "pgdata") / "pg17_wal"
        self.fill(data, wal, content)
        self.enterContext(unittest.mock.patch.dict(os.environ, PGDATA=str(data)))  # type: ignore[attr-defined]
        return data

    @staticmethod
    def fill(data: Path, wal: Path, content: str) -> None:
        """Write the files of a database cluster."""
        data.mkdir(parents=True, exist_ok=True)
        wal.mkdir(parents=True)
        (data / "PG_VERSION").write_text(content)
        (wal / "segment").write_text(content)
        (data / "pg_wal").symlink_to(wal)

    def content(self, data: Path) -> tuple[str, str]:
        """Read the files, the WAL through the link."""
        return (data / "PG_VERSION").read_text(), (data / "pg_wal" / "segment").read_text()

    def files(self) -> list[str]:
        """Return all files, without those behind links."""
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file())

    @contextlib.contextmanager
    def interrupted(self, step: int, after: bool) -> Iterator[None]:
        """End at the step with this number, before or after it takes effect."""
        count = 0

        def counted(original: Callable[..., Any]) -> Callable[..., Any]:
            def function(*words: Any, **names: Any) -> Any:
                nonlocal count
                count += 1
                if count == step and not after:
                    raise Interrupted
                result = original(*words, **names)
                if count == step:
                    raise Interrupted
                return result

            return function

        with contextlib.ExitStack() as stack:
            for owner, name in self.STEPS:
                stack.enter_context(unittest.mock.patch.object(owner, name, counted(getattr(owner, name))))
            yield

    def at_every_step(self, prepare: Callable[[], Path], act: Callable[[], None], check: Callable[[Path], None]) -> None:
        """Interrupt an action at each of its steps, repeat it, and check the result."""
        steps = 0
        for after in (False, True):
            for step in range(1, 100):
                data = prepare()
                try:
                    with self.interrupted(step, after):
                        act()
                    ended = True
                except Interrupted:
                    ended = False
                act()
                check(data)
                if ended:
                    break
                steps += 1
        self.assertGreater(steps, 3)

    def test_data_is_moved_aside(self) -> None:
        for wal_volume in (False, True):

            def check(data: Path) -> None:
                self.assertEqual(self.content(aside.aside()), ("old", "old"))
                self.assertFalse(data.exists())
                self.assertEqual(len(self.files()), 2)

            self.at_every_step(lambda volume=wal_volume: self.fresh(volume), aside.move_aside, check)

    def test_data_is_put_back_in_place_of_what_was_restored(self) -> None:
        for wal_volume in (False, True):

            def prepare(wal_volume: bool = wal_volume) -> Path:
                data = self.fresh(wal_volume)
                wal = (data / "pg_wal").resolve()
                aside.move_aside()
                self.fill(data, wal, "new")
                return data

            def check(data: Path) -> None:
                self.assertEqual(self.content(data), ("old", "old"))
                self.assertEqual(len(self.files()), 2)

            self.at_every_step(prepare, aside.put_back, check)

    def test_a_cancelled_restore_puts_back_only_what_it_moved(self) -> None:
        for state, doing in (("cancelled", None), ("stopping", None), ("cancelled", "x"), ("stopping", "x")):
            data = self.fresh(True)
            aside.move_aside()
            wal = self.root / "pgwal" / "pg17_wal"
            shutil.rmtree(wal, ignore_errors=True)
            self.fill(data, wal, "new")
            progress.remember(doing=doing)
            there = {"id": "x", "state": state, "instance": "hippo-a-0"}
            with (
                unittest.mock.patch.dict(os.environ, PATRONI_NAME="hippo-a-0"),
                unittest.mock.patch.object(before_patroni, "find_progress", lambda _, there=there: there),
                unittest.mock.patch.object(before_patroni, "acknowledge"),
                unittest.mock.patch.object(before_patroni, "record"),
            ):
                wanted = surroundings.Wanted({"cluster": "hippo", "restoreInPlace": None, "instanceSets": [{"name": "a", "replicas": 1}]}, {})
                self.assertTrue(before_patroni.step(wanted))
            self.assertEqual(self.content(data), ("old", "old") if doing else ("new", "new"))
            self.assertEqual(aside.aside().exists(), not doing)
            self.assertNotIn("doing", progress.memory())

    def test_an_empty_directory_is_not_data(self) -> None:
        data = self.fresh(False)
        aside.move_aside()
        data.mkdir()  # as the init container does
        aside.move_aside()
        self.assertEqual(self.content(aside.aside()), ("old", "old"))
        aside.put_back()
        self.assertEqual(self.content(data), ("old", "old"))
        aside.put_back()
        self.assertEqual(self.content(data), ("old", "old"))

    def test_data_is_removed_with_its_wal(self) -> None:
        data = self.fresh(True)
        aside.remove(data)
        self.assertEqual(self.files(), [])
        aside.remove(data)

    def test_wal_that_was_left_aside_does_not_prevent_the_next_move(self) -> None:
        data = self.fresh(True)
        (self.root / "pgwal" / "pg17_wal.before-restore").mkdir()
        (self.root / "pgwal" / "pg17_wal.before-restore" / "segment").write_text("older")
        aside.move_aside()
        self.assertEqual(self.content(aside.aside()), ("old", "old"))
        self.assertFalse(data.exists())


class Requests(unittest.TestCase):
    """What is refused before anything stops."""

    BACKUPS = [
        {"label": "20260101-000000F", "timestamp": {"start": 90, "stop": 100}, "info": {"size": 5}},
        {"label": "20260102-000000F", "timestamp": {"start": 190, "stop": 200}, "info": {"size": 5}},
    ]

    def check(self, *arguments: str) -> None:
        """Check a request."""
        in_place.check_backups(self.BACKUPS, list(arguments), 1)

    def test_a_backup_must_be_there(self) -> None:
        with self.assertRaisesRegex(surroundings.Failure, "repo1 has no backup of this database cluster"):
            in_place.check_backups([], [], 1)
        self.check("--set=20260101-000000F")
        self.check("--set=latest")
        with self.assertRaisesRegex(surroundings.Failure, "no backup 20250101-000000F; it has 20260101-000000F, 20260102"):
            self.check("--set=20250101-000000F")

    def test_a_time_must_be_after_a_backup_and_in_the_past(self) -> None:
        self.check("--type=time", "--target=1970-01-01 00:01:41+00")
        self.check("--type=time", "--target=in some form that only Postgres knows")
        self.check("--type=lsn", "--target=1970-01-01 00:01:39+00")
        with self.assertRaisesRegex(surroundings.Failure, "before the end of the first backup .*1970-01-01 00:01:40"):
            self.check("--type=time", "--target=1970-01-01 00:01:39+00")
        with self.assertRaisesRegex(surroundings.Failure, "1970-01-01 00:03:20"):
            self.check("--type=time", "--target=1970-01-01 00:02:00+00", "--set=20260102-000000F")
        with self.assertRaisesRegex(surroundings.Failure, "is in the future"):
            self.check("--type=time", f"--target={time.gmtime().tm_year + 2}-01-01 00:00:00")

    def test_times_are_read_as_postgres_writes_them(self) -> None:
        for text, seconds in (
            ("1970-01-01 00:01:40", 100),
            ("1970-01-01T00:01:40Z", 100),
            ("1970-01-01 00:01:40.25 UTC", 100),
            ("1970-01-01 02:01:40+02", 100),
            ("1970-01-01 05:31:40+05:30", 100),
            ("1969-12-31 16:01:40-0800", 100),
        ):
            self.assertEqual(in_place.moment(text), seconds, text)
        for text in ("yesterday", "2026-13-01 00:00:00", "2026-01-01"):
            self.assertIsNone(in_place.moment(text), text)

    def test_the_backup_must_fit_beside_the_data(self) -> None:
        with unittest.mock.patch.dict(os.environ, PGDATA="/tmp/pg17"):
            in_place.check_space(self.BACKUPS, None)
            big = [{**self.BACKUPS[0], "info": {"size": 1 << 60}}, self.BACKUPS[1]]
            in_place.check_space(big, None)
            with self.assertRaisesRegex(surroundings.Failure, "needs 1099511627776 MiB, but the data volume has only"):
                in_place.check_space(big, "20260101-000000F")


class Timelines(unittest.TestCase):
    """From which backups a replica may be created."""

    def test_a_backup_of_a_timeline_that_was_left_counts_only_before_the_fork(self) -> None:
        def backup(timeline: int, stop: str) -> dict[str, Any]:
            return {"archive": {"stop": f"{timeline:08X}0000000000000003"}, "lsn": {"stop": stop}}

        history = [[1, 0x3000100, "at restore point"], [3, 0x5000000, "no recovery target specified"]]
        for there, usable in (
            (backup(1, "0/3000050"), True),
            (backup(1, "0/3000101"), False),
            (backup(1, "1/0"), False),
            (backup(2, "0/3000050"), False),
            (backup(3, "0/4000000"), True),
            (backup(4, "9/0"), True),
        ):
            self.assertEqual(backups.is_ancestor(there, 4, history), usable, there)
            self.assertTrue(backups.is_ancestor(there, None, []), "there is no leader")


class Started(unittest.TestCase):
    """What an instance does with its data before Patroni starts, with a record of restores that is read from a file."""

    def setUp(self) -> None:
        place = Path(self.enterContext(tempfile.TemporaryDirectory()))  # type: ignore[attr-defined]
        self.data = place / "pg17"
        self.data.mkdir()
        environment = {"PGDATA": str(self.data), "PATRONI_NAME": "hippo-a-0"}
        self.enterContext(unittest.mock.patch.dict(os.environ, environment))  # type: ignore[attr-defined]
        self.wanted = surroundings.Wanted({"restoreInPlace": {"trigger": "new"}}, {})

    def settle(self, done: str | None, known: bool = True, led: bool = True) -> tuple[bool, dict[str, Any]]:
        """Compare the data with the last restore. Return whether there is data, and what is remembered."""
        with (
            unittest.mock.patch.object(before_patroni, "is_known", lambda _: known),
            unittest.mock.patch.object(before_patroni, "has_other_leader", lambda _: led),
            unittest.mock.patch.object(before_patroni, "LEADER_SECONDS", 0),
            unittest.mock.patch.object(before_patroni, "answered", contextlib.nullcontext),
        ):
            before_patroni.settle(self.wanted, {"done": done} if done else {})
        return (self.data / "PG_VERSION").exists(), progress.memory()

    def test_a_new_cluster_has_nothing_to_restore(self) -> None:
        self.assertEqual(self.settle(None, known=False), (False, {"done": "new", "first": "new"}))

    def test_a_new_instance_of_an_old_cluster_does_not_answer_the_request(self) -> None:
        self.assertEqual(self.settle(None), (False, {}))

    def test_data_that_waits_for_the_request_stays(self) -> None:
        (self.data / "PG_VERSION").write_text("17")
        self.assertEqual(self.settle(None, known=False), (True, {}))

    def test_data_that_is_older_than_a_restore_is_removed_once(self) -> None:
        (self.data / "PG_VERSION").write_text("17")
        progress.remember(done="earlier")
        self.assertEqual(self.settle("later"), (False, {"done": "later"}))
        self.data.mkdir()
        (self.data / "PG_VERSION").write_text("17")
        self.assertEqual(self.settle("later"), (True, {"done": "later"}))

    def test_the_data_of_a_cluster_that_was_created_with_the_request_stays(self) -> None:
        (self.data / "PG_VERSION").write_text("17")
        with unittest.mock.patch.object(before_patroni, "has_other_leader", lambda _: True):
            before_patroni.settle(self.wanted, {"done": "new", "first": "new"})
        self.assertEqual(((self.data / "PG_VERSION").exists(), progress.memory()), (True, {"done": "new"}))

    def test_the_only_data_is_never_removed(self) -> None:
        (self.data / "PG_VERSION").write_text("17")
        self.assertEqual(self.settle("later", led=False), (True, {}))

    def test_the_marker_of_a_restore_is_beside_the_data(self) -> None:
        self.assertEqual(restore.marker(), Path(f"{self.data}.restoring"))


if __name__ == "__main__":
    unittest.main()
