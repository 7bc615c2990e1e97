"""Closes the database `postgres` to all but superusers while the user's SQL (`spec.databaseInitSQL`) runs.

A role that connects in that time could make the SQL run its code. So `postgres` opens only when no session of the SQL is left."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator

from ours import remembered
from postgres import psql

# The application_name of the user's SQL, also after `\c` and in programs that it starts.
APPLICATION = "caretaker init.sql"

# A connected session could add objects, even after its role was dropped. A starting session is not in pg_stat_activity yet, but
# has a lock on the database. A client can prolong its start (PostgreSQL, "Developer Options", post_auth_delay). Normal sessions
# start within a second, and later ones find the database closed.
END_SESSIONS = """
DO $caretaker$
DECLARE
  beginning int[];
BEGIN
  FOR attempt IN 0..50 LOOP
    PERFORM pg_stat_clear_snapshot(), pg_sleep(CASE WHEN attempt > 0 THEN 0.1 ELSE 0 END);
    beginning := ARRAY(SELECT pid FROM pg_locks WHERE locktype = 'object' AND classid = 'pg_database'::regclass
      AND objid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()
      AND pid NOT IN (SELECT pid FROM pg_stat_activity WHERE usesysid IS NOT NULL) AND (attempt = 0 OR pid = ANY (beginning)));
    PERFORM pg_stat_clear_snapshot(), pg_terminate_backend(pid) FROM unnest(beginning) AS _ (pid) WHERE attempt >= 10;
    PERFORM pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
      WHERE datname = current_database() AND usesysid NOT IN (SELECT oid FROM pg_roles WHERE rolsuper) OFFSET 0) AS _;
    IF NOT FOUND AND beginning = '{}' THEN
      RETURN;
    END IF;
  END LOOP;
  RAISE EXCEPTION 'sessions of other roles in database postgres do not end';
END
$caretaker$;
"""

# The privileges and the connection limit are stored before closing, because the pod may stop before `postgres` is open again.
# They are settings of `template1`, because the user's SQL may reset those of `postgres`. The process ID and start time of the
# SQL's session are stored too, because it may change its application_name.
CLOSED = remembered("closed", "template1")
SESSION = remembered("init_sql_session", "template1")
ARGUMENTS = "current_setting('caretaker.arguments')::jsonb"

# This runs in the session of the user's SQL, with its search_path.
INTRODUCE = """
DO $caretaker$
BEGIN
  EXECUTE pg_catalog.format('ALTER DATABASE template1 SET pgrender.init_sql_session = %L', (
    SELECT pg_catalog.jsonb_build_object('pid', pid, 'backend_start', backend_start)
    FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()));
END
$caretaker$;
"""

# The connection limit does not apply to sessions with `replication=database` and to background workers. The privilege applies to
# all (PostgreSQL, `CheckMyDatabase`), but somebody may grant it.
CONNECTING = """FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))
    WHERE datname = 'postgres' AND privilege_type = 'CONNECT' AND grantee <> datdba"""
CLOSE = f"""
DO $caretaker$
DECLARE
  before jsonb := coalesce({CLOSED}::jsonb, (SELECT jsonb_build_object('since', clock_timestamp(), 'connection_limit', datconnlimit,
    'connect', (SELECT coalesce(jsonb_object_agg(grantee, is_grantable), '{{}}') FROM (
      SELECT grantee, bool_or(is_grantable) AS is_grantable {CONNECTING} GROUP BY grantee) AS _))
    FROM pg_database WHERE datname = 'postgres'));
  role text;
BEGIN
  ALTER DATABASE postgres CONNECTION LIMIT 0;
  FOR role IN SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END {CONNECTING} LOOP
    EXECUTE format('REVOKE CONNECT ON DATABASE postgres FROM %s CASCADE', role);
  END LOOP;
  EXECUTE format('ALTER DATABASE template1 SET pgrender.closed = %L', before
    || (SELECT jsonb_build_object('xmin', xmin::text) FROM pg_database WHERE datname = 'postgres'));
END
$caretaker$;
SELECT {CLOSED};
"""

# A session whose `psql` was killed continues its statement. The SQL may have opened sessions with other names. So if it did not
# end well, all superuser sessions that started in that time are terminated, except those of known programs.
END_LEFT = f"""
DO $caretaker$
DECLARE
  before CONSTANT jsonb := coalesce({CLOSED}::jsonb, ({ARGUMENTS})->'closed');
  session CONSTANT jsonb := {SESSION}::jsonb;
  began CONSTANT timestamptz := clock_timestamp();
