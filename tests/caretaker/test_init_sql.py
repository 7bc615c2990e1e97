"""Ways in which the user's SQL (`spec.databaseInitSQL`), which a superuser runs in `postgres`, could run code of a tenant.

Each test prepares one, runs the duties with the SQL, and checks that the tenant gained nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src" / "postgres_cluster" / "caretaker"))

import closed
import databases
from hostile import trojan
from postgres import psql
from servers import DUTIES, OnServer, converge, on_every_server, password, sql, verifier
from surroundings import Failure, Wanted

# The predefined role that the tenant is a member of. `pg_shdepend` does not record what such roles own ("System Catalogs",
# pg_shdepend: pinned objects).
PINNED = "pg_monitor"
FUNCTION = f"CREATE FUNCTION mine.f() RETURNS trigger LANGUAGE plpgsql AS {trojan('tenant', 'a trigger', 'RETURN NEW;')};"

# Objects that a role without superuser rights can create, by the catalog that records the owner.
# The second text drops the object if it is not in the schema `mine`.
MADE = {
    "pg_class": ("CREATE TABLE mine.t ()", ""),
    "pg_collation": ("CREATE COLLATION mine.c FROM pg_catalog.\"C\"", ""),
    "pg_conversion": ("CREATE CONVERSION mine.c FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8", ""),
    "pg_extension": ("CREATE EXTENSION cube SCHEMA mine", ""),
    "pg_foreign_server": ("CREATE SERVER theirs FOREIGN DATA WRAPPER wrapper", "DROP SERVER theirs"),
    "pg_operator": ("CREATE OPERATOR mine.+ (LEFTARG = text, RIGHTARG = text, FUNCTION = textcat)", ""),
    "pg_proc": (FUNCTION, ""),
    "pg_publication": ("CREATE PUBLICATION theirs", "DROP PUBLICATION theirs"),
    "pg_statistic_ext": ("CREATE TABLE mine.t (a int, b int); CREATE STATISTICS mine.s ON a, b FROM mine.t", ""),
    "pg_ts_config": ("CREATE TEXT SEARCH CONFIGURATION mine.c (PARSER = pg_catalog.default)", ""),
    "pg_ts_dict": ("CREATE TEXT SEARCH DICTIONARY mine.d (TEMPLATE = pg_catalog.simple)", ""),
    "pg_type": ("CREATE DOMAIN mine.d AS text", ""),
}
# Objects that a superuser creates and can give to another role. The superuser may also lose its rights later.
GIVEN = {
    "pg_database": (f"ALTER DATABASE postgres OWNER TO {PINNED}", "ALTER DATABASE postgres OWNER TO postgres"),
    "pg_event_trigger": (
        "CREATE ROLE former SUPERUSER; SET ROLE former; CREATE FUNCTION mine.e() RETURNS event_trigger LANGUAGE plpgsql"
        " AS 'BEGIN END'; CREATE EVENT TRIGGER theirs ON sql_drop EXECUTE FUNCTION mine.e();"
        " RESET ROLE; ALTER FUNCTION mine.e OWNER TO postgres; ALTER ROLE former NOSUPERUSER",
        "DROP EVENT TRIGGER theirs; DROP ROLE former",
    ),
    "pg_foreign_data_wrapper": (
        "CREATE ROLE former SUPERUSER; SET ROLE former; CREATE FOREIGN DATA WRAPPER theirs; RESET ROLE; ALTER ROLE former NOSUPERUSER",
        "DROP FOREIGN DATA WRAPPER theirs; DROP ROLE former",
    ),
    "pg_language": (f"ALTER LANGUAGE plpgsql OWNER TO {PINNED}", "ALTER LANGUAGE plpgsql OWNER TO postgres"),
    "pg_opclass": (
        "CREATE OPERATOR CLASS mine.o FOR TYPE int USING btree AS FUNCTION 1 btint4cmp(int, int);"
        f" ALTER OPERATOR CLASS mine.o USING btree OWNER TO {PINNED}",
        "",
    ),
    "pg_opfamily": (
        f"CREATE OPERATOR FAMILY mine.o USING btree; ALTER OPERATOR FAMILY mine.o USING btree OWNER TO {PINNED}",
        "",
    ),
    "pg_subscription": (
        "CREATE ROLE former SUPERUSER; SET ROLE former; CREATE SUBSCRIPTION theirs CONNECTION '' PUBLICATION p"
        " WITH (connect = false, slot_name = NONE, enabled = false); RESET ROLE; ALTER ROLE former NOSUPERUSER",
        "DROP SUBSCRIPTION theirs; DROP ROLE former",
    ),
}
# Columns of roles that do not own code which the SQL could run. Schemas, large objects and tablespaces have no code. The other
# columns say what a role may do, or its settings.
WITHOUT_CODE = {
    "pg_namespace.nspowner",
    "pg_largeobject_metadata.lomowner",
    "pg_tablespace.spcowner",
    "pg_auth_members.roleid",
    "pg_auth_members.member",
    "pg_auth_members.grantor",
    "pg_db_role_setting.setrole",
    "pg_default_acl.defaclrole",
    "pg_policy.polroles",
    "pg_user_mapping.umuser",
}


class InitSql(OnServer):
    """One server. The tenant may create objects in the schema `mine` of `postgres`, which a superuser owns."""

    def setUp(self) -> None:
        said, failed = converge(self.wanted(None))
        assert not failed, failed
        sql(
            f"GRANT {PINNED}, pg_read_all_data TO tenant; GRANT CREATE ON DATABASE postgres TO {PINNED};"
            " CREATE SCHEMA mine; GRANT ALL ON SCHEMA mine TO PUBLIC;"
            " CREATE FOREIGN DATA WRAPPER wrapper; GRANT USAGE ON FOREIGN DATA WRAPPER wrapper TO PUBLIC;"
            " CREATE TABLE public.notes (id int)"
        )

    def tearDown(self) -> None:
        sql("ALTER ROLE tenant NOSUPERUSER; SELECT lo_unlink(oid) FROM pg_largeobject_metadata")
        sql("DROP TABLE IF EXISTS public.notes, public.made; DROP SCHEMA mine CASCADE; DROP FOREIGN DATA WRAPPER wrapper CASCADE")
        converge(self.wanted(None))

    @staticmethod
    def wanted(name: str | None) -> Wanted:
        """A cluster with a tenant, with or without the SQL."""
        users = [{"name": "tenant", "verifier": verifier("tenant"), "options": "", "databases": ["postgres"]}]
        settings = {"databases": [], "databaseInitSQL": name, "extensions": [], "schemaPerUser": False, "collectorConnections": 0}
        return Wanted(settings, {"users": users, "pgbouncer": None, "monitoring": None})

    def come(self, text: str) -> tuple[list[str], list[str]]:
        """Run the duties with this SQL. Return the log lines and the failures. The tenant must not become a superuser."""
        with tempfile.TemporaryDirectory() as directory, unittest.mock.patch.object(databases, "SETTINGS", Path(directory)):
            (Path(directory) / "init.sql").write_text(text)
            said, failed = converge(self.wanted("init"))
        self.assertEqual(sql("SELECT rolname FROM pg_roles WHERE rolsuper"), ["postgres"])
        return said, failed

    def refused(self, text: str, why: str) -> None:
        """The caretaker does not run the SQL, and says why."""
        _, failed = self.come(text)
        self.assertRegex("\n".join(failed), why)

    def ran(self, text: str) -> None:
        """The SQL runs without errors."""
        said, failed = self.come(text)
        self.assertEqual(failed, [])
        self.assertIn("ran the SQL of ConfigMap init once; 0 statements failed", said)

    def test_a_function_of_a_predefined_role_that_fits_better_than_that_of_pg_catalog(self) -> None:
        sql("GRANT CREATE ON SCHEMA public TO PUBLIC")  # as before PostgreSQL 15
        body = trojan("tenant", "upper", "RETURN pg_catalog.upper($1::text);")
        made = f"CREATE FUNCTION public.upper(varchar) RETURNS text LANGUAGE plpgsql AS {body}"
        sql(f"SET ROLE {PINNED}; {made}", "postgres", "tenant")
        self.addCleanup(sql, "DROP FUNCTION public.upper(varchar)")
        self.refused("SELECT upper('a'::varchar(20))", f"code of role {PINNED}, which owns something .*pg_proc")

    def test_a_trigger_function_of_a_predefined_role(self) -> None:
        sql("GRANT ALL ON public.notes TO tenant")
        trigger = "CREATE TRIGGER t BEFORE INSERT ON public.notes FOR EACH ROW EXECUTE FUNCTION mine.f()"
        sql(f"SET ROLE pg_read_all_data; {FUNCTION} RESET ROLE; {trigger}", "postgres", "tenant")
        self.refused("INSERT INTO notes VALUES (1)", "code of role pg_read_all_data, which owns something .*pg_proc")

    def test_whatever_a_predefined_role_owns_is_found(self) -> None:
        as_tenant = {name: (f"SET ROLE {PINNED}; {made}", drop) for name, (made, drop) in MADE.items()}
        for role, ways in (("tenant", as_tenant), ("postgres", GIVEN)):
            for catalog, (made, drop) in ways.items():
                with self.subTest(catalog):
                    psql(databases.NO_STRANGERS)
                    sql(made, "postgres", role)
                    try:
                        found = f"code of role (pg_monitor|former), which owns something .*{catalog}[,)]"
                        with self.assertRaisesRegex(Failure, found):
                            psql(databases.NO_STRANGERS)
                    finally:
                        sql(f"{drop}; DROP SCHEMA mine CASCADE; CREATE SCHEMA mine; GRANT ALL ON SCHEMA mine TO PUBLIC")

    def test_no_catalog_has_an_owner_that_is_passed_over(self) -> None:
        """A class of objects of a later version is in neither list. Then somebody must decide where it belongs."""
        columns = sql(
            "SELECT format('%s.%s', fktable, fkcols[1]) FROM pg_get_catalog_foreign_keys() WHERE pktable = 'pg_authid'::regclass"
        )
        owned = {column.partition(".")[0] for column in columns if column not in WITHOUT_CODE}
        self.assertEqual(owned, {*MADE, *GIVEN})

    def test_a_condition_of_a_trigger_calls_what_only_superusers_may(self) -> None:
        made = """CREATE TRIGGER t BEFORE INSERT ON public.notes FOR EACH ROW
          WHEN (pg_catalog.lo_from_bytea(4711, pg_catalog.pg_read_binary_file('PG_VERSION')) > 0)
          EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()"""
        why = "trigger t on table public.notes"
        restored = "UPDATE pg_class SET relacl = NULL WHERE relname = 'notes'"  # as after a dump without privileges
        for grant in ("", "REVOKE ALL ON public.notes FROM tenant", restored):
            sql("GRANT TRIGGER ON public.notes TO tenant")
            sql(made, "postgres", "tenant")
            sql(grant)
            self.refused("INSERT INTO notes VALUES (1)", why)
            self.assertEqual(sql("SELECT count(*) FROM pg_largeobject_metadata"), ["0"])
            sql("DROP TRIGGER t ON public.notes")

    def test_a_trigger_has_arguments_for_a_function_that_makes_statements_of_them(self) -> None:
        sql("CREATE EXTENSION refint SCHEMA public; GRANT ALL ON public.notes TO PUBLIC")
        self.addCleanup(sql, "DROP EXTENSION refint CASCADE")
        made = "EXECUTE FUNCTION public.check_primary_key('id', '(SELECT pg_catalog.lo_import(''/etc/passwd'', 4711)::int) AS _ (i)', 'i')"
        sql(f"CREATE TRIGGER t AFTER INSERT ON public.notes FOR EACH ROW {made}", "postgres", "tenant")
        self.refused("INSERT INTO notes VALUES (4711)", "trigger t on table public.notes")
        self.assertEqual(sql("SELECT count(*) FROM pg_largeobject_metadata"), ["0"])

    def test_triggers_of_a_superuser_are_no_matter(self) -> None:
        """No other role could have created them, or they only run the superuser's function."""
        sql(
            "CREATE FUNCTION public.g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
            "CREATE TABLE public.closed (id int); GRANT SELECT, INSERT ON public.notes TO tenant;"
            "CREATE TRIGGER t BEFORE INSERT ON public.notes FOR EACH ROW EXECUTE FUNCTION public.g();"
            "CREATE TRIGGER t BEFORE INSERT ON public.closed FOR EACH ROW EXECUTE FUNCTION public.g()"
        )
        self.addCleanup(sql, "DROP TABLE public.closed; DROP FUNCTION public.g CASCADE")
        self.ran("INSERT INTO notes VALUES (1); INSERT INTO closed VALUES (1); CREATE TABLE made ()")

    def test_what_superusers_own_is_no_matter(self) -> None:
        sql(
            "CREATE ROLE dba SUPERUSER; CREATE EXTENSION cube SCHEMA public; SET ROLE dba; CREATE TABLE mine.t (id int);"
            " CREATE FUNCTION mine.g() RETURNS int LANGUAGE sql AS 'SELECT 1'; RESET ROLE; GRANT SELECT ON mine.t TO tenant"
        )
        self.addCleanup(sql, "DROP EXTENSION cube; DROP OWNED BY dba; DROP ROLE dba")
        psql(databases.NO_STRANGERS)

    def kept_out(self, session: Callable[[], list[str]], pid: str) -> None:
        """A session from before the SQL does not exist while the SQL runs."""
        self.ran(f"CREATE TABLE made AS SELECT FROM pg_stat_activity WHERE pid = {pid}")
        self.assertEqual(sql("SELECT count(*) FROM public.made"), ["0"])
        self.assertEqual(session(), [])

    def session_without_role(self, statements: str) -> tuple[subprocess.Popen[str], str]:
        """Return a session that ran statements and whose role was then dropped, and its first output line."""
        sql(f"CREATE ROLE gone LOGIN PASSWORD '{password('gone')}'; GRANT {PINNED} TO gone")
        process = self.connect("gone")
        assert process.stdin and process.stdout
        process.stdin.write(f"SET ROLE {PINNED}; {statements};\n")
        process.stdin.flush()
        line = process.stdout.readline().removesuffix("\n")
        sql("DROP ROLE gone")
        return process, line

    def test_a_session_whose_role_is_gone_does_not_stay(self) -> None:
        process, pid = self.session_without_role("SELECT pg_backend_pid()")
        self.kept_out(lambda: process.communicate(FUNCTION + "SELECT 'still here';\n")[0].split(), pid)

    def test_a_session_whose_role_is_gone_holds_nothing_up(self) -> None:
        process, line = self.session_without_role("BEGIN; CREATE SCHEMA pgbouncer; SELECT 'has it'")
        self.assertEqual(line, "has it")
        wanted = self.wanted(None)
        wanted.roles["pgbouncer"] = {"name": "_crunchypgbouncer", "verifier": verifier("_crunchypgbouncer")}
        said, failed = converge(wanted)
        self.assertEqual(failed, [])
        self.assertRegex("\n".join(said), r"terminated a session of role .unknown \(OID=\d+\).: it had a lock for too long")
        process.communicate()

    def test_a_role_for_replication_does_not_come_in(self) -> None:
        """The connection limit does not apply to such sessions, and they can also run SQL."""
        sql(
            f"CREATE ROLE copier LOGIN REPLICATION PASSWORD '{password('copier')}';"
            "REVOKE CONNECT ON DATABASE postgres FROM PUBLIC; GRANT CONNECT ON DATABASE postgres TO copier WITH GRANT OPTION"
        )
        look = "SELECT grantee, privilege_type, is_grantable FROM pg_database, aclexplode(datacl) WHERE datname = 'postgres' ORDER BY 1, 2"
        before = sql(look)
        target = f"user=copier dbname=postgres password='{password('copier')}' replication=database"
        come = rf"""\! psql -Xqc "CREATE TABLE mine.came_in ()" "{target}" 2> /dev/null"""
        self.ran(f"{come}\nCREATE TABLE made ()")
        self.assertEqual(sql("SELECT to_regclass('mine.came_in') IS NULL, to_regclass('public.made') IS NULL"), ["t|f"])
        self.assertEqual(sql(look), before)
        # This also works if the pod was stopped in between. The duty that grants databases to users waits.
        psql(closed.CLOSE)
        psql(closed.CLOSE)
        DUTIES["users"](self.wanted(None))
        self.assertEqual(psql(f"SELECT count(*) {closed.CONNECTING}"), ["0"])
        closed.reopen()
        self.assertEqual(sql(look), before)
        self.assertEqual(sql("SELECT current_user", "postgres", "tenant"), ["tenant"])
        sql("GRANT CONNECT, TEMPORARY ON DATABASE postgres TO PUBLIC; DROP OWNED BY copier; DROP ROLE copier")

    def test_a_session_that_began_before_and_waits_does_not_come_in(self) -> None:
        """Any client can delay its session after the login and before it is in pg_stat_activity."""
        process = self.connect("tenant", "-c post_auth_delay=12")
        look = """SELECT pid FROM pg_locks WHERE locktype = 'object' AND classid = 'pg_database'::regclass AND pid <> pg_backend_pid()
          AND pid NOT IN (SELECT pid FROM pg_stat_activity WHERE usesysid IS NOT NULL)"""
        deadline = time.monotonic() + 10
        while not (pids := sql(look)) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(len(pids), 1)
        self.kept_out(lambda: process.communicate("SELECT 'came in';\n")[0].split(), pids[0])

    def test_a_prepared_transaction_whose_role_is_gone(self) -> None:
        sql(f"CREATE ROLE gone LOGIN PASSWORD '{password('gone')}'; CREATE TABLE mine.other (id int); GRANT TRIGGER ON mine.other TO gone")
        made = "CREATE TRIGGER t BEFORE INSERT ON mine.other EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()"
        sql(f"BEGIN; {made}; PREPARE TRANSACTION 'left'", "postgres", "gone")
        sql("DELETE FROM pg_authid WHERE rolname = 'gone'")  # as DROP ROLE does, but without its lock on the table
        self.addCleanup(sql, "UPDATE pg_class SET relacl = NULL WHERE relname = 'other'")
        try:
            self.refused("SELECT 1", r"code of role .*unknown \(OID=0\).*pg_prepared_xacts")
        finally:
            sql("ROLLBACK PREPARED 'left'")

    def test_a_statement_that_outlives_its_psql_is_ended_before_others_come_in(self) -> None:
        """The container is killed, as here, or the time limit ends. No setting of the SQL can hide its session."""
        for way in ("SET application_name = 'Patroni';", "DISCARD ALL;", "\\c\nSET application_name = 'x';"):
            with self.subTest(way), tempfile.TemporaryDirectory() as directory:
                text = f"SET client_connection_check_interval = 0;{way} SET client_connection_check_interval = 0;"
                text += " SET statement_timeout = 0; SELECT pg_sleep(60) /* in the SQL */;"
                self.killed(text, Path(directory), lambda process: os.killpg(process.pid, signal.SIGKILL))

    def killed(self, text: str, directory: Path, kill: Callable[[subprocess.Popen[bytes]], None]) -> None:
        """Run the SQL in a separate process, kill it, and run the duties of the next caretaker."""
        (directory / "init.sql").write_text(text)
        look = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60) /* in the SQL%' AND pid <> pg_backend_pid()"
        code = f"""if True:
            import sys
            sys.path[:0] = {sys.path!r}
            import databases, pathlib
            from surroundings import Wanted
            databases.SETTINGS = pathlib.Path({str(directory)!r})
            databases.INIT_SQL_MAY_RUN.set()
            databases.init_sql(Wanted({{"databaseInitSQL": "init"}}, {{}}))"""
        process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
        deadline = time.monotonic() + 20
        while sql(look) != ["1"] and time.monotonic() < deadline:
            time.sleep(0.2)
        self.assertEqual(sql(look), ["1"])
        children = subprocess.run(["pgrep", "-P", str(process.pid), "psql"], capture_output=True, text=True, check=False)
        kill(process)
        for child in children.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        process.wait()
        self.assertEqual(sql(look), ["1"], "it goes on")
        _, failed = converge(self.wanted(None))
        self.assertEqual(failed, [])
        self.assertEqual(sql(look), ["0"])
        self.assertEqual(sql("SELECT current_user", "postgres", "tenant"), ["tenant"])

    def test_a_statement_that_outlives_its_time_is_ended_before_others_come_in(self) -> None:
        text = "SET client_connection_check_interval = 0; SET statement_timeout = 0; SELECT pg_sleep(60) /* too long */;"
        with unittest.mock.patch.object(databases, "INIT_SQL_SECONDS", 3):
            self.refused(text, "`psql` took longer than 3 s")
        look = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%/* too long%' AND pid <> pg_backend_pid()"
        self.assertEqual(sql(look), ["0"])
        self.assertEqual(sql("SELECT current_user", "postgres", "tenant"), ["tenant"])

    def test_the_server_ends_a_statement_before_its_psql_is_ended(self) -> None:
        with unittest.mock.patch.object(databases, "INIT_SQL_SECONDS", 4):
            said, failed = self.come("SELECT pg_sleep(60);")
        self.assertEqual(failed, [])
        self.assertIn("ran the SQL of ConfigMap init once; 1 statements failed", said)

    def test_it_stays_closed_while_a_session_of_the_sql_does_not_end(self) -> None:
        psql(closed.CLOSE)
        never = closed.END_LEFT.replace("pg_terminate_backend(pid)", "pid").replace("0..200", "0..2")
        target = {**os.environ, "PGAPPNAME": closed.APPLICATION}
        process = subprocess.Popen(["psql", "-XqAt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=target)
        assert process.stdin and process.stdout
        process.stdin.write("SELECT 'there';\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), "there\n")
        with unittest.mock.patch.object(closed, "END_LEFT", never), self.assertRaisesRegex(Failure, "stays closed"):
            closed.reopen()
        self.assertEqual(sql("SELECT datconnlimit FROM pg_database WHERE datname = 'postgres'"), ["0"])
        process.communicate()
        closed.reopen()
        self.assertEqual(sql("SELECT datconnlimit FROM pg_database WHERE datname = 'postgres'"), ["-1"])

    def test_what_the_sql_does_to_connections_stays(self) -> None:
        look = """SELECT datconnlimit, EXISTS (SELECT FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) WHERE grantee = 0
          AND privilege_type = 'CONNECT') FROM pg_database WHERE datname = 'postgres'"""
        self.addCleanup(sql, "GRANT CONNECT, TEMPORARY ON DATABASE postgres TO PUBLIC; ALTER DATABASE postgres CONNECTION LIMIT -1")
        format_it = "format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database())"
        for text, result in (
            ("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC; ALTER DATABASE postgres CONNECTION LIMIT 7;", "7|f"),
            ("REVOKE CREATE, CONNECT\nON DATABASE postgres\nFROM public;", "-1|f"),
            (f"DO $$ BEGIN EXECUTE {format_it}; END $$;", "-1|f"),
            ("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC; GRANT CONNECT ON DATABASE postgres TO PUBLIC;", "-1|t"),
            ("-- REVOKE CONNECT ON DATABASE postgres FROM PUBLIC;\nALTER DATABASE postgres CONNECTION LIMIT 9;", "9|t"),
            ("REVOKE CONNECT ON DATABASE template1 FROM PUBLIC; GRANT TEMPORARY ON DATABASE postgres TO tenant;", "-1|t"),
            ("BEGIN; REVOKE CONNECT ON DATABASE postgres FROM PUBLIC; ROLLBACK;", "-1|t"),
            ("ALTER DATABASE postgres RESET ALL;", "-1|t"),
            ("ALTER DATABASE postgres RESET ALL; ALTER DATABASE template1 RESET ALL;", "-1|t"),
        ):
            with self.subTest(text):
                sql("GRANT CONNECT, TEMPORARY ON DATABASE postgres TO PUBLIC; ALTER DATABASE postgres CONNECTION LIMIT -1")
                said, failed = self.come(text)
                self.assertEqual((sql(look), failed), ([result], []))
                self.assertEqual(any("left CONNECT revoked from PUBLIC" in line for line in said), result.endswith("f"))
                self.assertEqual(any("left the CONNECTION LIMIT" in line for line in said), not result.startswith("-1"))
                converge(self.wanted(None))
                self.assertEqual(sql(look), [result])

    @staticmethod
    def connect(role: str, options: str = "") -> subprocess.Popen[str]:
        """Start a session of a role."""
        target = f"user={role} dbname=postgres password='{password(role)}' options='{options}'"
        pipe: Any = subprocess.PIPE
        return subprocess.Popen(["psql", "-XqAt", target], stdin=pipe, stdout=pipe, stderr=pipe, text=True)


on_every_server(globals(), InitSql)

if __name__ == "__main__":
    unittest.main()
