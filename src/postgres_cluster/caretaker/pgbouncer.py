"""PgBouncer's role, and the function in every database with which it looks up verifiers."""

from __future__ import annotations

from postgres import DATABASE_SECONDS, EveryDatabase, psql
from roles import service_role
from surroundings import Failure, Wanted

# No other role may own our schema or functions in it. If a role created or restored the schema first, the schema may contain
# tables, so it is neither dropped nor taken over but renamed. Its owner may rename it at any time, but not while its row is
# locked. If `owner` is null, the superuser owns the schema. A schema of the role `before`, which is ours too, becomes the owner's.
OWN_SCHEMA = """
DO $caretaker$
DECLARE
  wanted CONSTANT json := current_setting('caretaker.arguments')::json;
  place CONSTANT name := wanted->>'schema';
  owner CONSTANT name := coalesce(wanted->>'owner', current_user);
  ours CONSTANT name[] := ARRAY[owner, coalesce(wanted->>'before', owner)];
  there record;
  aside name;
BEGIN
  SELECT pg_namespace.oid, rolname, rolsuper INTO there FROM pg_namespace JOIN pg_roles ON pg_roles.oid = nspowner
    WHERE nspname = place FOR UPDATE OF pg_namespace;
  IF FOUND AND (there.rolname <> ALL (ours) AND NOT there.rolsuper OR EXISTS (
    SELECT FROM pg_proc JOIN pg_roles ON pg_roles.oid = proowner
    WHERE pronamespace = there.oid AND rolname <> ALL (ours) AND NOT rolsuper))
  THEN
    LOOP
      aside := format('%s_%s', place, md5(random()::text));
      EXIT WHEN NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = aside);
    END LOOP;
    EXECUTE format('ALTER SCHEMA %I RENAME TO %I', place, aside);
    RAISE INFO 'renamed schema % of role % to %: it must have no objects of other roles', quote_ident(place),
      quote_ident(there.rolname), quote_ident(aside);
    there := NULL;
  END IF;
  IF there IS NULL THEN
    EXECUTE format('CREATE SCHEMA %I AUTHORIZATION %I', place, owner);
    RAISE INFO 'created schema %', quote_ident(place);
  ELSIF there.rolname <> owner THEN
    EXECUTE format('ALTER SCHEMA %I OWNER TO %I', place, owner);
    RAISE INFO 'changed the owner of schema % to role %', quote_ident(place), quote_ident(owner);
  END IF;
END
$caretaker$;
"""

# The function hides superusers and replication roles (PGO's internal/pgbouncer/postgres.go). The caller sets the search_path, so
# the function has its own, with `pg_temp` last (PostgreSQL, "Writing SECURITY DEFINER Functions Safely"). Otherwise a temporary
# type of the caller would be found before that of pg_catalog. In addition, all names have a schema. It only answers sessions of
# PgBouncer's role. Otherwise a SECURITY DEFINER function owned by that role could call it for other roles.
FUNCTION = """
DO $caretaker$
DECLARE
  us CONSTANT oid := (SELECT oid FROM pg_roles WHERE rolname = current_user);
  bouncer CONSTANT oid := (SELECT oid FROM pg_roles WHERE rolname = '_crunchypgbouncer');
  schema oid;
  item record;
  body CONSTANT text := $body$
  SELECT rolname::pg_catalog.text, rolpassword::pg_catalog.text
  FROM pg_catalog.pg_authid
  WHERE pg_authid.rolname::pg_catalog.text OPERATOR(pg_catalog.=) $1
    AND SESSION_USER OPERATOR(pg_catalog.=) '_crunchypgbouncer'::pg_catalog.name
    AND pg_authid.rolcanlogin
    AND NOT pg_authid.rolsuper
    AND NOT pg_authid.rolreplication
    AND pg_authid.rolname OPERATOR(pg_catalog.<>) '_crunchypgbouncer'::pg_catalog.name
    AND (pg_authid.rolvaliduntil IS NULL OR pg_authid.rolvaliduntil OPERATOR(pg_catalog.>=) CURRENT_TIMESTAMP)
$body$;
BEGIN
  SELECT oid INTO schema FROM pg_namespace WHERE nspname = 'pgbouncer' AND nspowner = us;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'schema pgbouncer is owned by another role';
  END IF;
  IF ARRAY(SELECT format('%s %s %s', grantee, privilege_type, is_grantable) FROM pg_namespace, aclexplode(nspacl)
    WHERE pg_namespace.oid = schema AND grantee <> us) <> ARRAY[format('%s USAGE f', bouncer)]
  THEN
    FOR item IN SELECT DISTINCT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee
      FROM pg_namespace, aclexplode(nspacl) WHERE pg_namespace.oid = schema AND grantee <> us
    LOOP
      EXECUTE format('REVOKE ALL PRIVILEGES ON SCHEMA pgbouncer FROM %s CASCADE', item.grantee);
    END LOOP;
    GRANT USAGE ON SCHEMA pgbouncer TO _crunchypgbouncer;
    RAISE INFO 'granted USAGE on schema pgbouncer to role _crunchypgbouncer only';
  END IF;
  -- There must be no other function of that name, and this one must be right.
  IF 1 <> (SELECT count(*) FROM pg_proc WHERE pronamespace = schema AND proname = 'get_auth') OR NOT EXISTS (
    SELECT FROM pg_proc JOIN pg_language ON pg_language.oid = prolang
    WHERE pg_proc.oid = to_regprocedure('pgbouncer.get_auth(text)') AND proowner = us AND lanname = 'sql' AND prosrc = body
      AND prokind = 'f' AND prosecdef AND provolatile = 's' AND proretset AND prorettype = 'pg_catalog.record'::regtype
      AND proallargtypes = ARRAY['text'::regtype, 'text'::regtype, 'text'::regtype]::oid[] AND proargmodes = '{i,t,t}'
      AND proargnames = '{username,username,password}' AND pronargdefaults = 0
      AND proconfig = ARRAY['search_path=pg_catalog, pg_temp']
      AND ARRAY(SELECT format('%s %s %s', grantee, privilege_type, is_grantable) FROM aclexplode(proacl) WHERE grantee <> us)
        = ARRAY[format('%s EXECUTE f', bouncer)]
  ) THEN
    FOR item IN SELECT pg_proc.oid::regprocedure AS function FROM pg_proc WHERE pronamespace = schema AND proname = 'get_auth' LOOP
      EXECUTE format('DROP ROUTINE %s', item.function);
    END LOOP;
    EXECUTE format('CREATE FUNCTION pgbouncer.get_auth(username TEXT) RETURNS TABLE(username TEXT, password TEXT)
      LANGUAGE SQL STABLE SECURITY DEFINER SET search_path TO pg_catalog, pg_temp AS %L', body);
    -- ALTER DEFAULT PRIVILEGES may have granted other privileges.
    FOR item IN SELECT DISTINCT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee
      FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner)))
      WHERE pg_proc.oid = to_regprocedure('pgbouncer.get_auth(text)') AND grantee <> us
    LOOP
      EXECUTE format('REVOKE ALL PRIVILEGES ON FUNCTION pgbouncer.get_auth(TEXT) FROM %s CASCADE', item.grantee);
    END LOOP;
    GRANT EXECUTE ON FUNCTION pgbouncer.get_auth(TEXT) TO _crunchypgbouncer;
    RAISE INFO 'created function pgbouncer.get_auth';
  END IF;
  -- A copy in a schema of another role would run with our rights and the search_path of its caller.
  FOR item IN SELECT nspname, pg_proc.oid AS id FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
    JOIN pg_roles ON pg_roles.oid = proowner
    WHERE pronamespace <> schema AND proname = 'get_auth' AND prosecdef AND rolsuper AND prosrc LIKE '%pg_authid%'
    FOR UPDATE OF pg_namespace
  LOOP
    EXECUTE format('ALTER ROUTINE %s SECURITY INVOKER', item.id::regprocedure);
    RAISE INFO 'changed function % to SECURITY INVOKER', item.id::regprocedure;
  END LOOP;
END
$caretaker$;
"""

