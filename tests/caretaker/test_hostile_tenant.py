"""Tenants who prepare attacks on the caretaker, which is a superuser: all known attacks, and generated ones.

All tenants prepare first, each in its own database. Then every duty runs twice. Then each test checks one thing that the attacks
must not have changed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import unittest
import unittest.mock
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src" / "postgres_cluster" / "caretaker"))

import credentials
import hostile
import impatience
import members
from servers import OnServer, Refusal, Server, converge, on_every_server, password, sql, verifier
from surroundings import Failure, Wanted

TENANTS = {"tenant": "", "guest": "", "other": "", "maker": "CREATEDB", "creator": "CREATEROLE"}
DATABASES = ["app", "decoy", "plain", "extended", "locked"]
# Databases of `maker`, with settings of that role. Some names look like other syntax to programs that read them.
ODD = (
    "a\nb",
    "host=evil user=x",
    'x"%I',
    ":name",
    "\\q",
    "$(x) `x`",
    "n" * 63,
    "x\u2028y",
    "postgres://evil/x",
    "-c role=maker",
)


def wanted(server: Server, service: bool = True, **more: Any) -> Wanted:
    """A cluster with honest and hostile users, with or without PgBouncer and the exporter."""
    users = [
        {"name": name, "verifier": verifier(name), "options": options, "databases": DATABASES}
        for name, options in TENANTS.items()
    ]
    users[1]["databases"] = ["postgres", *DATABASES]
    roles = {name: {"name": role, "verifier": verifier(role)} if service else None for name, role in SERVICE.items()}
    settings = {
        "databases": DATABASES,
        "databaseInitSQL": None,
        "extensions": [*server.extensions, "cube", "earthdistance"] if service else [],
        "schemaPerUser": False,
        "collectorConnections": 0,
    }
    return Wanted({**settings, **more}, {"users": users, **roles})


SERVICE = {"pgbouncer": "_crunchypgbouncer", "monitoring": "ccp_monitoring"}

DECOY = "CREATE FUNCTION pgbouncer.get_auth(username integer) RETURNS TABLE(username text, password text) SECURITY DEFINER LANGUAGE sql"
THEIRS = """
CREATE FUNCTION pgbouncer.get_auth(username text) RETURNS TABLE(username text, password text) LANGUAGE sql
AS $$ SELECT 'other', 'SCRAM-SHA-256$forged' $$;
"""
# The function of an earlier version, without its own search_path, in a schema that the tenant owns and renames.
OLD = """
CREATE FUNCTION stash.get_auth(username TEXT) RETURNS TABLE(username TEXT, password TEXT) LANGUAGE SQL STABLE SECURITY DEFINER
AS 'SELECT rolname::TEXT, rolpassword::TEXT FROM pg_catalog.pg_authid WHERE pg_authid.rolname = $1';
"""
WRAPPED = """
SET client_min_messages TO error;
ALTER SCHEMA pgbouncer RENAME TO stash;
GRANT USAGE ON SCHEMA stash TO _crunchypgbouncer;
CREATE SCHEMA pgbouncer;
GRANT USAGE ON SCHEMA pgbouncer TO _crunchypgbouncer;
ALTER FUNCTION pgbouncer.get_auth(text) RENAME TO gone;
DROP SCHEMA pgbouncer CASCADE;
DROP OWNED BY postgres;
CREATE FUNCTION pgbouncer.get_auth(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE OR REPLACE FUNCTION pgbouncer.get_auth(u text) RETURNS TABLE(username text, password text) LANGUAGE plpgsql AS $f$ BEGIN
  PERFORM pg_catalog.set_config('search_path', 'public, postgres, pg_catalog', true);
  RETURN QUERY SELECT s.username, s.password FROM stash.get_auth($1) s; END $f$;
"""


class Session:
    """A tenant that stays connected."""

    def __init__(self, role: str, database: str, text: str, wait: bool = True) -> None:
        options = f"host='{os.environ['PGHOST']}' user={role} dbname={database} password='password of {role}'"
        self.process = subprocess.Popen(
            ["psql", "-XqAt", options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{text}\n\\echo ready\n")
        self.process.stdin.flush()
        while wait and self.process.stdout.readline() not in ("ready\n", ""):
            pass

    def ask(self, text: str) -> list[str]:
        """Run SQL. Return the output lines."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{text}\n\\echo ready\n")
        self.process.stdin.flush()
        return list(iter(self.process.stdout.readline, "ready\n"))

    def close(self) -> None:
        """End the session."""
        self.process.communicate()


