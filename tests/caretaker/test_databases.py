"""The caretaker's SQL on a real PostgreSQL: what it brings about, that it leaves alone what is right, and that no
verifier is ever seen. Needs a server's programs (PostgreSQL 13 or newer); without them it is skipped, and fails with CI=true."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src" / "caretaker"))

import databases
from surroundings import Failure, Wanted, psql

# Verifiers of nobody's password; each is one that PostgreSQL accepts.
VERIFIERS = [f"SCRAM-SHA-256$4096:c2FsdA==${letter * 43}=:{'B' * 43}=" for letter in "ABCD"]


def programs() -> Path | None:
    """Where the newest server is; Debian keeps it off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(shutil.which("initdb") or "/absent")]
    return found[-1].parent if found[-1].exists() else None


def administer(*command: str) -> None:
    """Run one of the server's own programs, which refuse root."""
    user: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **user)


def hippo(**more: Any) -> Wanted:
    """A cluster with two users in two databases; `more` changes settings or roles."""
    settings = {"databases": ["hippo", "zoo"], "extensions": ["plpgsql"], "schemaPerUser": True, "databaseInitSQL": None}
    roles: dict[str, Any] = {
        "users": [
            {"name": "hippo", "verifier": VERIFIERS[0], "options": "", "databases": ["hippo"]},
            {"name": "o'r\"hino", "verifier": VERIFIERS[1], "options": "CREATEDB", "databases": ["hippo", "zoo"]},
        ],
        "pgbouncer": {"name": "_crunchypgbouncer", "verifier": VERIFIERS[2]},
        "monitoring": {"name": "ccp_monitoring", "verifier": VERIFIERS[3]},
    }
    for key, value in more.items():
        (settings if key in settings else roles)[key] = value
    return Wanted(settings, roles)


