"""The caretaker's SQL on a real PostgreSQL: what it changes, that it leaves right objects unchanged, and that no verifier appears
in a log or view.

The tests run on each installed version. Without one they are skipped, or fail with CI=true."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src" / "postgres_cluster" / "caretaker"))

import closed
import credentials
import databases
import postgres
from postgres import psql
from servers import DUTIES, ON_DATABASES, OnServer, on_every_server
from surroundings import Failure, Wanted

# Verifiers that PostgreSQL accepts, but that belong to no real password.
VERIFIERS = [f"SCRAM-SHA-256$4096:c2FsdA==${letter * 43}=:{'B' * 43}=" for letter in "ABCD"]


def hippo(**more: Any) -> Wanted:
    """A cluster with two users in two databases; `more` changes settings or roles."""
    settings = {
        "databases": ["hippo", "zoo"],
        "extensions": ["plpgsql"],
        "schemaPerUser": True,
        "collectorConnections": 0,
        "databaseInitSQL": None,
    }
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


class Databases(OnServer):
    """One server for all tests. Each test starts when the caretaker has made everything right."""

    def setUp(self) -> None:
        self.converge(hippo())

    def converge(self, wanted: Wanted) -> list[str]:
        """Run all duties as the caretaker does. Return the log lines, without the time."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            for name in ON_DATABASES:
                DUTIES[name](wanted)
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

    def test_the_user_s_sql_runs_once_until_it_is_taken_out(self) -> None:
        with (
            tempfile.TemporaryDirectory() as directory,
            unittest.mock.patch.object(databases, "SETTINGS", Path(directory)),
        ):
            wanted = hippo(databaseInitSQL="init")
            with self.assertRaisesRegex(Failure, "ConfigMap init or its key does not exist"):
                self.converge(wanted)
            (Path(directory) / "init.sql").write_text(
                "SELECT nonsense;\nCREATE SEQUENCE ran;\nSELECT nextval('ran');\n"
            )
            said = self.converge(wanted)
            self.assertEqual(said[0], "ran the SQL of ConfigMap init once; 1 statements failed")
            self.assertRegex(said[1], '^init.sql: <stdin>:1: ERROR:  column "nonsense" does not exist')
            self.assertEqual(self.converge(hippo(databaseInitSQL="another")), [])
            self.converge(hippo())
            (Path(directory) / "init.sql").write_text("SELECT nextval('ran');")
            self.converge(wanted)
        self.assertEqual(psql("SELECT last_value FROM public.ran"), ["2"])

    def test_what_others_own_in_postgres_keeps_the_user_s_sql_from_running(self) -> None:
        psql(
            "GRANT CREATE ON SCHEMA public TO PUBLIC; SET ROLE hippo; CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"
        )
        with (
            tempfile.TemporaryDirectory() as directory,
            unittest.mock.patch.object(databases, "SETTINGS", Path(directory)),
        ):
            (Path(directory) / "init.sql").write_text("CREATE TABLE made ();")
            refused = "could run code of role hippo, which owns something in database postgres"
            with self.assertRaisesRegex(Failure, refused):
                self.converge(hippo(databaseInitSQL="init"))
            with self.assertRaisesRegex(Failure, "permission denied for schema public"):
                psql("SET ROLE hippo; CREATE FUNCTION public.g() RETURNS int LANGUAGE sql AS 'SELECT 1'")
            # A table with triggers.
            psql("DROP FUNCTION public.f; CREATE SCHEMA postgres AUTHORIZATION hippo")
            psql("SET ROLE hippo; CREATE TABLE postgres.t ()")
            with self.assertRaisesRegex(Failure, refused):
                self.converge(hippo(databaseInitSQL="init"))
            psql("DROP TABLE postgres.t")
            # A session that could add objects is terminated, and no new session is accepted.
            psql("ALTER ROLE hippo PASSWORD 'known'")
            stranger = subprocess.Popen(
                ["psql", "-XqAt", "user=hippo dbname=postgres password=known"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert stranger.stdin and stranger.stdout
            stranger.stdin.write("BEGIN; CREATE TABLE postgres.t (); SELECT 'ready';\n")
            stranger.stdin.flush()
            self.assertEqual(stranger.stdout.readline(), "ready\n")
            self.assertIn("ran the SQL of ConfigMap init once; 0 statements failed", self.converge(hippo(databaseInitSQL="init")))
            self.assertIn("terminating connection", stranger.communicate("SELECT 1;\n")[1])
            self.assertEqual(psql("SELECT datconnlimit FROM pg_database WHERE datname = 'postgres'"), ["-1"])
            self.assertEqual(psql("SELECT to_regclass('postgres.t') IS NULL"), ["t"])
        self.converge(hippo())
        psql("DROP TABLE public.made; DROP SCHEMA postgres")

    def test_what_others_made_is_taken_when_a_superuser_says_so(self) -> None:
        self.converge(hippo())
        psql("CREATE ROLE stranger; CREATE SCHEMA theirs AUTHORIZATION stranger; CREATE ROLE nobody")
        users = [
            *hippo().roles["users"],
            *({"name": name, "verifier": VERIFIERS[0], "options": "", "databases": []} for name in ("stranger", "nobody")),
        ]
        with self.assertRaisesRegex(Failure, "role stranger: was not created by the caretaker, and owns objects"):
            self.converge(hippo(users=users))
        self.assertEqual(psql("SELECT rolcanlogin FROM pg_roles WHERE rolname IN ('stranger', 'nobody') ORDER BY 1"), ["f", "t"])
        self.assertEqual(psql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'nobody\\__%'"), ["1"])
        psql("ALTER DATABASE postgres SET pgrender.accept = 'other,stranger'")
        self.assertEqual(self.converge(hippo(users=users)), ["database postgres: set the password of role stranger"])
        psql("ALTER DATABASE postgres RESET pgrender.accept")
        self.assertEqual(self.converge(hippo(users=users)), [])
        # A role that was created again only has the name in common.
        psql("DROP SCHEMA theirs; DROP ROLE stranger; CREATE ROLE stranger; CREATE SCHEMA theirs AUTHORIZATION stranger")
        with self.assertRaisesRegex(Failure, "role stranger: was not created by the caretaker"):
            self.converge(hippo(users=users))
        psql("DROP SCHEMA theirs; DROP ROLE stranger, nobody")

    def test_data_of_an_earlier_version_or_of_a_dump_has_its_roles_and_databases(self) -> None:
        self.converge(hippo())
        psql("ALTER DATABASE zoo OWNER TO hippo; ALTER DATABASE postgres RESET pgrender.roles")
        psql("ALTER DATABASE postgres RESET pgrender.databases")
        self.assertEqual(self.converge(hippo()), [])
        # After a restore, the names are the same but the OIDs are not. Objects that did not exist then belong to others.
        roles = ["hippo", "o'r\"hino", "_crunchypgbouncer", "ccp_monitoring"]
        for kind, names in (("roles", roles), ("databases", ["hippo", "zoo"])):
            record = json.dumps({"system": "1", "known": dict.fromkeys(names, "1")}).replace("'", "''")
            psql(f"ALTER DATABASE postgres SET pgrender.{kind} = '{record}'")
        psql("CREATE ROLE late; CREATE SCHEMA theirs AUTHORIZATION late")
        late = {"name": "late", "verifier": VERIFIERS[0], "options": "", "databases": []}
        with self.assertRaisesRegex(Failure, "^role late: was not created by the caretaker"):
            self.converge(hippo(users=[*hippo().roles["users"], late]))
        self.assertEqual(self.converge(hippo()), [])
        psql("DROP SCHEMA theirs; DROP ROLE late; ALTER DATABASE zoo OWNER TO postgres")
        psql("REVOKE ALL ON DATABASE zoo FROM hippo")

    def test_a_pod_that_ended_while_the_user_s_sql_ran_leaves_no_database_closed(self) -> None:
        psql("ALTER DATABASE postgres CONNECTION LIMIT 50")
        psql(closed.CLOSE)
        psql(closed.CLOSE)
        limit = "SELECT datconnlimit FROM pg_database WHERE datname = 'postgres'"
        self.assertEqual(psql(limit), ["0"])
        self.converge(hippo())
        self.assertEqual(psql(limit), ["50"])
        psql("ALTER DATABASE postgres CONNECTION LIMIT -1")

    def test_what_there_is_no_time_for_is_done_in_the_next_round(self) -> None:
        every, done = postgres.EveryDatabase(), list[str]()
        with unittest.mock.patch.object(postgres, "ROUND_SECONDS", 0):
            self.assertEqual(every(done.append), 1)
            self.assertEqual(done, [])
        self.assertIsNone(every(done.append))
        self.assertEqual(done, ["template1", "postgres", "hippo", "zoo"])

    def test_nothing_is_dropped(self) -> None:
        self.converge(hippo(users=[], databases=[]))
        self.assertEqual(psql("SELECT count(*) FROM pg_roles WHERE rolname = 'hippo'"), ["1"])
        self.assertEqual(psql("SELECT count(*) FROM pg_database WHERE datname IN ('hippo', 'zoo')"), ["2"])

    def test_pgbouncer_sees_users_and_no_superuser(self) -> None:
        for database in ("hippo", "postgres", "template1"):
            seen = psql(
                "SET SESSION AUTHORIZATION _crunchypgbouncer; SELECT count(*) FROM pgbouncer.get_auth('hippo');"
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
        self.assertEqual(self.converge(hippo()), ["database zoo: created function pgbouncer.get_auth"])

    def test_a_database_made_later_has_the_function_from_template1(self) -> None:
        psql("CREATE DATABASE later")
        self.addCleanup(psql, "DROP DATABASE later")
        self.assertEqual(self.converge(hippo()), [])

    def test_roles_of_what_is_no_longer_wanted_may_not_log_in(self) -> None:
        self.converge(hippo(pgbouncer=None, monitoring=None))
        left = psql("SELECT rolcanlogin FROM pg_roles WHERE rolname IN ('_crunchypgbouncer', 'ccp_monitoring')")
        self.assertEqual(left, ["f", "f"])

    def test_a_broken_database_does_not_stop_the_others(self) -> None:
        for database in ("hippo", "zoo"):
            psql("DROP FUNCTION pgbouncer.get_auth", database)
        psql(
            "CREATE FUNCTION public.stop() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'stop'; END$$;"
            "CREATE EVENT TRIGGER stop ON ddl_command_start EXECUTE FUNCTION public.stop()",
            "hippo",
        )
        with self.assertRaisesRegex(Failure, "^database hippo: stop"):
            self.converge(hippo())
        self.assertEqual(psql("SELECT count(*) FROM pg_proc WHERE proname = 'get_auth'", "zoo"), ["1"])
        psql("DROP EVENT TRIGGER stop; DROP FUNCTION public.stop", "hippo")

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
            with unittest.mock.patch.object(credentials, "SETTINGS", settings):
                with self.assertRaisesRegex(Failure, "^Secret hippo-pguser-absent does not exist"):
                    self.converge(wanted)
                wanted.roles["users"].pop()
                self.converge(wanted)
                self.assertEqual(self.converge(wanted), [], "what is right is left alone")
                (settings / "credentials" / "hippo" / "password").write_text("another")
                self.assertEqual(self.converge(wanted), ["database postgres: set the password of role hippo"])
        verifier = "SELECT rolpassword FROM pg_authid WHERE rolname = "
        self.assertTrue(credentials.fits("another", psql(f"{verifier}'hippo'")[0]))
        self.assertEqual(psql(f"{verifier}'_crunchypgbouncer'"), [VERIFIERS[3]])
        self.assertEqual(psql("SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = 'absent'"), ["t"])
        # PostgreSQL computes the same verifier for that password.
        psql("SET password_encryption TO 'scram-sha-256'; ALTER ROLE zebra PASSWORD 'p\u00e4ss\u2168w\u00f6rd'")
        self.assertTrue(credentials.fits("p\u00e4ss\u2168w\u00f6rd", psql(f"{verifier}'zebra'")[0]))
        for database in ("hippo", "postgres"):
            psql("DROP OWNED BY absent, zebra", database)
        psql("DROP ROLE absent, zebra")
        log = self.server.log()
        self.assertNotIn("a pass'word", log)

    def test_no_verifier_is_seen(self) -> None:
        psql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public")
        for user in ("hippo", "nobody"):  # one succeeds, and one fails
            role: dict[str, Any] = {
                "name": user,
                "verifier": VERIFIERS[3],
                "options": "NOSUCHTHING" if user == "nobody" else "",
                "databases": [],
            }
            with contextlib.suppress(Failure):
                self.converge(hippo(users=[role]))
        log = self.server.log()
        self.assertNotIn("SCRAM-SHA-256$", log)
        self.assertEqual(psql("SELECT count(*) FROM public.pg_stat_statements WHERE query ~ 'SCRAM'"), ["0"])
        self.assertEqual(
            psql(f"SELECT count(*) FROM pg_authid WHERE rolpassword = '{VERIFIERS[3]}' AND rolname = 'hippo'"), ["1"]
        )

    def test_the_server_would_have_logged_a_verifier(self) -> None:
        """Without the caretaker's settings, the server logs the verifier. So the test before this one can fail."""
        subprocess.run(["psql", "-qc", "SELECT 'SCRAM-SHA-0$'"], check=True, stdout=subprocess.DEVNULL)
        self.assertIn("SCRAM-SHA-0$", self.server.log())


on_every_server(globals(), Databases)

if __name__ == "__main__":
    unittest.main()
