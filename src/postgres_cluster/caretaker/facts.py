"""Facts for the exporter that its queries cannot find out: backups, Patroni, volumes, certificates, and tables of all databases.

The caretaker writes them to a file as JSON. The function `monitor.facts` (monitoring.py) returns it to the exporter."""

from __future__ import annotations

import json
import os
import socket
import ssl
import struct
import threading
import time
from pathlib import Path
from typing import Any

from postgres import EveryDatabase, psql
from surroundings import CERTIFICATES, LEADER, PATRONI, WRITER, Failure, Wanted, leadership, log, patroni

# All containers of the pod share `/tmp`. It is not on the data volume, which may be full.
FILE = Path("/tmp/caretaker-facts.json")

# What the file begins with, and its maximum size in bytes.
PREFIX = '{"caretaker-facts": 1'
LIMIT = 1048576

# How often, in seconds. Requests to object storage cost money, and there may be thousands of databases.
POD_SECONDS = 60.0
DATABASES_SECONDS = 300.0
BACKUPS_SECONDS = 600.0

VOLUMES = ("/pgdata", "/pgwal")
TABLES = 20
# The share of the time that reading databases may take is 1 to this.
DATABASES_SHARE = 100.0

# With the short timeout, a locked sequence or catalog holds up nothing for long. As in pg_stat_user_tables, there are no tables of
# the system. A sequence that cycles is never exhausted.
DATABASE = """
SET lock_timeout TO '500ms';
SELECT json_build_object('tables', (
  SELECT coalesce(json_agg(json_build_array(nspname, relname, live, dead, vacuums, autovacuums)), '[]') FROM (
    SELECT nspname, relname, pg_stat_get_live_tuples(pg_class.oid) AS live, pg_stat_get_dead_tuples(pg_class.oid) AS dead,
      pg_stat_get_vacuum_count(pg_class.oid) AS vacuums, pg_stat_get_autovacuum_count(pg_class.oid) AS autovacuums
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'm') AND relpersistence <> 't' AND nspname !~ '^pg_' AND nspname <> 'information_schema'
    AND pg_stat_get_dead_tuples(pg_class.oid) > 0 ORDER BY dead DESC, pg_class.oid LIMIT :tables) AS _
), 'exhausted', (
  SELECT count(*) FROM pg_sequences WHERE NOT cycle AND last_value IS NOT NULL AND 0.75 <= CASE WHEN increment_by > 0
    THEN (last_value::numeric - min_value) / greatest(max_value::numeric - min_value, 1)
    ELSE (max_value::numeric - last_value) / greatest(max_value::numeric - min_value, 1) END
));
""".replace(":tables", str(TABLES))


def escape(name: str) -> str:
    """Return a name as `encode(…, 'escape')` of Postgres does: names in shared catalogs are bytes in any encoding, and invalid
    UTF-8 in a label would stop the exporter."""
    data = name.encode(errors="surrogateescape")
    return "".join("\\\\" if byte == 0x5C else chr(byte) if byte < 0x80 else f"\\{byte:03o}" for byte in data)


class Facts:
    """The content of the file: facts with their time, by subject. Each subject has a thread."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.content: dict[str, Any] = {}

    def put(self, subject: str, facts: dict[str, Any] | None) -> None:
        """Replace the facts about a subject, or remove them, and write the file."""
        with self.lock:
            before = self.content.pop(subject, None)
            if facts is not None:
                self.content[subject] = {"time": int(time.time()), **facts}
            elif before is None:
                return
            try:
                self.write()
            except Failure:
                self.content.pop(subject, None)  # it must not keep the others out of the file
                raise

    def write(self) -> None:
        """Write the file at once, for readers. A file in `/tmp` may be a link of somebody else."""
        if not self.content:
            FILE.unlink(missing_ok=True)
            return
        text = json.dumps({"caretaker-facts": 1, **dict(sorted(self.content.items()))})
        if len(text) > LIMIT:
            raise Failure(f"the facts for the exporter have {len(text)} bytes, and the limit is {LIMIT}")
        new = FILE.with_name(f".{FILE.name}.new")
        try:
            new.unlink(missing_ok=True)
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w") as file:
                os.fchmod(file.fileno(), 0o644)
                file.write(text)
            new.replace(FILE)
        except OSError as error:
            raise Failure(f"cannot write {FILE}: {error}") from None


facts = Facts()


class Changes:
    """Logs a failure when it begins or changes, and its end. The duty itself succeeds, so that it is not repeated soon."""

    def __init__(self, what: str) -> None:
        self.what, self.reason = what, ""

    def __call__(self, reason: str) -> None:
        """Log the reason, which is empty if there is no failure."""
        if reason != self.reason:
            log(f"{self.what}: {reason or 'works again'}")
        self.reason = reason


class PodFacts:
    """Patroni, volumes and certificates of this pod."""

    def __init__(self) -> None:
        self.changes = Changes("certificates for the exporter")

    def __call__(self, wanted: Wanted) -> None:
        """Collect them."""
        if not wanted.roles["monitoring"]:
            facts.put("pod", None)
            return
        role = leadership.now()
        if role not in WRITER:
            facts.put("databases", None)
        if role not in LEADER:
            facts.put("pools", None)
        there, wrong = certificates()
        facts.put("pod", {"patroni": patroni_state(), "volumes": volumes(), "certificates": there})
        self.changes("; ".join(wrong))


def patroni_state() -> dict[str, Any]:
    """Return the state of this pod's Patroni, as numbers. `up` is 0 if it does not answer."""
    try:
        answer = patroni("GET", "/patroni", timeout=5)
    except Failure:
        return {"up": 0}
    if not isinstance(answer, dict):
        return {"up": 0}
    role = str(answer.get("role", ""))
    return {
        "up": 1,
        "role": "primary" if role == "master" else role,
        "running": int(answer.get("state") == "running"),
        "timeline": answer.get("timeline"),
        "pending_restart": int(bool(answer.get("pending_restart"))),
        "paused": int(bool(answer.get("pause"))),
        "dcs_last_seen": answer.get("dcs_last_seen"),
    }


