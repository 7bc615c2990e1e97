"""Facts about pgBouncer's pools for the exporter, from the admin console of each pgBouncer (pgbouncer.org/usage.html).

An attacker may control the pod of a pgBouncer. So its certificate is verified before the password is used, and the length of its
answer, its names and its numbers are limited."""

from __future__ import annotations

import csv
import io
import os
import resource
import signal
import subprocess
import threading
import urllib.parse
from collections import Counter
from pathlib import Path
from typing import Any

import facts
from surroundings import LABEL, Failure, Wanted, kubernetes

# The password of pgBouncer's own role, and the CA of its certificate.
DIRECTORY = Path("/etc/pgbouncer-console")
USER, DATABASE = "_crunchypgbouncer", "pgbouncer"

# The time for all answers of one pod, their length in bytes, and the memory of `psql`, which reads an answer as a whole.
SECONDS = 5.0
LIMIT = 4 * 1048576
MEMORY = 64 * 1048576

# The largest number that Postgres reads as `bigint` (PostgreSQL, "Numeric Types"). Numbers of pools with one name are added.
MOST = 2**63 - 1

# How many pods are measured, and how many pools and databases of all of them together. Many queries of the exporter parse the file
# of the facts, so this limits their time. Names of Postgres are not longer than this.
PODS = 10
ROWS = 200
NAME_BYTES = 63

# In the output, a line with only this word and the name of a command precedes what the command returns. Every command returns
# several columns, so no name can imitate such a line.
MARK = "caretaker "
COMMANDS = ("POOLS", "DATABASES", "STATS", "LISTS")
SCRIPT = "".join(f"\\echo '{MARK}{command}'\nSHOW {command};\n" for command in COMMANDS)
PSQL = ["psql", "--no-psqlrc", "--no-password", "--quiet", "--csv", "--set=ON_ERROR_STOP=1"]

# Our names of the columns. Older versions of pgBouncer do not have all of them.
POOLS = {
    "cl_active": "client_active",
    "cl_waiting": "client_waiting",
    "cl_active_cancel_req": "client_active_cancel_req",
    "cl_waiting_cancel_req": "client_waiting_cancel_req",
    "sv_active": "server_active",
    "sv_active_cancel": "server_active_cancel",
    "sv_being_canceled": "server_being_canceled",
    "sv_idle": "server_idle",
    "sv_used": "server_used",
    "sv_tested": "server_tested",
    "sv_login": "server_login",
}
DATABASES = ("pool_size", "max_connections", "current_connections", "paused", "disabled")
STATS = {
    "total_xact_count": "xact_count",
    "total_query_count": "query_count",
    "total_received": "received",
    "total_sent": "sent",
    "total_xact_time": "xact_us",
    "total_query_time": "query_us",
    "total_wait_time": "wait_us",
}
# Those of pgMonitor, and the clients.
LISTS = ("databases", "pools", "free_clients", "used_clients", "login_clients", "free_servers", "used_servers")