BEGIN
  FOR attempt IN 0..200 LOOP
    PERFORM pg_stat_clear_snapshot(), pg_sleep(CASE WHEN attempt > 0 THEN 0.1 ELSE 0 END);
    PERFORM pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
      WHERE pid <> pg_backend_pid() AND backend_start < began AND usesysid IN (SELECT oid FROM pg_roles WHERE rolsuper)
      AND (application_name = '{APPLICATION}'
        OR pid = (session->>'pid')::int AND backend_start = (session->>'backend_start')::timestamptz
        OR (({ARGUMENTS})->'died')::boolean AND datname = 'postgres' AND backend_type = 'client backend'
          AND backend_start >= (before->>'since')::timestamptz AND application_name !~ '^(caretaker$|Patroni|pgBackRest)')
      OFFSET 0) AS _;
    IF NOT FOUND THEN
      RETURN;
    END IF;
  END LOOP;
  RAISE EXCEPTION 'a session of the user''s SQL does not end, so database postgres stays closed';
END
$caretaker$;
"""

# Changes by the SQL stay. If it revokes a privilege that is already revoked, only `xmin` of the row changes. So the names in
# `revoked` come from the text of the SQL.
OPEN = f"""
DO $caretaker$
DECLARE
  before CONSTANT jsonb := coalesce({CLOSED}::jsonb, ({ARGUMENTS})->'closed');
  there record;
  item record;
BEGIN
  IF before IS NULL THEN
    RETURN;
  END IF;
  SELECT datconnlimit, xmin::text INTO there FROM pg_database WHERE datname = 'postgres';
  FOR item IN SELECT key::oid AS id, coalesce(rolname, 'public')::text AS name, value::boolean AS is_grantable,
    CASE key WHEN '0' THEN 'PUBLIC' ELSE quote_ident(rolname) END AS grantee
    FROM jsonb_each_text(before->'connect') LEFT JOIN pg_roles ON pg_roles.oid = key::oid WHERE key = '0' OR rolname IS NOT NULL
  LOOP
    IF there.xmin <> before->>'xmin' AND (({ARGUMENTS})->'revoked') ? item.name THEN
      IF NOT EXISTS (SELECT {CONNECTING} AND grantee = item.id) THEN
        RAISE INFO 'left CONNECT revoked from %, as in the SQL', item.grantee;
      END IF;
    ELSE
      EXECUTE format('GRANT CONNECT ON DATABASE postgres TO %s %s', item.grantee,
        CASE WHEN item.is_grantable THEN 'WITH GRANT OPTION' END);
    END IF;
  END LOOP;
  IF there.datconnlimit = 0 THEN
    EXECUTE format('ALTER DATABASE postgres CONNECTION LIMIT %s', (before->>'connection_limit')::int);
  ELSIF there.datconnlimit <> (before->>'connection_limit')::int THEN
    RAISE INFO 'left the CONNECTION LIMIT at %, as in the SQL', there.datconnlimit;
  END IF;
  IF {CLOSED} IS NOT NULL THEN
    ALTER DATABASE template1 RESET pgrender.closed;
  END IF;
  IF {SESSION} IS NOT NULL THEN
    ALTER DATABASE template1 RESET pgrender.init_sql_session;
  END IF;
END
$caretaker$;
"""

COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
REVOKE = re.compile(r"\bREVOKE\s([^;]*?)\sON\s+DATABASE\s([^;]*?)\sFROM\s([^;]*)", re.IGNORECASE)


def revoked(sql: str) -> list[str]:
    """Return the roles from which the SQL revokes CONNECT on `postgres`, or on a database whose name it computes."""
    names: set[str] = set()
    for privileges, databases, grantees in REVOKE.findall(COMMENT.sub(" ", sql)):
        of_connect = re.search(r"\b(CONNECT|ALL)\b", privileges, re.IGNORECASE) and "OPTION FOR" not in privileges.upper()
        if of_connect and re.search(r"\bpostgres\b|[%|:]", databases, re.IGNORECASE):
            names |= {quoted or word.lower() for quoted, word in re.findall(r'"([^"]+)"|([\w$]+)', grantees)}
    return sorted(names)


def reopen(sql: str = "", closed: str = "", died: bool = False) -> None:
    """Open the database again when no session of the user's SQL is left. `closed` is a copy of the stored state, because the SQL
    may have removed that. `died` says that the SQL did not end well."""
    arguments = {"closed": json.loads(closed or "null"), "died": died, "revoked": revoked(sql)}
    psql(END_LEFT, arguments=arguments)
    psql(OPEN, arguments=arguments)


@contextlib.contextmanager
def alone(sql: str) -> Iterator[None]:
    """Close the database `postgres` to all but superusers while this SQL runs."""
    closed, died = "".join(psql(CLOSE)), True
    try:
        psql(END_SESSIONS)
        yield
        died = False
    finally:
        reopen(sql, closed, died)
