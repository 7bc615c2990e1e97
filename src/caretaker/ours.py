"""Which roles and databases are ours: the caretaker made them, or found them when it came first.

Whoever may create roles or databases may make one before the spec names it, with whatever serves them in it."""

from __future__ import annotations

# In a setting of the database `postgres`, which only a superuser can change, so it goes with the data into backups and to
# replicas: the identifier of the database cluster, for a copy that was restored from a dump has other numbers, then theirs.
KNOWN = """(SELECT words[2:] FROM pg_db_role_setting, unnest(setconfig) AS setting,
    string_to_array(substr(setting, length('pgrender.:kind=') + 1), ' ') AS words
  WHERE setrole = 0 AND setdatabase = (SELECT oid FROM pg_database WHERE datname = 'postgres') AND setting LIKE 'pgrender.:kind=%'
  AND words[1] = (SELECT system_identifier::text FROM pg_control_system()))::oid[]"""

REMEMBER = """EXECUTE format('ALTER DATABASE postgres SET pgrender.:kind = %L', array_to_string(
      (SELECT system_identifier::text FROM pg_control_system()) || (KNOWN || ids)::text[], ' '));"""


def known(kind: str) -> str:
    """SQL that gives an array of object identifiers, or null where nobody has remembered any yet."""
    return KNOWN.replace(":kind", kind)


def remember(kind: str) -> str:
    """SQL that adds those of the variable `ids`, for a block of PL/pgSQL."""
    return REMEMBER.replace("KNOWN", KNOWN).replace(":kind", kind)
