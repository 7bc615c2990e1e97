"""Databases, the user's SQL, and schemas of users, in PGO's order (`internal/postgres`).

The SQL changes only what differs, and reports each change."""

from __future__ import annotations

import json
import threading

from closed import APPLICATION, INTRODUCE, alone, reopen
from impatience import impatience
from ours import known, record, remember, remembered
from postgres import DATABASE_SECONDS, identifier, psql
from session import connection_options, failures, version
from surroundings import SETTINGS, Failure, Wanted, log, run

# A session in `template1` blocks CREATE DATABASE, and could add objects that later databases copy. No role needs to connect to
# it: PostgreSQL copies it without a connection.
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

# Terminates existing sessions and rolls back their prepared transactions. The role of either may have been dropped since.
EMPTY_TEMPLATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = 'template1' AND usesysid NOT IN (SELECT oid FROM pg_roles WHERE rolsuper) \\g /dev/null
SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts LEFT JOIN pg_roles ON rolname = owner
WHERE database = 'template1' AND rolsuper IS NOT TRUE \\gexec
"""

# The caretaker creates databases as the superuser, so a superuser owns them. On the first run, with data of an earlier version or
# of PGO, all existing databases become ours. In a restored copy, those become ours whose names were ours before.
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

# The schema is first in the user's search_path. If another role owned it, the user could run functions of that role.
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
        RAISE EXCEPTION 'is owned by role %, so it is not the schema of this user: rename it or change its owner',
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

# The fact that the user's SQL ran is stored in the database, like its effects. So backups and replicas contain both.
INIT_SQL_DONE = f"SELECT 1 WHERE {remembered('database_init_sql')} IS NOT NULL"
INIT_SQL_SECONDS = 3600

# If the session cannot store its identity first, it runs nothing. After that, it continues after errors.
INIT_SQL_COMMAND = ["psql", "--no-psqlrc", "--no-password", "--quiet", "--set=VERBOSITY=terse", "--set=ON_ERROR_STOP=1"]
INIT_SQL_COMMAND += [f"--command={INTRODUCE}", "--command=\\unset ON_ERROR_STOP", "--file=-"]

# The author of the SQL expects `public` in the search_path, with only their own objects in it. But functions and operators of
# other roles could be found instead of those in pg_catalog, and the author's statements would fire triggers on tables of other
# roles. So only a superuser may own the database, because its owner sets settings of its sessions, and the objects in it, except
# schemas and large objects. Before PostgreSQL 15, every role may create objects in `public`. The check reads every catalog with
# an owner column, because `pg_shdepend` does not list what predefined roles own (PostgreSQL, "System Catalogs", pg_shdepend).
# A trigger has no owner. The TRIGGER privilege lets other roles create one. Its condition, and SQL that a function builds from
# its arguments, run with the rights of the role that changes the table (PostgreSQL, "Privileges" and "CREATE TRIGGER"). A role
# may have lost TRIGGER later, and a restored dump may have the triggers without the privileges. So a trigger with a condition or
# arguments is refused on any table. Such triggers are rare in `postgres` before this SQL, which may create them again. But if
# the check missed a tenant's trigger, the tenant would become a superuser.
# Each statement is a transaction, so the REVOKE stays if the next statement fails.
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
  owners text := $owners$
    SELECT datdba, 'pg_database' FROM pg_database WHERE datname = current_database()
    UNION SELECT subowner, 'pg_subscription' FROM pg_subscription JOIN pg_database ON pg_database.oid = subdbid
      WHERE datname = current_database()
    UNION SELECT coalesce(pg_roles.oid, 0), 'pg_prepared_xacts' FROM pg_prepared_xacts LEFT JOIN pg_roles ON rolname = owner
      WHERE database = current_database() $owners$;
  strangers text;
  catalogs text;
  problem text;
BEGIN
  owners := owners || (SELECT string_agg(format('UNION SELECT %I, %L FROM %s', attname, relname, pg_class.oid::regclass), ' ')
    FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' AND NOT relisshared
    AND attnum > 0 AND atttypid = 'oid'::regtype AND attname LIKE '%owner'
    AND relname NOT IN ('pg_namespace', 'pg_largeobject_metadata'));
  EXECUTE format('SELECT string_agg(DISTINCT quote_ident(pg_get_userbyid(id)), '', ''), string_agg(DISTINCT catalog, '', '')
    FROM (%s) AS _ (id, catalog) WHERE id NOT IN (SELECT oid FROM pg_roles WHERE rolsuper)', owners) INTO strangers, catalogs;
  IF strangers IS NOT NULL THEN
    RAISE EXCEPTION 'the user''s SQL could run code of role %, which owns something in database postgres (see %): drop it, or review '
      'it and change its owner to a superuser', strangers, catalogs;
  END IF;
  problem := (SELECT string_agg(format('trigger %I on table %I.%I', tgname, nspname, relname), ', ' ORDER BY pg_trigger.oid)
    FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE NOT tgisinternal
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_trigger'::regclass AND objid = pg_trigger.oid AND deptype = 'e')
    AND (tgqual IS NOT NULL OR tgnargs > 0 OR EXISTS (SELECT FROM aclexplode(relacl)
      WHERE privilege_type = 'TRIGGER' AND grantee NOT IN (SELECT oid FROM pg_roles WHERE rolsuper))));
  IF problem IS NOT NULL THEN
    RAISE EXCEPTION 'the user''s SQL could run a trigger that a role with TRIGGER on a table may have created: %: revoke TRIGGER and '
      'drop the trigger; if you need it, create it in the SQL', problem;
  END IF;
END
$caretaker$;
"""

