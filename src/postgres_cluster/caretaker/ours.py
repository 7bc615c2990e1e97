"""Which roles and databases are ours: the caretaker made them, or found them when it came first.

Whoever may create roles or databases may make one before the spec names it, with whatever serves them in it."""

from __future__ import annotations

# What is remembered is in settings of the database `postgres` that only a superuser can change, so it goes with the data into
# backups and to replicas.
SETTING = """(SELECT substr(setting, length('pgrender.:name=') + 1) FROM pg_db_role_setting, unnest(setconfig) AS setting
    WHERE setrole = 0 AND setdatabase = (SELECT oid FROM pg_database WHERE datname = ':database')
    AND split_part(setting, '=', 1) = 'pgrender.:name')"""


def remembered(name: str, database: str = "postgres") -> str:
    """SQL that gives what is remembered under a name, as text; null where nothing is."""
    return SETTING.replace(":name", name).replace(":database", database)


# The identifier of the database cluster, and the number of each by its name. Numbers are given out again, and names can be
# changed, so both must fit. Null where nobody has remembered any yet.
RECORD = f"{remembered(':kind')}::jsonb"

SYSTEM = "(SELECT system_identifier::text FROM pg_control_system())"

# The same, but null where it is of another database cluster, from which this one was restored or upgraded.
KNOWN = "(SELECT record->'known' FROM (SELECT RECORD AS record OFFSET 0) AS _ WHERE record->>'system' = SYSTEM)"

REMEMBER = """EXECUTE format('ALTER DATABASE postgres SET pgrender.:kind = %L', jsonb_build_object('system', SYSTEM,
      'known', coalesce(KNOWN, '{}') || coalesce(more, '{}')));"""


def _sql(text: str, kind: str) -> str:
    """Put the parts together."""
    for name, part in (("KNOWN", KNOWN), ("RECORD", RECORD), ("SYSTEM", SYSTEM)):
        text = text.replace(name, part)
    return text.replace(":kind", kind)


def record(kind: str) -> str:
    """SQL that gives what is remembered, of whichever database cluster."""
    return _sql("RECORD", kind)


def known(kind: str) -> str:
    """SQL that gives the numbers by their names."""
    return _sql("KNOWN", kind)


def remember(kind: str) -> str:
    """SQL that adds those of the variable `more`, for a block of PL/pgSQL."""
    return _sql(REMEMBER, kind)