def volumes() -> list[dict[str, Any]]:
    """Return the size of each volume. The available bytes are those for users other than root."""
    found = []
    mounts = [line.split(" ") for line in Path("/proc/self/mounts").read_text().splitlines()]
    types = {mount: kind for _, mount, kind, *_ in mounts}
    for mount in VOLUMES:
        try:
            there = os.statvfs(mount)
        except OSError:
            continue
        if not os.path.ismount(mount):
            continue
        found.append(
            {
                "mount_point": mount,
                "fs_type": types.get(mount, ""),
                "total_bytes": there.f_blocks * there.f_frsize,
                "available_bytes": there.f_bavail * there.f_frsize,
                "total_file_nodes": there.f_files,
                "free_file_nodes": there.f_favail,
            }
        )
    return found


# The message with which a client asks for TLS (PostgreSQL, "Message Formats").
SSL_REQUEST = struct.pack("!ii", 8, 80877103)


def certificates() -> tuple[list[dict[str, Any]], list[str]]:
    """Return until when the certificates that clients of this pod see are valid, and the failures."""
    found, wrong = [], []
    authority = PATRONI / "~postgres-operator" / "patroni.ca-roots"
    for program, address, file, request in (
        ("postgres", "PATRONI_POSTGRESQL_CONNECT_ADDRESS", CERTIFICATES / "ca.crt", SSL_REQUEST),
        ("patroni", "PATRONI_RESTAPI_CONNECT_ADDRESS", authority, b""),
    ):
        try:
            found.append({"program": program, "valid": 1, "not_after": not_after(os.environ[address], file, request)})
        except ssl.SSLError as error:
            found.append({"program": program, "valid": 0})
            wrong.append(f"{program}: {error}")
        except OSError:
            pass  # it does not run, which is not about its certificate
    return found, wrong


def not_after(address: str, authority: Path, request: bytes) -> int:
    """Return the end of validity of a server's certificate, in seconds since 1970.

    The names in the certificate are not checked: your own certificate may have those of the Services only."""
    tls = ssl.create_default_context(cafile=str(authority))
    tls.check_hostname = False
    host, port = address.rsplit(":", 1)
    with socket.create_connection(("localhost", int(port)), 5) as plain:
        if request:
            plain.sendall(request)
            if plain.recv(1) != b"S":
                raise ConnectionError("the server refuses TLS")
        with tls.wrap_socket(plain, server_hostname=host) as connection:
            certificate = connection.getpeercert() or {}
    return ssl.cert_time_to_seconds(str(certificate["notAfter"]))


