"""The exporter's role, its schema with our functions, and pg_stat_statements."""

from __future__ import annotations

from typing import Any

from extensions import create
from facts import FILE, LIMIT, PREFIX
from pgbouncer import OWN_SCHEMA
from postgres import EveryDatabase, psql
from roles import service_role
from session import version
from surroundings import Failure, Wanted

ROLE = "ccp_monitoring"
# Without "$user", because a role that may create in `postgres` may own a schema with this role's name.
LIMITS = {"jit": "off", "lock_timeout": "2min", "search_path": "monitor"}

# postgres_exporter opens connections for each scrape, and everybody who reaches its port can scrape. Without a limit, many scrapes at
# once would use up the connections of applications. Two servers of Prometheus need fewer. The collector keeps a connection for each
# of its queries.
CONNECTIONS = 10

# In PGO the exporter's role owns the schema. Here the superuser owns it: whoever takes over the exporter, which listens on the
# network, could otherwise replace our functions and store objects.
SCHEMA = {"schema": "monitor", "owner": None, "before": ROLE}

# Other containers of the pod can write to `/tmp`, and could put a link to another file there. So the function reads bytes, which
# raises no error that quotes them, and returns nothing unless they begin like the caretaker's file. It runs with the rights of its
# owner, because `pg_read_binary_file` may read every file of the server (PostgreSQL, "Generic File Access Functions"). Reading a named
# pipe would never end. Its size is 0 (Linux, "inode(7)"), as that of a device is.
FACTS = f"""
  SELECT CASE
    WHEN pg_catalog.substring(content, 1, {len(PREFIX)}) OPERATOR(pg_catalog.=) pg_catalog.decode('{PREFIX.encode().hex()}', 'hex')
    THEN pg_catalog.convert_from(content, 'UTF8')::pg_catalog.jsonb END
  FROM (SELECT CASE WHEN (pg_catalog.pg_stat_file('{FILE}', true)).size OPERATOR(pg_catalog.>) 0
    THEN pg_catalog.pg_read_binary_file('{FILE}', 0, {LIMIT}, true) END) AS _ (content)
"""

# pg_stat_statements may be in any schema. Without the text of the statements, which may contain secrets, it also reads no file.
# An extension of a role that is not a superuser is not used, and the function runs with the rights of its caller. Names in shared
# catalogs are bytes in any encoding, and invalid UTF-8 in a label would stop the exporter, so they are escaped. Two rows with
# the same labels would make every scrape fail.
STATEMENTS = """
  SELECT pg_catalog.encode(pg_catalog.textsend(pg_catalog.pg_get_userbyid(userid)::pg_catalog.text), 'escape'),
    pg_catalog.encode(pg_catalog.textsend(datname::pg_catalog.text), 'escape'), queryid, pg_catalog.sum(calls),
    pg_catalog.sum(total_exec_time), pg_catalog.max(max_exec_time), pg_catalog.sum(rows), pg_catalog.sum(wal_records),
    pg_catalog.sum(wal_fpi), pg_catalog.sum(wal_bytes)
  FROM %s.pg_stat_statements(false) JOIN pg_catalog.pg_database ON pg_database.oid OPERATOR(pg_catalog.=) dbid
  WHERE pg_catalog.current_setting('shared_preload_libraries') OPERATOR(pg_catalog.~) '\\mpg_stat_statements\\M'
  GROUP BY 1, 2, 3
"""
NO_STATEMENTS = """
  SELECT ''::pg_catalog.text, ''::pg_catalog.text, 0::pg_catalog.int8, 0::pg_catalog.numeric, 0::pg_catalog.float8,
    0::pg_catalog.float8, 0::pg_catalog.numeric, 0::pg_catalog.numeric, 0::pg_catalog.numeric, 0::pg_catalog.numeric WHERE false
"""
STATEMENTS_RESULT = (
    "TABLE(role text, dbname text, queryid bigint, calls numeric, total_exec_time double precision, max_exec_time double precision,"
    " rows numeric, wal_records numeric, wal_fpi numeric, wal_bytes numeric)"
)