class PoolFacts:
    """The pools of each pgBouncer, as the leader sees them. A pgBouncer may not answer, so this duty has a thread of its own."""

    def __init__(self) -> None:
        self.changes = facts.Changes("pools of pgBouncer for the exporter")

    def __call__(self, wanted: Wanted) -> float | None:
        """Ask each pod."""
        console = wanted.settings["pgbouncer"]
        if console is None:
            facts.facts.put("pools", None)
            return None
        there = ready_pods(wanted.cluster)
        found: dict[str, list[Any]] = {"pods": [], "pools": [], "databases": [], "lists": []}
        reasons = [f"only {PODS} of {len(there)} pods are measured"] if len(there) > PODS else []
        for pod, address in there[:PODS]:
            try:
                text = answer(console["host"], address, console["port"])
                rows, up = summary(sections(text), ROWS // min(len(there), PODS)), 1
            except Failure as failure:
                rows, up = {}, 0
                reasons.append(f"{pod}: {failure}")
            found["pods"].append({"pod": pod, "up": up})
            for name, more in rows.items():
                found[name] += [{"pod": pod, **row} for row in more]
        facts.facts.put("pools", found)
        self.changes("; ".join(reasons))
        # Not longer if a pod did not answer: waiting costs nothing, and the others are measured.
        return facts.POD_SECONDS


def ready_pods(cluster: str) -> list[tuple[str, str]]:
    """Return the names and the addresses of the pods of pgBouncer that are ready."""
    selector = urllib.parse.quote(f"{LABEL}cluster={cluster},{LABEL}role=pgbouncer")
    found = []
    for pod in kubernetes("GET", f"/pods?labelSelector={selector}")["items"]:
        status = pod.get("status", {})
        ready = any(there["type"] == "Ready" and there["status"] == "True" for there in status.get("conditions", []))
        if ready and status.get("podIP") and "deletionTimestamp" not in pod["metadata"]:
            found.append((pod["metadata"]["name"], status["podIP"]))
    return sorted(found)


def answer(host: str, address: str, port: int) -> str:
    """Return what the console of one pod says. The Service has several pods, so the address is that of the pod, and the name in
    the certificate is that of the Service."""
    authority = DIRECTORY / "ca.crt"
    try:
        password = (DIRECTORY / "password").read_bytes().decode()
    except FileNotFoundError:
        raise Failure(f"the Secret of role {USER} does not exist, or has no password") from None
    except (OSError, UnicodeDecodeError):
        raise Failure(f"the password of role {USER} cannot be read") from None
    if not authority.exists():
        raise Failure("the Secret with the certificate of pgBouncer does not exist, or has no ca.crt")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    environment.update(
        PGHOST=host,
        PGHOSTADDR=address,
        PGPORT=str(port),
        PGDATABASE=DATABASE,
        PGUSER=USER,
        PGPASSWORD=password,
        PGSSLMODE="verify-full",
        PGSSLROOTCERT=str(authority),
        PGGSSENCMODE="disable",
        PGAPPNAME="caretaker",
        PGCLIENTENCODING="SQL_ASCII",
        PGCONNECT_TIMEOUT="3",
    )
    return output(environment)


def output(environment: dict[str, str]) -> str:
    """Run `psql` with limits, and return its output."""
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(
            PSQL, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
    except (OSError, ValueError) as error:
        raise Failure(f"`psql` does not start: {error}") from None
    late = threading.Timer(SECONDS, process.send_signal, [signal.SIGKILL])
    late.start()
    with process:
        assert process.stdin and process.stdout
        try:
            # It counts the memory that `psql` writes to, but not libraries (getrlimit(2)).
            resource.prlimit(process.pid, resource.RLIMIT_DATA, (MEMORY, MEMORY))
            process.stdin.write(SCRIPT.encode())
            process.stdin.close()
        except OSError:
            pass  # it has ended already, and says why
        said = process.stdout.read(LIMIT + 1)
        if len(said) > LIMIT:
            process.kill()
        process.wait()
        late.cancel()
    if len(said) > LIMIT:
        raise Failure(f"the answer has more than {LIMIT} bytes")
    text = said.decode(errors="surrogateescape")
    if process.returncode == -signal.SIGKILL:
        raise Failure(f"no answer within {SECONDS:.0f} s")
    if process.returncode != 0:
        raise Failure(" ".join(text.split())[-300:] or f"psql ended with exit code {process.returncode}")
    return text


def sections(text: str) -> dict[str, list[dict[str, str]]]:
    """Return the rows that each command returned, with the names of their columns."""
    found: dict[str, list[dict[str, str]]] = {command: [] for command in COMMANDS}
    command, columns = "", None
    try:
        for row in csv.reader(io.StringIO(text, newline="")):
            if len(row) == 1 and row[0].removeprefix(MARK) in found and row[0].startswith(MARK):
                command, columns = row[0].removeprefix(MARK), None
            elif columns is None:
                columns = row
            elif command:
                found[command].append(dict(zip(columns, row)))
    except csv.Error as error:
        raise Failure(f"the answer is not CSV: {error}") from None
    return found


def summary(found: dict[str, list[dict[str, str]]], most: int) -> dict[str, list[dict[str, Any]]]:
    """Return the numbers, of the busiest pools and databases if there are many. The console has a pool and a database of its own,
    which nobody waits for."""
    pools: dict[str, Counter[str]] = {}
    for row in found["POOLS"]:
        if row.get("database") == DATABASE:
            continue
        # Different pools may have the same label, because names may contain a dot.
        pool = pools.setdefault(f"{label(row, 'database')}.{label(row, 'user')}", Counter())
        pool.update({name: number(row, column) for column, name in POOLS.items()})
        waited = number(row, "maxwait") * 1000000 + number(row, "maxwait_us")
        pool["max_wait_us"] = max(pool["max_wait_us"], waited)
    databases: dict[str, Counter[str]] = {}
    for row in found["DATABASES"]:
        if row.get("name") != DATABASE:
            there = databases.setdefault(label(row, "name"), Counter())
            there.update({name: number(row, name) for name in DATABASES})
    for row in found["STATS"]:
        if label(row, "database") in databases:
            there = databases[label(row, "database")]
            there.update({name: number(row, column) for column, name in STATS.items()})
    lists = {row.get("list"): number(row, "items") for row in found["LISTS"] if row.get("list") in LISTS}
    return {
        "pools": busiest(pools, "conn_pool", ("max_wait_us", "client_waiting", "client_active"))[:most],
        "databases": busiest(databases, "pool_db", ("current_connections", "query_count"))[:most],
        "lists": [{"item": name, "count": count} for name, count in lists.items()],
    }


def busiest(there: dict[str, Counter[str]], key: str, order: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return those with the largest numbers first."""
    names = sorted(there, key=lambda name: ([-there[name][column] for column in order], name))
    return [{key: name, **{column: min(count, MOST) for column, count in there[name].items()}} for name in names]


def label(row: dict[str, str], column: str) -> str:
    """Return a name, escaped as in the other facts."""
    data = row.get(column, "").encode(errors="surrogateescape")[:NAME_BYTES]
    return facts.escape(data.decode(errors="surrogateescape"))


def number(row: dict[str, str], column: str) -> int:
    """Return a number, which is 0 if this version of pgBouncer does not have the column."""
    text = row.get(column) or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Failure(f"column {column} of the answer is not a number")
    return int(text)
