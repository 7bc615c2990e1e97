"""Verifiers of existing Secrets, compared with the RFC and with PostgreSQL's own results."""

from __future__ import annotations

import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src" / "postgres_cluster" / "caretaker"))

import credentials
from surroundings import Failure

# The verifier for password and salt of the example in RFC 7677, section 3, in PostgreSQL's format.
PENCIL = (
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
    ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)


class Credentials(unittest.TestCase):
    """Each test has a directory in place of the mounted Secrets."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        patch = unittest.mock.patch.object(credentials, "SETTINGS", self.directory)
        patch.start()
        self.addCleanup(patch.stop)

    def bring(self, **keys: str) -> None:
        """Write the Secret of `hippo` with these keys."""
        place = self.directory / "credentials" / "hippo"
        place.mkdir(parents=True, exist_ok=True)
        for key, value in keys.items():
            (place / key).write_bytes(value.encode())

    def verifier(self, stored: str | None = None) -> str:
        """Return the verifier that the caretaker would set."""
        return credentials.verifier_of({"name": "hippo", "secret": "hippo-pguser-hippo"}, stored)

    def test_a_verifier_is_that_of_the_rfc(self) -> None:
        salt = credentials.base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
        self.assertEqual(credentials.scram("pencil", salt, 4096), PENCIL)
        self.assertTrue(credentials.fits("pencil", PENCIL))
        self.assertFalse(credentials.fits("pencils", PENCIL))

    def test_what_the_database_has_is_kept_while_it_fits(self) -> None:
        self.bring(password="pencil")
        self.assertEqual(self.verifier(PENCIL), PENCIL)
        for stored in (None, PENCIL.replace("WG5d", "AAAA"), "md5" + "0" * 32, "not a verifier"):
            new = self.verifier(stored)
            self.assertNotEqual(new, stored)
            self.assertTrue(credentials.fits("pencil", new))
        self.assertNotEqual(self.verifier(), self.verifier(), "each new one has its own salt")

    def test_a_verifier_wins_over_the_password(self) -> None:
        self.bring(password="other", verifier=f"{PENCIL}\n")
        self.assertEqual(self.verifier(), PENCIL)
        self.bring(verifier="md5" + "0" * 32)
        self.assertEqual(self.verifier(), "md5" + "0" * 32)
        self.bring(verifier="")
        self.assertTrue(credentials.fits("other", self.verifier(PENCIL)))

    def test_what_is_wrong_names_the_secret_and_no_value(self) -> None:
        for keys in (
            {},
            {"password": ""},
            {"verifier": "tell-tale"},
            {"password": "x", "verifier": "SCRAM-SHA-256$tell-tale"},
        ):
            self.bring(**keys)
            with self.assertRaises(Failure) as caught:
                self.verifier()
            self.assertIn("Secret hippo-pguser-hippo", str(caught.exception))
            self.assertNotIn("tell-tale", str(caught.exception))

    def test_a_password_is_prepared_as_saslprep_says(self) -> None:
        # RFC 4013, section 3, and the characters that it prohibits.
        for password, expected in (
            ("I\u00adX", "IX"),
            ("user", "user"),
            ("\u00aa", "a"),
            ("\u2168", "IX"),
            ("a\u00a0b", "a b"),
            ("\u0627\u0031", "\u0627\u0031"),
            ("\u00e4\u0007", "\u00e4\u0007"),
            ("\u00ad", "\u00ad"),
        ):
            self.assertEqual(credentials.prepared(password), expected)


if __name__ == "__main__":
    unittest.main()
