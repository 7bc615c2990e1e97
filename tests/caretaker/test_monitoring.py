"""What the exporter measures: its role and functions on hostile servers, every query of `queries.yaml` on a primary and a replica of
each version, and real exporters of two versions."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest
import unittest.mock
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml
from monitored import ROLE, Replica, backups_of_pgbackrest, free_port, wanted
from pooled import pools_of_pgbouncer
from servers import (
    ROOT,
    OnServer,
    Refusal,
    converge,
    on_every_server,
    password,
    sql,
)

# isort: split
import facts
import monitoring
import pools
from surroundings import Failure

FILES = [ROOT / "src" / "postgres_cluster" / "exporter" / name for name in ("queries.yaml", "pgbouncer_queries.yaml")]
TEXT = "\n".join(file.read_text() for file in FILES)
QUERIES = yaml.safe_load(TEXT)
# Queries without rows before a version.
SINCE = {"ccp_stat_io_bgwriter": 16}
NUMBERS = {"smallint", "integer", "bigint", "numeric", "real", "double precision", "boolean"}
# The time that all queries may take together on an idle server.
SECONDS = 0.05


def columns_of(query: Any) -> dict[str, str]:
    """Return the columns of a query, with their usage."""
    return {name: column["usage"] for entry in query["metrics"] for name, column in entry.items()}


def names_on(version: str) -> set[str]:
    """Return the names of all metrics on a version."""
    columns = {name: columns_of(query) for name, query in QUERIES.items() if int(version) >= SINCE.get(name, 0)}
    return {f"{name}_{column}" for name, there in columns.items() for column, usage in there.items() if usage != "LABEL"}


class Monitoring(OnServer):
    """A tenant prepares attacks, then the duties run, and the one for the exporter again."""

    # As Patroni does.
    initdb = ("--data-checksums",)
    directory: Path
    replica: Replica
    said: list[str]
    again: str

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.directory = Path(tempfile.mkdtemp())
        cls.directory.chmod(0o755)
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        # Several tests may run on one machine, so the file is elsewhere.
        body = monitoring.FACTS.replace(str(facts.FILE), str(cls.directory / "facts.json"))
        assert body != monitoring.FACTS
        for patch in (
            unittest.mock.patch.object(facts, "FILE", cls.directory / "facts.json"),
            unittest.mock.patch.object(facts, "facts", facts.Facts()),
            unittest.mock.patch.object(facts, "VOLUMES", ("/", "/absent")),
            unittest.mock.patch.object(monitoring, "FACTS", body),
        ):
            patch.start()
            cls.addClassCleanup(patch.stop)
        # The exporter accepts no password with spaces, like that of roles in tests.
        hba = cls.server.directory / "data" / "pg_hba.conf"
        hba.write_text(f"local all {ROLE} trust\n{hba.read_text()}")
        sql("SELECT pg_reload_conf()")
        cls.prepare()
        cls.said, failed = converge(wanted())
        assert failed == [], failed
        sql("CREATE SEQUENCE public.s MAXVALUE 10; SELECT nextval('public.s') FROM generate_series(1, 9)", "app")
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            monitoring.monitoring(wanted())
        cls.again = out.getvalue()
        backups_of_pgbackrest(), pools_of_pgbouncer()  # take some seconds
        cls.replica = Replica(cls.server)
        cls.addClassCleanup(cls.replica.stop)

    @classmethod
    def prepare(cls) -> None:
        """A tenant creates the schema and the function first, default privileges, and odd databases and tables."""
        sql(f"CREATE ROLE tenant LOGIN CREATEDB PASSWORD '{password('tenant')}'; CREATE ROLE other LOGIN PASSWORD '{password('other')}'")
        sql("GRANT CREATE ON DATABASE postgres TO tenant")
        sql(
            "CREATE SCHEMA monitor; CREATE FUNCTION monitor.facts() RETURNS jsonb LANGUAGE sql AS 'SELECT ''{}''::jsonb';"
            "CREATE FUNCTION monitor.facts(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
            role="tenant",
        )
        sql(
            "ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO other; ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO other;"
            "ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC"
        )
        for name in ('x"%I', "a\nb", "n" * 63):
            quoted = '"' + name.replace('"', '""') + '"'
            sql(f"CREATE DATABASE {quoted} TEMPLATE template0", role="tenant")
            sql(
                f"CREATE SCHEMA {quoted}; CREATE TABLE {quoted}.{quoted} WITH (autovacuum_enabled = off)"
                " AS SELECT generate_series(1, 100) AS i;"
                f" DELETE FROM {quoted}.{quoted};"
                " CREATE FUNCTION public.jsonb_build_array(name, name) RETURNS integer LANGUAGE sql AS 'SELECT 1/0';"
                f" ALTER DATABASE {quoted} SET search_path TO public, pg_catalog;"
                f" ALTER DATABASE {quoted} SET default_transaction_read_only TO on; ALTER DATABASE {quoted} SET row_security TO off",
                name,
                "tenant",
            )
        sql("CREATE DATABASE latin TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'", role="tenant")
        # The name is a byte that is not UTF-8.
        sql('CREATE DATABASE U&"n\\00e4me" TEMPLATE template0', "latin", "tenant")
        sql('CREATE TABLE public.t WITH (autovacuum_enabled = off) AS SELECT 1 AS i; DELETE FROM public.t', "n\udce4me", "tenant")

    def ask(self, text: str, port: int = 0) -> list[str]:
        """Run SQL as the exporter, on the primary, or on the replica with its port."""
        if not port:
            return sql(text, role=ROLE)
        with unittest.mock.patch.dict(os.environ, PGHOST=str(self.replica.directory), PGPORT=str(port)):
            return sql(text, role=ROLE)

    def collect(self) -> str:
        """Collect all facts, as the duties do. Return the log."""
        certificates = self.replica.directory
        out = io.StringIO()
        with (
            unittest.mock.patch.object(facts, "CERTIFICATES", certificates),
            unittest.mock.patch.dict(
                os.environ,
                PATRONI_NAME="hippo-00-0",
                PATRONI_POSTGRESQL_CONNECT_ADDRESS=f"hippo-00-0:{self.replica.port}",
                PATRONI_RESTAPI_CONNECT_ADDRESS=f"hippo-00-0:{free_port()}",
            ),
            contextlib.redirect_stdout(out),
        ):
            facts.PodFacts()(wanted())
            facts.DatabaseFacts()(wanted())
        backups = json.loads(backups_of_pgbackrest())
        facts.facts.put("backups", {name: backups[name] for name in ("repositories", "backups", "oldest")})
        facts.facts.put("pools", json.loads(pools_of_pgbouncer())["found"])
        return out.getvalue()

    # The role and the functions.

    def test_only_the_exporter_calls_the_functions_and_only_the_superuser_owns_them(self) -> None:
        look = """SELECT proname, nspowner::regrole, proowner::regrole, prosecdef, provolatile, proconfig, proacl
          FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = 'monitor' AND proname !~ '^pg_stat' ORDER BY 1"""
        settings = '{"search_path=pg_catalog, pg_temp"}'
        self.assertEqual(
            sql(look),
            [
                f"{name}|postgres|postgres|{definer}|v|{settings}|{{postgres=X/postgres,{ROLE}=X/postgres}}"
                for name, definer in (("checkpointer", "f"), ("facts", "t"), ("io_bgwriter", "f"), ("statements", "f"))
            ],
        )
        for role in ("tenant", "other"):
            for name in ("facts", "statements", "checkpointer", "io_bgwriter"):
                with self.assertRaisesRegex(Refusal, "permission denied"):
                    sql(f"SELECT * FROM monitor.{name}()", role=role)
        self.assertRegex("\n".join(self.said), "renamed schema monitor of role tenant to monitor_[0-9a-f]{32}")
        self.assertEqual(self.again, "")

    def test_the_function_reads_the_file_of_the_caretaker_and_no_other(self) -> None:
        file = facts.FILE
        other = self.directory / "other.json"
        for content in (b'{"password": "secret"}', b"-----BEGIN secret", b"\xff\xfe secret", b"", facts.PREFIX[:-1].encode()):
            other.write_bytes(content)
            other.chmod(0o644)
            file.unlink(missing_ok=True)
            file.symlink_to(other)
            self.assertEqual(self.ask("SELECT monitor.facts() IS NULL"), ["t"], content)
            file.unlink()
        self.assertEqual(self.ask("SELECT monitor.facts() IS NULL"), ["t"], "there is no file")
        os.mkfifo(file)
        file.chmod(0o666)
        self.assertEqual(self.ask("SET statement_timeout TO '5s'; SELECT monitor.facts() IS NULL")[-1], "t", "a named pipe")
        file.unlink()
        file.symlink_to("/dev/zero")
        self.assertEqual(self.ask("SELECT monitor.facts() IS NULL"), ["t"], "a device")
        file.unlink()
        self.collect()
        self.assertEqual(self.ask("SELECT monitor.facts() ->> 'caretaker-facts'"), ["1"])
        self.assertEqual(oct(file.stat().st_mode)[-3:], "644")

    def test_the_exporter_can_do_nothing_more_than_before(self) -> None:
        for attempt in (
            "SELECT pg_read_file('PG_VERSION')",
            "SELECT pg_read_binary_file('PG_VERSION')",
            "SELECT * FROM pg_ls_dir('/')",
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "COPY (SELECT 1) TO '/tmp/x'",
            "CREATE TABLE monitor.t (i integer)",
            "CREATE FUNCTION monitor.facts(text) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
            "CREATE OR REPLACE FUNCTION monitor.facts() RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb'",
            "DROP FUNCTION monitor.facts()",
            "ALTER SCHEMA monitor RENAME TO mine",
            "CREATE SCHEMA mine",
            "CREATE TABLE public.t (i integer)",
            "SELECT rolpassword FROM pg_authid",
        ):
            with self.subTest(attempt), self.assertRaisesRegex(Refusal, "permission denied|must be owner|must be superuser or have"):
                sql(attempt, role=ROLE)
        # Objects that the role can create are found last.
        shadow = "CREATE TEMPORARY VIEW pg_database AS SELECT 1 AS oid; CREATE DOMAIN pg_temp.jsonb AS text; SET search_path TO pg_temp;"
        self.collect()
        self.assertEqual(self.ask(f"{shadow} SELECT monitor.facts() ->> 'caretaker-facts', count(*) > 0 FROM monitor.statements()"), ["1|t"])

    def test_the_exporter_cannot_take_the_connections_of_others(self) -> None:
        limit = f"SELECT rolconnlimit FROM pg_roles WHERE rolname = '{ROLE}'"
        self.assertEqual(sql(limit), [str(monitoring.CONNECTIONS)])
        sql(f"ALTER ROLE {ROLE} CONNECTION LIMIT -1")
        converge(wanted(collectorConnections=40))
        self.assertEqual(sql(limit), [str(monitoring.CONNECTIONS + 40)])
        converge(wanted())
        self.assertEqual(sql(limit), [str(monitoring.CONNECTIONS)])

    def test_changed_functions_are_repaired(self) -> None:
        for damage in (
            "ALTER FUNCTION monitor.facts() OWNER TO other",
            "ALTER FUNCTION monitor.facts() RESET ALL",
            "ALTER FUNCTION monitor.statements() SECURITY DEFINER",
            "GRANT EXECUTE ON FUNCTION monitor.facts() TO PUBLIC",
            "CREATE FUNCTION monitor.facts(VARIADIC text[]) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb'",
            "DROP FUNCTION monitor.facts(); CREATE PROCEDURE monitor.facts() LANGUAGE sql AS 'SELECT 1'",
            "DROP FUNCTION monitor.statements()",
            "GRANT CREATE ON SCHEMA monitor TO other",
            f"ALTER SCHEMA monitor OWNER TO {ROLE}",
            f"REVOKE USAGE ON SCHEMA monitor FROM {ROLE}",
            "ALTER EXTENSION pg_stat_statements SET SCHEMA monitor",
            "DROP EXTENSION pg_stat_statements",
        ):
            with self.subTest(damage):
                sql(damage)
                out = io.StringIO()
                with contextlib.redirect_stdout(out):
                    if "EXTENSION" in damage:
                        self.assertIsNone(monitoring.monitoring(wanted()))
                    else:
                        monitoring.create_functions()
                self.assertNotEqual(out.getvalue(), "")
                self.test_only_the_exporter_calls_the_functions_and_only_the_superuser_owns_them()
                self.assertEqual(self.ask("SELECT count(*) > 0 FROM monitor.statements()"), ["t"])
                if damage.startswith("ALTER EXTENSION"):
                    sql("ALTER EXTENSION pg_stat_statements SET SCHEMA public")

    def test_objects_of_the_exporter_from_before_stay(self) -> None:
        """In an earlier version and in PGO, the exporter's role owned the schema."""
        sql(f"ALTER SCHEMA monitor OWNER TO {ROLE}; SET ROLE {ROLE}; CREATE TABLE monitor.kept AS SELECT 42 AS answer")
        sql(f"SET ROLE {ROLE}; CREATE FUNCTION monitor.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
        self.addCleanup(sql, "DROP TABLE monitor.kept; DROP FUNCTION monitor.mine()")
        with contextlib.redirect_stdout(io.StringIO()):
            monitoring.create_functions()
        self.assertEqual(self.ask("SELECT answer + monitor.mine() FROM monitor.kept"), ["43"])
        self.assertEqual(sql("SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'monitor'"), ["postgres"])

    # The facts.

    def test_tables_of_tenants_are_data(self) -> None:
        self.collect()
        rows = self.ask("SELECT t FROM jsonb_array_elements(monitor.facts() #> '{databases,tables}') AS t")
        names = {(row["dbname"], row["schemaname"], row["relname"]) for row in map(json.loads, rows)}
        for name in ('x"%I', "a\nb", "n" * 63):
            self.assertIn((name, name, name), names)
        self.assertIn(("n\\344me", "public", "t"), names)
        self.assertEqual(self.ask("SELECT monitor.facts() #>> '{databases,exhausted}'"), ["1"])

    def tables(self, database: str) -> list[dict[str, Any]]:
        """Return what the collector measures about the tables of a database."""
        text = (ROOT / "src" / "postgres_cluster" / "collector" / "tables.sql").read_text()
        path = "SET search_path TO pg_catalog, pg_temp"
        return [json.loads(row) for row in sql(f"{path}; SELECT to_jsonb(t) FROM ({text}) AS t", database, ROLE)]

    def test_the_collector_measures_all_tables_of_a_database(self) -> None:
        for name in ('x"%I', "n" * 63):
            [row] = self.tables(name)
            self.assertEqual([row["dbname"], row["schemaname"], row["relname"], row["n_dead_tup"]], [name, name, name, 100])
            metrics = set(row) - {"dbname", "schemaname", "relname"}
            self.assertEqual(len(metrics), 16)
            # The collector expects integers.
            self.assertEqual([metric for metric in metrics if str(int(row[metric])) != str(row[metric])], [])
            self.assertGreaterEqual(row["bytes"], 8192)

    def test_a_locked_table_delays_nothing(self) -> None:
        process = subprocess.Popen(["psql", "-XqAt", "app"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        assert process.stdin and process.stdout
        process.stdin.write("CREATE TABLE IF NOT EXISTS l (i int); BEGIN; LOCK TABLE l IN ACCESS EXCLUSIVE MODE; SELECT 1;\n")
        process.stdin.flush()
        process.stdout.readline()
        started = time.monotonic()
        self.collect()
        self.assertNotIn("l", {row["relname"] for row in self.tables("app")})
        self.assertLess(time.monotonic() - started, 5)

    def test_backups_are_numbers_and_a_repository_that_cannot_be_read_is_said(self) -> None:
        there = json.loads(backups_of_pgbackrest())
        self.assertEqual([entry["code"] for entry in there["repositories"]], [0, 2, 99])
        self.assertEqual([(entry["repo"], entry["type"], entry["error"]) for entry in there["backups"]], [(1, "full", 0), (1, "incr", 0)])
        self.assertTrue(all(entry["size"] > 0 and entry["stop"] >= entry["start"] for entry in there["backups"]))
        self.assertEqual(there["oldest"], [{"repo": 1, "stop": there["backups"][0]["stop"]}])
        self.assertEqual(there["said"].count("backups for the exporter: repo3: status 99"), 1)

    def test_the_certificate_is_the_one_that_clients_see(self) -> None:
        self.assertEqual(self.collect(), "")
        look = "SELECT program, round(remaining_seconds / 3600) FROM ({}) AS _".format(QUERIES["ccp_certificate"]["query"])
        self.assertEqual(self.ask(look), ["postgres|120"])
        authority = self.replica.authority
        (authority.directory / "ca.crt").rename(authority.directory / "saved.crt")
        authority.run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other", "-keyout", "o.key", "-out", "ca.crt")
        try:
            self.assertRegex(self.collect(), "certificates for the exporter: postgres: .*certificate verify failed")
        finally:
            (authority.directory / "saved.crt").rename(authority.directory / "ca.crt")
        self.assertEqual(self.ask(look), ["postgres|0"])

    def test_a_failure_is_said_when_it_changes(self) -> None:
        out = io.StringIO()
        changes = facts.Changes("subject")
        with contextlib.redirect_stdout(out):
            for reason in ("", "a", "a", "b", "", ""):
                changes(reason)
        self.assertEqual([line.split(" ", 1)[1] for line in out.getvalue().splitlines()], ["subject: a", "subject: b", "subject: works again"])

    def test_facts_that_are_too_large_are_not_written(self) -> None:
        self.collect()
        before = facts.FILE.read_bytes()
        with self.assertRaisesRegex(Failure, "the limit is 1048576"):
            facts.facts.put("large", {"text": "x" * facts.LIMIT})
        facts.facts.put("small", {})
        facts.facts.put("small", None)
        self.assertEqual(set(json.loads(facts.FILE.read_bytes())), set(json.loads(before)))

    def test_without_an_exporter_nothing_is_collected(self) -> None:
        self.collect()
        none = wanted()._replace(roles={**wanted().roles, "monitoring": None})
        for duty in (facts.PodFacts(), facts.BackupFacts(), facts.DatabaseFacts(), pools.PoolFacts()):
            duty(none)
        self.assertFalse(facts.FILE.exists())

    # The queries.

    def test_every_query_returns_its_columns(self) -> None:
        self.collect()
        for port in (0, self.replica.port):
            for name, query in QUERIES.items():
                with self.subTest(name, port=port):
                    text = query["query"].rstrip().rstrip(";")
                    described = dict(line.rsplit("|", 1) for line in self.ask(f"{text} \\gdesc", port))
                    columns = columns_of(query)
                    self.assertEqual(list(described), [column for column in columns if column in described])
                    self.assertEqual(set(described), set(columns))
                    for column, usage in columns.items():
                        if usage != "LABEL":
                            self.assertIn(described[column].split("(")[0], NUMBERS, column)
                    labels = ", ".join(f'"{column}"' for column, usage in columns.items() if usage == "LABEL")
                    if labels:
                        duplicates = f"SELECT {labels} FROM ({text}) AS _ GROUP BY {labels} HAVING count(*) > 1"
                        self.assertEqual(self.ask(duplicates, port), [])

    def test_the_queries_take_no_time(self) -> None:
        self.collect()
        text = "\n".join(query["query"].rstrip() + ";" for query in QUERIES.values())
        for port in (0, self.replica.port):
            timed = f"\\timing on\n\\o /dev/null\n{text}"
            # The shortest time of each query, because other programs run on this machine.
            best = dict.fromkeys(QUERIES, 10.0)
            for _ in range(20):
                times = [float(line.split()[1]) for line in self.ask(timed, port) if line.startswith("Time: ")]
                best = {name: min(best[name], took / 1000) for name, took in zip(QUERIES, times, strict=True)}
                if sum(best.values()) < SECONDS / 2:
                    break
            slowest = max(best, key=lambda name: best[name])
            total, most = sum(best.values()) * 1000, best[slowest] * 1000
            where = "replica" if port else "primary"
            print(f"PostgreSQL {self.version}, {where}: all queries {total:.1f} ms, {slowest} {most:.1f} ms")
            self.assertLess(total / 1000, SECONDS)

    def test_without_facts_there_are_no_rows(self) -> None:
        facts.FILE.unlink(missing_ok=True)
        using = [query["query"].rstrip() for query in QUERIES.values() if "monitor.facts()" in query["query"]]
        self.assertGreater(len(using), 10)
        for query in using:
            self.assertEqual(self.ask(f"SELECT count(*) FROM ({query}) AS _"), ["0"], query)

    def test_what_is_not_known_is_not_a_number(self) -> None:
        self.collect()
        row = "SELECT patroni_role, up, leader IS NULL, paused IS NULL, running IS NULL FROM"
        query = QUERIES["ccp_patroni"]["query"].rstrip()
        self.assertEqual(self.ask(f"{row} ({query}) AS _"), ["|0|t|t|t"])
        answers = {"role": "standby_leader", "state": "running", "pause": True, "timeline": 3, "dcs_last_seen": int(time.time())}
        with unittest.mock.patch.object(facts, "patroni", lambda *_, **__: answers):
            self.collect()
        self.assertEqual(self.ask(f"SELECT patroni_role, up, leader, paused, running FROM ({query}) AS _"), ["standby_leader|1|1|1|1"])
        # Before the clock went back, the time was later.
        for age, there in ((-299, "1"), (-301, "0"), (299, "1"), (301, "0")):
            facts.facts.content["pod"]["time"] = int(time.time()) - age
            facts.facts.write()
            for name in ("ccp_patroni", "ccp_nodemx_data_disk"):
                self.assertEqual(self.ask(f"SELECT least(count(*), 1) FROM ({QUERIES[name]['query'].rstrip()}) AS _"), [there], age)

    def test_a_replica_says_what_it_streams_from(self) -> None:
        query = QUERIES["ccp_wal_receiver"]["query"].rstrip()
        self.assertEqual(self.ask(query), ["|"])
        self.assertEqual([line.rsplit("|", 1)[1] for line in self.ask(query, self.replica.port)], ["1"])
        host = "SELECT split_part(sender_host, '.', 1) FROM pg_stat_wal_receiver"
        self.assertEqual(self.ask(f"SELECT upstream FROM ({query}) AS _", self.replica.port), self.ask(host, self.replica.port))

    def test_real_exporters_report_every_metric(self) -> None:
        self.collect()
        sql("SELECT pg_create_physical_replication_slot('kept', true)")
        self.addCleanup(sql, "SELECT pg_drop_replication_slot('kept')")
        exporters = sorted((ROOT / ".cache" / "bin").glob("postgres_exporter-*"))
        if len(exporters) < 2 and os.environ.get("CI") == "true":
            self.fail("no postgres_exporter of two versions, and CI=true")
        for exporter in exporters:
            with self.subTest(exporter.name):
                found = self.scrape(exporter)
                errors = {name: value for name, value in found.items() if name.partition("{")[0].endswith("_error") and value != 0}
                allowed = {'ccp_backrest_repository_error{repo="3"'}
                self.assertEqual({name for name in errors if not name.startswith(tuple(allowed))}, set())
                self.assertEqual(found["pg_up"], 1)
                names = {name.partition("{")[0] for name in found}
                self.assertEqual({name for name in names if name.startswith("ccp_")}, names_on(self.version))

    def scrape(self, exporter: Path) -> dict[str, float]:
        """Return what an exporter measures on the primary."""
        lines: list[str] = []
        port = free_port()
        (self.directory / "queries.yaml").write_text(TEXT)
        # Our queries alone: the exporter's own end it if a database has a name that is not UTF-8.
        said = subprocess.run([exporter, "--help"], capture_output=True, text=True, check=True)
        own = sorted(set(re.findall(r"--(?:\[no-\])?(collector\.\w+)\s", said.stdout + said.stderr)))
        source = f"postgresql://{ROLE}@:5432/postgres?host={self.server.directory}&sslmode=disable"
        process = subprocess.Popen(
            [
                *(str(exporter), f"--web.listen-address=127.0.0.1:{port}", "--disable-default-metrics"),
                *(f"--no-{name}" for name in own),
                f"--extend.query-path={self.directory}/queries.yaml",
            ],
            env={"DATA_SOURCE_NAME": source},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            while process.poll() is None:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as response:
                        lines = response.read().decode().splitlines()
                    break
                except urllib.error.HTTPError as error:
                    self.fail(error.read().decode()[:2000])
                except OSError:
                    time.sleep(0.1)
        finally:
            process.kill()
            log = process.communicate()[0]
        self.assertNotEqual(lines, [], log)
        self.assertNotRegex(log, r"Error running query|Unexpected error parsing|error finding namespace")
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}


class Names(unittest.TestCase):
    """Names, and the documentation."""

    def test_names_are_escaped_as_postgres_does(self) -> None:
        for name, escaped in (("plain", "plain"), ("a\\b\n", "a\\\\b\n"), ("\u00e4", "\\303\\244"), ("n\udce4me", "n\\344me")):
            self.assertEqual(facts.escape(name), escaped)

    def test_every_query_runs_once(self) -> None:
        for name, query in QUERIES.items():
            self.assertIs(query["master"], True, name)
            self.assertNotIn("runonserver", query, name)

    def test_the_page_lists_every_metric(self) -> None:
        page = (ROOT / "docs" / "monitoring.md").read_text()
        rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `ccp_")]
        listed = {row[0].strip("| `"): set(re.findall(r"`(\w+)`", row[1])) for row in rows}
        metrics: dict[str, set[str]] = {}
        for name, query in QUERIES.items():
            columns = columns_of(query)
            labels = {column for column, usage in columns.items() if usage == "LABEL"}
            metrics.update({f"{name}_{column}": labels for column, usage in columns.items() if usage != "LABEL"})
        self.assertEqual(listed, metrics)
        said = {row[0].strip("| `"): row[2] for row in rows}
        for name, query in QUERIES.items():
            for column, mapping in ((column, mapping) for entry in query["metrics"] for column, mapping in entry.items()):
                if mapping["usage"] != "LABEL":
                    self.assertEqual(said[f"{name}_{column}"], mapping["description"])
        since = {row[0].strip("| `"): row[4].strip(" |") for row in rows}
        for version in ("13", "15", "16", "17", "18"):
            there = {name for name, first in since.items() if int(first or 13) <= int(version)}
            self.assertEqual(there, names_on(version))


on_every_server(globals(), Monitoring)

if __name__ == "__main__":
    unittest.main()
