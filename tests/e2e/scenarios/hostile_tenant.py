"""A tenant who prepares an attack before PgBouncer is added gets no rights, no verifiers, and no session of another user."""

from __future__ import annotations

import copy

from framework import Failed, Test, hippo, until

# If this runs as superuser by mistake, the tenant becomes a superuser.
TROJAN = """
CREATE SCHEMA evil;
GRANT USAGE ON SCHEMA evil TO PUBLIC;
CREATE FUNCTION evil.eq(name, text) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN
  IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user)
    THEN EXECUTE 'ALTER ROLE {tenant} SUPERUSER'; END IF;
  RETURN $1 OPERATOR(pg_catalog.=) $2; END $f$;
CREATE FUNCTION evil.eq(text, text) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN
  IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user)
    THEN EXECUTE 'ALTER ROLE {tenant} SUPERUSER'; END IF;
  RETURN $1 OPERATOR(pg_catalog.=) $2; END $f$;
CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.eq);
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.eq);
"""
# Steps that would give the tenant control of the real function. Each is tried alone and must fail.
STEPS = (
    "ALTER SCHEMA pgbouncer RENAME TO stash; GRANT USAGE ON SCHEMA stash TO _crunchypgbouncer",
    "DROP SCHEMA pgbouncer CASCADE",
    "CREATE SCHEMA pgbouncer; GRANT USAGE ON SCHEMA pgbouncer TO _crunchypgbouncer",
    "CREATE FUNCTION pgbouncer.get_auth(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    """CREATE OR REPLACE FUNCTION pgbouncer.get_auth(u text) RETURNS TABLE(username text, password text) LANGUAGE plpgsql
    AS $f$ BEGIN PERFORM pg_catalog.set_config('search_path', 'evil, pg_catalog', true);
    RETURN QUERY SELECT s.username, s.password FROM stash.get_auth($1) s; END $f$""",
)


def sql(test: Test, text: str, user: str, database: str, service: str = "primary") -> str:
    """Run a user's SQL, also on a slow machine."""
    return test.sql(text, user, database, service, connect_timeout="30")


def gets_in(test: Test, name: str, database: str, password: str) -> bool:
    """Return PgBouncer's answer to a user that it may not know; none if it does not answer."""
    answers: list[bool] = []

    def answer() -> bool:
        try:
            answers.append(test.logs_in(name, database, password, "pgbouncer"))
        except Failed as failure:
            if "no such user" not in str(failure):
                raise
            answers.append(False)
        return True

    until("the pooler answers", answer)
    return answers[0]


def tries(test: Test, text: str, user: str, database: str, service: str = "primary") -> bool:
    """Whether a tenant's SQL succeeds."""
    try:
        sql(test, text, user, database, service)
    except Failed:
        return False
    return True


def superusers(test: Test) -> str:
    """Return the superusers."""
    return test.superuser(test.leader(), "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolsuper")


def run(test: Test) -> None:
    """Prepare, add PgBouncer, attack, and log in through PgBouncer."""
    cluster = hippo()
    cluster["spec"]["users"] = [
        {"name": "hippo", "databases": ["hippo"]},
        {"name": "rhino", "databases": ["hippo", "postgres"]},
        {"name": "maker", "databases": ["hippo"], "options": "CREATEDB"},
    ]
    with_pgbouncer = copy.deepcopy(cluster)
    del cluster["spec"]["proxy"]
    test.apply(cluster)
    test.wait_until_well(2)
    test.start_client()
    until("all log in", lambda: [test.sql("SELECT 1", user=user["name"], database="hippo") for user in cluster["spec"]["users"]])
    before = superusers(test)

    for user, database in (("rhino", "hippo"), ("rhino", "postgres"), ("maker", "own")):
        if database == "own":
            sql(test, "CREATE DATABASE own TEMPLATE template0", user, "hippo")
        sql(test, TROJAN.format(tenant=user), user, database)
        sql(test, "CREATE SCHEMA pgbouncer; CREATE TABLE pgbouncer.kept AS SELECT 42 AS answer", user, database)
    # The search_path of a superuser begins with the schema of its name.
    sql(test, "ALTER SCHEMA evil RENAME TO postgres", "rhino", "postgres")
    sql(test, "ALTER DATABASE own SET search_path TO evil, pg_catalog; ALTER DATABASE own SET role TO maker", "maker", "own")
    sql(test, "ALTER DATABASE own SET default_transaction_read_only TO on", "maker", "own")

    test.apply(with_pgbouncer)
    until("PgBouncer takes hippo", lambda: test.sql("SELECT 1", service="pgbouncer"), 120)
    for user, database in (("rhino", "hippo"), ("rhino", "postgres"), ("maker", "own")):
        owner = "SET search_path TO ''; SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'pgbouncer'"
        until(
            f"schema pgbouncer of {database} is not the tenant's",
            lambda database=database, owner=owner: test.superuser(test.leader(), owner, database) == "postgres",
        )
        done = [step.split(";")[0] for step in STEPS if tries(test, f"SET default_transaction_read_only TO off; {step}", user, database)]
        test.expect(not done, f"{user} did in {database}: {done}")
        kept = "SET search_path TO ''; SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgbouncer\\__%'"
        schema = test.superuser(test.leader(), kept, database)
        answer = sql(test, f"SELECT answer FROM {schema}.kept", user, database)
        test.expect(answer == "42", f"the tenant's table in {database} is lost")
        # PgBouncer looks up the verifier of each client.
        for name in ("nobody", "postgres", "hippo"):
            test.expect(not gets_in(test, name, database, "forged"), f"{name} gets into {database}")
        sql(test, "SELECT 1", user, database, "pgbouncer")
    test.expect(superusers(test) == before, f"superusers were {before} and are {superusers(test)}")

    # A database of the tenant with a function that would let the tenant act as hippo, which has an idle session there.
    sql(test, "CREATE DATABASE trap TEMPLATE template0", "maker", "hippo")
    forged = """CREATE SCHEMA pgbouncer; GRANT USAGE ON SCHEMA pgbouncer TO PUBLIC;
      CREATE FUNCTION pgbouncer.get_auth(u text) RETURNS TABLE(username text, password text) LANGUAGE sql
      AS $$ SELECT u, 'forged'::text $$"""
    tries(test, forged, "maker", "trap")
    tries(test, "SELECT 1", "hippo", "trap", "pgbouncer")
    test.expect(not gets_in(test, "hippo", "trap", "forged"), "maker becomes hippo")
    sql(test, "SELECT 1", "hippo", "hippo", "pgbouncer")
    test.expect(superusers(test) == before, f"superusers were {before} and are {superusers(test)}")
