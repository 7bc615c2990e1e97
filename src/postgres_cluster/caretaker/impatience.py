"""Terminates sessions of other roles that block our SQL with a lock, or that keep new sessions from starting."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

from session import PSQL, environment, query
from surroundings import Failure, is_alive, log

# How long our SQL waits for other sessions before they are terminated.
PATIENCE_SECONDS = 2

# Our sessions, and sessions that cannot start because of a lock on their database or its catalogs. The latter are not in
# pg_stat_activity yet, have no timeout, outlive their clients, and may use up all connections. Every role that can log in can
# block any database, because `DROP DATABASE` waits for its lock before it checks the owner.
OURS = """SELECT pid FROM pg_stat_activity WHERE datname = 'postgres' AND application_name IN ('caretaker', 'caretaker init.sql')
    AND usesysid = (SELECT oid FROM pg_roles WHERE rolname = current_user)"""
BEGINNING = """SELECT DISTINCT pid, datname, datdba FROM pg_locks JOIN pg_database ON pg_database.oid =
      CASE WHEN locktype = 'object' AND classid = 'pg_database'::regclass THEN objid ELSE database END
    WHERE NOT granted AND pid NOT IN (SELECT pid FROM pg_stat_activity WHERE usesysid IS NOT NULL OR backend_type <> 'client backend')"""

# The role of a session or of a prepared transaction may have been dropped. So the SQL looks for roles that are not in this list.
SUPERUSERS = "SELECT oid FROM pg_roles WHERE rolsuper"

# Terminates sessions that block ours in `postgres`, that keep others out of a database that they do not own, or that cannot start
# because the owner of the database has locked it. With `OFFSET 0`, Postgres evaluates all conditions before it terminates a
# session. A prepared transaction has locks but no session.
CLEAR_THE_WAY = """
SELECT coalesce(json_agg(format('terminated a session of role %s: it had a lock for too long', quote_ident(rolname))), '[]') FROM (
  SELECT pid, pg_get_userbyid(usesysid) AS rolname FROM pg_stat_activity WHERE usesysid NOT IN (SUPERUSERS) AND pid IN (
    SELECT unnest(pg_blocking_pids(pid)) FROM (OURS) AS _) OFFSET 0
) AS _ WHERE pg_terminate_backend(pid);
SELECT coalesce(json_agg(format('terminated a session of role %s: it kept others out of database %s', quote_ident(rolname),
  quote_ident(datname))), '[]') FROM (
  SELECT DISTINCT s.pid, pg_get_userbyid(usesysid) AS rolname, b.datname
  FROM (BEGINNING) AS b CROSS JOIN unnest(pg_blocking_pids(b.pid)) AS _ (blocking) JOIN pg_stat_activity s ON s.pid = blocking
  WHERE usesysid NOT IN (SUPERUSERS)
  AND (b.datname IN ('postgres', 'template1') OR NOT pg_has_role(usesysid, datdba, 'MEMBER')) OFFSET 0
) AS _ WHERE pg_terminate_backend(pid);
SELECT coalesce(json_agg(format('terminated a session that could not start in database %s: its owner has locked it',
  quote_ident(datname))), '[]') FROM (
  SELECT pid, datname FROM (BEGINNING) AS b WHERE datname <> 'postgres' AND NOT EXISTS (
    SELECT FROM unnest(pg_blocking_pids(b.pid)) AS _ (blocking) JOIN pg_stat_activity s ON s.pid = blocking
    WHERE usesysid NOT IN (SUPERUSERS) AND NOT pg_has_role(usesysid, datdba, 'MEMBER')) OFFSET 0
) AS _ WHERE pg_terminate_backend(pid);
SELECT coalesce(json_agg(DISTINCT jsonb_build_array(p.database, gid, coalesce(quote_ident(owner), 'that is gone'))), '[]')
FROM pg_prepared_xacts p LEFT JOIN pg_roles ON rolname = owner
JOIN pg_locks own ON own.pid IS NULL AND own.transactionid = p.transaction
JOIN pg_locks held ON held.pid IS NULL AND held.virtualtransaction = own.virtualtransaction
JOIN pg_locks wanted ON NOT wanted.granted AND wanted.pid IN (OURS) AND wanted.locktype = held.locktype
  AND (wanted.database, wanted.relation, wanted.page, wanted.tuple, wanted.transactionid, wanted.classid, wanted.objid)
  IS NOT DISTINCT FROM (held.database, held.relation, held.page, held.tuple, held.transactionid, held.classid, held.objid)
