"""Which roles and databases are ours: the caretaker created them, or found them in its first run.

A role that may create roles or databases may create one before it is in the spec, and prepare it for an attack."""

from __future__ import annotations

# The record is in settings of the database `postgres` that only a superuser can change. So backups and replicas contain it.
SETTING = """(SELECT substr(setting, length('pgrender.:name=') + 1) FROM pg_db_role_setting, unnest(setconfig) AS setting
    WHERE setrole = 0 AND setdatabase = (SELECT oid FROM pg_database WHERE datname = ':database')
    AND split_part(setting, '=', 1) = 'pgrender.:name')"""


def remembered(name: str, database: str = "postgres") -> str:
    """Return SQL for the text that is recorded under a name; null if there is none."""
    return SETTING.replace(":name", name).replace(":database", database)


# The system identifier of the database cluster, and the OIDs by name. OIDs are reused, and names can change, so both must match.
# Null if there is no record yet.
RECORD = f"{remembered(':kind')}::jsonb"

SYSTEM = "(SELECT system_identifier::text FROM pg_control_system())"

# The OIDs by name, but null if the record is of another database cluster, from which this one was restored or upgraded.
KNOWN = "(SELECT record->'known' FROM (SELECT RECORD AS record OFFSET 0) AS _ WHERE record->>'system' = SYSTEM)"

REMEMBER = """EXECUTE format('ALTER DATABASE postgres SET pgrender.:kind = %L', jsonb_build_object('system', SYSTEM,
      'known', coalesce(KNOWN, '{}') || coalesce(more, '{}')));"""


def _sql(text: str, kind: str) -> str:
    """Replace the placeholders."""
    for name, part in (("KNOWN", KNOWN), ("RECORD", RECORD), ("SYSTEM", SYSTEM)):
        text = text.replace(name, part)
    return text.replace(":kind", kind)


def record(kind: str) -> str:
    """Return SQL for the record, of any database cluster."""
    return _sql("RECORD", kind)


def known(kind: str) -> str:
    """Return SQL for the OIDs by name."""
    return _sql("KNOWN", kind)


def remember(kind: str) -> str:
    """Return PL/pgSQL that adds the variable `more` to the record."""
    return _sql(REMEMBER, kind)
