"""Databases, the user's SQL, and schemas of users, in PGO's order (`internal/postgres`).

The SQL compares before it changes anything, so that it changes nothing that is right and can say what it changed."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator

from impatience import impatience
from ours import known, record, remember, remembered
from postgres import DATABASE_SECONDS, identifier, psql
from session import connection_options, failures
from surroundings import SETTINGS, Failure, Wanted, log, run

# Whoever is connected to `template1` keeps databases from being created, and whoever may connect may leave something for
# later ones. Nobody has to: to copy it takes no connection.
CLOSE_TEMPLATE = """
DO $caretaker$
BEGIN
  IF EXISTS (SELECT FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))
    WHERE datname = 'template1' AND grantee = 0 AND privilege_type = 'CONNECT')
  THEN
    REVOKE CONNECT ON DATABASE template1 FROM PUBLIC;
    RAISE INFO 'revoked CONNECT on database template1 from PUBLIC';
  END IF;
END
$caretaker$;
"""

# Sessions that were there before, and what they prepared.
EMPTY_TEMPLATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity JOIN pg_roles ON pg_roles.oid = usesysid
WHERE datname = 'template1' AND NOT rolsuper \\g /dev/null
SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts JOIN pg_roles ON rolname = owner
WHERE database = 'template1' AND NOT rolsuper \\gexec
"""

# Those of the spec are the superuser's, and were so when they were made. The first time, with data of an earlier version or of
# PGO, all that are there are taken for ours; in a copy that was restored, those that were so by their names.
EXISTING = """
DO $caretaker$
DECLARE
  more jsonb;
BEGIN
  more := (SELECT jsonb_object_agg(datname, pg_database.oid::text) FROM pg_database JOIN pg_roles ON pg_roles.oid = datdba
    WHERE KNOWN->>datname IS DISTINCT FROM pg_database.oid::text AND CASE
      WHEN rolsuper THEN true WHEN KNOWN IS NOT NULL THEN false WHEN RECORD IS NULL THEN true ELSE RECORD->'known' ? datname::text END);
  IF KNOWN IS NULL OR more IS NOT NULL THEN
    REMEMBER
  END IF;
END
$caretaker$;
SELECT coalesce(json_object_agg(datname, CASE WHEN KNOWN->>datname IS DISTINCT FROM pg_database.oid::text THEN quote_ident(rolname)
  END), '{}') FROM pg_database JOIN pg_roles ON pg_roles.oid = datdba;
""".replace("REMEMBER", remember("databases")).replace("KNOWN", known("databases")).replace("RECORD", record("databases"))

# A schema of another role would have the user run that role's functions: it is first in the user's path.
SCHEMAS = """
DO $caretaker$
DECLARE
  item record;
BEGIN
  FOR item IN SELECT r.rolname AS role, o.rolname AS owner
    FROM json_array_elements_text(current_setting('caretaker.arguments')::json) AS _ (name)
    JOIN pg_roles r ON r.rolname = name LEFT JOIN (pg_namespace JOIN pg_roles o ON o.oid = nspowner) ON nspname = name
    WHERE r.rolname IS DISTINCT FROM o.rolname
  LOOP
    BEGIN
      IF item.owner IS NOT NULL THEN
        RAISE EXCEPTION 'is owned by role %, so it is not the schema of this user: rename it or give it to them',
          quote_ident(item.owner);
      END IF;
      EXECUTE format('CREATE SCHEMA %I AUTHORIZATION %I', item.role, item.role);
      RAISE INFO 'created schema %', quote_ident(item.role);
    EXCEPTION WHEN OTHERS THEN
      RAISE WARNING 'schema % %', quote_ident(item.role), SQLERRM;
    END;
  END LOOP;
END
$caretaker$;
"""

# That the user's SQL ran is remembered where its effects are: it goes with the data into backups and to replicas.
INIT_SQL_DONE = f"SELECT 1 WHERE {remembered('database_init_sql')} IS NOT NULL"
INIT_SQL_SECONDS = 3600

