"""The caretaker: what PGO's operator did at run time, done from inside the pod.

It runs beside Patroni in every instance pod, with the interpreter and in the image of Patroni, and needs nothing but the
standard library of Python 3.9. It reads what is wanted from two files, compares it with what is there, and changes what
differs. It never drops a role, a database, a repository or a volume.

    caretaker.py            the sidecar: runs until it is told to stop
    caretaker.py pre-start  before Patroni in the database container: creates Endpoints, waits for a leader, then ends
    caretaker.py pre-stop   the preStop hook of the database container: hands the leader role over, then ends
    caretaker.py create-replica COMMAND
                            run by Patroni to restore a backup: has the command restore one of this database cluster

How to read it: a *duty* is one small function that makes one thing right and can be repeated at any time. GROUPS below
names them all; each group has a thread, so that a slow backup never holds up a new user. A duty runs when something
changed, after a failure with growing pauses, and every few minutes to find what others changed.

    credentials.py      verifiers of Secrets that the user brings
    databases.py        databases, schemas of users, the user's own SQL
    closed.py           keeps others out while the user's own SQL runs
    endpoints.py        the Endpoints in which Patroni keeps what it knows
    slices.py           EndpointSlices, where Kubernetes does not make them of Endpoints
    extensions.py       extensions of every database
    ours.py             which roles and databases are ours
    roles.py            roles of users, and of our own programs
    pgbouncer.py        its role, and its function in every database
    monitoring.py       the exporter's role, schema and extension
    members.py          Patroni's configuration, restarts, switchover, the Endpoints of `<cluster>-primary`
    backups.py          pgBackRest's stanza, the first backup, and the backup that a replica is made from
    pod.py              certificates, reloads, a dead Postgres, and hearing of changes
    pre_start.py        what is done before Patroni starts
    pre_stop.py         the handover of a leader that stops
    session.py          sessions of the superuser
    impatience.py       ends what holds them up
    postgres.py         how all of them talk to Postgres
    surroundings.py     how all of them talk to files, Patroni and Kubernetes
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, NamedTuple

from backups import FirstBackup, create_replica, stanza
from databases import INIT_SQL_RUNS, allow_init_sql, databases, init_sql, schemas
from endpoints import patroni_endpoints
from extensions import extensions
from members import (
    PendingRestarts,
    RefusedSettings,
    dynamic_configuration,
    lost_data,
    primary_endpoints,
    switchover,
)
from monitoring import monitoring
from pgbouncer import pgbouncer
from pod import (
    DeadPatroni,
    DeadPostmaster,
    OnChange,
    copy_replication_certificate,
    follow_fingerprints,
    label_pod,
    reload_patroni,
    reload_pgbackrest,
)
from pre_start import pre_start
from pre_stop import pre_stop
from roles import users
from slices import follow_endpoints
from surroundings import (
    ANYONE,
    CERTIFICATES,
    LEADER,
    PATRONI,
    PGBACKREST,
    SETTINGS,
    WRITER,
    Failure,
    Wanted,
    leadership,
    log,
    pause_after,
    read_wanted,
    version_of,
)

# What others changed is found after this long, or later where looking takes long: at most 1 % of the time is spent on it.
DRIFT_SECONDS = 300.0
DRIFT_SHARE = 100.0


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


GROUPS = [
    Group(
        [
            Duty(DeadPostmaster(), 0.2, "dead postmaster"),
            Duty(DeadPatroni(), 1, "dead Patroni"),
            Duty(patroni_endpoints, 10),
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
            Duty(lost_data, 20),
        ],
        ANYONE,
        while_paused=True,
        tick=0.5,
    ),
    Group(
        [
            Duty(extensions),
            Duty(databases),
            Duty(users),
            Duty(schemas),
            Duty(pgbouncer),
            Duty(monitoring),
            Duty(allow_init_sql),
        ],
        WRITER,
        while_paused=False,
        tick=0.5,
    ),
    Group([Duty(init_sql)], WRITER, while_paused=False, tick=0.5),
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
        except Exception as error:  # noqa: BLE001
            log(f"{type(error).__name__}: {error}")
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
    running = program()
    for group in GROUPS:
        threading.Thread(target=look_after, args=[group], daemon=True).start()
    for follow in (follow_fingerprints, follow_endpoints):
        threading.Thread(target=follow, daemon=True).start()
    log(f"started for {os.environ['PATRONI_NAME']}")
    while program() in (running, []):
        time.sleep(5)
    INIT_SQL_RUNS.acquire()
    log("becomes a new version of itself")
    os.execv(sys.executable, [sys.executable, __file__])


def program() -> list[bytes]:
    """The files of this program, as they are mounted now; none in the moment that they are exchanged."""
    try:
        return [file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py"))]
    except OSError:
        return []


def find_programs() -> None:
    """Put the programs of Postgres on PATH: images keep them where their distribution does."""
    version = read_wanted().settings["postgresVersion"]
    places = [f"/usr/lib/postgresql/{version}/bin", f"/usr/libexec/postgresql{version}", f"/usr/pgsql-{version}/bin"]
    os.environ["PATH"] = os.pathsep.join([*places, os.environ.get("PATH", os.defpath)])


def main() -> None:
    """Run as the sidecar or as one of the hooks."""
    if sys.argv[1:] == ["pre-start"]:
        pre_start()
        return
    if sys.argv[1:2] == ["create-replica"]:
        create_replica(sys.argv[2:])
        return
    find_programs()
    if sys.argv[1:] == ["pre-stop"]:
        pre_stop()
    elif shutil.which("psql") is None:
        sys.exit("caretaker: `psql` is not in this image; the caretaker runs in the Postgres image")
    else:
        serve()


if __name__ == "__main__":
    main()