@unittest.skipIf(programs() is None and os.environ.get("CI") != "true", "no PostgreSQL server on this machine")
class Databases(unittest.TestCase):
    """One server for all; each test begins with everything made right."""

    directory: str

    @classmethod
    def setUpClass(cls) -> None:
        """Start a server that logs as much as a server can."""
        binaries = programs()
        assert binaries is not None, "no PostgreSQL server, and CI=true"
        cls.directory = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        if os.geteuid() == 0:
            shutil.chown(cls.directory, "nobody", "nogroup")
        data = f"{cls.directory}/data"
        administer(str(binaries / "initdb"), "-D", data, "-U", "postgres", "-E", "UTF8", "-A", "trust", "-N")
        options = "-c log_statement=all -c log_min_duration_statement=0 -c log_error_verbosity=verbose -c fsync=off"
        options += f" -c listen_addresses= -c unix_socket_directories={cls.directory} -c log_min_messages=debug1"
        options += " -c shared_preload_libraries=pg_stat_statements -c pg_stat_statements.track=all"
        pg_ctl = [str(binaries / "pg_ctl"), "-D", data, "-l", f"{cls.directory}/log", "-w"]
        administer(*pg_ctl, "-o", options, "start")
        cls.addClassCleanup(administer, *pg_ctl, "-m", "immediate", "stop")
        os.environ.update(PGHOST=cls.directory, PGPORT="5432", PGUSER="postgres")

    def setUp(self) -> None:
        self.converge(hippo())

    def converge(self, wanted: Wanted) -> list[str]:
        """Do all duties as the caretaker does; gives what they said, without the time."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            for duty in (
                databases.extensions,
                databases.databases,
                databases.users,
                databases.schemas,
                databases.pgbouncer,
                databases.monitoring,
                databases.init_sql,
            ):
                duty(wanted)
        return [line.partition(" ")[2] for line in out.getvalue().splitlines()]

    def test_what_is_right_is_left_alone(self) -> None:
        self.assertEqual(self.converge(hippo()), [])

    def test_roles_have_their_options_verifiers_and_databases(self) -> None:
        roles = psql(
            "SELECT rolname, rolcreatedb, rolsuper, rolpassword FROM pg_authid WHERE rolname ~ 'hip|hin' ORDER BY 1"
        )
        self.assertEqual(roles, [f"hippo|f|f|{VERIFIERS[0]}", f"o'r\"hino|t|f|{VERIFIERS[1]}"])
        owned = psql(
            "SELECT nspname, rolname FROM pg_namespace JOIN pg_roles r ON r.oid = nspowner WHERE nspname ~ 'hin'", "zoo"
        )
        self.assertEqual(owned, ["o'r\"hino|o'r\"hino"])
        granted = psql(
            "SELECT datname FROM pg_database WHERE has_database_privilege('hippo', datname, 'CREATE') ORDER BY 1"
        )
        self.assertEqual(granted, ["hippo"])

    def test_only_what_differs_is_changed(self) -> None:
        psql(f"ALTER ROLE hippo PASSWORD '{VERIFIERS[3]}'; REVOKE ALL ON DATABASE hippo FROM hippo")
        said = [
            "database postgres: set the password of role hippo",
            "database postgres: granted database hippo to role hippo",
        ]
        self.assertEqual(self.converge(hippo()), said)

    def test_a_role_with_impossible_options_does_not_stop_the_others(self) -> None:
        bad = {"name": "a", "verifier": VERIFIERS[0], "options": "NOSUCHTHING", "databases": []}
        good = {"name": "b", "verifier": VERIFIERS[0], "options": "", "databases": ["zoo"]}
        with self.assertRaisesRegex(Failure, r'^role a: unrecognized role option "nosuchthing"$'):
            self.converge(hippo(users=[bad, good]))
        self.assertEqual(psql("SELECT rolname FROM pg_roles WHERE rolname IN ('a', 'b')"), ["b"])

    def test_postgres_is_a_superuser_whatever_its_options(self) -> None:
        user = {"name": "postgres", "verifier": VERIFIERS[0], "options": "NOSUPERUSER", "databases": ["zoo"]}
        self.converge(hippo(users=[user]))
        self.assertEqual(psql("SELECT rolsuper FROM pg_roles WHERE rolname = 'postgres'"), ["t"])

    def test_the_user_s_sql_runs_once_until_it_is_taken_out(self) -> None:
        with tempfile.TemporaryDirectory() as directory, unittest.mock.patch.object(databases, "SETTINGS", Path(directory)):
            wanted = hippo(databaseInitSQL="init")
            with self.assertRaisesRegex(Failure, "ConfigMap init or its key is not there"):
                self.converge(wanted)
            (Path(directory) / "init.sql").write_text("SELECT nonsense;\nCREATE SEQUENCE ran;\nSELECT nextval('ran');\n")
            said = self.converge(wanted)
            self.assertEqual(said[0], "ran the SQL of ConfigMap init once; 1 statements failed")
            self.assertRegex(said[1], '^init.sql: <stdin>:1: ERROR:  column "nonsense" does not exist')
            self.assertEqual(self.converge(hippo(databaseInitSQL="another")), [])
            self.converge(hippo())
            (Path(directory) / "init.sql").write_text("SELECT nextval('ran');")
            self.converge(wanted)
        self.assertEqual(psql("SELECT last_value FROM ran"), ["2"])

    def test_nothing_is_dropped(self) -> None:
        self.converge(hippo(users=[], databases=[]))
        self.assertEqual(psql("SELECT count(*) FROM pg_roles WHERE rolname = 'hippo'"), ["1"])
        self.assertEqual(psql("SELECT count(*) FROM pg_database WHERE datname IN ('hippo', 'zoo')"), ["2"])

    def test_pgbouncer_sees_users_and_no_superuser(self) -> None:
        for database in ("hippo", "postgres", "template1"):
            seen = psql(
                "SET ROLE _crunchypgbouncer; SELECT count(*) FROM pgbouncer.get_auth('hippo');"
                "SELECT count(*) FROM pgbouncer.get_auth('postgres')",
                database,
            )
            self.assertEqual(seen, ["1", "0"], database)
        with self.assertRaisesRegex(Failure, "permission denied"):
            psql("SET ROLE hippo; SELECT * FROM pgbouncer.get_auth('hippo')", "hippo")

    def test_a_changed_function_is_made_right(self) -> None:
        psql(
            "CREATE OR REPLACE FUNCTION pgbouncer.get_auth(username TEXT) RETURNS TABLE(username TEXT, password TEXT) LANGUAGE SQL AS 'SELECT NULL, NULL'",
            "zoo",
        )
        self.assertEqual(self.converge(hippo()), ["database zoo: made pgbouncer.get_auth"])

    def test_a_database_made_later_has_the_function_from_template1(self) -> None:
        psql("CREATE DATABASE later")
        self.addCleanup(psql, "DROP DATABASE later")
        self.assertEqual(self.converge(hippo()), [])

    def test_roles_of_what_is_no_longer_wanted_may_not_log_in(self) -> None:
        self.converge(hippo(pgbouncer=None, monitoring=None))
        left = psql("SELECT rolcanlogin FROM pg_roles WHERE rolname IN ('_crunchypgbouncer', 'ccp_monitoring')")
        self.assertEqual(left, ["f", "f"])

    def test_a_broken_database_does_not_stop_the_others(self) -> None:
        psql(
            "DROP FUNCTION pgbouncer.get_auth; CREATE FUNCTION pgbouncer.get_auth(username TEXT) RETURNS int LANGUAGE SQL AS 'SELECT 1'"
        )
        psql("DROP FUNCTION pgbouncer.get_auth", "zoo")
        with self.assertRaisesRegex(Failure, "^database postgres: cannot change return type"):
            self.converge(hippo())
        self.assertEqual(psql("SELECT count(*) FROM pg_proc WHERE proname = 'get_auth'", "zoo"), ["1"])
        psql("DROP FUNCTION pgbouncer.get_auth")

    def test_roles_of_secrets_that_the_user_brings_can_log_in(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            settings = Path(directory)
            for name, key, value in (
                ("hippo", "password", "a pass'word"),
                ("zebra", "password", "p\u00e4ss\u2168w\u00f6rd"),
                ("_crunchypgbouncer", "verifier", VERIFIERS[3]),
            ):
                (settings / "credentials" / name).mkdir(parents=True)
                (settings / "credentials" / name / key).write_text(value)
            users = [
                {"name": name, "secret": f"hippo-pguser-{name}", "options": "", "databases": ["hippo"]}
                for name in ("hippo", "zebra", "absent")
            ]
            role = {"name": "_crunchypgbouncer", "secret": "hippo-pgbouncer"}
            wanted = hippo(users=users, pgbouncer=role)
            with unittest.mock.patch.object(databases.credentials, "SETTINGS", settings):
                with self.assertRaisesRegex(Failure, "^Secret hippo-pguser-absent is not there"):
                    self.converge(wanted)
                wanted.roles["users"].pop()
                self.converge(wanted)
                self.assertEqual(self.converge(wanted), [], "what is right is left alone")
                (settings / "credentials" / "hippo" / "password").write_text("another")
                self.assertEqual(self.converge(wanted), ["database postgres: set the password of role hippo"])
        verifier = "SELECT rolpassword FROM pg_authid WHERE rolname = "
        self.assertTrue(databases.credentials.fits("another", psql(f"{verifier}'hippo'")[0]))
        self.assertEqual(psql(f"{verifier}'_crunchypgbouncer'"), [VERIFIERS[3]])
        self.assertEqual(psql("SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = 'absent'"), ["t"])
        # PostgreSQL makes the same of that password.
        psql("SET password_encryption TO 'scram-sha-256'; ALTER ROLE zebra PASSWORD 'p\u00e4ss\u2168w\u00f6rd'")
        self.assertTrue(databases.credentials.fits("p\u00e4ss\u2168w\u00f6rd", psql(f"{verifier}'zebra'")[0]))
        databases.in_every_database("DROP OWNED BY absent, zebra")
        psql("DROP ROLE absent, zebra")
        log = (Path(self.directory) / "log").read_text(errors="replace")
        self.assertNotIn("a pass'word", log)

    def test_no_verifier_is_seen(self) -> None:
        psql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        for user in ("hippo", "nobody"):  # a change that works, and one that fails
            role: dict[str, Any] = {
                "name": user,
                "verifier": VERIFIERS[3],
                "options": "NOSUCHTHING" if user == "nobody" else "",
                "databases": [],
            }
            with contextlib.suppress(Failure):
                self.converge(hippo(users=[role]))
        log = Path(self.directory, "log").read_text()
        self.assertNotIn("SCRAM-SHA-256$", log)
        self.assertEqual(psql("SELECT count(*) FROM pg_stat_statements WHERE query ~ 'SCRAM'"), ["0"])
        self.assertEqual(
            psql(f"SELECT count(*) FROM pg_authid WHERE rolpassword = '{VERIFIERS[3]}' AND rolname = 'hippo'"), ["1"]
        )

    def test_the_server_would_have_logged_a_verifier(self) -> None:
        """Shows that the test before this one can fail."""
        subprocess.run(["psql", "-qc", "SELECT 'SCRAM-SHA-0$'"], check=True, stdout=subprocess.DEVNULL)
        self.assertIn("SCRAM-SHA-0$", Path(self.directory, "log").read_text())


if __name__ == "__main__":
    unittest.main()
