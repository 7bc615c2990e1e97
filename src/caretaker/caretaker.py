"""The caretaker: what PGO's operator did at run time, done from inside the pod.

It runs beside Patroni in every instance pod, with the interpreter and in the image of Patroni, and needs nothing but the
standard library of Python 3.9. It reads what is wanted from two files, compares it with what is there, and changes what
differs. It never drops a role, a database, a repository or a volume.

    caretaker.py            the sidecar: runs until it is told to stop
    caretaker.py pre-stop   the preStop hook of the database container: hands the leader role over, then ends

How to read it: a *duty* is one small function that makes one thing right and can be repeated at any time. Duties stand
in groups at the end of the file; each group has a thread, so that a slow backup never holds up a new user. A duty runs
when something changed, after a failure with growing pauses, and every few minutes to find what others changed. The
SQL is PGO's (`internal/postgres`, `internal/pgbouncer`, `internal/pgmonitor`), with a comparison in front of each change.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path
from typing import Any, Callable, NamedTuple

SETTINGS = Path("/etc/pgrender")
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PATRONI = Path("/etc/patroni")
PGBACKREST = Path("/etc/pgbackrest")
CERTIFICATES = Path("/pgconf/tls")
REPLICATION = Path("/tmp/replication")

LABEL = "postgres-operator.crunchydata.com/"
FINGERPRINTS = "pgrender.dev/fingerprints"
SWITCHOVER = "pgrender.dev/switchover"

# What others changed is found after this long, or later where looking takes long: at most 1 % of the time is spent on it.
DRIFT_SECONDS = 300.0
DRIFT_SHARE = 100.0


class Failure(Exception):
    """Something could not be done; the message is one line for the log, and never holds a secret."""


class Refused(Failure):
    """A server answered with an error."""

    def __init__(self, status: int, reason: str, body: str) -> None:
        try:
            message = str(json.loads(body)["message"])
        except (KeyError, TypeError, ValueError):
            message = "" if body.startswith("<") else body
        super().__init__(f"{status} {reason}: {' '.join(message.split())[:300]}".rstrip(": "))
        self.status = status


def log(message: str) -> None:
    """Print one line: when, and what was done or went wrong."""
    print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), message, flush=True)


# --- What is wanted --------------------------------------------------------------------------------------------------


class Wanted(NamedTuple):
    """The two mounted files."""

    settings: Any
    roles: Any

    @property
    def cluster(self) -> str:
        """The name of the cluster, which most names of objects begin with."""
        return str(self.settings["cluster"])


def read_wanted() -> Wanted:
    """Read both files, from one directory, so that they are always of the same rendering."""
    directory = SETTINGS / "..data" if (SETTINGS / "..data").exists() else SETTINGS
    directory = directory.resolve()
    try:
        return Wanted(
            json.loads((directory / "caretaker.json").read_bytes()), json.loads((directory / "roles.json").read_bytes())
        )
    except (OSError, ValueError) as error:
        raise Failure(f"the settings in {SETTINGS} cannot be read: {error}") from None


def version_of(*directories: Path) -> tuple[str, ...]:
    """Tell mounted directories apart without reading them: the kubelet swaps the link `..data` when content changes."""
    versions = []
    for directory in directories:
        try:
            versions.append(os.readlink(directory / "..data"))
        except OSError:
            files = sorted(directory.rglob("*")) if directory.exists() else []
            versions.append(" ".join(f"{file}:{file.stat().st_mtime_ns}" for file in files if file.is_file()))
    return tuple(versions)


# --- Talking to Patroni and Kubernetes -------------------------------------------------------------------------------


class Connection(http.client.HTTPSConnection):
    """HTTPS to an address, where the certificate bears the name of a host."""

    def __init__(self, address: str, host: str, port: int, tls: ssl.SSLContext, timeout: float) -> None:
        super().__init__(host, port, context=tls, timeout=timeout)
        self.address = address
        self.tls = tls

    def connect(self) -> None:
        """Connect to the address, but ask for the host."""
        plain = socket.create_connection((self.address, self.port), self.timeout)
        self.sock = self.tls.wrap_socket(plain, server_hostname=self.host)


def exchange(connection: Connection, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
    """Send one request. Gives the JSON or the text of the answer."""
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"{method} {connection.host}{path}: {error or type(error).__name__}") from error
    finally:
        connection.close()
    if response.status >= 400:
        raise Refused(response.status, response.reason, text)
    try:
        return json.loads(text)
    except ValueError:
        return text


def patroni(method: str, path: str, body: Any = None, url: str = "", timeout: float = 10) -> Any:
    """Ask the Patroni of this pod, or that of another member by its `api_url`.

    Patroni's unsafe endpoints want a client certificate (`restapi.verify_client: optional`)."""
    names = PATRONI / "~postgres-operator"
    tls = ssl.create_default_context(cafile=str(names / "patroni.ca-roots"))
    tls.load_cert_chain(names / "patroni.crt+key")
    place = urllib.parse.urlsplit(url or f"https://{os.environ['PATRONI_RESTAPI_CONNECT_ADDRESS']}")
    host = (place.hostname or "").rstrip(".")
    connection = Connection(host if url else "127.0.0.1", host, place.port or 8008, tls, timeout)
    return exchange(connection, method, path, body, {})


def kubernetes_connection(timeout: float) -> tuple[Connection, dict[str, str]]:
    """Connect to the API server as this pod. The token is read each time, because the kubelet renews it."""
    host = os.environ["KUBERNETES_SERVICE_HOST"]
    tls = ssl.create_default_context(cafile=str(SERVICE_ACCOUNT / "ca.crt"))
    connection = Connection(host, host, int(os.environ["KUBERNETES_SERVICE_PORT"]), tls, timeout)
    return connection, {"Authorization": f"Bearer {(SERVICE_ACCOUNT / 'token').read_text().strip()}"}


