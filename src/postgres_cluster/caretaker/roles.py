"""Roles of the users in the spec, and the two roles of PgBouncer and the exporter.

A role with CREATEROLE may have created one of them first, to gain its rights by sessions, memberships, settings or owned objects.
So the caretaker records which roles it created, and renames or refuses others."""

from __future__ import annotations

from typing import Any

import credentials
from ours import known, record, remember, remembered
from postgres import psql
from surroundings import Failure, Wanted

RECORD, KNOWN, REMEMBER = record("roles"), known("roles"), remember("roles")

# On the first run, with data of an earlier version or of PGO, all existing roles become ours, except roles that a non-superuser
# created. Since PostgreSQL 16, such a creator has ADMIN on the role, granted by the bootstrap superuser. But a role with a
# verifier of ours, which is secret, becomes ours too. In a restored copy, those roles become ours whose names were ours before.
ADOPT = """
DO $caretaker$
DECLARE
  verifiers CONSTANT text[] := ARRAY(SELECT json_array_elements_text(current_setting('caretaker.arguments')::json));
  of_others oid[];
  more jsonb;
BEGIN
  IF KNOWN IS NOT NULL THEN
    RETURN;
  END IF;
  IF current_setting('server_version_num')::int >= 160000 THEN
    EXECUTE 'SELECT array_agg(roleid) FROM pg_auth_members JOIN pg_roles ON pg_roles.oid = member
      WHERE grantor = 10 AND admin_option AND NOT inherit_option AND NOT set_option AND NOT rolsuper' INTO of_others;
  END IF;
  more := (SELECT jsonb_object_agg(rolname, oid::text) FROM pg_authid WHERE oid >= 16384 AND CASE
    WHEN RECORD IS NOT NULL THEN RECORD->'known' ? rolname::text
    ELSE oid <> ALL (coalesce(of_others, '{}')) OR rolpassword = ANY (verifiers) END);
  REMEMBER
END
$caretaker$;
""".replace("REMEMBER", REMEMBER).replace("KNOWN", KNOWN).replace("RECORD", RECORD)

# Handles an existing role that is not ours. If it has no objects and no privileges, it is renamed, so that nobody can block a
# user by creating a role. One with the name of PgBouncer's or the exporter's is always renamed. Otherwise a superuser must
# decide.
SET_ASIDE = """
  IF KNOWN IS NULL THEN
    RAISE EXCEPTION 'the record of existing roles does not exist yet';
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = :role AND (rolsuper OR
    rolname = ANY (string_to_array(:accept, ',')))
    AND KNOWN->>(:role)::text IS DISTINCT FROM oid::text)
  THEN
    more := (SELECT jsonb_build_object(rolname, oid::text) FROM pg_roles WHERE rolname = :role);
    REMEMBER
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = :role AND NOT rolsuper AND KNOWN->>(:role)::text IS DISTINCT FROM oid::text) THEN
    IF :keep AND EXISTS (SELECT FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass
      AND refobjid = (SELECT oid FROM pg_roles WHERE rolname = :role) AND deptype IN ('o', 'a', 'r'))
    THEN
      RAISE EXCEPTION 'was not created by the caretaker, and owns objects or has privileges: rename it or, if you trust its creator '
        'and its objects, run ALTER DATABASE postgres SET pgrender.accept = % as a superuser', quote_literal(:role);
    END IF;
    aside := format('%s_%s', left(:role, 30), md5(random()::text));
    EXECUTE format('ALTER ROLE %I NOLOGIN', :role);
    EXECUTE format('ALTER ROLE %I RENAME TO %I', :role, aside);
    done := done || format('renamed role %I, which the caretaker did not create, to %I', :role, aside);
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :role) THEN
    EXECUTE format('CREATE :kind %I', :role);
    more := (SELECT jsonb_build_object(rolname, oid::text) FROM pg_roles WHERE rolname = :role);
    REMEMBER
    done := done || format('created role %I', :role);
  END IF;
""".replace("REMEMBER", REMEMBER).replace("KNOWN", KNOWN).replace(":accept", remembered("accept"))


def set_aside(role: str, kind: str, keep: bool) -> str:
    """Return SQL that creates a role if it is missing, as USER or as ROLE without LOGIN, and renames one that is not ours."""
    return SET_ASIDE.replace(":role", role).replace(":kind", kind).replace(":keep", str(keep).lower())