WHERE rolsuper IS NOT TRUE AND prepared < now() - interval '1 min';
""".replace("OURS", OURS).replace("BEGINNING", BEGINNING).replace("SUPERUSERS", SUPERUSERS)

# Since PostgreSQL 17, members of `pg_maintain` may lock system catalogs ("Predefined Roles"). While a shared catalog is locked,
# no role can log in, and `pg_terminate_backend` and views that read roles, like pg_stat_activity, wait. So this query reads only
# catalogs that its session has cached, and uses OIDs that were read before. It ignores waits for locks that are stronger than
# those for reading or writing a catalog.
READ_BEFORE = """
SELECT json_build_object('superusers', (SELECT json_agg(oid::int8) FROM pg_roles WHERE rolsuper),
  'database', (SELECT oid::int8 FROM pg_database WHERE datname = current_database()));
"""
LOCKING_CATALOGS = """
SELECT DISTINCT s.pid, s.usesysid FROM pg_lock_status() AS waiting CROSS JOIN unnest(pg_blocking_pids(waiting.pid)) AS _ (blocking)
JOIN pg_stat_get_activity(NULL) AS s ON s.pid = blocking
WHERE NOT waiting.granted AND waiting.locktype = 'relation' AND waiting.relation::int8 < 16384
AND waiting.mode IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
AND waiting.database::int8 IN (0, :database) AND s.usesysid::int8 NOT IN (:superusers);
"""


class Standing:
    """A superuser session that is already open when somebody blocks the start of new ones."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, sql: str, seconds: float = 5) -> list[str]:
        """Run SQL in the session, and return its output lines. If the session does not answer, end it."""
        with self.lock:
            if self.process is None or self.process.poll() is not None:
                self.process = self.begin()
            try:
                return self.exchange(self.process, sql, time.monotonic() + seconds)
            except OSError as error:
                self.process.kill()
                self.process.communicate()
                self.process = None
                raise Failure(f"the caretaker's open session: {error}") from None

    @staticmethod
    def begin() -> subprocess.Popen[bytes]:
        """Start `psql`."""
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        everything = {**os.environ, **environment("postgres", 5, "")}
        try:
            return subprocess.Popen(PSQL, stdin=pipe, stdout=pipe, stderr=nothing, env=everything, bufsize=0)
        except OSError as error:
            raise Failure(f"`psql` does not start: {error}") from None

    @staticmethod
    def exchange(process: subprocess.Popen[bytes], sql: str, deadline: float) -> list[str]:
        """Send SQL, and read its output to the end."""
        assert process.stdin and process.stdout
        process.stdin.write(f"SET search_path TO '';\n{sql}\n\\echo done\n".encode())
        answer = b""
        while not answer.endswith(b"done\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                raise TimeoutError("no answer")
            part = os.read(process.stdout.fileno(), 65536)
            if not part:
                raise ConnectionError("it has ended")
            answer += part
        return answer.decode(errors="surrogateescape").split("\n")[:-2]


standing = Standing()


class Catalogs:
    """Terminates sessions that lock system catalogs. Its own session never waits for such a lock."""

    def __init__(self) -> None:
        self.session = Standing()
        self.sql = ""

    def prepare(self) -> None:
        """Read the OIDs, and run the query once, so that its session caches the catalogs."""
        read = json.loads("".join(standing.ask(READ_BEFORE)))
        superusers = ", ".join(map(str, read["superusers"]))
        self.sql = LOCKING_CATALOGS.replace(":database", str(read["database"])).replace(":superusers", superusers)
        self.session.ask(self.sql)

    def clear(self) -> None:
        """Terminate the sessions by SIGTERM, which `pg_terminate_backend` also sends."""
        for line in self.session.ask(self.sql) if self.sql else []:
            pid, role = map(int, line.split("|"))
            if is_alive(pid, "postgres"):
                os.kill(pid, signal.SIGTERM)
                log(f"terminated a session of the role with OID {role}: it had locked a system catalog for too long")


catalogs = Catalogs()


def clear_the_way() -> None:
    """Terminate the sessions, and roll back the prepared transactions, that block our sessions."""
    catalogs.clear()
    *ended, prepared = map(json.loads, standing.ask(CLEAR_THE_WAY))
    for line in [line for lines in ended for line in lines]:
        log(line)
    for database, name, owner in prepared:
        literal = name.replace("'", "''")
        try:
            query(f"ROLLBACK PREPARED '{literal}'", database, None, 5, "")
            log(f"database {database}: rolled back a prepared transaction of role {owner}: it had a lock for too long")
        except Failure as failure:
            log(f"database {database}: cannot roll back a prepared transaction of role {owner}, which has a lock: {failure}")


@contextlib.contextmanager
def impatience() -> Iterator[Any]:
    """While the block runs, terminate sessions that hold up our SQL for PATIENCE_SECONDS."""
    done = threading.Event()
    with contextlib.suppress(Failure):
        catalogs.prepare()  # before the catalogs are locked

    def clear() -> None:
        while not done.wait(PATIENCE_SECONDS):
            try:
                clear_the_way()
            except Failure as failure:
                log(f"cannot terminate the sessions that block others: {failure}")

    thread = threading.Thread(target=clear)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