def kubernetes(method: str, path: str, body: Any = None, timeout: float = 10) -> Any:
    """Ask the API server about core objects of this namespace, for example `/pods/hippo-00-0`. PATCH means merge patch."""
    connection, headers = kubernetes_connection(timeout)
    headers["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
    namespace = (SERVICE_ACCOUNT / "namespace").read_text().strip()
    return exchange(connection, method, f"/api/v1/namespaces/{namespace}{path}", body, headers)


def pods_of(cluster: str) -> Any:
    """All pods of the cluster: instances, repo host, pgBouncer, backups."""
    selector = urllib.parse.quote(f"{LABEL}cluster={cluster}")
    return kubernetes("GET", f"/pods?labelSelector={selector}")["items"]


# Roles, as Patroni says them, in which a duty is done.
WRITER, LEADER, ANYONE = ("primary",), ("primary", "standby_leader"), ()


# --- Who is the leader -----------------------------------------------------------------------------------------------


class Leadership:
    """Whether this pod is the leader, as its Patroni says; asked rarely, because each question costs a TLS handshake."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.role = ""
        self.standby = False
        self.asked = 0.0

    def now(self) -> str:
        """Give `primary`, `standby_leader`, `replica` or, where nobody answers, an empty string.

        Postgres keeps `standby.signal` in its data directory as long as it is a replica: when the file comes or goes,
        or is not there although we thought this a replica, it is time to ask."""
        with self.lock:
            standby = (data_directory() / "standby.signal").exists()
            settled = standby == self.standby and (standby or self.role == "primary")
            if time.monotonic() - self.asked >= (10 if settled else 0.5):
                self.role, self.standby, self.asked = self.ask(), standby, time.monotonic()
            return self.role

    @staticmethod
    def ask() -> str:
        """Patroni before 4 says `master`."""
        if postmaster() is None:
            return ""
        try:
            answer = patroni("GET", "/patroni", timeout=5)
        except Failure:
            return ""
        role = str(answer.get("role", "")) if answer.get("state") == "running" else ""
        return "primary" if role == "master" else role


# --- Postgres --------------------------------------------------------------------------------------------------------


def data_directory() -> Path:
    """Where Postgres keeps its data."""
    return Path(os.environ["PGDATA"])


def postmaster() -> int | None:
    """The process that `postmaster.pid` names, alive or not; None after a clean stop, which removes the file."""
    try:
        return int((data_directory() / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def is_alive(pid: int, name: str) -> bool:
    """Whether the process runs and is what we think it is; numbers are given out again."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return f"({name})" in status and status.rsplit(")", 1)[1].split()[0] not in "ZX"


# A verifier must be in no log and no view: neither as text of a statement (`log_*`, pgAudit, pg_stat_activity,
# pg_stat_statements) nor as context of an error. Replicas that lag must not hold up the SQL.
PSQL_OPTIONS = {
    "auto_explain.log_min_duration": "-1",
    "client_min_messages": "warning",
    "lc_messages": "C",
    "log_duration": "off",
    "log_error_verbosity": "terse",
    "log_min_duration_statement": "-1",
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "log_transaction_sample_rate": "0",
    "pg_stat_statements.track": "none",
    "pgaudit.log": "none",
    "standard_conforming_strings": "on",
    "statement_timeout": "120s",
    "synchronous_commit": "local",
    "track_activities": "off",
}


def run(command: list[str], timeout: float, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, within the time. What it reads comes from us, never from the command line."""
    try:
        return subprocess.run(
            command,
            input=text,
            env={**os.environ, **environment},
            timeout=timeout,
            capture_output=True,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"`{command[0]}` took longer than {timeout:.0f} s") from None
    except OSError as error:
        raise Failure(f"`{command[0]}` does not start: {error}") from None


def psql(sql: str, database: str = "postgres", arguments: Any = None) -> list[str]:
    """Run SQL as superuser over the socket. Gives the lines that it printed.

    `arguments` reach the SQL as JSON in the setting `caretaker.arguments`. What the SQL reports with `RAISE INFO` goes to
    the log; what it reports as a warning or an error is a failure."""
    script = sql
    if arguments is not None:
        literal = json.dumps(arguments, ensure_ascii=False).replace("'", "''")
        script = f"SELECT pg_catalog.set_config('caretaker.arguments', '{literal}', false) \\g /dev/null\n{sql}"
    result = run(
        ["psql", "--no-psqlrc", "--no-password", "--quiet", "--no-align", "--tuples-only"]
        + ["--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse"],
        timeout=150,
        text=script,
        PGDATABASE=database,
        PGAPPNAME="caretaker",
        PGCLIENTENCODING="UTF8",
        PGOPTIONS=" ".join(f"-c {name}={value}" for name, value in PSQL_OPTIONS.items()),
        PGCONNECT_TIMEOUT="10",
    )
    wrong = []
    for line in result.stderr.splitlines():
        level, _, message = line.partition(":")
        if level == "INFO":
            log(f"database {database}: {message.strip()}")
        elif message and (level in ("WARNING", "ERROR", "FATAL", "PANIC") or level == "psql"):
            wrong.append(message.strip())
    if wrong or result.returncode != 0:
        raise Failure("; ".join(wrong) or f"psql ended with {result.returncode}")
    return result.stdout.splitlines()


def in_every_database(sql: str, arguments: Any = None) -> None:
    """Run SQL in all databases that take connections, template1 among them: new databases are copies of it."""
    wrong = []
    for database in psql(
        "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn ORDER BY datname <> 'template1', 1"
    ):
        try:
            psql(sql, database, arguments)
        except Failure as failure:
            wrong.append(f"database {database}: {failure}")
    if wrong:
        raise Failure("; ".join(wrong))


def identifier(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


# --- Databases, roles and what belongs into each database (PGO's order) ----------------------------------------------

# One role after the other, so that one with impossible options does not keep the others from existing.
ROLES = """
SET search_path TO '';
DO $caretaker$
DECLARE
  wanted record;
  database name;
  before jsonb;
BEGIN
  FOR wanted IN SELECT * FROM json_to_recordset(current_setting('caretaker.arguments')::json)
    AS _ (name text, options text, verifier text, databases json)
  LOOP
    BEGIN
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name) THEN
        EXECUTE format('CREATE USER %I', wanted.name);
        RAISE INFO 'created role %', quote_ident(wanted.name);
      END IF;
      IF wanted.options <> '' THEN
        before := (SELECT to_jsonb(r) - 'rolpassword' FROM pg_authid r WHERE rolname = wanted.name);
        EXECUTE format('ALTER ROLE %I WITH %s', wanted.name, wanted.options);
        IF before IS DISTINCT FROM (SELECT to_jsonb(r) - 'rolpassword' FROM pg_authid r WHERE rolname = wanted.name) THEN
          RAISE INFO 'gave role % the options: %', quote_ident(wanted.name), wanted.options;
        END IF;
      END IF;
      IF wanted.verifier <> '' AND wanted.verifier IS DISTINCT FROM
        (SELECT rolpassword FROM pg_authid WHERE rolname = wanted.name)
      THEN
        EXECUTE format('ALTER ROLE %I PASSWORD %L', wanted.name, wanted.verifier);
        RAISE INFO 'set the password of role %', quote_ident(wanted.name);
      END IF;
      FOR database IN SELECT datname FROM pg_database
        WHERE datname IN (SELECT json_array_elements_text(wanted.databases)) AND 3 > (
          SELECT count(DISTINCT privilege_type) FROM aclexplode(datacl)
          WHERE grantee = (SELECT oid FROM pg_roles WHERE rolname = wanted.name))
      LOOP
        EXECUTE format('GRANT ALL PRIVILEGES ON DATABASE %I TO %I', database, wanted.name);
        RAISE INFO 'granted database % to role %', quote_ident(database), quote_ident(wanted.name);
      END LOOP;
    EXCEPTION WHEN OTHERS THEN
      RAISE WARNING 'role %: %', quote_ident(wanted.name), SQLERRM;
    END;
  END LOOP;
