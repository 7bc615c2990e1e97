"""The database `postgres` while the user's SQL (`spec.databaseInitSQL`) runs: it takes none but superusers.

Whoever could come in meanwhile could have the SQL run their code. So it is opened only when no session of the SQL is left."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator

from ours import remembered
from postgres import psql

# What sessions of the user's SQL are called from the beginning, also those of `\c` and of programs that it starts.
APPLICATION = "caretaker init.sql"

# Who is connected could add something meanwhile, also as a role that was dropped since, for a session stays. One that was let in
# and is not in pg_stat_activity yet has a lock on the database until it has begun, and whoever connects may have that take long
# (PostgreSQL, "Developer Options", post_auth_delay). Honest ones have begun within a second; who comes later finds it closed.
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
  RAISE EXCEPTION 'sessions of others in database postgres do not end';
END
$caretaker$;
"""

# Who may connect, and how many, is remembered before it is closed, because a pod may end meanwhile: in settings of `template1`, for
# the user's SQL may well reset those of `postgres`. So is which session it was: it may call itself something else later.
CLOSED = remembered("closed", "template1")
SESSION = remembered("init_sql_session", "template1")
ARGUMENTS = "current_setting('caretaker.arguments')::jsonb"

# Run in the session of the user's SQL itself, with its path.
INTRODUCE = """
DO $caretaker$
BEGIN
  EXECUTE pg_catalog.format('ALTER DATABASE template1 SET pgrender.init_sql_session = %L', (
    SELECT pg_catalog.jsonb_build_object('pid', pid, 'backend_start', backend_start)
    FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()));
END
$caretaker$;
"""

# The limit does not hold for sessions with `replication=database` and for background workers; the privilege holds for all
# (PostgreSQL, `CheckMyDatabase`), but somebody may be granted it meanwhile.
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

# A session whose `psql` was ended goes on with its statement. The SQL may have connected again and given these sessions other
# names: where it came to no good end, all go that superusers began meanwhile, but for those of known programs.
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

# What the SQL has changed stays. To revoke what is revoked changes the row of the database, and nothing in it: for that one has to
# look into the SQL, which gives the names in `revoked`.
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
        RAISE INFO 'left CONNECT revoked from %, as the SQL has it', item.grantee;
      END IF;
    ELSE
      EXECUTE format('GRANT CONNECT ON DATABASE postgres TO %s %s', item.grantee,
        CASE WHEN item.is_grantable THEN 'WITH GRANT OPTION' END);
    END IF;
  END LOOP;
  IF there.datconnlimit = 0 THEN
    EXECUTE format('ALTER DATABASE postgres CONNECTION LIMIT %s', (before->>'connection_limit')::int);
  ELSIF there.datconnlimit <> (before->>'connection_limit')::int THEN
    RAISE INFO 'left the CONNECTION LIMIT at %, as the SQL has it', there.datconnlimit;
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
    """From whom the SQL revokes CONNECT on `postgres`, or on a database whose name it puts together."""
    names: set[str] = set()
    for privileges, databases, grantees in REVOKE.findall(COMMENT.sub(" ", sql)):
        of_connect = re.search(r"\b(CONNECT|ALL)\b", privileges, re.IGNORECASE) and "OPTION FOR" not in privileges.upper()
        if of_connect and re.search(r"\bpostgres\b|[%|:]", databases, re.IGNORECASE):
            names |= {quoted or word.lower() for quoted, word in re.findall(r'"([^"]+)"|([\w$]+)', grantees)}
    return sorted(names)


def reopen(sql: str = "", closed: str = "", died: bool = False) -> None:
    """Let everybody in again, when nothing of the user's SQL is left. `closed` is what is remembered here, should it be gone there;
    `died` says that the SQL came to no good end."""
    arguments = {"closed": json.loads(closed or "null"), "died": died, "revoked": revoked(sql)}
    psql(END_LEFT, arguments=arguments)
    psql(OPEN, arguments=arguments)


@contextlib.contextmanager
def alone(sql: str) -> Iterator[None]:
    """Keep all but superusers out of the database `postgres` while this SQL runs."""
    closed, died = "".join(psql(CLOSE)), True
    try:
        psql(END_SESSIONS)
        yield
        died = False
    finally:
        reopen(sql, closed, died)
