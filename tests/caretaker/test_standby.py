"""A standby cluster, without a cluster: where two clusters parted, and who may owner."""

from __future__ import annotations

import os
import sys
import tempfile
import time
import unittest
import unittest.mock
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src" / "postgres_cluster" / "caretaker"))

import backups
import lineage
import owner
import standby
import surroundings
from lineage import Line

# What Postgres 17 wrote, with the promotions of two clusters that switched roles.
HISTORY = "1\t0/8000200\tno recovery target specified\n\n2\t0/8004110\tno recovery target specified\n"


class Timelines(unittest.TestCase):
    """Where two clusters parted."""

    def lines(self, history: str, timeline: int, end: str) -> list[Line]:
        """The lines of a cluster at an LSN."""
        return lineage.lines_of(history, timeline, lineage.lsn(end))

    def point(self, ours: list[Line], theirs: list[Line]) -> tuple[int, str] | None:
        """The timeline and the LSN up to which both are the same."""
        found = lineage.parting(ours, theirs)
        return None if found is None else (found[0].timeline, lineage.written(found[2]))

    def test_an_lsn_is_read_and_written_as_postgres_does(self) -> None:
        for text in ("0/8000200", "16/B374D848", "FFFFFFFF/FFFFFFFF", "0/0"):
            self.assertEqual(lineage.written(lineage.lsn(text)), text)

    def test_a_history_has_the_lines_before_and_the_present_one(self) -> None:
        ends = [lineage.lsn(text) for text in ("0/8000200", "0/8004110", "0/9000000")]
        expected = [Line(1, 0, ends[0]), Line(2, ends[0], ends[1]), Line(3, ends[1], ends[2])]
        self.assertEqual(self.lines(HISTORY, 3, "0/9000000"), expected)
        self.assertEqual(self.lines("# nothing\n", 1, "0/9000000"), [Line(1, 0, ends[2])])

    def test_a_source_that_was_promoted_later_has_everything(self) -> None:
        source = self.lines(HISTORY, 3, "0/9000000")
        self.assertEqual(self.point(self.lines(HISTORY.split("\n\n")[0], 2, "0/8004110"), source), (2, "0/8004110"))
        self.assertEqual(self.point(self.lines("", 1, "0/8000100"), source), (1, "0/8000100"))

    def test_a_former_primary_that_went_on_has_parted(self) -> None:
        source = self.lines(HISTORY, 3, "0/9000000")
        self.assertEqual(self.point(self.lines("", 1, "0/8000208"), source), (1, "0/8000200"))

    def test_a_standby_that_was_promoted_by_mistake_has_parted_too(self) -> None:
        ours = self.lines(HISTORY, 3, "0/9000000")
        theirs = self.lines(HISTORY.split("\n\n")[0], 2, "0/A000000")
        self.assertEqual(self.point(ours, theirs), (2, "0/8004110"))

    def test_the_same_number_is_not_the_same_timeline(self) -> None:
        other = "1\t0/8000100\tno recovery target specified\n"
        self.assertEqual(self.point(self.lines(HISTORY.split("\n\n")[0], 2, "0/9000000"), self.lines(other, 2, "0/9000000")), (1, "0/8000100"))

    def test_a_wal_file_has_the_name_that_postgres_gives_it(self) -> None:
        for size, name in ((16, "00000003000000160000000B"), (64, "000000030000001600000002"), (1, "0000000300000016000000B3")):
            self.assertEqual(lineage.segment(3, lineage.lsn("16/0B374D84"), size << 20)[:16], name[:16])
        self.assertEqual(lineage.segment(3, lineage.lsn("16/B374D848"), 16 << 20), "0000000300000016000000B3")
        self.assertEqual(lineage.segment(1, lineage.lsn("1/C000000"), 64 << 20), "000000010000000100000003")