END
$caretaker$;
"""

SCHEMAS = """
SET search_path TO '';
DO $caretaker$
DECLARE
  role name;
BEGIN
  FOR role IN SELECT rolname FROM json_array_elements_text(current_setting('caretaker.arguments')::json) AS _ (name)
    JOIN pg_roles ON rolname = name WHERE name NOT IN (SELECT nspname FROM pg_namespace)
  LOOP
    EXECUTE format('CREATE SCHEMA %I AUTHORIZATION %I', role, role);
    RAISE INFO 'created schema %', quote_ident(role);
  END LOOP;
END
$caretaker$;
"""

# A role of pgBouncer or of the exporter, before it may log in.
SERVICE_ROLE = """
SET search_path TO '';
DO $caretaker$
DECLARE
  wanted CONSTANT json := current_setting('caretaker.arguments')::json;
  role CONSTANT name := wanted->>'name';
  setting record;
  membership name;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
    EXECUTE format('CREATE ROLE %I NOLOGIN', role);
    RAISE INFO 'created role %', quote_ident(role);
  END IF;
  FOR membership IN SELECT json_array_elements_text(wanted->'memberships') LOOP
    IF NOT pg_has_role(role, membership, 'MEMBER') THEN
      EXECUTE format('GRANT %I TO %I', membership, role);
      RAISE INFO 'granted % to role %', quote_ident(membership), quote_ident(role);
    END IF;
  END LOOP;
  FOR setting IN SELECT key, value FROM json_each_text(wanted->'settings')
    WHERE NOT EXISTS (SELECT FROM pg_db_role_setting JOIN pg_roles ON pg_roles.oid = setrole
      WHERE rolname = role AND setdatabase = 0 AND key || '=' || value = ANY (setconfig))
  LOOP
    EXECUTE format('ALTER ROLE %I SET %I TO %L', role, setting.key, setting.value);
    RAISE INFO 'set % of role %', setting.key, quote_ident(role);
  END LOOP;
END
$caretaker$;
"""

# A verifier lets the role log in; none, once it is no longer wanted, keeps it out.
SERVICE_LOGIN = """
SET search_path TO '';
DO $caretaker$
DECLARE
  wanted CONSTANT json := current_setting('caretaker.arguments')::json;
  role CONSTANT name := wanted->>'name';
  verifier CONSTANT text := wanted->>'verifier';
BEGIN
  IF verifier IS NULL AND EXISTS (SELECT FROM pg_authid WHERE rolname = role AND rolcanlogin) THEN
    EXECUTE format('ALTER ROLE %I NOLOGIN', role);
    RAISE INFO 'role % may no longer log in', quote_ident(role);
  ELSIF NOT EXISTS (SELECT FROM pg_authid WHERE rolname = role AND rolcanlogin AND rolpassword = verifier) AND verifier <> '' THEN
    EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', role, verifier);
    RAISE INFO 'set the password of role %', quote_ident(role);
  END IF;
END
$caretaker$;
"""

# pgBouncer looks up verifiers with a function that shows neither superusers nor replication roles, and its role may do
# nothing else (PGO's internal/pgbouncer/postgres.go).
PGBOUNCER_FUNCTION = """
SET search_path TO '';
DO $caretaker$
DECLARE
  schema name;
  body CONSTANT text := $body$
  SELECT rolname::TEXT, rolpassword::TEXT
  FROM pg_catalog.pg_authid
  WHERE pg_authid.rolname = $1
    AND pg_authid.rolcanlogin
    AND NOT pg_authid.rolsuper
    AND NOT pg_authid.rolreplication
    AND pg_authid.rolname <> '_crunchypgbouncer'
    AND (pg_authid.rolvaliduntil IS NULL OR pg_authid.rolvaliduntil >= CURRENT_TIMESTAMP)
$body$;
BEGIN
  FOR schema IN SELECT nspname FROM pg_namespace WHERE nspname NOT IN ('pg_catalog', 'pgbouncer') AND EXISTS (
    SELECT FROM aclexplode(nspacl) WHERE grantee = (SELECT oid FROM pg_roles WHERE rolname = '_crunchypgbouncer'))
  LOOP
    EXECUTE format('REVOKE ALL PRIVILEGES ON SCHEMA %I FROM _crunchypgbouncer', schema);
    RAISE INFO 'revoked schema % from role _crunchypgbouncer', quote_ident(schema);
  END LOOP;
  IF NOT EXISTS (
    SELECT FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
    WHERE nspname = 'pgbouncer' AND proname = 'get_auth' AND prosrc = body AND prosecdef
      AND has_schema_privilege('_crunchypgbouncer', pronamespace, 'USAGE')
      AND has_function_privilege('_crunchypgbouncer', pg_proc.oid, 'EXECUTE')
      AND NOT EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0)
  ) THEN
    CREATE SCHEMA IF NOT EXISTS pgbouncer;
    REVOKE ALL PRIVILEGES ON SCHEMA pgbouncer FROM PUBLIC, _crunchypgbouncer;
    GRANT USAGE ON SCHEMA pgbouncer TO _crunchypgbouncer;
    EXECUTE format('CREATE OR REPLACE FUNCTION pgbouncer.get_auth(username TEXT)
      RETURNS TABLE(username TEXT, password TEXT) LANGUAGE SQL STABLE SECURITY DEFINER AS %L', body);
    REVOKE ALL PRIVILEGES ON FUNCTION pgbouncer.get_auth(username TEXT) FROM PUBLIC, _crunchypgbouncer;
    GRANT EXECUTE ON FUNCTION pgbouncer.get_auth(username TEXT) TO _crunchypgbouncer;
    RAISE INFO 'made pgbouncer.get_auth';
  END IF;
END
$caretaker$;
"""

MONITORING_EXTENSION = """
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
ALTER EXTENSION pg_stat_statements UPDATE;
"""

MONITORING_SCHEMA = """
SET search_path TO '';
DO $caretaker$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'monitor') THEN
    CREATE SCHEMA monitor AUTHORIZATION ccp_monitoring;
    RAISE INFO 'created schema monitor';
  END IF;
