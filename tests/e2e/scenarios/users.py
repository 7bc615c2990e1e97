"""Users, databases and options are changed within seconds after an apply, and nothing restarts."""

from __future__ import annotations

import copy
import time

from framework import Failed, Test, hippo, until

SECONDS = 5


def refused(test: Test, sql: str, user: str, **where: str) -> bool:
    """Whether Postgres refuses the SQL."""
    try:
        test.sql(sql, user=user, **where)
    except Failed as failure:
        return "permission denied" in str(failure) or "must be" in str(failure)
    return False


def processes(test: Test) -> set[str]:
    """Return what must not change: each pod, each start of its containers, and each start of Postgres."""
    found = set()
    for pod in test.get("pods")["items"]:
        found.add(pod["metadata"]["uid"])
        found |= {status["containerID"] for status in pod["status"]["containerStatuses"]}
    return found | {test.superuser(pod, "SELECT pg_postmaster_start_time()") for pod in test.instances()}


def run(test: Test) -> None:
    """Add, change, add `postgres`, remove."""
    cluster = hippo()
    test.apply(cluster)
    test.wait_until_well(2)
    test.start_client()
    until("hippo logs in", lambda: test.sql("SELECT 1"))
    until("PgBouncer takes hippo", lambda: test.sql("SELECT 1", service="pgbouncer"))
    before = processes(test)

    users = cluster["spec"]["users"]
    users.append({"name": "okapi", "databases": ["forest", "river"], "options": "CREATEROLE CONNECTION LIMIT 7"})
    applied = test.apply(cluster)
    until("okapi logs in", lambda: test.sql("SELECT 1", "okapi", "forest"))
    test.figure("a user and two databases: first login", time.time() - applied, SECONDS)
    until("okapi owns a schema", lambda: test.sql("CREATE TABLE leaves (); SELECT 1", "okapi", "river"))
    test.figure("its tables in its own schema", time.time() - applied, SECONDS)
    where = test.sql("SELECT schemaname FROM pg_tables WHERE tablename = 'leaves'", "okapi", "river")
    test.expect(where == "okapi", f"the table is in schema {where}")
    until("PgBouncer takes okapi", lambda: test.sql("SELECT 1", "okapi", "forest", "pgbouncer"))
    test.figure("the same through PgBouncer", time.time() - applied)
    test.expect(refused(test, "SELECT * FROM okapi.leaves", "rhino", database="river"), "rhino reads okapi's table")
    limit = test.sql("SELECT rolcreaterole, rolconnlimit FROM pg_roles WHERE rolname = 'okapi'")
    test.expect(limit == "t|7", f"okapi's options are {limit}")

    next(user for user in users if user["name"] == "rhino")["options"] = "NOCREATEDB CREATEROLE"
    applied = test.apply(cluster)
    until("the options change", lambda: refused(test, "CREATE DATABASE more", "rhino", database="zoo"))
    test.figure("options changed", time.time() - applied, SECONDS)
    test.sql("CREATE ROLE calf", "rhino", "zoo")

    users.append({"name": "postgres"})
    applied = test.apply(cluster)
    until("postgres logs in", lambda: test.sql("SHOW is_superuser", "postgres", "postgres") == "on")
    test.figure("postgres: first login", time.time() - applied, SECONDS)

    keys = test.secret("hippo-pguser-okapi")
    without = copy.deepcopy(cluster)
    without["spec"]["users"] = [user for user in users if user["name"] != "okapi"]
    test.apply(without)
    time.sleep(SECONDS)
    login = f"postgresql://okapi@{keys['host']}/river?sslmode=require"
    script = 'read -r PGPASSWORD; export PGPASSWORD; psql -XAtq "$0" --command="SELECT count(*) FROM leaves"'
    rows = test.in_pod("client", "bash", "-c", script, login, container="client", text=keys["password"])
    test.expect(rows == "0", "a user who is removed from the spec lost its role or its table")
    test.expect(before <= processes(test), "something restarted")
    for pod in test.instances():
        for container in ("caretaker", "database"):
            log = test.kubectl("logs", pod, f"--container={container}")
            test.expect("SCRAM-SHA-256$" not in log, f"a verifier is in the log of {container} of {pod}")