# The author of the SQL expects `public` in the path, and that what is there is their own. Functions and operators of others could
# be taken for those of pg_catalog, and tables of others have triggers that the author's statements would run. So nobody but a
# superuser may own anything in the database but a schema or a large object; before PostgreSQL 15 everybody may create in `public`.
# Each statement is a transaction: what is revoked stays so when the next finds something.
NO_STRANGERS = """
DO $caretaker$
BEGIN
  IF EXISTS (SELECT FROM pg_namespace, aclexplode(nspacl)
    WHERE nspname = 'public' AND grantee = 0 AND privilege_type = 'CREATE')
  THEN
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    RAISE INFO 'revoked CREATE on schema public from PUBLIC, as it is since PostgreSQL 15';
  END IF;
END
$caretaker$;
DO $caretaker$
DECLARE
  strangers CONSTANT text := (SELECT string_agg(DISTINCT quote_ident(rolname), ', ') FROM (
    SELECT refobjid FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND deptype = 'o'
      AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid NOT IN ('pg_namespace'::regclass, 'pg_largeobject'::regclass)
    UNION SELECT oid FROM pg_roles WHERE rolname IN (SELECT owner FROM pg_prepared_xacts WHERE database = current_database())
  ) AS _ (id) JOIN pg_roles ON pg_roles.oid = id WHERE NOT rolsuper);
BEGIN
  IF strangers IS NOT NULL THEN
    RAISE EXCEPTION 'the user''s SQL could run code of role %, which owns something in database postgres, or has prepared a '
      'transaction: drop it, or give it to a superuser', strangers;
  END IF;
END
$caretaker$;
"""

# Who is connected could add something meanwhile.
END_SESSIONS = """
DO $caretaker$
BEGIN
  FOR attempt IN 0..50 LOOP
    PERFORM pg_stat_clear_snapshot(), pg_sleep(CASE WHEN attempt > 0 THEN 0.1 ELSE 0 END);
    PERFORM pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity JOIN pg_roles ON pg_roles.oid = usesysid
      WHERE datname = current_database() AND NOT rolsuper OFFSET 0) AS _;
    IF NOT FOUND THEN
      RETURN;
    END IF;
  END LOOP;
  RAISE EXCEPTION 'sessions of others in database postgres do not end';
END
$caretaker$;
"""

# How many connections `postgres` takes is remembered while it takes none but a superuser's, because a pod may end meanwhile.
LIMIT = remembered("connection_limit")
CLOSE = f"""
DO $caretaker$
BEGIN
  IF {LIMIT} IS NULL THEN
    EXECUTE format('ALTER DATABASE postgres SET pgrender.connection_limit = %L',
      (SELECT datconnlimit FROM pg_database WHERE datname = 'postgres'));
  END IF;
  ALTER DATABASE postgres CONNECTION LIMIT 0;
END
$caretaker$;
"""
OPEN = f"""
DO $caretaker$
BEGIN
  IF {LIMIT} IS NOT NULL THEN
    EXECUTE format('ALTER DATABASE postgres CONNECTION LIMIT %s', {LIMIT}::int);
    ALTER DATABASE postgres RESET pgrender.connection_limit;
  END IF;
END
$caretaker$;
"""

# While the user's SQL runs, the program does not become a new version of itself, which would run it again.
INIT_SQL_RUNS = threading.Lock()

# Set when users and databases were made once, for the SQL may need them.
INIT_SQL_MAY_RUN = threading.Event()

NOT_OURS = "is of role {} and not made by the caretaker: rename it, or ALTER DATABASE … OWNER TO postgres if you trust what is in it"


def owners() -> dict[str, str | None]:
    """All databases, each with the role that owns it where it is not ours. Those that are, are remembered."""
    return dict(json.loads("".join(psql(EXISTING))))