END
$caretaker$;
"""


def extensions(wanted: Wanted) -> None:
    """Create the extensions before the databases, so that new databases inherit them from `template1`."""
    for extension in wanted.settings["extensions"]:
        in_every_database(f"CREATE EXTENSION IF NOT EXISTS {identifier(extension)};")


def databases(wanted: Wanted) -> None:
    """Create the databases that are missing; existing ones are left as they are."""
    existing = psql("SELECT datname FROM pg_catalog.pg_database")
    for database in sorted(set(wanted.settings["databases"]) - set(existing)):
        psql(f"CREATE DATABASE {identifier(database)}")
        log(f"created database {identifier(database)}")


def users(wanted: Wanted) -> None:
    """Create roles, set options and passwords, grant databases. `postgres` is what PGO makes of it, whatever is asked."""
    superuser = {"options": "LOGIN SUPERUSER", "databases": ["postgres"]}
    roles = [{**user, **superuser} if user["name"] == "postgres" else user for user in wanted.roles["users"]]
    psql(ROLES, arguments=roles)


def schemas(wanted: Wanted) -> None:
    """Give each user a schema of their own in each of their databases (annotation `autoCreateUserSchema`)."""
    owners: dict[str, list[str]] = {}
    for user in wanted.roles["users"] if wanted.settings["schemaPerUser"] else []:
        if user["name"] not in ("public", "pgbouncer", "monitor"):
            for database in user["databases"]:
                owners.setdefault(database, []).append(user["name"])
    for database, names in owners.items():
        psql(SCHEMAS, database, names)


def pgbouncer(wanted: Wanted) -> None:
    """Let pgBouncer look up passwords in every database, or keep its role out when there is no pgBouncer."""
    role = wanted.roles["pgbouncer"] or {"name": "_crunchypgbouncer", "verifier": None}
    if wanted.roles["pgbouncer"]:
        psql(SERVICE_ROLE, arguments={**role, "memberships": [], "settings": {"search_path": "pgbouncer"}})
        in_every_database(PGBOUNCER_FUNCTION)
    psql(SERVICE_LOGIN, arguments=role)


def monitoring(wanted: Wanted) -> None:
    """Let the exporter read statistics, or keep its role out when there is no exporter."""
    role = wanted.roles["monitoring"] or {"name": "ccp_monitoring", "verifier": None}
    if wanted.roles["monitoring"]:
        in_every_database(MONITORING_EXTENSION)
        limits = {"lock_timeout": "2min", "jit": "off"}
        psql(SERVICE_ROLE, arguments={**role, "memberships": ["pg_monitor"], "settings": limits})
        psql(MONITORING_SCHEMA)
    psql(SERVICE_LOGIN, arguments=role)


# --- Patroni's configuration, restarts and switchover ----------------------------------------------------------------

# A replica must have at least what the leader has of these, or it stops replaying (PostgreSQL, "Hot Standby").
HOT_STANDBY_SETTINGS = {
    "max_connections",
    "max_locks_per_transaction",
    "max_prepared_transactions",
    "max_wal_senders",
    "max_worker_processes",
}
LEADERS = ("leader", "standby_leader")
HEALTHY = ("running", "streaming", "in archive recovery")


def dynamic_configuration(wanted: Wanted) -> float | None:
    """Replace Patroni's dynamic configuration, whole, when it is another one. Patroni itself passes it on and reloads."""
    right = wanted.settings["dynamicConfiguration"]
    try:
        there = patroni("GET", "/config")
    except Refused as refused:
        if refused.status != 502:
            raise
        return 1  # the cluster is being initialized, with just this configuration
    if there == right:
        return None
    patroni("PUT", "/config", right)
    log(f"configured Patroni: {', '.join(differences(there, right))}")
    return None


def differences(there: Any, right: Any, path: str = "") -> list[str]:
    """Name what differs, without values: a parameter may hold a password."""
    if not (isinstance(there, dict) and isinstance(right, dict)):
        return [] if there == right else [path]
    keys = sorted({*there, *right})
    return [name for key in keys for name in differences(there.get(key), right.get(key), f"{path}.{key}".lstrip("."))]


# What the leader has of these settings, and who follows it at this moment; Patroni's view is seconds old. A replica that
# has replayed past the last checkpoint knows with which settings the leader started.
FOLLOWED = """
SELECT json_build_object(
  'settings', (SELECT json_object_agg(name, setting) FROM pg_catalog.pg_settings WHERE name LIKE 'max%'),
  'followers', (SELECT coalesce(json_agg(application_name), '[]')
    FROM pg_catalog.pg_stat_replication, pg_catalog.pg_control_checkpoint()
    WHERE state = 'streaming' AND replay_lsn > checkpoint_lsn))
"""


def pending(members: list[Any]) -> list[Any]:
    """The members that a setting waits for until they restart."""
    return [member for member in members if member.get("pending_restart")]


def must_wait(replica: Any, settings: dict[str, str]) -> bool:
    """Whether a replica waits for a restart with nothing but hot standby settings that the leader still has higher."""
    reasons = replica.get("pending_restart_reason") or {"unknown": {}}
    try:
        return all(
            name in HOT_STANDBY_SETTINGS and int(values["new_value"]) < int(settings[name])
            for name, values in reasons.items()
        )
    except (KeyError, TypeError, ValueError):
        return False