# Statistics whose views differ between versions, because postgres_exporter does not honour `runonserver`.
CHECKPOINTER = """
  SELECT num_timed, num_requested, write_time, sync_time, buffers_written FROM pg_catalog.pg_stat_checkpointer
"""
CHECKPOINTER_BEFORE_17 = """
  SELECT checkpoints_timed, checkpoints_req, checkpoint_write_time, checkpoint_sync_time, buffers_checkpoint
  FROM pg_catalog.pg_stat_bgwriter
"""
CHECKPOINTER_RESULT = (
    "TABLE(num_timed bigint, num_requested bigint, write_time double precision, sync_time double precision, buffers_written bigint)"
)
IO_BGWRITER = """
  SELECT coalesce(pg_catalog.sum(writes), 0), coalesce(pg_catalog.sum(fsyncs), 0)
  FROM pg_catalog.pg_stat_io WHERE backend_type OPERATOR(pg_catalog.=) 'background writer'
"""
IO_BGWRITER_BEFORE_16 = """
  SELECT 0::pg_catalog.numeric, 0::pg_catalog.numeric WHERE false
"""

# No other role may add objects to the schema. There is no other function with the name of ours, and ours are right. Before
# PostgreSQL 13, pg_stat_statements has other columns.
FUNCTIONS = """
DO $caretaker$
DECLARE
  wanted CONSTANT json := current_setting('caretaker.arguments')::json;
  us CONSTANT oid := (SELECT oid FROM pg_roles WHERE rolname = current_user);
  exporter CONSTANT oid := (SELECT oid FROM pg_roles WHERE rolname = wanted->>'role');
  extension CONSTANT name := (SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
    JOIN pg_roles e ON e.oid = extowner JOIN pg_roles n ON n.oid = nspowner
    WHERE extname = 'pg_stat_statements' AND e.rolsuper AND (n.rolsuper OR nspname = 'public') AND EXISTS (
      SELECT FROM pg_proc WHERE pronamespace = extnamespace AND proname = extname AND 'wal_bytes' = ANY (proargnames)));
  schema oid;
  item record;
  ours record;
BEGIN
  SELECT oid INTO schema FROM pg_namespace WHERE nspname = 'monitor' AND nspowner = us;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'schema monitor is owned by another role';
  END IF;
  FOR item IN SELECT DISTINCT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee
    FROM pg_namespace, aclexplode(nspacl) WHERE pg_namespace.oid = schema AND grantee <> us AND privilege_type = 'CREATE'
  LOOP
    EXECUTE format('REVOKE CREATE ON SCHEMA monitor FROM %s CASCADE', item.grantee);
    RAISE INFO 'revoked CREATE on schema monitor from %', item.grantee;
  END LOOP;
  FOR item IN SELECT unnest(ARRAY['monitor', extension]) AS place LOOP
    IF NOT has_schema_privilege(exporter, item.place, 'USAGE') THEN
      EXECUTE format('GRANT USAGE ON SCHEMA %I TO %s', item.place, exporter::regrole);
      RAISE INFO 'granted USAGE on schema % to role %', quote_ident(item.place), exporter::regrole;
    END IF;
  END LOOP;

  FOR ours IN SELECT name, result, definer, CASE WHEN name = 'statements' AND extension IS NULL THEN wanted->>'none'
      ELSE replace(body, '%s', coalesce(quote_ident(extension), '')) END AS body
    FROM json_to_recordset(wanted->'functions') AS _ (name text, result text, definer boolean, body text)
  LOOP
    CONTINUE WHEN 1 = (SELECT count(*) FROM pg_proc WHERE pronamespace = schema AND proname = ours.name) AND EXISTS (
      SELECT FROM pg_proc JOIN pg_language ON pg_language.oid = prolang
      WHERE pronamespace = schema AND proname = ours.name AND pronargs = 0 AND proowner = us AND lanname = 'sql'
      AND prosrc = ours.body AND prokind = 'f' AND prosecdef = ours.definer AND provolatile = 'v'
      AND NOT proisstrict AND NOT proleakproof AND pg_get_function_result(pg_proc.oid) = ours.result
      AND proconfig = ARRAY['search_path=pg_catalog, pg_temp']
      AND ARRAY(SELECT format('%s %s %s', grantee, privilege_type, is_grantable) FROM aclexplode(proacl) WHERE grantee <> us)
        = ARRAY[format('%s EXECUTE f', exporter)]);
    FOR item IN SELECT pg_proc.oid::regprocedure AS routine FROM pg_proc WHERE pronamespace = schema AND proname = ours.name LOOP
      EXECUTE format('DROP ROUTINE %s', item.routine);
    END LOOP;
    EXECUTE format('CREATE FUNCTION monitor.%I() RETURNS %s LANGUAGE sql VOLATILE %s SET search_path TO pg_catalog, pg_temp AS %L',
      ours.name, ours.result, CASE WHEN ours.definer THEN 'SECURITY DEFINER' ELSE 'SECURITY INVOKER' END, ours.body);
    -- ALTER DEFAULT PRIVILEGES may have granted other privileges.
    FOR item IN SELECT DISTINCT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee
      FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner)))
      WHERE pronamespace = schema AND proname = ours.name AND grantee <> us
    LOOP
      EXECUTE format('REVOKE ALL PRIVILEGES ON FUNCTION monitor.%I() FROM %s CASCADE', ours.name, item.grantee);
    END LOOP;
    EXECUTE format('GRANT EXECUTE ON FUNCTION monitor.%I() TO %s', ours.name, exporter::regrole);
    RAISE INFO 'created function monitor.%', ours.name;
  END LOOP;
END
$caretaker$;
"""