class BackupFacts:
    """What is in each repository. A repository that cannot be read may take minutes, so this duty has a thread of its own."""

    def __init__(self) -> None:
        self.changes = Changes("backups for the exporter")
        self.due = 0.0

    def __call__(self, wanted: Wanted) -> float | None:
        """Read the repositories."""
        if not wanted.roles["monitoring"] or not wanted.settings["stanza"]:
            facts.put("backups", None)
            return None
        # The groups run their duties again after every change of the settings or the role.
        if time.monotonic() < self.due:
            return self.due - time.monotonic()
        there: dict[str, list[Any]] = {"repositories": [], "backups": [], "oldest": []}
        reasons = []
        for repository in sorted(wanted.settings["volumeRepositories"] + wanted.settings["cloudRepositories"]):
            try:
                information, reason = read_repository(repository), ""
            except Failure as failure:
                information, reason = [], str(failure)
            for name, found in summary(information, repository).items():
                there[name] += found
            code = there["repositories"][-1]["code"]
            if code not in READABLE:
                reasons.append(f"repo{repository}: {reason or f'status {code}; see `pgbackrest info`'}")
        facts.put("backups", there)
        self.changes("; ".join(reasons))
        # A new cluster takes its first backup soon.
        pause = BACKUPS_SECONDS if there["backups"] or reasons else POD_SECONDS
        self.due = time.monotonic() + pause
        return pause


def read_repository(repository: int) -> Any:
    """Return what `pgbackrest info` says about one repository. Each is read alone: one that does not answer takes a minute."""
    # Not at the top: in a pod of an earlier version, `surroundings` loads this file while `backups` is being imported.
    from backups import pgbackrest

    try:
        return json.loads(pgbackrest("info", "--output=json", f"--repo={repository}"))
    except ValueError as error:
        raise Failure(f"the output of `pgbackrest info` is not JSON: {error}") from None


# The codes of `pgbackrest info` for a repository: 0 means ok, 1 that the stanza is not created yet, 2 that there is no backup yet.
# 99 means another error, for example that the repository cannot be read.
READABLE, OTHER = (0, 1, 2), 99


def summary(information: Any, repository: int) -> dict[str, list[Any]]:
    """Reduce a repository in the output of `pgbackrest info` to its status, the last backup of each type, and the oldest full one,
    of the current database cluster."""
    from backups import current_backups, stanza_of

    stanza = stanza_of(information)
    codes = [there["status"]["code"] for there in stanza["repo"] if there["key"] == repository]
    there = current_backups(stanza, repository)
    last = {backup["type"]: backup for backup in there}
    full = [backup["timestamp"]["stop"] for backup in there if backup["type"] == "full"]
    return {
        "repositories": [{"repo": repository, "code": codes[0] if codes else OTHER}],
        "backups": [described(repository, kind, backup) for kind, backup in sorted(last.items())],
        "oldest": [{"repo": repository, "stop": full[0]}] if full else [],
    }


def described(repository: int, kind: str, backup: Any) -> dict[str, Any]:
    """Return one backup as numbers. A repository that stores blocks does not know the total size."""
    sizes = backup["info"]["repository"]
    version = [int(number) for number in backup["backrest"]["version"].split(".") if number.isdigit()] + [0, 0, 0]
    return {
        "repo": repository,
        "type": kind,
        "start": backup["timestamp"]["start"],
        "stop": backup["timestamp"]["stop"],
        "size": sizes.get("delta"),
        "total": sizes.get("size"),
        "error": int(bool(backup.get("error"))),
        "version": version[0] * 10000 + version[1] * 100 + version[2],
    }


class DatabaseFacts:
    """The tables with the most dead rows, and sequences that are almost exhausted, over all databases. Only the primary counts dead
    rows (PostgreSQL, "The Cumulative Statistics System")."""

    def __init__(self) -> None:
        self.changes = Changes("tables for the exporter")
        self.every_database = EveryDatabase()
        self.tables: list[list[Any]] = []
        self.exhausted = 0
        self.took = 0.0

    def __call__(self, wanted: Wanted) -> float | None:
        """Read some databases, and put the result after the last one."""
        if not wanted.roles["monitoring"]:
            facts.put("databases", None)
            return None
        started, reason = time.monotonic(), ""
        try:
            again = self.every_database(self.read)
        except Failure as failure:
            again, reason = None, str(failure)
        self.took += time.monotonic() - started
        if again is not None:
            return again
        keys = ("dbname", "schemaname", "relname", "n_live_tup", "n_dead_tup", "vacuum_count", "autovacuum_count")
        tables = [dict(zip(keys, table)) for table in self.tables]
        facts.put("databases", {"tables": tables, "exhausted": self.exhausted})
        pause = max(DATABASES_SECONDS, DATABASES_SHARE * self.took)
        self.tables, self.exhausted, self.took = [], 0, 0.0
        self.changes(reason)
        return pause

    def read(self, database: str) -> None:
        """Read one database. Its owner may have named its tables as they like."""
        found = json.loads("".join(psql(DATABASE, database, None, 5)))
        for schema, table, *numbers in found["tables"]:
            self.tables.append([escape(database), escape(schema), escape(table), *numbers])
        self.tables.sort(key=lambda table: (-table[4], table[:3]))
        del self.tables[TABLES:]
        self.exhausted += found["exhausted"]