def next_restart(members: list[Any], settings: dict[str, str]) -> Any:
    """Choose who restarts next, or None.

    Replicas go first: a raised hot standby setting must be there before the leader has it, and a setting with which
    Postgres does not start is found out before it reaches the leader. A lowered one must reach the leader first; until then
    a replica starts with the old value, and would be restarted again and again."""
    leader = [member for member in pending(members) if member["role"] in LEADERS]
    replicas = [member for member in pending(members) if member["role"] not in LEADERS]
    return next(iter([replica for replica in replicas if not must_wait(replica, settings)] + leader), None)


def follows(member: Any, followers: list[str]) -> bool:
    """Whether a replica streams from the leader; one that Patroni has replicate from another replica is taken to."""
    return member["role"] in LEADERS or member["name"] in followers or "replicatefrom" in member.get("tags", {})


class Calm:
    """Tells when the members have had time to take in the configuration: each looks every `loop_wait` seconds, in its own
    time, and so does not know for a while what another knows already."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.since = 0.0

    def has_come(self, wanted: Wanted, news: set[str]) -> bool:
        """Whether nothing new was heard for that long; what is heard no more does not count."""
        configuration = wanted.settings["dynamicConfiguration"]
        news = news | {json.dumps(configuration, sort_keys=True)}
        if not news <= self.known:
            self.since = time.monotonic()
        self.known = news
        return time.monotonic() - self.since > float(configuration.get("loop_wait", 10)) + 2


class PendingRestarts:
    """Restart Postgres where a setting waits for it, one pod at a time, and only while all members are well."""

    def __init__(self) -> None:
        self.calm = Calm()

    def __call__(self, wanted: Wanted) -> float | None:
        """Restart one, and come back soon for the next."""
        view = patroni("GET", "/cluster")
        waiting = {f"{member['name']} {member.get('pending_restart_reason')}" for member in pending(view["members"])}
        if not self.calm.has_come(wanted, waiting) or not waiting or view.get("pause"):
            return None
        followed = json.loads("".join(psql(FOLLOWED)))
        member = next_restart(view["members"], followed["settings"])
        if member is None:
            return None
        unwell = [
            f"{other['name']} is {other['state'] or 'away'}"
            for other in view["members"]
            if other["state"] not in HEALTHY or not follows(other, followed["followers"])
        ]
        if unwell:
            raise Failure(f"{member['name']} waits for a restart of Postgres, but {', '.join(unwell)}")
        patroni("POST", "/restart", {"restart_pending": True}, url=member["api_url"], timeout=180)
        log(
            f"restarted Postgres of {member['name']}: {', '.join(member.get('pending_restart_reason', {})) or 'settings'}"
        )
        return 2


REFUSED_SETTINGS = """
SET search_path TO '';
SELECT DISTINCT format('line %s of %s: %s: %s', f.sourceline, f.sourcefile, f.name, error)
FROM pg_file_settings f LEFT JOIN pg_settings s ON lower(s.name) = lower(f.name)
WHERE error IS NOT NULL AND f.sourcefile IS NOT NULL AND s.context IS DISTINCT FROM 'postmaster'
UNION ALL
SELECT format('%s is unknown to Postgres or has an impossible value', wanted)
FROM json_array_elements_text(current_setting('caretaker.arguments')::json) AS _ (wanted)
LEFT JOIN pg_settings ON lower(name) = lower(wanted)
WHERE (name IS NULL AND wanted NOT LIKE '%.%')
  OR (source = 'default' AND NOT pending_restart AND category NOT LIKE 'Write-Ahead Log / %Recovery%')
"""


class RefusedSettings:
    """Say which parameters Postgres does not take. Patroni leaves them out and says so only in its own log."""

    def __init__(self) -> None:
        self.calm = Calm()

    def __call__(self, wanted: Wanted) -> None:
        """Compare what is wanted with what Postgres runs with."""
        if not self.calm.has_come(wanted, set()):
            return
        parameters = wanted.settings["dynamicConfiguration"].get("postgresql", {}).get("parameters") or {}
        refused = psql(
            REFUSED_SETTINGS, arguments=sorted(name for name, value in parameters.items() if value is not None)
        )
        if refused:
            raise Failure("; ".join(refused))


def primary_path(wanted: Wanted) -> str:
    """The Endpoints object of the Service that applications use."""
    return f"/endpoints/{wanted.cluster}-primary"


def primary_endpoints(wanted: Wanted) -> None:
    """Point `<cluster>-primary` at the ClusterIP of `<cluster>-ha`, which stays the same through every failover.

    Any member may do it, and the first one does, before there is a leader: who asks for the name too early would
    be told for a while that there is none. A new object remembers the switchover that was asked for by then as done."""
    address = kubernetes("GET", f"/services/{wanted.cluster}-ha")["spec"].get("clusterIP", "None")
    if address in ("None", ""):
        raise Failure(f"Service {wanted.cluster}-ha has no ClusterIP")
    port = {"name": "postgres", "port": wanted.settings["port"], "protocol": "TCP"}
    labels = {f"{LABEL}cluster": wanted.cluster, f"{LABEL}role": "primary"}
    subsets = [{"addresses": [{"ip": address}], "ports": [port]}]
    try:
        there = kubernetes("GET", primary_path(wanted))
    except Refused as refused:
        if refused.status != 404:
            raise
        trigger = (wanted.settings["switchover"] or {}).get("trigger", "")
        metadata = {"name": f"{wanted.cluster}-primary", "labels": labels}
        metadata["annotations"] = {SWITCHOVER: json.dumps({"done": trigger})}
        body = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": subsets}
        kubernetes("POST", "/endpoints", body)
        log(f"created Endpoints {wanted.cluster}-primary with {address}")
        return
    has_labels = labels.items() <= there["metadata"].get("labels", {}).items()
    if there.get("subsets") != subsets or not has_labels:
        kubernetes("PATCH", primary_path(wanted), {"metadata": {"labels": labels}, "subsets": subsets})
        log(f"changed Endpoints {wanted.cluster}-primary to {address}")


def switchover(wanted: Wanted) -> None:
    """Move the leader once for each new value of PGO's annotation `trigger-switchover`.

    What was done is remembered on the Endpoints of `<cluster>-primary`. As in PGO, the timeline is written down first:
    when it has changed by the time we look again, the leader has moved already."""
    request = wanted.settings["switchover"]
    if not request or not request["trigger"]:
        return
    trigger = request["trigger"]
    annotations = kubernetes("GET", primary_path(wanted))["metadata"].get("annotations", {})
    memory = json.loads(annotations.get(SWITCHOVER, "null")) or {"done": trigger}
    if SWITCHOVER in annotations and memory.get("done") == trigger:
        return
    view = patroni("GET", "/cluster")
    leader = next((member for member in view["members"] if member["role"] in LEADERS), None)
    if leader is None:
        raise Failure("no leader to switch over from")
    if memory.get("asked") != trigger and memory.get("done") != trigger:
        memory = {**memory, "asked": trigger, "timeline": leader.get("timeline")}
        remember(wanted, memory)
    if memory.get("done") != trigger and leader.get("timeline") == memory["timeline"]:
        target = request.get("target")
        if request.get("type") == "Failover":
            patroni("POST", "/failover", {"candidate": target}, timeout=60)
        else:
            patroni("POST", "/switchover", {"leader": leader["name"], "candidate": target}, timeout=60)
        log(f"moved the leader away from {leader['name']}, as `{trigger}` asked")
    remember(wanted, {"done": trigger})


def remember(wanted: Wanted, memory: Any) -> None:
    """Write down how far a switchover got."""
    kubernetes("PATCH", primary_path(wanted), {"metadata": {"annotations": {SWITCHOVER: json.dumps(memory)}}})


# --- pgBackRest ------------------------------------------------------------------------------------------------------


def pgbackrest(*words: str, timeout: float = 120) -> str:
    """Run pgBackRest for this cluster's one stanza. An unreachable repository is given up after seconds, not minutes."""
    result = run(["pgbackrest", "--stanza=db", "--io-timeout=15", "--log-level-console=warn", *words], timeout)
    if result.returncode != 0:
        lines = (result.stderr + result.stdout).split("\n")
        raise Failure(f"pgbackrest {words[0]}: {'; '.join(line.strip() for line in lines if 'ERROR' in line)[:500]}")
    return result.stdout