# Other roles may grant this role USAGE on their schemas, so that it finds their objects. There may be any number of such schemas.
SCHEMAS_OF_OTHERS = """
DO $caretaker$
DECLARE
  item record;
  revoked bigint := 0;
BEGIN
  FOR item IN SELECT nspname FROM pg_namespace WHERE nspname NOT IN ('pg_catalog', 'pgbouncer') AND EXISTS (
    SELECT FROM aclexplode(nspacl) WHERE grantee = (SELECT oid FROM pg_roles WHERE rolname = '_crunchypgbouncer')) LIMIT 500
  LOOP
    BEGIN
      EXECUTE format('REVOKE ALL PRIVILEGES ON SCHEMA %I FROM _crunchypgbouncer CASCADE', item.nspname);
      revoked := revoked + 1;
    EXCEPTION WHEN OTHERS THEN
      RAISE WARNING 'schema %: %', quote_ident(item.nspname), SQLERRM;
    END;
  END LOOP;
  IF revoked > 0 THEN
    RAISE INFO 'revoked privileges on % schemas from role _crunchypgbouncer', revoked;
  END IF;
END
$caretaker$;
"""

ROLE = "_crunchypgbouncer"
SETTINGS = {"search_path": "pgbouncer"}
SCHEMA = {"schema": "pgbouncer", "owner": None}

every_database = EveryDatabase()


def look_up(database: str) -> None:
    """Prepare a database for PgBouncer's role."""
    psql(OWN_SCHEMA + FUNCTION, database, SCHEMA, DATABASE_SECONDS)
    psql(SCHEMAS_OF_OTHERS, database, None, DATABASE_SECONDS)


def pgbouncer(wanted: Wanted) -> float | None:
    """Let PgBouncer look up verifiers in every database, or disable its role if there is no PgBouncer.

    No code of other roles may run as its role. So the role can only log in when the function in `postgres`, which PgBouncer
    calls, is right. Errors in other databases do not prevent that."""
    role = wanted.roles["pgbouncer"]
    if not role:
        wrong, again = service_role(ROLE, None, [], SETTINGS), None
    else:
        wrong, again = service_role(ROLE, {"name": ROLE, "verifier": ""}, [], SETTINGS), None
        try:
            psql(OWN_SCHEMA + FUNCTION, "postgres", SCHEMA, DATABASE_SECONDS)
        except Failure as failure:
            wrong.append(f"database postgres: {failure}")
        if not wrong:
            wrong = service_role(ROLE, role, [], SETTINGS)
        try:
            again = every_database(look_up)
        except Failure as failure:
            wrong.append(str(failure))
    if wrong:
        raise Failure("; ".join(wrong))
    return again