class Same(unittest.TestCase):
    """Whether two timelines with the same number are the same."""

    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        (Path(place.name) / "pg_wal").mkdir()
        self.wal = Path(place.name) / "pg_wal"
        patch = unittest.mock.patch.dict(os.environ, {"PGDATA": place.name})
        patch.start()
        self.addCleanup(patch.stop)
        self.data = {
            "Bytes per WAL segment": str(1 << 20),
            "Latest checkpoint's TimeLineID": "2",
            "Latest checkpoint location": "0/300100",
        }

    def is_same(self, theirs: dict[str, bytes], until: str = "0/310000", newest: int = 2, begin: str = "0/200080") -> bool | None:
        """Compare timeline 2, which begins at an LSN, with that of a source that has these files."""

        def ask(name: str, offset: int) -> str | None:
            return theirs[name][offset : offset + lineage.COMPARED].hex() if name in theirs else None

        line = Line(2, lineage.lsn(begin), lineage.lsn("0/320000"))
        return lineage.is_same(line, lineage.lsn(until), newest, self.data, ask)

    def test_the_wal_decides(self) -> None:
        ours = os.urandom(4096)
        (self.wal / "000000020000000000000002").write_bytes(ours)
        self.assertTrue(self.is_same({"000000020000000000000002": ours}))
        self.assertFalse(self.is_same({"000000020000000000000002": os.urandom(4096)}))

    def test_the_file_may_have_another_name_after_a_promotion(self) -> None:
        ours = os.urandom(4096)
        (self.wal / "000000020000000000000002").write_bytes(ours)
        self.assertTrue(self.is_same({"000000020000000000000002.partial": ours}, newest=3))
        self.assertTrue(self.is_same({"000000030000000000000002": ours}, newest=3))

    def test_our_own_file_may_have_another_name_too(self) -> None:
        ours = os.urandom(4096)
        (self.wal / "000000020000000000000002.partial").write_bytes(ours)
        self.assertTrue(self.is_same({"000000020000000000000002": ours}))
        self.assertFalse(self.is_same({"000000020000000000000002": os.urandom(4096)}))

    def test_a_checkpoint_decides_if_the_beginning_is_gone(self) -> None:
        ours = os.urandom(4096)
        (self.wal / "000000020000000000000003").write_bytes(ours)
        self.assertTrue(self.is_same({"000000020000000000000003": ours}))
        self.assertIsNone(self.is_same({"000000020000000000000003": ours}, until="0/300120"))

    def test_the_control_file_of_a_standby_may_be_of_an_earlier_timeline(self) -> None:
        ours = os.urandom(4096)
        (self.wal / "000000020000000000000002").write_bytes(ours)
        self.data["Latest checkpoint's TimeLineID"] = "1"
        self.assertTrue(self.is_same({"000000020000000000000002": ours}))
        self.assertTrue(self.is_same({"000000020000000000000002": ours}, newest=1))

    def test_without_the_files_nothing_is_proved(self) -> None:
        self.assertIsNone(self.is_same({}))