def stanza_of(information: Any) -> Any:
    """What `pgbackrest info` says of our stanza."""
    return next((stanza for stanza in information if stanza["name"] == "db"), {"repo": [], "db": [], "backup": []})


def lacks_stanza(stanza: Any, repositories: list[int], system: str, version: int) -> list[int]:
    """Which repositories have no stanza, or one of another database cluster. Codes 0 and 2: well, and no backup yet."""
    usable = {repository["key"] for repository in stanza["repo"] if repository["status"]["code"] in (0, 2)}
    newest = {entry["repo-key"]: entry for entry in stanza["db"]}
    ours = {key for key, db in newest.items() if str(db["system-id"]) == system and db["version"] == str(version)}
    return [repository for repository in repositories if repository not in usable & ours]


def stanza(wanted: Wanted) -> None:
    """Create or upgrade the stanza where a repository lacks it."""
    if not wanted.settings["stanza"]:
        return
    repositories = sorted(wanted.settings["volumeRepositories"] + wanted.settings["cloudRepositories"])
    system = str(patroni("GET", "/patroni").get("database_system_identifier"))
    there = stanza_of(json.loads(pgbackrest("info", "--output=json")))
    lacking = lacks_stanza(there, repositories, system, wanted.settings["postgresVersion"])
    if not lacking:
        return
    of_others = any(entry["repo-key"] in lacking for entry in there["db"])
    pgbackrest("stanza-upgrade" if of_others else "stanza-create")
    log(f"created the stanza in {', '.join(f'repo{number}' for number in lacking)}")


class FirstBackup:
    """The first full backup of a cluster whose repositories are all in object storage.

    With a repository on a volume the repo host takes it. It may run for hours, so it is looked after, not waited for."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def __call__(self, wanted: Wanted) -> float | None:
        """Start the backup if there is none, then say how it ended."""
        if self.process is None:
            repositories = wanted.settings["cloudRepositories"]
            if not wanted.settings["stanza"] or not repositories or wanted.settings["volumeRepositories"]:
                return None
            there = stanza_of(json.loads(pgbackrest("info", "--output=json")))
            if any(backup["database"]["repo-key"] == repositories[0] for backup in there["backup"]):
                return None
            command = ["pgbackrest", "--stanza=db", "--log-level-console=off", "--log-level-stderr=off", "backup"]
            self.process = subprocess.Popen([*command, f"--repo={repositories[0]}", "--type=full"], text=True)
            log(f"started the first full backup, to repo{repositories[0]}")
        if self.process.poll() is None:
            return 5
        code, self.process = self.process.returncode, None
        if code != 0:
            raise Failure(f"the first full backup ended with {code}; its log is in pgBackRest's log directory")
        log("finished the first full backup")
        return None


# --- What every pod does for itself ----------------------------------------------------------------------------------


def label_pod(_: Wanted) -> None:
    """Label this pod with its instance. One template makes all pods of a set, so it cannot bear their names."""
    name = os.environ["PATRONI_NAME"]
    labels = kubernetes("GET", f"/pods/{name}")["metadata"].get("labels", {})
    if labels.get(f"{LABEL}instance") != name:
        kubernetes("PATCH", f"/pods/{name}", {"metadata": {"labels": {f"{LABEL}instance": name}}})
        log(f"labelled pod {name} with its instance")


class OnChange:
    """A duty that acts when mounted directories change, and once at the start, because they may have changed before."""

    def __init__(self, what: str, act: Callable[[], bool], *directories: Path) -> None:
        self.what, self.act, self.directories = what, act, directories
        self.seen: tuple[str, ...] | None = None

    def __call__(self, _: Wanted) -> None:
        """Act, and say so when it was more than the start."""
        version = version_of(*self.directories)
        if version == self.seen:
            return
        if self.act() and self.seen is not None:
            log(f"{self.what}, because {' or '.join(map(str, self.directories))} changed")
        self.seen = version


def copy_replication_certificate() -> bool:
    """Copy the client certificate of replicas to where libpq accepts it: a key must be readable by its owner only.

    Then reload Postgres, which also reads its server certificate anew."""
    REPLICATION.mkdir(mode=0o700, exist_ok=True)
    for name in ("tls.crt", "tls.key", "ca.crt"):
        new = REPLICATION / f".{name}.new"
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write((CERTIFICATES / "replication" / name).read_bytes())
        new.replace(REPLICATION / name)
    pid = postmaster()
    if pid is None or not is_alive(pid, "postgres"):
        return False
    os.kill(pid, signal.SIGHUP)
    return True


def reload_patroni() -> bool:
    """Have Patroni read its files anew. One that does not run will do so when it starts."""
    try:
        patroni("POST", "/reload", {})
    except Failure as failure:
        if isinstance(failure.__cause__, ConnectionRefusedError):
            return False
        raise
    return True


def reload_pgbackrest() -> bool:
    """Have pgBackRest's TLS server read its certificate and configuration anew; its children serve a session each."""
    servers = {pid: parent for pid, parent in processes("pgbackrest") if b"\0server\0" in command_of(pid)}
    parents = [pid for pid, parent in servers.items() if parent not in servers]
    for pid in parents:
        os.kill(pid, signal.SIGHUP)
    return bool(parents)


