"""Extensions in every database.

`CREATE EXTENSION` runs a script with our rights. The search_path has the schema of the extension and those of the extensions that
it requires (PostgreSQL, "Security Considerations for Extension Scripts"). So these schemas must not have functions or operators
of a role that is not a superuser, and no such role may add one during the script."""

from __future__ import annotations

from postgres import EveryDatabase, psql
from surroundings import Wanted

# Tables and types of other roles are harmless: Postgres finds those of pg_catalog first, and does not let the script replace
# existing objects (CVE-2022-2625).
EXTENSIONS = """
DO $caretaker$
DECLARE
  wanted CONSTANT json := current_setting('caretaker.arguments')::json;
  extension name;
  there record;
  is_there boolean;
  version record;
  target name;
  places name[];
  writing text[];
  problem text;
BEGIN
  FOR extension IN SELECT json_array_elements_text(wanted->'names') LOOP
    BEGIN
      SELECT extversion, nspname, e.rolname AS owner, e.rolsuper AS ours, n.rolname AS place_owner, n.rolsuper AS place_ours
        INTO there FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
        JOIN pg_roles e ON e.oid = extowner JOIN pg_roles n ON n.oid = nspowner WHERE extname = extension;
      is_there := FOUND;
      SELECT a.version, a.schema, a.requires INTO version FROM pg_available_extension_versions a
        JOIN pg_available_extensions d ON d.name = a.name AND default_version = a.version WHERE a.name = extension;
      IF NOT is_there AND NOT FOUND THEN
        RAISE EXCEPTION 'it is not available on this server';
      ELSIF is_there AND NOT there.ours THEN
        RAISE EXCEPTION 'it is owned by role %, which may drop or move it: drop it, and it is created again', quote_ident(there.owner);
      ELSIF is_there AND NOT there.place_ours AND there.nspname <> 'public' THEN
        -- The owner of a schema may drop it with all objects in it.
        EXECUTE format('ALTER EXTENSION %I SET SCHEMA public', extension);
        RAISE INFO 'moved extension % to schema public: schema % is owned by role %', quote_ident(extension),
          quote_ident(there.nspname), quote_ident(there.place_owner);
        CONTINUE;
      ELSIF is_there AND (NOT (wanted->>'update')::boolean OR there.extversion = version.version) THEN
        CONTINUE;
      END IF;

      problem := (SELECT string_agg(quote_ident(name), ', ') FROM unnest(version.requires) AS _ (name) WHERE NOT EXISTS (
        SELECT FROM pg_extension JOIN pg_roles ON pg_roles.oid = extowner WHERE extname = name AND rolsuper));
      IF problem <> '' THEN
        RAISE EXCEPTION 'it requires %, which does not exist or is owned by a role that is not a superuser', problem;
      END IF;
      target := coalesce(CASE WHEN is_there THEN there.nspname END, version.schema, 'public');
      places := ARRAY(SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
        WHERE extname = ANY (version.requires));

      -- The lock keeps other roles from adding objects until we are done. Then wait for transactions that may have added some.
      IF EXISTS (SELECT FROM pg_roles r, pg_namespace n WHERE NOT rolsuper AND rolname <> 'pg_database_owner'
        AND nspname = ANY (places || target || name 'extension_' || extension) AND has_schema_privilege(r.oid, n.oid, 'CREATE'))
      THEN
        LOCK TABLE pg_namespace, pg_proc, pg_operator IN SHARE ROW EXCLUSIVE MODE;
        FOR attempt IN 0..30 LOOP
          PERFORM pg_stat_clear_snapshot(), pg_sleep(CASE WHEN attempt > 0 THEN 0.1 ELSE 0 END);
          writing := ARRAY(SELECT xid FROM (
              SELECT backend_xid::text FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
              UNION ALL SELECT transaction::text FROM pg_prepared_xacts WHERE database = current_database()) AS _ (xid)
            WHERE xid <> '' AND (attempt = 0 OR xid = ANY (writing)));
          EXIT WHEN writing = '{}';
        END LOOP;
        IF writing <> '{}' THEN
          RAISE EXCEPTION 'an open transaction may have added objects to its schema';
        END IF;
      END IF;
      IF NOT is_there AND version.schema IS NULL AND (to_regnamespace('public') IS NULL OR EXISTS (
        SELECT FROM (SELECT pronamespace, proowner FROM pg_proc UNION SELECT oprnamespace, oprowner FROM pg_operator) AS _ (place, owner)
        JOIN pg_roles ON pg_roles.oid = owner WHERE place = to_regnamespace('public') AND NOT rolsuper))
      THEN
        -- Applications expect PostGIS in their search_path, so it waits until `public` has no functions of other roles.
        IF extension NOT LIKE 'postgis%' AND extension <> 'fuzzystrmatch' THEN
          target := 'extension_' || extension;
          WHILE EXISTS (SELECT FROM pg_namespace JOIN pg_roles ON pg_roles.oid = nspowner WHERE nspname = target AND NOT rolsuper) LOOP
            target := format('extension_%s_%s', extension, left(md5(random()::text), 8));
          END LOOP;
        END IF;
      END IF;
      problem := coalesce(
        (SELECT string_agg(DISTINCT format('schema %I has functions or operators of role %I', nspname, rolname), ', ')
          FROM (SELECT pronamespace, proowner FROM pg_proc UNION SELECT oprnamespace, oprowner FROM pg_operator) AS _ (place, owner)
          JOIN pg_roles ON pg_roles.oid = owner JOIN pg_namespace ON pg_namespace.oid = place
          WHERE nspname = ANY (places || target) AND NOT rolsuper),
        (SELECT format('schema %I is owned by role %I', nspname, rolname) FROM pg_namespace
          JOIN pg_roles ON pg_roles.oid = nspowner WHERE nspname = target AND nspname <> 'public' AND NOT rolsuper));
      IF problem <> '' THEN
        RAISE EXCEPTION '%', problem;
      END IF;

      IF is_there THEN
        EXECUTE format('ALTER EXTENSION %I UPDATE', extension);
        RAISE INFO 'updated extension %', quote_ident(extension);
      ELSE
        IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = target) THEN
          EXECUTE format('CREATE SCHEMA %I', target);
          EXECUTE format('GRANT USAGE ON SCHEMA %I TO PUBLIC', target);
        END IF;
        EXECUTE format('CREATE EXTENSION %I SCHEMA %I', extension, target);
        RAISE INFO 'created extension % in schema %', quote_ident(extension), quote_ident(target);
      END IF;
    EXCEPTION WHEN OTHERS THEN
      RAISE WARNING 'extension %: %', quote_ident(extension), SQLERRM;
    END;
  END LOOP;
END
$caretaker$;
"""

every_database = EveryDatabase()


def create(database: str, names: list[str], update: bool = False) -> None:
    """Create extensions in a database. With `update`, update them to the default version of the server."""
    # Scripts of PostGIS set the search_path of the database to that of this session, with one more schema.
    psql(EXTENSIONS, database, {"names": names, "update": update}, path='"$user",public')


def extensions(wanted: Wanted) -> float | None:
    """Create extensions. This duty is before `databases`, so that new databases copy them from `template1`."""
    names = wanted.settings["extensions"]
    return every_database(lambda database: create(database, names)) if names else None
