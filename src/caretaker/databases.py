"""Databases, roles and what belongs into each database, in PGO's order.

The SQL is PGO's (`internal/postgres`, `internal/pgbouncer`, `internal/pgmonitor`), with a comparison in front of each
change, so that it changes nothing that is right and can say what it changed."""

from __future__ import annotations

from typing import Any

import credentials
from surroundings import SETTINGS, Failure, Wanted, identifier, in_every_database, log, psql, run

# One role after the other, so that one with impossible options does not keep the others from existing.
ROLES = """
SET search_path TO '';
DO $caretaker$
DECLARE
  wanted record;
  database name;
  before jsonb;
  done text[];
  line text;
BEGIN
  FOR wanted IN SELECT * FROM json_to_recordset(current_setting('caretaker.arguments')::json)
    AS _ (name text, options text, verifier text, databases json)
  LOOP
    BEGIN
      done := '{}';
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name) THEN
        EXECUTE format('CREATE USER %I', wanted.name);
        done := done || format('created role %I', wanted.name);
      END IF;
      IF wanted.options <> '' THEN
        before := (SELECT to_jsonb(r) - 'rolpassword' FROM pg_authid r WHERE rolname = wanted.name);
        EXECUTE format('ALTER ROLE %I WITH %s', wanted.name, wanted.options);
        IF before IS DISTINCT FROM (SELECT to_jsonb(r) - 'rolpassword' FROM pg_authid r WHERE rolname = wanted.name) THEN
          done := done || format('gave role %I the options: %s', wanted.name, wanted.options);
        END IF;
      END IF;
      IF wanted.verifier <> '' AND wanted.verifier IS DISTINCT FROM
        (SELECT rolpassword FROM pg_authid WHERE rolname = wanted.name)
      THEN
        EXECUTE format('ALTER ROLE %I PASSWORD %L', wanted.name, wanted.verifier);
        done := done || format('set the password of role %I', wanted.name);
      END IF;
      FOR database IN SELECT datname FROM pg_database
        WHERE datname IN (SELECT json_array_elements_text(wanted.databases)) AND 3 > (
          SELECT count(DISTINCT privilege_type) FROM aclexplode(datacl)
          WHERE grantee = (SELECT oid FROM pg_roles WHERE rolname = wanted.name))
      LOOP
        EXECUTE format('GRANT ALL PRIVILEGES ON DATABASE %I TO %I', database, wanted.name);
        done := done || format('granted database %I to role %I', database, wanted.name);
      END LOOP;
    EXCEPTION WHEN OTHERS THEN
      done := '{}';
      RAISE WARNING 'caretaker: role %: %', quote_ident(wanted.name), SQLERRM;
    END;
    FOREACH line IN ARRAY done LOOP
      RAISE INFO '%', line;
    END LOOP;
  END LOOP;
END
$caretaker$;
"""

SCHEMAS = """
SET search_path TO '';
DO $caretaker$
DECLARE
  role name;
BEGIN
  FOR role IN SELECT rolname FROM json_array_elements_text(current_setting('caretaker.arguments')::json) AS _ (name)
    JOIN pg_roles ON rolname = name WHERE name NOT IN (SELECT nspname FROM pg_namespace)
  LOOP
    EXECUTE format('CREATE SCHEMA %I AUTHORIZATION %I', role, role);
    RAISE INFO 'created schema %', quote_ident(role);
  END LOOP;
END
$caretaker$;
"""

# A role of pgBouncer or of the exporter, before it may log in.
SERVICE_ROLE = """
SET search_path TO '';
DO $caretaker$
DECLARE
  wanted CONSTANT json := current_setting('caretaker.arguments')::json;
  role CONSTANT name := wanted->>'name';
  setting record;
  membership name;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
    EXECUTE format('CREATE ROLE %I NOLOGIN', role);
    RAISE INFO 'created role %', quote_ident(role);
  END IF;
  FOR membership IN SELECT json_array_elements_text(wanted->'memberships') LOOP
    IF NOT pg_has_role(role, membership, 'MEMBER') THEN
      EXECUTE format('GRANT %I TO %I', membership, role);
      RAISE INFO 'granted % to role %', quote_ident(membership), quote_ident(role);
    END IF;
  END LOOP;
  FOR setting IN SELECT key, value FROM json_each_text(wanted->'settings')
    WHERE NOT EXISTS (SELECT FROM pg_db_role_setting JOIN pg_roles ON pg_roles.oid = setrole
      WHERE rolname = role AND setdatabase = 0 AND key || '=' || value = ANY (setconfig))
  LOOP
    EXECUTE format('ALTER ROLE %I SET %I TO %L', role, setting.key, setting.value);
    RAISE INFO 'set % of role %', setting.key, quote_ident(role);
  END LOOP;
END
$caretaker$;
"""

