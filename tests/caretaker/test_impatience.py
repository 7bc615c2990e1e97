"""Locks on system catalogs, which members of `pg_maintain` may take since PostgreSQL 17."""

from __future__ import annotations

import subprocess
import unittest
from typing import Any

from servers import OnServer, Refusal, converge, on_every_server, password, sql, verifier
from surroundings import Wanted

# Shared catalogs, which sessions need to log in or to read views of other sessions.
SHARED = ("pg_authid", "pg_database", "pg_auth_members", "pg_db_role_setting")


class LockedCatalogs(OnServer):
    """A tenant locks a catalog in its own database, and then the caretaker runs SQL."""

    def setUp(self) -> None:
        users = [{"name": "tenant", "verifier": verifier("tenant"), "options": "", "databases": ["app"]}]
        settings = {"databases": ["app"], "databaseInitSQL": None, "extensions": [], "schemaPerUser": False, "collectorConnections": 0}
        self.wanted = Wanted(settings, {"users": users, "pgbouncer": None, "monitoring": None})
        self.assertEqual(converge(self.wanted)[1], [])
        if int(self.version) >= 17:
            sql("GRANT pg_maintain TO tenant")

    def test_a_lock_on_a_shared_catalog_is_ended(self) -> None:
        pipe: Any = subprocess.PIPE
        target = f"user=tenant dbname=app password='{password('tenant')}'"
        for catalog in SHARED:
            with self.subTest(catalog):
                lock = f"BEGIN; LOCK TABLE {catalog} IN ACCESS EXCLUSIVE MODE; SELECT 'has it';"
                if int(self.version) < 17:
                    sql(f"GRANT ALL ON {catalog} TO tenant", "app")
                    with self.assertRaisesRegex(Refusal, "permission denied"):
                        sql(lock, "app", "tenant")
                    continue
                process = subprocess.Popen(["psql", "-XqAt", target], stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)
                self.addCleanup(process.communicate)
                assert process.stdin and process.stdout
                process.stdin.write(f"{lock}\n")
                process.stdin.flush()
                self.assertEqual(process.stdout.readline(), "has it\n")
                try:
                    said, failed = converge(self.wanted)
                    self.assertRegex("\n".join(said), r"terminated a session of the role with OID \d+: it had locked a system catalog")
                    self.assertEqual(failed, [])
                finally:
                    process.kill()
                self.assertEqual(sql("SELECT current_user", "app", "tenant"), ["tenant"])

    def test_a_superuser_who_locks_a_catalog_is_not_ended(self) -> None:
        pipe: Any = subprocess.PIPE
        process = subprocess.Popen(["psql", "-XqAt"], stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)
        assert process.stdin and process.stdout
        process.stdin.write("BEGIN; LOCK TABLE pg_authid IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(4); COMMIT; SELECT 'done';\n")
        process.stdin.flush()
        converge(self.wanted)
        self.assertEqual(process.communicate()[0].split(), ["done"])


on_every_server(globals(), LockedCatalogs)

if __name__ == "__main__":
    unittest.main()