# While the user's SQL runs, the program is not replaced by a new version, which would run the SQL again.
INIT_SQL_RUNS = threading.Lock()

# Set after users and databases were created once, because the SQL may need them.
INIT_SQL_MAY_RUN = threading.Event()

NOT_OURS = "is owned by role {} and was not created by the caretaker: rename it, or ALTER DATABASE … OWNER TO postgres if you trust it"


def owners() -> dict[str, str | None]:
    """Return all databases, each with its owner if the database is not ours. Record those that are ours."""
    return dict(json.loads("".join(psql(EXISTING))))


def databases(wanted: Wanted) -> None:
    """Create the missing databases, and leave existing ones unchanged."""
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
    """Let the user's SQL start, because the duties before this one have run."""
    INIT_SQL_MAY_RUN.set()


def init_sql(wanted: Wanted) -> float | None:
    """Run the user's SQL once (`spec.databaseInitSQL`), as PGO does: in `postgres`, and it continues after an error.

    It runs again only after the field was removed from the spec for some time. It may take long, so it has its own thread."""
    if not INIT_SQL_MAY_RUN.is_set():
        return 1
    reopen(died=True)
    name = wanted.settings["databaseInitSQL"]
    done = psql(INIT_SQL_DONE)
    if done and not name:
        psql("ALTER DATABASE postgres RESET pgrender.database_init_sql")
    if done or not name:
        return None
    try:
        sql = (SETTINGS / "init.sql").read_text()
    except OSError:
        raise Failure(f"ConfigMap {name} or its key does not exist") from None
    # Without "$user", because a role that may create in `postgres` may own a schema with the superuser's name. Unless the SQL
    # changes the timeouts, Postgres ends a statement that takes too long, or whose client is gone.
    settings = {"search_path": "public", "role": "none", "local_preload_libraries": ""}
    settings["statement_timeout"] = f"{INIT_SQL_SECONDS * 950}ms"
    if version() >= 14:
        settings["client_connection_check_interval"] = "1s"
    options = connection_options(settings)
    environment = {"PGDATABASE": "postgres", "PGAPPNAME": APPLICATION, "PGCLIENTENCODING": "UTF8", "PGOPTIONS": options}
    psql(NO_STRANGERS)
    with INIT_SQL_RUNS, alone(sql), impatience():
        psql(NO_STRANGERS)
        result = run(INIT_SQL_COMMAND, INIT_SQL_SECONDS, sql, **environment)
        if result.returncode != 0:
            raise Failure(f"psql ended with exit code {result.returncode} for the SQL of ConfigMap {name}")
    literal = name.replace("'", "''")
    psql(f"ALTER DATABASE postgres SET pgrender.database_init_sql = '{literal}'")
    errors = [line for line in result.stderr.split("\n") if "ERROR:" in line]
    log(f"ran the SQL of ConfigMap {name} once; {len(errors)} statements failed")
    for line in errors[:5]:
        log(f"init.sql: {line.removeprefix('psql:')}")
    return None


def schemas(wanted: Wanted) -> None:
    """Create a schema for each user in each of their databases (annotation `autoCreateUserSchema`)."""
    schemas_of: dict[str, list[str]] = {}
    for user in wanted.roles["users"] if wanted.settings["schemaPerUser"] else []:
        if user["name"] not in ("public", "pgbouncer", "monitor"):
            for database in user["databases"]:
                schemas_of.setdefault(database, []).append(user["name"])
    wrong = []
    of_others = owners() if schemas_of else {}
    for database, names in schemas_of.items():
        if of_others.get(database):
            continue  # the duty `databases` reports it
        try:
            psql(SCHEMAS, database, names, DATABASE_SECONDS)
        except Failure as failure:
            wrong.append(f"database {database}: {failure}")
    if wrong:
        raise Failure(failures(wrong))