# A verifier lets the role log in; none, once it is no longer wanted, keeps it out.
SERVICE_LOGIN = """
SET search_path TO '';
DO $caretaker$
DECLARE
  wanted CONSTANT json := current_setting('caretaker.arguments')::json;
  role CONSTANT name := wanted->>'name';
  verifier CONSTANT text := wanted->>'verifier';
BEGIN
  IF verifier IS NULL AND EXISTS (SELECT FROM pg_authid WHERE rolname = role AND rolcanlogin) THEN
    EXECUTE format('ALTER ROLE %I NOLOGIN', role);
    RAISE INFO 'role % may no longer log in', quote_ident(role);
  ELSIF NOT EXISTS (SELECT FROM pg_authid WHERE rolname = role AND rolcanlogin AND rolpassword = verifier) AND verifier <> '' THEN
    EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', role, verifier);
    RAISE INFO 'set the password of role %', quote_ident(role);
  END IF;
END
$caretaker$;
"""

# pgBouncer looks up verifiers with a function that shows neither superusers nor replication roles, and its role may do
# nothing else (PGO's internal/pgbouncer/postgres.go).
PGBOUNCER_FUNCTION = """
SET search_path TO '';
DO $caretaker$
DECLARE
  schema name;
  body CONSTANT text := $body$
  SELECT rolname::TEXT, rolpassword::TEXT
  FROM pg_catalog.pg_authid
  WHERE pg_authid.rolname = $1
    AND pg_authid.rolcanlogin
    AND NOT pg_authid.rolsuper
    AND NOT pg_authid.rolreplication
    AND pg_authid.rolname <> '_crunchypgbouncer'
    AND (pg_authid.rolvaliduntil IS NULL OR pg_authid.rolvaliduntil >= CURRENT_TIMESTAMP)
$body$;
BEGIN
  FOR schema IN SELECT nspname FROM pg_namespace WHERE nspname NOT IN ('pg_catalog', 'pgbouncer') AND EXISTS (
    SELECT FROM aclexplode(nspacl) WHERE grantee = (SELECT oid FROM pg_roles WHERE rolname = '_crunchypgbouncer'))
  LOOP
    EXECUTE format('REVOKE ALL PRIVILEGES ON SCHEMA %I FROM _crunchypgbouncer', schema);
    RAISE INFO 'revoked schema % from role _crunchypgbouncer', quote_ident(schema);
  END LOOP;
  IF NOT EXISTS (
    SELECT FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
    WHERE nspname = 'pgbouncer' AND proname = 'get_auth' AND prosrc = body AND prosecdef
      AND has_schema_privilege('_crunchypgbouncer', pronamespace, 'USAGE')
      AND has_function_privilege('_crunchypgbouncer', pg_proc.oid, 'EXECUTE')
      AND NOT EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0)
  ) THEN
    CREATE SCHEMA IF NOT EXISTS pgbouncer;
    REVOKE ALL PRIVILEGES ON SCHEMA pgbouncer FROM PUBLIC, _crunchypgbouncer;
    GRANT USAGE ON SCHEMA pgbouncer TO _crunchypgbouncer;
    EXECUTE format('CREATE OR REPLACE FUNCTION pgbouncer.get_auth(username TEXT)
      RETURNS TABLE(username TEXT, password TEXT) LANGUAGE SQL STABLE SECURITY DEFINER AS %L', body);
    REVOKE ALL PRIVILEGES ON FUNCTION pgbouncer.get_auth(username TEXT) FROM PUBLIC, _crunchypgbouncer;
    GRANT EXECUTE ON FUNCTION pgbouncer.get_auth(username TEXT) TO _crunchypgbouncer;
    RAISE INFO 'made pgbouncer.get_auth';
  END IF;
END
$caretaker$;
"""

MONITORING_EXTENSION = """
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
ALTER EXTENSION pg_stat_statements UPDATE;
"""

MONITORING_SCHEMA = """
SET search_path TO '';
DO $caretaker$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'monitor') THEN
    CREATE SCHEMA monitor AUTHORIZATION ccp_monitoring;
    RAISE INFO 'created schema monitor';
  END IF;
END
$caretaker$;
"""


def extensions(wanted: Wanted) -> None:
    """Create the extensions before the databases, so that new databases inherit them from `template1`."""
    wrong = []
    for extension in wanted.settings["extensions"]:
        try:
            in_every_database(f"CREATE EXTENSION IF NOT EXISTS {identifier(extension)};")
        except Failure as failure:
            wrong.append(str(failure))
    if wrong:
        raise Failure("; ".join(wrong))