def processes(name: str) -> list[tuple[int, int]]:
    """The living processes of that name, each with its parent. The containers of the pod share one process namespace."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        if is_alive(int(directory.name), name):
            status = (directory / "stat").read_text()
            found.append((int(directory.name), int(status.rsplit(")", 1)[1].split()[1])))
    return found


def command_of(pid: int) -> bytes:
    """The words of a process, each ended by a zero."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


class DeadPostmaster:
    """Tell Patroni at once when Postgres dies: by itself it looks only every `loop_wait` seconds."""

    def __init__(self) -> None:
        self.alive: int | None = None

    def __call__(self, _: Wanted) -> None:
        """A clean stop removes `postmaster.pid`; a file that names a dead process is left by a crash."""
        pid = postmaster()
        if pid is not None and is_alive(pid, "postgres"):
            self.alive = pid
        elif pid is not None and pid == self.alive:
            self.alive = None
            if patroni("GET", "/cluster").get("pause"):
                return
            log(f"told Patroni that Postgres, process {pid}, is dead: {patroni('POST', '/restart', {}, timeout=60)}")


# --- Hearing of changes ----------------------------------------------------------------------------------------------


# The ConfigMap of fingerprints may arrive before the Secrets of the same apply, so the pods are told three times; after
# how many seconds again, by how often they were told.
TELL_AGAIN = {1: 2, 2: 5}
TOLD_ENOUGH = 3


def fingerprint(config_map: Any) -> str:
    """One short word for all that is mounted in the pods of the cluster."""
    return hashlib.sha256(json.dumps(config_map.get("data"), sort_keys=True).encode()).hexdigest()[:16]


def refresh_pods(wanted: Wanted, value: str) -> None:
    """Annotate pods, so that the kubelet brings them what changed at once and not in its own minute.

    Each instance pod does it for itself, and the leader for all, because the others have no caretaker. It goes on while
    the cluster is paused, or the end of the pause would be heard of late."""
    me = os.environ["PATRONI_NAME"]
    for pod in sorted(pods_of(wanted.cluster), key=lambda pod: bool(pod["metadata"]["name"] != me)):
        name = pod["metadata"]["name"]
        if pod["status"].get("phase") != "Running" or pod["metadata"].get("annotations", {}).get(FINGERPRINTS) == value:
            continue
        if name == me or leadership.role in LEADER:
            try:
                kubernetes("PATCH", f"/pods/{name}", {"metadata": {"annotations": {FINGERPRINTS: value}}})
            except Failure as failure:
                log(f"pod {name} hears of changes from the kubelet only, after a minute: {failure}")


def follow_fingerprints() -> None:
    """Watch the one ConfigMap that changes whenever something mounted does."""
    failures = 0
    value, told = "", TOLD_ENOUGH - 1  # one that has just started has fresh files: it tells once
    while True:
        try:
            wanted = read_wanted()
            path = f"/configmaps?fieldSelector=metadata.name%3D{wanted.settings['fingerprints']}"
            listing = kubernetes("GET", path)
            newest = "".join(map(fingerprint, listing["items"]))
            if value not in ("", newest):
                told = 0
            value = newest
            if told < TOLD_ENOUGH:
                told += 1
                refresh_pods(wanted, f"{value}.{told}")
            wait_for_event(path, listing["metadata"]["resourceVersion"], TELL_AGAIN.get(told, 300))
            failures = 0
        except (Failure, KeyError, OSError, ValueError) as error:
            failures += 1
            log(f"fingerprints: {error}; again in {pause_after(failures):.0f} s")
            time.sleep(pause_after(failures))


def wait_for_event(path: str, version: str, seconds: int) -> None:
    """Wait until the object changes, or so long."""
    connection, headers = kubernetes_connection(timeout=seconds + 30)
    namespace = (SERVICE_ACCOUNT / "namespace").read_text().strip()
    try:
        query = f"{path}&watch=true&timeoutSeconds={seconds}&resourceVersion={version}"
        connection.request("GET", f"/api/v1/namespaces/{namespace}{query}", headers=headers)
        response = connection.getresponse()
        if response.status >= 400:
            raise Refused(response.status, response.reason, response.read().decode(errors="replace"))
        response.readline()
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"the watch ended: {error}") from error
    finally:
        connection.close()


# --- Running it ------------------------------------------------------------------------------------------------------


def pause_after(failures: int) -> float:
    """How long to wait after so many failures in a row: a second, then half as much again each time, up to a minute."""
    return float(min(1.5 ** (failures - 1), 60))


class Duty:
    """One thing to keep right: the function that does it, and when it is next due."""

    def __init__(self, work: Callable[[Wanted], float | None], period: float = DRIFT_SECONDS, name: str = "") -> None:
        self.work = work
        self.period = period
        self.name = name or getattr(work, "__name__", "duty").replace("_", " ")
        self.due = 0.0
        self.failures = 0
        self.reason = ""

    def run(self, wanted: Wanted) -> None:
        """Do it, and decide when to do it again. No failure, foreseen or not, stops the other duties."""
        started = time.monotonic()
        try:
            again = self.work(wanted)
        except Exception as error:  # noqa: BLE001
            self.failures += 1
            pause = pause_after(self.failures)
            self.complain(str(error) if isinstance(error, Failure) else f"{type(error).__name__}: {error}", pause)
        else:
            took = time.monotonic() - started
            pause = again or max(self.period, DRIFT_SHARE * took if self.period >= 60 else 0)
            if self.reason:
                log(f"{self.name}: well again")
            self.failures, self.reason = 0, ""
        self.due = time.monotonic() + pause

    def complain(self, reason: str, pause: float) -> None:
        """Log a failure, but not each time that the same one is met."""
        if reason != self.reason or self.failures % 20 == 0:
            log(f"{self.name}: {reason}; again in {pause:.0f} s")
        self.reason = reason