class Archive(unittest.TestCase):
    """Who may archive into a repository."""

    def information(self, *newest: tuple[int, int, str], code: int = 0) -> list[Any]:
        """What `pgbackrest info` says: for each archive the repository, the database and the newest file."""
        systems = {1: 100, 2: 200}
        return [
            {
                "name": "db",
                "repo": [{"key": key, "status": {"code": code, "message": "other"}} for key in (1, 2)],
                "db": [{"id": id, "repo-key": key, "system-id": system} for key in (1, 2) for id, system in systems.items()],
                "archive": [{"database": {"id": id, "repo-key": key}, "max": file} for key, id, file in newest],
            }
        ]

    def test_only_our_database_in_shared_repositories_counts(self) -> None:
        there = self.information((1, 1, "000000090000000000000009"), (1, 2, "000000020000000000000003"), (2, 2, "0" * 24))
        self.assertEqual(owner.newest_files(there, [1], "200"), {1: "000000020000000000000003"})
        self.assertEqual(owner.newest_files([], [1], "200"), {})

    def test_an_empty_archive_has_no_file(self) -> None:
        self.assertEqual(owner.newest_files(self.information((1, 1, "")), [1], "100"), {})

    def test_a_repository_that_does_not_answer_is_not_empty(self) -> None:
        with self.assertRaisesRegex(surroundings.Failure, "repo1 is not available"):
            owner.newest_files(self.information(code=99), [1], "100")

    def test_a_later_timeline_is_of_another_cluster(self) -> None:
        there = {1: "0000000A0000000000000003"}
        self.assertEqual(owner.later(there, 9), ["repo1 has WAL of timeline 10"])
        self.assertEqual(owner.later(there, 10), [])

    def held(self, there: Any, follows: bool, followed: bool, role: str = "standby_leader", **settings: Any) -> bool:
        """Whether the configuration archives nothing."""
        wanted = surroundings.Wanted({"stanza": True, "cloudRepositories": [1], **settings}, {})
        right = {"postgresql": {"parameters": {"archive_command": "push"}}}
        with unittest.mock.patch.object(surroundings.Leadership, "now", return_value=role):
            after = owner.held(wanted, there, right, follows, followed)
        return bool(owner.parameters(after)["archive_command"] == owner.HELD)

    def test_a_standby_archives_nothing_and_a_promoted_one_waits(self) -> None:
        waits = {"postgresql": {"parameters": {"archive_command": owner.HELD}}}
        self.assertTrue(self.held({}, follows=True, followed=True))
        self.assertTrue(self.held({}, follows=False, followed=True))
        self.assertTrue(self.held(waits, follows=False, followed=False))
        self.assertFalse(self.held({}, follows=False, followed=False))
        self.assertFalse(self.held(waits, follows=False, followed=True, cloudRepositories=[]))

    def test_a_primary_that_becomes_a_standby_archives_until_it_is_one(self) -> None:
        waits = {"postgresql": {"parameters": {"archive_command": owner.HELD}}}
        self.assertFalse(self.held({}, follows=True, followed=False, role="primary"))
        self.assertTrue(self.held(waits, follows=True, followed=False, role="primary"))

    def test_a_promoted_cluster_waits_until_nothing_arrives(self) -> None:
        keeper, changes = owner.ArchiveOwner(), []
        configuration = {"postgresql": {"parameters": {"archive_command": "push"}}}
        wanted = surroundings.Wanted({"dynamicConfiguration": configuration}, {})
        with unittest.mock.patch.object(owner, "patroni", lambda *words: changes.append(words)):
            self.assertEqual(keeper.wait(wanted, {1: "A"}), owner.LOOK_SECONDS)
            with self.assertRaisesRegex(surroundings.Failure, "B in repo1 has arrived"):
                keeper.wait(wanted, {1: "B"})
            with self.assertRaisesRegex(surroundings.Failure, "B in repo1 has arrived"):
                keeper.wait(wanted, {1: "B"})
            keeper.since = time.monotonic() - owner.QUIET_SECONDS - 1
            self.assertIsNone(keeper.wait(wanted, {1: "B"}))
        self.assertEqual(changes, [("PATCH", "/config", configuration)])


class Sources(unittest.TestCase):
    """What makes a cluster a standby, and which backups it may use."""

    def test_a_section_makes_a_standby_as_in_patroni(self) -> None:
        for section in ({"host": "a"}, {"port": 5433}, {"restore_command": "b"}, standby.WITHOUT_SOURCE):
            self.assertTrue(standby.source_of({"standby_cluster": section}), section)
        for configuration in ({}, {"standby_cluster": None}, {"standby_cluster": {}}, {"standby_cluster": {"host": ""}}):
            self.assertFalse(standby.source_of(configuration), configuration)

    def test_a_backup_from_before_a_gap_makes_no_replica(self) -> None:
        database = {"id": 1, "repo-key": 1, "system-id": 7, "version": "17"}
        starts = {"old": "000000010000000000000004", "new": "0000000B0000000000000009"}
        stanza = {
            "db": [database],
            "backup": [{"label": label, "database": database, "archive": {"start": start}} for label, start in starts.items()],
        }
        self.assertEqual(backups.newest(stanza, 1, "7", lambda backup: backups.is_complete(backup, 10)), "new")
        self.assertIsNone(backups.newest(stanza, 1, "7", lambda backup: backups.is_complete(backup, 11)))
        self.assertEqual(backups.newest(stanza, 1, "7"), "new")


if __name__ == "__main__":
    unittest.main()