def functions(server: int) -> list[dict[str, Any]]:
    """Return the functions for a major version. Only one of them runs with the rights of its owner."""
    checkpointer = CHECKPOINTER if server >= 17 else CHECKPOINTER_BEFORE_17
    io_bgwriter = IO_BGWRITER if server >= 16 else IO_BGWRITER_BEFORE_16
    return [
        {"name": "facts", "result": "jsonb", "definer": True, "body": FACTS},
        {"name": "statements", "result": STATEMENTS_RESULT, "definer": False, "body": STATEMENTS},
        {"name": "checkpointer", "result": CHECKPOINTER_RESULT, "definer": False, "body": checkpointer},
        {"name": "io_bgwriter", "result": "TABLE(writes numeric, fsyncs numeric)", "definer": False, "body": io_bgwriter},
    ]


def create_functions() -> None:
    """Create the schema and the functions, or repair them."""
    arguments = {**SCHEMA, "role": ROLE, "none": NO_STATEMENTS, "functions": functions(version())}
    psql(OWN_SCHEMA + FUNCTIONS, arguments=arguments)


every_database = EveryDatabase()


def monitoring(wanted: Wanted) -> float | None:
    """Let the exporter read statistics, or disable its role if there is no exporter.

    The role comes first, so that it can log in even if a database has errors. The extension comes before the function that
    calls it."""
    role = wanted.roles["monitoring"]
    connections = CONNECTIONS + wanted.settings["collectorConnections"]
    wrong = service_role(ROLE, role, ["pg_monitor"], LIMITS, connections)
    again = None
    if role:
        try:
            again = every_database(lambda database: create(database, ["pg_stat_statements"], update=True))
        except Failure as failure:
            wrong.append(str(failure))
        try:
            create_functions()
        except Failure as failure:
            wrong.append(str(failure))
    if wrong:
        raise Failure("; ".join(wrong))
    return again