def databases(wanted: Wanted) -> None:
    """Create the databases that are missing; existing ones are left as they are."""
    wrong = []
    try:
        psql(CLOSE_TEMPLATE, seconds=DATABASE_SECONDS)
    except Failure as failure:
        wrong.append(f"database template1: {failure}")
    names = wanted.settings["databases"]
    existing = owners()
    wrong += [f"database {name}: {NOT_OURS.format(existing[name])}" for name in names if existing.get(name)]
    missing = sorted(set(names) - set(existing))
    if missing:
        psql(EMPTY_TEMPLATE, "template1")
    for database in missing:
        try:
            psql(f"CREATE DATABASE {identifier(database)}")
            log(f"created database {identifier(database)}")
        except Failure as failure:
            wrong.append(f"database {database}: {failure}")
    if missing:
        owners()
    if wrong:
        raise Failure(failures(wrong))


def allow_init_sql(_: Wanted) -> None:
    """Let the user's SQL begin, after the duties before this one."""
    INIT_SQL_MAY_RUN.set()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Keep all but superusers out of the database `postgres`."""
    psql(CLOSE)
    try:
        psql(END_SESSIONS)
        yield
    finally:
        psql(OPEN)


def init_sql(wanted: Wanted) -> float | None:
    """Run the user's SQL once (`spec.databaseInitSQL`), as PGO does: in `postgres`, and on after an error.

    It runs again only after the field has been taken out of the spec for a while. It may take long, so it has a thread of its
    own."""
    if not INIT_SQL_MAY_RUN.is_set():
        return 1
    psql(OPEN)
    name = wanted.settings["databaseInitSQL"]
    done = psql(INIT_SQL_DONE)
    if done and not name:
        psql("ALTER DATABASE postgres RESET pgrender.database_init_sql")
    if done or not name:
        return None
    try:
        sql = (SETTINGS / "init.sql").read_text()
    except OSError:
        raise Failure(f"ConfigMap {name} or its key is not there") from None
    command = ["psql", "--no-psqlrc", "--no-password", "--quiet", "--set=VERBOSITY=terse", "--file=-"]
    # Without "$user": a role that may create in `postgres` may own a schema of the superuser's name.
    options = connection_options({"search_path": "public", "role": "none", "local_preload_libraries": ""})
    environment = {"PGDATABASE": "postgres", "PGAPPNAME": "caretaker", "PGCLIENTENCODING": "UTF8", "PGOPTIONS": options}
    psql(NO_STRANGERS)
    with INIT_SQL_RUNS, alone(), impatience():
        psql(NO_STRANGERS)
        result = run(command, INIT_SQL_SECONDS, sql, **environment)
    if result.returncode != 0:
        raise Failure(f"psql ended with {result.returncode} on the SQL of ConfigMap {name}")
    literal = name.replace("'", "''")
    psql(f"ALTER DATABASE postgres SET pgrender.database_init_sql = '{literal}'")
    errors = [line for line in result.stderr.split("\n") if "ERROR:" in line]
    log(f"ran the SQL of ConfigMap {name} once; {len(errors)} statements failed")
    for line in errors[:5]:
        log(f"init.sql: {line.removeprefix('psql:')}")
    return None


def schemas(wanted: Wanted) -> None:
    """Give each user a schema of their own in each of their databases (annotation `autoCreateUserSchema`)."""
    schemas_of: dict[str, list[str]] = {}
    for user in wanted.roles["users"] if wanted.settings["schemaPerUser"] else []:
        if user["name"] not in ("public", "pgbouncer", "monitor"):
            for database in user["databases"]:
                schemas_of.setdefault(database, []).append(user["name"])
    wrong = []
    of_others = owners() if schemas_of else {}
    for database, names in schemas_of.items():
        if of_others.get(database):
            continue  # it is told where databases are
        try:
            psql(SCHEMAS, database, names, DATABASE_SECONDS)
        except Failure as failure:
            wrong.append(f"database {database}: {failure}")
    if wrong:
        raise Failure(failures(wrong))