# Each role has its own block, so that an error does not affect the other roles.
USERS = """
DO $caretaker$
DECLARE
  wanted record;
  aside name;
  more jsonb;
  before jsonb;
  done text[];
  line text;
BEGIN
  FOR wanted IN SELECT * FROM json_to_recordset(current_setting('caretaker.arguments')::json)
    AS _ (name text, options text, verifier text)
  LOOP
    BEGIN
      done := '{}';
      SET_ASIDE
      IF wanted.options <> '' THEN
        before := (SELECT to_jsonb(r) - 'rolpassword' FROM pg_authid r WHERE rolname = wanted.name);
        EXECUTE format('ALTER ROLE %I WITH %s', wanted.name, wanted.options);
        IF before IS DISTINCT FROM (SELECT to_jsonb(r) - 'rolpassword' FROM pg_authid r WHERE rolname = wanted.name) THEN
          done := done || format('set the options of role %I: %s', wanted.name, wanted.options);
        END IF;
      END IF;
      IF wanted.verifier <> '' AND wanted.verifier IS DISTINCT FROM
        (SELECT rolpassword FROM pg_authid WHERE rolname = wanted.name)
      THEN
        EXECUTE format('ALTER ROLE %I PASSWORD %L', wanted.name, wanted.verifier);
        done := done || format('set the password of role %I', wanted.name);
      END IF;
    EXCEPTION WHEN OTHERS THEN
      RAISE WARNING 'role %: %', quote_ident(wanted.name), SQLERRM;
      CONTINUE;
    END;
    FOREACH line IN ARRAY done LOOP
      RAISE INFO '%', line;
    END LOOP;
  END LOOP;
END
$caretaker$;
""".replace("SET_ASIDE", set_aside("wanted.name", "USER", keep=True))

# A separate transaction, because every role that may connect to a database can lock its row, and roles and passwords must not
# wait for that. With the short timeout, a locked database does not delay the others. `postgres` is skipped while it is closed.
GRANTS = """
SET lock_timeout TO '1s';
DO $caretaker$
DECLARE
  item record;
  role name;
BEGIN
  FOR item IN SELECT datname, array_agg(wanted.name ORDER BY wanted.name) AS roles
    FROM json_to_recordset(current_setting('caretaker.arguments')::json) AS wanted (name text, databases json)
    CROSS JOIN json_array_elements_text(databases) AS _ (database)
    JOIN pg_database ON datname = database JOIN pg_roles r ON r.rolname = wanted.name JOIN pg_roles o ON o.oid = datdba
    WHERE (o.rolsuper OR KNOWN->>datname = pg_database.oid::text)
    AND 3 > (SELECT count(DISTINCT privilege_type) FROM aclexplode(datacl) WHERE grantee = r.oid)
    AND (datname <> 'postgres' OR CLOSED IS NULL)
    GROUP BY datname ORDER BY datname
  LOOP
    BEGIN
      EXECUTE format('GRANT ALL PRIVILEGES ON DATABASE %I TO %s', item.datname,
        (SELECT string_agg(quote_ident(name), ', ') FROM unnest(item.roles) AS _ (name)));
      FOREACH role IN ARRAY item.roles LOOP
        RAISE INFO 'granted database % to role %', quote_ident(item.datname), quote_ident(role);
      END LOOP;
    EXCEPTION WHEN OTHERS THEN
      RAISE WARNING 'grants of database %: %', quote_ident(item.datname), SQLERRM;
    END;
  END LOOP;
END
$caretaker$;
""".replace("KNOWN", known("databases")).replace("CLOSED", remembered("closed", "template1"))

