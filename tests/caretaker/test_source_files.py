"""The configuration of a data source: paths of its files, and a check of the repository with the real pgBackRest."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src" / "postgres_cluster" / "caretaker"))

import source_files
from surroundings import Failure

CONF = """[global]
repo1-storage-ca-file = /etc/pgbackrest/conf.d/ca.crt \t
repo1-gcs-key=/etc/pgbackrest/conf.d/ours.json
repo1-host-key-file=/etc/pgbackrest/conf.d/keys/a key\r
#repo2-storage-ca-file=/etc/pgbackrest/conf.d/ca.crt
repo2-storage-ca-path=/etc/pgbackrest/conf.d
repo1-path=/etc/pgbackrest/conf.d2/ca.crt
"""


class SourceFiles(unittest.TestCase):
    """Files in a directory that is mounted elsewhere."""

    def setUp(self) -> None:
        self.place = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def test_only_files_of_the_data_source_have_another_path(self) -> None:
        """The value of an option is a path of the data source only if that has the file."""
        (self.place / "keys").mkdir()
        for name in ("ca.crt", "keys/a key"):
            (self.place / name).touch()
        expected = CONF
        for name, path in (("repo1-storage-ca-file = ", "/ca.crt"), ("key-file=", "/keys/a key"), ("ca-path=", "\n")):
            expected = expected.replace(f"{name}/etc/pgbackrest/conf.d{path}", f"{name}{self.place}{path}")
        self.assertEqual(source_files.localized(CONF, self.place), expected)

    def test_copies_are_private_and_temporary(self) -> None:
        """Only files that pgBackRest reads are copied, and nobody else can read them."""
        (self.place / "s3.conf").write_bytes(b"[global]\nrepo1-path=/\xff\n")
        (self.place / "ca.crt").touch()
        files = source_files.configuration(self.place)
        (copy,) = Path(files.name).iterdir()
        self.assertEqual((copy.read_bytes(), copy.stat().st_mode & 0o777), (b"[global]\nrepo1-path=/\xff\n", 0o600))
        files.cleanup()
        self.assertFalse(copy.exists())

    @unittest.skipUnless(shutil.which("pgbackrest") or os.environ.get("CI") == "true", "no pgBackRest on this machine")
    def test_a_repository_that_cannot_be_used_is_told(self) -> None:
        """The message says what pgBackRest says, and contains no password."""
        (self.place / "repo" / "backup" / "db").mkdir(parents=True)
        (self.place / "repo" / "backup" / "db" / "backup.info").write_text("of another tool")
        for options, message in (
            ({"repo2-path": f"{self.place}/nowhere"}, "missing stanza path"),
            ({"repo2-path": f"{self.place}/repo"}, "backup.info"),
            ({"repo2-type": "s3", "repo2-s3-key": "hush"}, "repo2-s3-bucket"),
            ({"repo2-path": f"{self.place}/repo", "repo2-cipher-type": "aes-256-cbc", "repo2-cipher-pass": "hush"}, "backup.info"),
        ):
            lines = ["[global]", f"lock-path={self.place}", *(f"{name}={value}" for name, value in options.items())]
            (self.place / "options.conf").write_text("\n".join(lines) + "\n")
            with self.subTest(options), self.assertRaises(Failure) as raised:
                source_files.check(str(self.place), ["--stanza=db", "--repo=2", "--delta", "--pg1-path=/x"])
            self.assertIn(message, str(raised.exception))
            self.assertNotIn("hush", str(raised.exception))


if __name__ == "__main__":
    unittest.main()
