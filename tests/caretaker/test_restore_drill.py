"""The restore drill, with the real pgBackRest, and its checks on servers of each version. It runs as in its pod, but its directories
are below a temporary one."""

from __future__ import annotations

import hashlib
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
from typing import Any, NamedTuple

from servers import ROOT, Server, administer, on_every_server, programs, sql, version_of_pgbackrest

SOURCES = ROOT / "src" / "postgres_cluster"

# A tenant can create databases with such names.
NAMES = ("host=example.com", "a 'b\" --all", "-x")

# The program and Postgres refuse to be root.
NOBODY: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable


class Outcome(NamedTuple):
    """The end of a drill: the exit status and the logs of both containers."""

    status: int
    restore: str
    check: str

    @property
    def verdict(self) -> str:
        """The last line of the log, without the time."""
        return self.check.splitlines()[-1].partition(" ")[2]

    @property
    def facts(self) -> dict[str, str]:
        """The facts in the verdict, if the drill has passed."""
        return dict(fact.split("=", 1) for fact in self.verdict.split()[2:])


class Pod:
    """A pod of the drill: the program with its settings, the scratch volume, and `/tmp`."""

    def __init__(self, version: str, statements: str | None = None, wants_sql: bool = False) -> None:
        self.directory = Path(tempfile.mkdtemp())
        for name in ("program", "pgdata", "tmp"):
            (self.directory / name).mkdir()
        for file in [*SOURCES.glob("caretaker/*.py"), *SOURCES.glob("restore_drill/*.py")]:
            shutil.copy(file, self.directory / "program")
        settings = {
            "postgresVersion": int(version),
            "programDirectories": [str(programs()[version])],
            "repository": 1,
            "sharedPreloadLibraries": "",
            "sql": "checks/orders.sql" if statements is not None or wants_sql else None,
        }
        (self.directory / "program" / "restore-drill.json").write_text(json.dumps(settings))
        if statements is not None:
            (self.directory / "program" / "restore-drill.sql").write_text(statements)
        if NOBODY:
            for path in [self.directory, *self.directory.rglob("*")]:
                shutil.chown(path, "nobody", "nogroup")

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.directory / "pgdata" / "pg"

    def run(self, part: str) -> subprocess.CompletedProcess[str]:
        """Run one part of the program."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PG") or name == "PGBACKREST_CONFIG"},
            "PGDATA": str(self.data),
            "TMPDIR": str(self.directory / "tmp"),
        }
        command = [PYTHON, "-B", str(self.directory / "program" / "restore_drill.py"), part]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, cwd="/", timeout=120, **NOBODY
        )

    def check(self, restored: str = "") -> Outcome:
        """Run the second part."""
        result = self.run("check")
        assert not result.stderr, result.stderr
        return Outcome(result.returncode, restored, result.stdout)

    def drill(self) -> Outcome:
        """Run both parts."""
        first = self.run("restore")
        assert (first.returncode, first.stderr) == (0, ""), first.stderr
        return self.check(first.stdout)

    def left(self) -> list[str]:
        """Return what is left in the scratch volume."""
        return [path.name for path in (self.directory / "pgdata").iterdir()]

    def delete(self) -> None:
        """Remove the directories."""
        shutil.rmtree(self.directory)


def tree(directory: Path) -> dict[str, str]:
    """Return a hash of each file."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class OfBackup(unittest.TestCase):
    """Whole drills, of a backup in a repository."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.version = version_of_pgbackrest()
        cls.directory = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        if NOBODY:
            shutil.chown(cls.directory, "nobody", "nogroup")
        environment = unittest.mock.patch.dict("os.environ", PGBACKREST_CONFIG=str(cls.directory / "pgbackrest.conf"))
        environment.start()
        cls.addClassCleanup(environment.stop)
        server = Server(cls.version)
        cls.addClassCleanup(server.stop)
        cls.configure(server)
        (cls.directory / "tablespace").mkdir()
        if NOBODY:
            shutil.chown(cls.directory / "tablespace", "nobody", "nogroup")
        sql(f"CREATE TABLESPACE elsewhere LOCATION '{cls.directory}/tablespace'")
        sql("CREATE TABLE public.stored TABLESPACE elsewhere AS SELECT generate_series(1, 1000) AS number")
        cls.backrest("stanza-create")
        cls.backrest("backup")
        cls.label = os.listdir(cls.directory / "repo" / "backup" / "db")
        # What no backup contains, and the replay has to bring.
        cls.canary = cls.directory / "canary"
        sql(
            f"""CREATE TABLE public.orders AS SELECT generate_series(1, 1000) AS number;
            SELECT lo_from_bytea(0, 'large');
            BEGIN; INSERT INTO public.orders VALUES (1001); PREPARE TRANSACTION 'open';
            ALTER DATABASE postgres SET search_path TO nowhere; ALTER DATABASE postgres SET statement_timeout TO 1;
            ALTER SYSTEM SET recovery_end_command TO 'touch {cls.canary}';
            ALTER SYSTEM SET shared_buffers TO '1000GB';"""
        )
        for name in NAMES:
            quoted = name.replace('"', '""')
            sql(f'CREATE DATABASE "{quoted}"')
        cls.archive()

    @classmethod
    def configure(cls, server: Server) -> None:
        """Archive into a repository in a directory."""
        options = {
            "repo1-path": cls.directory / "repo",
            "lock-path": cls.directory / "lock",
            "archive-async": "y",
            "spool-path": cls.directory / "spool",
            # What the user may have set for instances.
            "link-all": "y",
            "log-level-file": "off",
            "start-fast": "y",
            "repo1-bundle": "y",
        }
        database = {
            "pg1-path": os.environ["PGDATA"],
            "pg1-socket-path": os.environ["PGHOST"],
            "pg1-user": "postgres",
        }
        text = "\n".join(f"{name}={value}" for name, value in options.items())
        text += "\n[db]\n" + "\n".join(f"{name}={value}" for name, value in database.items())
        (cls.directory / "pgbackrest.conf").write_text(f"[global]\n{text}\n")
        configuration = cls.directory / "pgbackrest.conf"
        sql(
            f"""ALTER SYSTEM SET archive_mode TO on;
            ALTER SYSTEM SET archive_command TO 'pgbackrest --config={configuration} --stanza=db archive-push %p';"""
        )
        administer(*server.pg_ctl, "restart")

    @classmethod
    def backrest(cls, *words: str) -> None:
        """Run pgBackRest as the owner of the repository."""
        subprocess.run(["pgbackrest", "--stanza=db", *words], check=True, capture_output=True, cwd="/", **NOBODY)

    @staticmethod
    def archive() -> str:
        """Switch to another file of the write-ahead log, and wait until the last one is archived. Return its name."""
        name = sql("SELECT pg_walfile_name(pg_switch_wal())")[0]
        deadline = time.monotonic() + 30
        while sql("SELECT last_archived_wal FROM pg_stat_archiver")[0] < name:
            assert time.monotonic() < deadline, "the log is not archived"
            time.sleep(0.1)
        return name

    def pod(self, *arguments: Any, **options: Any) -> Pod:
        """Return a pod, which is deleted at the end of the test."""
        pod = Pod(self.version, *arguments, **options)
        self.addCleanup(pod.delete)
        return pod

    def damaged(self, file: Path) -> None:
        """Change a byte of a file until the end of the test."""
        whole = file.read_bytes()
        place = len(whole) // 2
        self.addCleanup(file.write_bytes, whole)
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])

    def test_it_restores_all_and_leaves_nothing(self) -> None:
        committed = sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")[0]
        sql("INSERT INTO public.orders VALUES (2000)")
        self.archive()
        before, tablespace = tree(self.directory / "repo"), tree(self.directory / "tablespace")
        pod = self.pod()
        outcome = pod.drill()
        self.assertEqual(outcome.status, 0, outcome)
        facts = outcome.facts
        self.assertIn(facts["backup"], self.label)
        self.assertEqual(facts["repository"], "repo1")
        self.assertLess(facts["taken"], facts["last-transaction"])
        self.assertLess(committed, facts["last-transaction"])
        self.assertEqual(facts["checksums"], "disabled")
        # With `template1` and `postgres`.
        self.assertEqual(facts["databases"], str(2 + len(NAMES)))
        self.assertGreater(int(facts["wal-files"]), 1)
        for step in ("restore", "replay", "amcheck", "dump"):
            self.assertRegex(facts[step], r"^\d+\.\ds$")
        self.assertEqual(pod.left(), [])
        self.assertEqual(tree(self.directory / "repo"), before)
        self.assertEqual(tree(self.directory / "tablespace").keys(), tablespace.keys())
        self.assertFalse(self.canary.exists())

    def test_the_users_sql_decides(self) -> None:
        good = "SELECT count(*) FROM public.orders;\nSELECT 1 / count(*) FROM public.orders;"
        outcome = self.pod(good).drill()
        self.assertEqual(outcome.status, 0, outcome)
        self.assertRegex(outcome.check, r"(?m) sql: 100\d$")
        outcome = self.pod("SELECT 1 / count(*) FROM public.orders WHERE number < 0;").drill()
        self.assertEqual(outcome.status, 1, outcome)
        self.assertRegex(outcome.verdict, r"^restore-drill: failed repository=repo1 .*division by zero$")
        # A function or table that a tenant has in `public` is not found by accident.
        outcome = self.pod("SELECT count(*) FROM orders").drill()
        self.assertIn('relation "orders" does not exist', outcome.verdict)

    def test_missing_sql_is_named(self) -> None:
        outcome = self.pod(wants_sql=True).drill()
        self.assertTrue(outcome.verdict.endswith("the ConfigMap and the key checks/orders.sql do not exist"), outcome)

    def test_a_damaged_backup_fails(self) -> None:
        label = next(name for name in self.label if name.endswith("F"))
        bundles = sorted((self.directory / "repo" / "backup" / "db" / label / "bundle").iterdir())
        self.damaged(max(bundles, key=lambda file: file.stat().st_size))
        pod = self.pod()
        outcome = pod.drill()
        self.assertEqual(outcome.status, 1, outcome)
        self.assertRegex(outcome.verdict, rf"^restore-drill: failed repository=repo1 backup={label} .*pgbackrest restore: .*ERROR")
        self.assertEqual(pod.left(), [])

    def test_a_gap_in_the_archive_fails(self) -> None:
        gap = self.archive()
        sql("INSERT INTO public.orders VALUES (3000)")
        self.archive()
        sql("INSERT INTO public.orders VALUES (3001)")
        last = self.archive()
        file = next((self.directory / "repo" / "archive" / "db").rglob(f"{gap}-*"))
        content = file.read_bytes()
        file.unlink()

        def put_back() -> None:
            file.write_bytes(content)
            if NOBODY:
                shutil.chown(file, "nobody", "nogroup")

        self.addCleanup(put_back)
        outcome = self.pod().drill()
        self.assertEqual(outcome.status, 1, outcome)
        self.assertIn(f"the archive ends with {last}, but the replay ended at ", outcome.verdict)
        put_back()
        self.damaged(file)
        outcome = self.pod().drill()
        self.assertEqual(outcome.status, 1, outcome)
        self.assertIn("ERROR", outcome.verdict)

    def test_a_repository_without_a_backup_fails(self) -> None:
        configuration = (self.directory / "pgbackrest.conf").read_text()
        empty = self.directory / "empty.conf"
        empty.write_text(configuration.replace(str(self.directory / "repo"), str(self.directory / "empty")))
        with unittest.mock.patch.dict("os.environ", PGBACKREST_CONFIG=str(empty)):
            outcome = self.pod().drill()
        self.assertEqual(outcome.status, 1, outcome)
        self.assertRegex(outcome.verdict, "^restore-drill: failed repository=repo1: repo1 has no backup: missing stanza path$")

    def test_without_a_report_the_drill_fails(self) -> None:
        outcome = self.pod().check()
        self.assertEqual(outcome.status, 1, outcome)
        self.assertIn("the first container has left no report", outcome.verdict)


class Checks:
    """The checks of a database that was restored."""

    version: str

    def setUp(self) -> None:
        """Create a database cluster with checksums, as `initdb` of Patroni does."""
        self.pod = Pod(self.version)
        self.addCleanup(self.pod.delete)  # type: ignore[attr-defined]
        self.initialise()
        (self.pod.directory / "tmp" / "restore-drill.json").write_text('{"facts": {"backup": "label"}, "failure": ""}')

    def initialise(self) -> None:
        """Create the data, with a table and an index."""
        administer(
            *(str(programs()[self.version] / "initdb"), "-D", str(self.pod.data), "-U", "postgres", "-A", "trust", "-N"),
            *("-k", "--locale=C.UTF-8", "-E", "UTF8"),
        )
        self.single(
            "CREATE TABLE orders (number int, item text)",
            "INSERT INTO orders SELECT n, 'item ' || n FROM generate_series(1, 2000) AS n",
            "CREATE INDEX orders_item ON orders (item)",
        )

    def single(self, *statements: str) -> str:
        """Run statements without a server that others can reach."""
        command = [str(programs()[self.version] / "postgres"), "--single", "-F", "-j", "-D", str(self.pod.data), "postgres"]
        text = "".join(f"{statement};\n\n" for statement in statements)
        result = subprocess.run(command, input=text, check=True, capture_output=True, text=True, cwd="/", **NOBODY)
        return result.stdout

    def file_of(self, relation: str) -> Path:
        """Return the file of a table or an index."""
        said = self.single(f"SELECT pg_relation_filepath('{relation}')")
        return self.pod.data / said.split('pg_relation_filepath = "')[1].split('"')[0]

    def test_a_good_database_passes(self: Any) -> None:
        outcome = self.pod.check()
        self.assertEqual(outcome.status, 0, outcome)
        self.assertEqual({"backup", "checksums", "amcheck", "dump", "databases"}, set(outcome.facts))
        self.assertEqual(self.pod.left(), [])

    def test_settings_and_triggers_of_the_database_have_no_effect(self: Any) -> None:
        login = """CREATE FUNCTION trap() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'trap'; END $$;
            CREATE EVENT TRIGGER trap ON %s EXECUTE FUNCTION trap()"""
        # Single-user mode reads a statement up to an empty line.
        self.single(
            *(login % ("login" if int(self.version) >= 17 else "ddl_command_start")).split(";\n"),
            *(["ALTER EVENT TRIGGER trap ENABLE ALWAYS"] if int(self.version) >= 17 else ["DROP EVENT TRIGGER trap"]),
            "ALTER DATABASE postgres SET search_path TO nowhere",
            "ALTER DATABASE postgres SET event_triggers TO on" if int(self.version) >= 17 else "SELECT 1",
            "ALTER ROLE postgres SET session_preload_libraries TO 'absent'",
            "ALTER ROLE postgres SET statement_timeout TO 1",
            "ALTER SYSTEM SET listen_addresses TO '*'",
            "ALTER SYSTEM SET shared_preload_libraries TO 'absent'",
        )
        outcome = self.pod.check()
        self.assertEqual(outcome.status, 0, outcome)
        self.assertNotIn("listening on IP", outcome.check)

    def test_the_owner_of_a_database_cannot_weaken_the_users_sql(self: Any) -> None:
        self.single("ALTER DATABASE postgres SET plpgsql.check_asserts TO off", "ALTER ROLE ALL SET plpgsql.check_asserts TO off")
        program = self.pod.directory / "program"
        settings = json.loads((program / "restore-drill.json").read_text())
        (program / "restore-drill.json").write_text(json.dumps({**settings, "sql": "checks/orders.sql"}))
        (program / "restore-drill.sql").write_text("DO $$ BEGIN ASSERT false, 'the newest order is old'; END $$;\n\\connect postgres\n")
        outcome = self.pod.check()
        self.assertEqual(outcome.status, 1, outcome)
        self.assertIn("the newest order is old", outcome.verdict)

    def test_a_damaged_page_fails(self: Any) -> None:
        file = self.file_of("orders")
        content = bytearray(file.read_bytes())
        content[8000] ^= 255
        file.write_bytes(content)
        outcome = self.pod.check()
        self.assertEqual(outcome.status, 1, outcome)
        self.assertRegex(outcome.verdict, "^restore-drill: failed backup=label checksums=.*pg_checksums: .*calculated checksum")

    def test_a_wrong_index_fails(self: Any) -> None:
        # As after a change of the operating system's sort order: the page is intact, and the order in it is wrong.
        self.single(
            'CREATE TABLE words (word text COLLATE "C")',
            "INSERT INTO words VALUES ('a'), ('B'), ('c'), ('D')",
            "CREATE INDEX words_word ON words (word)",
            "UPDATE pg_index SET indcollation = (SELECT oid::text::oidvector FROM pg_collation WHERE collname = 'und-x-icu')"
            " WHERE indexrelid = 'words_word'::regclass",
        )
        outcome = self.pod.check()
        self.assertEqual(outcome.status, 1, outcome)
        self.assertRegex(outcome.verdict, "pg_amcheck: .*words_word")


on_every_server(globals(), Checks)

if __name__ == "__main__":
    unittest.main()