def databases(wanted: Wanted) -> None:
    """Create the databases that are missing; existing ones are left as they are."""
    existing = psql("SELECT datname FROM pg_catalog.pg_database")
    for database in sorted(set(wanted.settings["databases"]) - set(existing)):
        psql(f"CREATE DATABASE {identifier(database)}")
        log(f"created database {identifier(database)}")


# That the user's SQL ran is remembered where its effects are: it goes with the data into backups and to replicas.
INIT_SQL_DONE = """
SELECT setting FROM pg_catalog.pg_db_role_setting, unnest(setconfig) AS setting
WHERE setrole = 0 AND setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = 'postgres')
AND setting LIKE 'pgrender.database\\_init\\_sql=%'
"""
INIT_SQL_SECONDS = 3600


def init_sql(wanted: Wanted) -> None:
    """Run the user's SQL once (`spec.databaseInitSQL`), as PGO does: in `postgres`, and on after an error.

    It runs again only after the field has been taken out of the spec for a while."""
    name = wanted.settings["databaseInitSQL"]
    done = psql(INIT_SQL_DONE)
    if done and not name:
        psql("ALTER DATABASE postgres RESET pgrender.database_init_sql")
    if done or not name:
        return
    try:
        sql = (SETTINGS / "init.sql").read_text()
    except OSError:
        raise Failure(f"ConfigMap {name} or its key is not there") from None
    command = ["psql", "--no-psqlrc", "--no-password", "--quiet", "--set=VERBOSITY=terse", "--file=-"]
    result = run(command, INIT_SQL_SECONDS, sql, PGDATABASE="postgres", PGAPPNAME="caretaker", PGCLIENTENCODING="UTF8")
    if result.returncode != 0:
        raise Failure(f"psql ended with {result.returncode} on the SQL of ConfigMap {name}")
    literal = name.replace("'", "''")
    psql(f"ALTER DATABASE postgres SET pgrender.database_init_sql = '{literal}'")
    errors = [line for line in result.stderr.splitlines() if "ERROR:" in line]
    log(f"ran the SQL of ConfigMap {name} once; {len(errors)} statements failed")
    for line in errors[:5]:
        log(f"init.sql: {line.removeprefix('psql:')}")


def users(wanted: Wanted) -> None:
    """Create roles, set options and passwords, grant databases. `postgres` is what PGO makes of it, whatever is asked."""
    superuser = {"options": "LOGIN SUPERUSER", "databases": ["postgres"]}
    roles = [{**user, **superuser} if user["name"] == "postgres" else user for user in wanted.roles["users"]]
    roles, wrong = credentials.complete(roles)
    psql(ROLES, arguments=roles)
    if wrong:
        raise Failure("; ".join(wrong))


def schemas(wanted: Wanted) -> None:
    """Give each user a schema of their own in each of their databases (annotation `autoCreateUserSchema`)."""
    owners: dict[str, list[str]] = {}
    for user in wanted.roles["users"] if wanted.settings["schemaPerUser"] else []:
        if user["name"] not in ("public", "pgbouncer", "monitor"):
            for database in user["databases"]:
                owners.setdefault(database, []).append(user["name"])
    for database, names in owners.items():
        psql(SCHEMAS, database, names)


def pgbouncer(wanted: Wanted) -> None:
    """Let pgBouncer look up passwords in every database, or keep its role out when there is no pgBouncer."""
    role = wanted.roles["pgbouncer"] or {"name": "_crunchypgbouncer", "verifier": None}
    if wanted.roles["pgbouncer"]:
        psql(SERVICE_ROLE, arguments={**role, "memberships": [], "settings": {"search_path": "pgbouncer"}})
        in_every_database(PGBOUNCER_FUNCTION)
    log_in(role)


def monitoring(wanted: Wanted) -> None:
    """Let the exporter read statistics, or keep its role out when there is no exporter."""
    role = wanted.roles["monitoring"] or {"name": "ccp_monitoring", "verifier": None}
    if wanted.roles["monitoring"]:
        in_every_database(MONITORING_EXTENSION)
        limits = {"lock_timeout": "2min", "jit": "off"}
        psql(SERVICE_ROLE, arguments={**role, "memberships": ["pg_monitor"], "settings": limits})
        psql(MONITORING_SCHEMA)
    log_in(role)


def log_in(role: dict[str, Any]) -> None:
    """Let a role of pgBouncer or of the exporter log in with its verifier, or keep it out without."""
    [role], wrong = credentials.complete([role])
    psql(SERVICE_LOGIN, arguments=role)
    if wrong:
        raise Failure("; ".join(wrong))