# The role of PgBouncer or the exporter has exactly these options, memberships, members, settings and password. One transaction,
# so that the role never has the memberships with a password of somebody else. The verifier is null if the role is no longer
# needed: then it may not log in. It is empty if it is unknown at present.
SERVICE = """
DO $caretaker$
DECLARE
  wanted CONSTANT json := current_setting('caretaker.arguments')::json;
  role CONSTANT name := wanted->>'name';
  verifier CONSTANT text := wanted->>'verifier';
  connections CONSTANT int := (wanted->>'connections')::int;
  memberships CONSTANT name[] := ARRAY(SELECT json_array_elements_text(wanted->'memberships'));
  settings CONSTANT text[] := ARRAY(SELECT key || '=' || value FROM json_each_text(wanted->'settings') ORDER BY 1);
  is_16 CONSTANT boolean := current_setting('server_version_num')::int >= 160000;
  id oid;
  item record;
  membership name;
  had_members boolean := false;
  aside name;
  more jsonb;
  done text[] := '{}';
  line text;
BEGIN
  IF verifier IS NULL THEN
    IF EXISTS (SELECT FROM pg_authid WHERE rolname = role AND rolcanlogin) THEN
      EXECUTE format('ALTER ROLE %I NOLOGIN', role);
      RAISE INFO 'role % may no longer log in', quote_ident(role);
    END IF;
    RETURN;
  END IF;
  SET_ASIDE
  FOREACH line IN ARRAY done LOOP
    RAISE INFO '%', line;
  END LOOP;
  id := (SELECT oid FROM pg_roles WHERE rolname = role);
  IF EXISTS (SELECT FROM pg_roles WHERE oid = id AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls
    OR NOT rolinherit OR rolconnlimit <> connections OR rolvaliduntil < 'infinity'))
  THEN
    EXECUTE format('ALTER ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT CONNECTION LIMIT %s
      VALID UNTIL ''infinity''', role, connections);
    RAISE INFO 'reset the options of role %', quote_ident(role);
  END IF;
  FOR item IN SELECT roleid::regrole AS granted, member::regrole AS member, grantor::regrole AS grantor
    FROM pg_auth_members JOIN pg_roles ON pg_roles.oid = roleid
    WHERE roleid = id
  LOOP
    EXECUTE format('REVOKE %s FROM %s %s CASCADE', item.granted, item.member,
      CASE WHEN is_16 THEN format('GRANTED BY %s', item.grantor) END);
    had_members := true;
    RAISE INFO 'revoked % from role %', item.granted, item.member;
  END LOOP;
  FOREACH membership IN ARRAY memberships LOOP
    IF NOT pg_has_role(role, membership, 'USAGE') THEN
      EXECUTE format('GRANT %I TO %I %s', membership, role, CASE WHEN is_16 THEN 'WITH INHERIT TRUE' END);
      RAISE INFO 'granted % to role %', quote_ident(membership), quote_ident(role);
    END IF;
  END LOOP;
  FOR item IN SELECT datname FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase WHERE setrole = id LOOP
    EXECUTE format('ALTER ROLE %I IN DATABASE %I RESET ALL', role, item.datname);
    RAISE INFO 'reset the settings of role % in database %', quote_ident(role), quote_ident(item.datname);
  END LOOP;
  IF settings <> ARRAY(SELECT unnest(setconfig) FROM pg_db_role_setting WHERE setrole = id AND setdatabase = 0 ORDER BY 1) THEN
    EXECUTE format('ALTER ROLE %I RESET ALL', role);
    FOR item IN SELECT key, value FROM json_each_text(wanted->'settings') LOOP
      EXECUTE format('ALTER ROLE %I SET %I TO %L', role, item.key, item.value);
    END LOOP;
    RAISE INFO 'set % of role %', array_to_string(settings, ', '), quote_ident(role);
  END IF;
  IF verifier <> '' AND NOT EXISTS (SELECT FROM pg_authid WHERE oid = id AND rolcanlogin AND rolpassword = verifier) THEN
    EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', role, verifier);
    RAISE INFO 'set the password of role %', quote_ident(role);
  ELSIF verifier = '' AND had_members THEN
    EXECUTE format('ALTER ROLE %I PASSWORD NULL', role);
    RAISE INFO 'removed the password of role %', quote_ident(role);
  END IF;
END
$caretaker$;
""".replace("SET_ASIDE", set_aside("role", "ROLE", keep=False))


# A role with ADMIN on another role may grant it to ours at any time. This only harms the grantor, so it has its own transaction.
MEMBERSHIPS = """
DO $caretaker$
DECLARE
  wanted CONSTANT json := current_setting('caretaker.arguments')::json;
  memberships CONSTANT name[] := ARRAY(SELECT json_array_elements_text(wanted->'memberships'));
  is_16 CONSTANT boolean := current_setting('server_version_num')::int >= 160000;
  item record;
  revoked bigint := 0;
BEGIN
  FOR item IN SELECT roleid::regrole AS granted, member::regrole AS member, grantor::regrole AS grantor
    FROM pg_auth_members JOIN pg_roles ON pg_roles.oid = roleid
    WHERE member = (SELECT oid FROM pg_roles WHERE rolname = wanted->>'name') AND (admin_option OR rolname <> ALL (memberships))
    LIMIT 500
  LOOP
    BEGIN
      EXECUTE format('REVOKE %s FROM %s %s CASCADE', item.granted, item.member,
        CASE WHEN is_16 THEN format('GRANTED BY %s', item.grantor) END);
      revoked := revoked + 1;
    EXCEPTION WHEN OTHERS THEN
      RAISE WARNING 'membership of role % in %: %', item.member, item.granted, SQLERRM;
    END;
  END LOOP;
  IF revoked > 0 THEN
    RAISE INFO 'revoked % memberships of role %', revoked, quote_ident(wanted->>'name');
  END IF;
END
$caretaker$;
"""


def users(wanted: Wanted) -> None:
    """Create roles, set options and passwords, grant databases."""
    roles, wrong = credentials.complete(wanted.roles["users"])
    psql(ADOPT, arguments=[role["verifier"] for role in roles if role.get("verifier")])
    for sql in (USERS, GRANTS):
        try:
            psql(sql, arguments=roles)
        except Failure as failure:
            wrong.append(str(failure))
    if wrong:
        raise Failure("; ".join(wrong))


def service_role(
    name: str, role: dict[str, Any] | None, memberships: list[str], settings: dict[str, str], connections: int = -1
) -> list[str]:
    """Enable the role of PgBouncer or the exporter, or disable it if `role` is None. Return the errors. `connections` is the maximum
    number of its connections; -1 means no limit."""
    wanted: dict[str, Any] = {"name": name, "verifier": None}
    wrong: list[str] = []
    if role is not None:
        [role], wrong = credentials.complete([role])
        wanted = {**role, "memberships": memberships, "settings": settings, "connections": connections}
    for sql in (SERVICE, MEMBERSHIPS):
        try:
            psql(sql, arguments=wanted)
        except Failure as failure:
            wrong.append(f"role {name}: {failure}")
    return wrong