class HostileTenant(OnServer):
    """All tenants prepare, and all duties run twice, before the first test."""

    said: list[str]
    failed: list[str]
    said_again: list[str]
    failed_again: list[str]
    unanswered: list[str]
    settings: list[str]
    seconds: float
    honest: list[str]
    # Sessions of the programs' roles, from before the caretaker renamed the roles that others had created.
    earlier: dict[str, Session]

    @classmethod
    def setUpClass(cls) -> None:
        """Prepare, and run the duties."""
        super().setUpClass()
        cls.earlier = {}
        patience = unittest.mock.patch.object(
            impatience, "CLEAR_THE_WAY", impatience.CLEAR_THE_WAY.replace("1 min", "0 s")
        )
        cls.addClassCleanup(patience.stop)
        patience.start()
        sql("GRANT CREATE ON SCHEMA public TO PUBLIC", "template1")  # as before PostgreSQL 15
        sql("GRANT CREATE ON SCHEMA public TO PUBLIC")
        said, failed = converge(wanted(cls.server, service=False))
        assert not failed, failed
        sql("GRANT CONNECT ON DATABASE template1 TO PUBLIC")  # as before the caretaker revoked it
        cls.prepare()
        started = time.monotonic()
        sessions = [
            Session("tenant", "template1", "BEGIN; SELECT 1;"),
            Session("tenant", "locked", "BEGIN; CREATE SCHEMA pgbouncer;"),
            Session("guest", "postgres", "BEGIN; ALTER SCHEMA monitor RENAME TO mine;"),
            Session("other", "jammed", "BEGIN; ALTER ROLE other IN DATABASE postgres SET work_mem TO '1MB';"),
            Session("other", "jammed", "DROP DATABASE postgres;", wait=False),
            Session("maker", "jammed", "BEGIN; ALTER DATABASE renamed RENAME TO another;"),
            Session("maker", "jammed", "BEGIN; SELECT FROM pg_class LIMIT 1;"),
            Session("maker", "jammed", "VACUUM FULL pg_class;", wait=False),
        ]
        last = wanted(cls.server, databases=[*DATABASES, "later", "early"], schemaPerUser=True)
        last.roles["users"] += [
            {"name": name, "verifier": verifier(name), "options": "", "databases": ["plain", "early"]} for name in ("late", "owning")
        ]
        cls.said, cls.failed = converge(last)
        cls.seconds = time.monotonic() - started
        for session in sessions[1:]:
            session.close()
        cls.honest = sql("SELECT gid FROM pg_prepared_xacts")
        sql("ROLLBACK PREPARED 'honest'", "quiet")
        cls.said_again, cls.failed_again = converge(last)
        sessions[0].close()
        cls.settings = sql(
            "SELECT cardinality(setconfig) FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = 'own'"
        )
        sql("ALTER DATABASE own RESET ALL; ALTER DATABASE most RESET ALL")  # otherwise most SQL fails there
        cls.unanswered = []
        for statement, arguments in (
            (members.FOLLOWED, None),
            (members.REFUSED_SETTINGS, ["work_mem"]),
            (credentials.STORED, ["other"]),
        ):
            try:
                members.psql(statement, arguments=arguments)
            except Failure as failure:
                cls.unanswered.append(str(failure))
        for database, role in (
            ("app", "tenant"),
            ("plain", "tenant"),
            ("decoy", "tenant"),
            ("own", "maker"),
            ("postgres", "guest"),
        ):
            sql(WRAPPED, database, role, stop=False)

    @classmethod
    def prepare(cls) -> None:
        """Prepare the attacks of each tenant."""
        sql(
            "CREATE SCHEMA pgbouncer; CREATE TABLE pgbouncer.kept AS SELECT 42 AS answer;"
            + THEIRS
            + "CREATE VIEW public.depends AS SELECT * FROM pgbouncer.get_auth('x'); CREATE SCHEMA other;",
            "app",
            "tenant",
        )
        sql(
            "SET check_function_bodies TO off; CREATE SCHEMA pgbouncer;"
            + THEIRS
            + f"{DECOY} AS $body${cls.body()}$body$",
            "decoy",
            "tenant",
        )
        sql(
            "CREATE SCHEMA pgbouncer; CREATE AGGREGATE pgbouncer.get_auth(text) (SFUNC = textcat, STYPE = text)",
            "plain",
            "tenant",
        )
        sql("CREATE SCHEMA stash AUTHORIZATION tenant; GRANT USAGE ON SCHEMA stash TO PUBLIC;" + OLD, "plain")
        sql("CREATE SCHEMA evil; CREATE EXTENSION cube SCHEMA evil", "extended", "tenant")
        sql("CREATE EXTENSION pg_stat_statements SCHEMA evil", "extended")
        sql(
            "CREATE SCHEMA monitor; CREATE FUNCTION monitor.x() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
            "postgres",
            "guest",
        )
        sql("DROP SCHEMA public CASCADE", "locked")
        # The `$user` schema of the superuser, and `public`.
        hostile.fill("guest", "postgres", "postgres", "public")
        hostile.fill("tenant", "app", "postgres", "public")
        hostile.fill("tenant", "template1", "public")
        for database in ("jammed", "renamed", "quiet"):
            sql(f"CREATE DATABASE {database} TEMPLATE template0", "postgres", "maker")
        sql("BEGIN; CREATE SCHEMA pgbouncer; PREPARE TRANSACTION 'held'", "postgres", "guest")
        sql("BEGIN; CREATE SCHEMA honest; PREPARE TRANSACTION 'honest'", "quiet", "maker")
        for role in SERVICE.values():
            sql(f"CREATE ROLE {role} LOGIN PASSWORD '{password(role)}'; GRANT {role} TO creator", "postgres", "creator")
            cls.earlier[role] = Session(role, "postgres", "SELECT 1;")
            sql(
                f"ALTER ROLE {role} VALID UNTIL '2001-01-01'; GRANT creator TO {role};"
                f" ALTER ROLE {role} SET search_path TO evil; ALTER ROLE {role} IN DATABASE app SET role TO creator",
                "postgres",
                "creator",
                stop=False,
            )
        sql(
            "CREATE ROLE late LOGIN PASSWORD 'known'; ALTER ROLE late SET search_path TO evil; GRANT late TO creator",
            "postgres",
            "creator",
        )
        # A database whose creator no longer exists.
        sql(
            f"CREATE ROLE mid LOGIN CREATEROLE PASSWORD '{password('mid')}'; GRANT mid TO creator;"
            " CREATE SCHEMA kept; GRANT CREATE, USAGE ON SCHEMA kept TO PUBLIC",
            "app",
            "creator",
        )
        sql(
            "CREATE ROLE owning LOGIN CREATEROLE; GRANT owning TO mid; ALTER ROLE owning SET search_path TO evil;"
            " ALTER ROLE owning IN DATABASE app SET search_path TO evil; ALTER ROLE owning CONNECTION LIMIT 0; SET ROLE owning;"
            " CREATE FUNCTION kept.f() RETURNS name LANGUAGE sql SECURITY DEFINER AS 'SELECT current_user'",
            "app",
            "mid",
        )
        sql("DROP OWNED BY mid; DROP ROLE mid", "app", "creator")
        sql("CREATE DATABASE early TEMPLATE template0", "postgres", "maker")
        forged = '"x\nINFO:  forged\nWARNING:  forged\nERROR:  forged"'
        sql(f"CREATE ROLE {forged}; CREATE SCHEMA guest AUTHORIZATION {forged}", "plain")
        for database, worst in (("own", "least"), ("most", "most")):
            sql(f"CREATE DATABASE {database} TEMPLATE template0", "postgres", "maker")
            hostile.fill("maker", database, "postgres", "public")
            sql(hostile.settings(database, worst), "postgres", "maker", stop=False)
        for name in ODD:
            quoted = '"' + name.replace('"', '""') + '"'
            sql(f"CREATE DATABASE {quoted} TEMPLATE template0 CONNECTION LIMIT 0", "postgres", "maker")
            sql(
                f"ALTER DATABASE {quoted} SET role TO maker; ALTER DATABASE {quoted} SET default_transaction_read_only TO on",
                "postgres",
                "maker",
            )
        sql("CREATE DATABASE latin TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'", "postgres", "maker")
        sql('CREATE DATABASE "n\u00e4me" TEMPLATE template0', "latin", "maker")
        sql(
            'INSERT INTO pg_database SELECT (d).* FROM (SELECT jsonb_populate_record(d, \'{"oid": 99999, "datname": "half", "datconnlimit": -2}\') AS d'
            " FROM pg_database d WHERE datname = 'latin') AS _"
        )

    @staticmethod
    def body() -> str:
        """Return the body of the real function."""
        for module in sys.modules.values():
            text = str(vars(module).get("FUNCTION", vars(module).get("PGBOUNCER_FUNCTION", "")))
            if "$body$" in text and Path(str(module.__file__)).parent.name == "caretaker":
                return text.split("$body$")[1]
        raise AssertionError("no function")

    def healthy(self) -> list[str]:
        """Return the databases that must be right after the second run."""
        listed = sql(
            "SELECT json_agg(datname ORDER BY datname) FROM pg_database WHERE datallowconn AND datconnlimit <> -2"
        )
        return list(json.loads("".join(listed)))

    def test_something_was_planted(self) -> None:
        for tenant, database, schema in (
            ("guest", "postgres", "postgres"),
            ("guest", "postgres", "public"),
            ("tenant", "template1", "public"),
            ("maker", "own", "public"),
        ):
            self.assertGreater(hostile.count_of(tenant, database, schema), 150, f"{database}.{schema}")
        planted = sql("SELECT count(*) FROM pg_operator WHERE oprowner = 'guest'::regrole")
        self.assertGreater(int(planted[0]), 600)
        self.assertGreater(int(self.settings[0]), 120)

    def test_nothing_of_theirs_ran_and_nobody_is_more_than_before(self) -> None:
        self.call_get_auth_badly()
        # The log has an error code, unless messages are terse.
        ran = set(re.findall(f"LOG:  (?:00000: )?{hostile.CANARY}(.*)", self.server.log()))
        self.assertEqual(sorted(ran), [])
        self.assertEqual(self.unanswered, [])
        self.assertEqual(sql("SELECT rolname FROM pg_roles WHERE rolsuper"), ["postgres"])
        members = "SELECT member::regrole FROM pg_auth_members WHERE roleid::regrole::text ~ '^pg_' AND member > 16383"
        self.assertEqual(sql(members), ["ccp_monitoring"])

    def call_get_auth_badly(self) -> None:
        """Call the function as PgBouncer, with search_paths and types that its role may choose."""
        temporary = "CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (postgres.checked(VALUE));"
        for database in ("app", "decoy", "plain", "own", "most", "postgres", "later"):
            for path in ("pgbouncer", "public, postgres, pg_catalog", "pg_temp, postgres, pg_catalog"):
                call = f"{temporary} SET search_path TO {path}; SELECT username, password from pgbouncer.get_auth('nobody')"
                sql(call, database, "_crunchypgbouncer", stop=False)
        for schema in ("stash", "pgbouncer"):
            sql(
                f"SET search_path TO public, postgres, pg_catalog; SELECT * FROM {schema}.get_auth('x')",
                "plain",
                "tenant",
                stop=False,
            )

    def test_each_database_has_the_function_and_nothing_else_of_its_name(self) -> None:
        look = """SELECT nspname, nspowner::regrole, proowner::regrole, proconfig, prosecdef, proacl::text ~ '=X/postgres,?.*=X/', nspacl
          FROM pg_catalog.pg_proc JOIN pg_catalog.pg_namespace n ON n.oid = pronamespace
          WHERE proname = 'get_auth' AND (nspname = 'pgbouncer' OR prosecdef AND proowner = 10)"""
        right = 'pgbouncer|postgres|postgres|{"search_path=pg_catalog, pg_temp"}|t|t|{postgres=UC/postgres,_crunchypgbouncer=U/postgres}'
        for database in self.healthy():
            self.assertEqual(sql(look, database), [right], database)
            seen = f"SELECT username, password = '{verifier('other')}' FROM pgbouncer.get_auth('other')"
            self.assertEqual(
                sql(f"SET SESSION AUTHORIZATION _crunchypgbouncer; SET transaction_read_only TO off; {seen}", database),
                ["other|t"],
                database,
            )
            # With the rights of the role, but not in a session of the role.
            self.assertEqual(sql(f"SET ROLE _crunchypgbouncer; {seen}", database), [], database)
            for call in ("'postgres'", "'_crunchypgbouncer'", "NULL"):
                asked = f"SET SESSION AUTHORIZATION _crunchypgbouncer; SELECT * FROM pgbouncer.get_auth({call})"
                self.assertEqual(sql(asked, database), [], database)

    def test_no_tenant_reads_verifiers(self) -> None:
        for tenant in TENANTS:
            for database in ("app", "plain", "postgres", "later"):
                with (
                    self.subTest(tenant, database=database),
                    self.assertRaisesRegex(Refusal, "permission denied|does not exist"),
                ):
                    sql("SELECT * FROM pgbouncer.get_auth('other')", database, tenant)
        with self.assertRaisesRegex(Refusal, "permission denied"):
            sql("SELECT * FROM stash.get_auth('other')", "plain", "tenant")

    def test_the_roles_of_programs_log_in_and_have_nothing_of_others(self) -> None:
        for role, path in (
            ("_crunchypgbouncer", "search_path=pgbouncer"),
            ("ccp_monitoring", "jit=off,lock_timeout=2min,search_path=monitor"),
        ):
            for database in ("postgres", "app", "plain"):
                self.assertEqual(sql("SELECT current_user", database, role), [role])
            look = f"""SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls,
              ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid), ARRAY(SELECT member::regrole FROM pg_auth_members WHERE roleid = r.oid),
              (SELECT string_agg(s, ',' ORDER BY s) FROM pg_db_role_setting, unnest(setconfig) s WHERE setrole = r.oid) FROM pg_roles r WHERE rolname = '{role}'"""
            memberships = "{pg_monitor}" if role == "ccp_monitoring" else "{}"
            self.assertEqual(sql(look), [f"f|f|f|f|f|{memberships}|{{}}|{path}"])
        self.assertEqual(sql("SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'monitor'"), ["postgres"])
        owners = "SELECT DISTINCT proowner::regrole FROM pg_proc WHERE pronamespace = 'monitor'::regnamespace"
        self.assertEqual(sql(owners), ["postgres"])

    def test_a_role_of_the_spec_that_a_tenant_made_first_gets_another_name(self) -> None:
        self.assertEqual(sql("SELECT current_user", "plain", "late"), ["late"])
        self.assertEqual(sql("SELECT count(*) FROM pg_db_role_setting WHERE setrole = 'late'::regrole"), ["0"])
        self.assertRegex("\n".join(self.said), "renamed role late, which the caretaker did not create, to late_[0-9a-f]")
        # A role that owns objects is left for a superuser to handle.
        refused = "users: role owning: was not created by the caretaker, and owns objects or has privileges"
        self.assertIn(refused, "\n".join(self.failed_again))
        with self.assertRaisesRegex(Refusal, "not permitted to log in|authentication failed|too many connections"):
            sql("SELECT 1", "plain", "owning")
        if int(self.version) < 16:
            return  # with CREATEROLE, a role may change all other roles
        for attempt in ("ALTER ROLE late PASSWORD 'mine'", "SET ROLE late"):
            with self.assertRaisesRegex(Refusal, "permission denied"):
                sql(attempt, "postgres", "creator")

    def test_a_session_from_before_has_no_part_in_the_role(self) -> None:
        self.assertEqual(self.earlier["_crunchypgbouncer"].ask("SELECT * FROM pgbouncer.get_auth('other');"), [])
        asked = "SELECT pg_has_role(session_user, 'pg_monitor', 'USAGE');"
        self.assertEqual(self.earlier["ccp_monitoring"].ask(asked), ["f\n"])

    def test_a_database_that_a_tenant_made_first_is_not_given_to_users(self) -> None:
        told = "databases: database early: is owned by role maker and was not created by the caretaker"
        self.assertIn(told, "\n".join(self.failed_again))
        self.assertEqual(sql("SELECT datacl FROM pg_database WHERE datname = 'early'"), [""])

    def test_no_name_becomes_a_line_of_its_own(self) -> None:
        told = "\n".join([*self.said, *self.failed])
        self.assertIn('database plain: schema guest is owned by role "x', told)
        self.assertNotIn("forged", told)

    def test_what_was_in_the_way_is_kept_under_another_name(self) -> None:
        [schema] = sql("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgbouncer\\__%'", "app")
        self.assertEqual(sql(f'SELECT answer FROM "{schema}".kept', "app", "tenant"), ["42"])
        self.assertIn(
            f"database app: renamed schema pgbouncer of role tenant to {schema}: it must have no objects of other roles",
            self.said,
        )

    def test_only_what_cannot_be_right_is_a_failure(self) -> None:
        told = "\n".join(self.failed_again)
        self.assertRegex(
            told, r"extensions: database extended: extension cube: it is owned by role tenant.*earthdistance: it requires cube"
        )
        self.assertRegex(told, r"schemas: database app: schema other is owned by role tenant")
        self.assertEqual(len(self.failed_again), 4, told)
        # In the first run, a session held a lock, and in `postgres` there was a transaction that had added objects.
        late = ("database locked: ", "database jammed: ", "database renamed: ", "database quiet: ", "database postgres: created extension ")
        self.assertEqual([line for line in self.said_again if not line.startswith(late)], [])

    def test_locks_hold_up_their_own_database_only_and_not_for_long(self) -> None:
        self.assertRegex("\n".join(self.failed), r"pgbouncer: database locked: canceling statement due to lock timeout")
        self.assertIn("terminated a session of role guest: it had a lock for too long", self.said)
        for database in ("jammed", "renamed"):
            self.assertIn(f"terminated a session that could not start in database {database}: its owner has locked it", self.said)
        self.assertIn("terminated a session of role other: it kept others out of database postgres", self.said)
        self.assertEqual(self.honest, ["honest"])
        rolled_back = "database postgres: rolled back a prepared transaction of role guest: it had a lock for too long"
        self.assertIn(rolled_back, self.said)
        self.assertIn('created database "later"', self.said)
        self.assertLess(self.seconds, 120)
        with self.assertRaisesRegex(Refusal, "permission denied for database"):
            sql("SELECT 1", "template1", "tenant")

    def test_extensions_are_out_of_the_reach_of_tenants(self) -> None:
        look = "SELECT extname, extowner::regrole, nspname, nspowner::regrole FROM pg_catalog.pg_extension JOIN pg_catalog.pg_namespace n ON n.oid = extnamespace WHERE extname IN ('cube', 'earthdistance', 'pg_stat_statements') ORDER BY 1"
        for database in ("own", "app"):
            self.assertEqual(
                sql(look, database),
                [
                    f"{name}|postgres|extension_{name}|postgres"
                    for name in ("cube", "earthdistance", "pg_stat_statements")
                ],
            )
        self.assertIn(
            "database extended: moved extension pg_stat_statements to schema public: schema evil is owned by role tenant",
            self.said,
        )
        for database in self.healthy():
            audited = sql("SELECT extowner::regrole FROM pg_catalog.pg_extension WHERE extname = 'pgaudit'", database)
            self.assertEqual(audited, ["postgres"] * len(self.server.extensions), database)


on_every_server(globals(), HostileTenant)

if __name__ == "__main__":
    unittest.main()