class Group(NamedTuple):
    """Duties of one thread, done in this order."""

    duties: list[Duty]
    roles: tuple[str, ...]
    while_paused: bool
    tick: float


leadership = Leadership()

GROUPS = [
    Group(
        [
            Duty(DeadPostmaster(), 0.2, "dead postmaster"),
            Duty(primary_endpoints),
        ],
        ANYONE,
        while_paused=False,
        tick=0.25,
    ),
    Group(
        [
            Duty(
                OnChange("copied certificates and reloaded Postgres", copy_replication_certificate, CERTIFICATES), 0.5
            ),
            Duty(OnChange("reloaded Patroni", reload_patroni, PATRONI), 0.5),
            Duty(OnChange("reloaded pgBackRest", reload_pgbackrest, PGBACKREST / "server", PGBACKREST / "conf.d"), 0.5),
            Duty(label_pod),
        ],
        ANYONE,
        while_paused=True,
        tick=0.5,
    ),
    Group(
        [Duty(extensions), Duty(databases), Duty(users), Duty(schemas), Duty(pgbouncer), Duty(monitoring)],
        WRITER,
        while_paused=False,
        tick=0.5,
    ),
    Group(
        [
            Duty(dynamic_configuration),
            Duty(PendingRestarts(), 5, "pending restarts"),
            Duty(RefusedSettings(), 30, "refused settings"),
            Duty(switchover),
        ],
        LEADER,
        while_paused=False,
        tick=0.5,
    ),
    Group([Duty(stanza), Duty(FirstBackup(), name="first backup")], WRITER, while_paused=False, tick=0.5),
]


def look_after(group: Group) -> None:
    """Do the duties of a group for ever: all of them when the settings changed or the pod became leader, else when due."""
    before: Any = None
    wanted: Wanted | None = None
    while True:
        try:
            version = version_of(SETTINGS)
            if wanted is None or before is None or version != before[0]:
                wanted = read_wanted()
            responsible = not group.roles or leadership.now() in group.roles
        except Failure as failure:
            log(str(failure))
            time.sleep(5)
            continue
        if (version, responsible) != before:
            before = (version, responsible)
            for duty in group.duties:
                duty.due = duty.failures = 0
        for duty in group.duties:
            if responsible and time.monotonic() >= duty.due and (group.while_paused or not wanted.settings["paused"]):
                duty.run(wanted)
        time.sleep(group.tick)


def serve() -> None:
    """Start the groups, then wait for a new version of this program and become it: no pod restarts for it."""
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: os._exit(0))
    program = Path(__file__)
    running = program.read_bytes()
    for group in GROUPS:
        threading.Thread(target=look_after, args=[group], daemon=True).start()
    threading.Thread(target=follow_fingerprints, daemon=True).start()
    log(f"started for {os.environ['PATRONI_NAME']}")
    while program.read_bytes() == running:
        time.sleep(5)
    log("became a new version of itself")
    os.execv(sys.executable, [sys.executable, str(program)])


# --- Before the pod stops --------------------------------------------------------------------------------------------

PRE_STOP_SECONDS = 20.0


def heirs(view: Any, leaving: set[str]) -> list[str]:
    """Who may take over, the most advanced first.

    Members that are well, know their position and stay. With synchronous replication Patroni takes only synchronous ones."""
    replicas = [
        member
        for member in view["members"]
        if member["role"] not in LEADERS
        and member["state"] in HEALTHY
        and member["name"] not in leaving
        and isinstance(member.get("lag"), int)
        and not member.get("tags", {}).get("nofailover")
    ]
    synchronous = [member for member in replicas if member["role"] in ("sync_standby", "quorum_standby")]
    return [member["name"] for member in sorted(synchronous or replicas, key=lambda member: member["lag"])]


def speak_through_patroni() -> None:
    """Print to the log of the database container: what a hook prints is shown to nobody."""
    for pid, _ in processes("patroni"):
        try:
            os.dup2(os.open(f"/proc/{pid}/fd/1", os.O_WRONLY), 1)
        except OSError:
            continue
        return


def pre_stop() -> None:
    """Hand the leader role to the best replica before this pod stops, so that nobody waits for its shutdown.

    Where nobody stays (shutdown, deletion, a single instance) there is nothing to hand over; a checkpoint then makes the
    shutdown short, unless all go."""
    end = time.monotonic() + PRE_STOP_SECONDS
    me = os.environ["PATRONI_NAME"]
    if Leadership.ask() not in LEADER:
        return
    time.sleep(1)  # pods that are deleted together are not marked at the same moment
    others = [
        pod["metadata"]
        for pod in pods_of(read_wanted().cluster)
        if f"{LABEL}patroni" in pod["metadata"].get("labels", {})
    ]
    others = [pod for pod in others if pod["name"] != me]
    leaving = {pod["name"] for pod in others if "deletionTimestamp" in pod}
    if others and len(leaving) == len(others):
        return
    view = patroni("GET", "/cluster", timeout=5)
    candidates = [] if view.get("pause") else heirs(view, leaving)
    try:
        psql("CHECKPOINT")
    except Failure as failure:
        log(f"pre-stop: {failure}")
    if candidates:
        left = max(end - time.monotonic(), 1)
        answer = patroni("POST", "/switchover", {"leader": me, "candidate": candidates[0]}, timeout=left)
        log(f"pre-stop: handed over to {candidates[0]}: {answer}")


def find_programs() -> None:
    """Put the programs of Postgres on PATH: images keep them where their distribution does."""
    version = read_wanted().settings["postgresVersion"]
    places = [f"/usr/lib/postgresql/{version}/bin", f"/usr/libexec/postgresql{version}", f"/usr/pgsql-{version}/bin"]
    os.environ["PATH"] = os.pathsep.join([*places, os.environ.get("PATH", os.defpath)])


def main() -> None:
    """Run as the sidecar, or as the preStop hook, which may never fail or hang: the pod stops either way."""
    find_programs()
    if sys.argv[1:] == ["pre-stop"]:
        speak_through_patroni()
        try:
            pre_stop()
        except (Failure, OSError, KeyError) as error:
            log(f"pre-stop: {error}")
    elif shutil.which("psql") is None:
        sys.exit("caretaker: `psql` is not in this image; the caretaker runs in the Postgres image")
    else:
        serve()


if __name__ == "__main__":
    main()
