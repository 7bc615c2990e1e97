"""The caretaker does inside the pods what PGO's operator does at run time.

It runs in every instance pod, in the Postgres image, and needs only the standard library of Python 3.9. It reads the wanted
state from two files, compares it with the actual state, and changes what differs. It never drops a role, a database, a
repository or a volume.

    caretaker.py            the sidecar, which runs until it is stopped
    caretaker.py pre-start  before Patroni starts in the database container: creates Endpoints and waits for a leader
    caretaker.py pre-stop   the preStop hook of the database container: hands the leader role over
    caretaker.py create-replica COMMAND
                            run by Patroni: COMMAND restores a backup of this database cluster

A *duty* is a function that keeps one thing right and can be repeated at any time. GROUPS lists all duties. Each group has
a thread, so that a slow backup does not delay a new user. A duty runs when its input changes, after a failure with growing
pauses, and every few minutes to find what others have changed.

    credentials.py      verifiers from existing Secrets
    databases.py        databases, schemas of users, the user's SQL
    closed.py           closes `postgres` to others while the user's SQL runs
    endpoints.py        the Endpoints in which Patroni keeps its state
    slices.py           EndpointSlices, if Kubernetes does not create them from Endpoints
    extensions.py       extensions in every database
    ours.py             which roles and databases are ours
    roles.py            roles of users, PgBouncer and the exporter
    pgbouncer.py        PgBouncer's role, and its function in every database
    facts.py            facts for the exporter that SQL cannot find out
    pools.py            facts about pgBouncer's pools, for the exporter
    monitoring.py       the exporter's role, its schema with functions, and its extension
    members.py          Patroni's configuration, restarts, switchover, the Endpoints of `<cluster>-primary`
    backups.py          pgBackRest's stanza, backups in object storage, and the backup for a replica
    owner.py            whether another cluster archives into our object storage
    standby.py          a standby cluster that was a primary before
    lineage.py          the timelines of two clusters
    restore.py          the data of a new cluster, from its data source
    in_place.py         the start of a restore in place
    before_patroni.py   the restore in place itself, before Patroni starts
    progress.py         the progress of a restore in place
    aside.py            the data of an instance during a restore in place
    probes.py           answers to probes while Patroni does not run
    source_files.py     pgBackRest's configuration for the data source
    pod.py              certificates, reloads, a dead Postgres, and the watch for changes
    pre_start.py        the steps before Patroni starts
    pre_stop.py         the handover of a leader that stops
    session.py          sessions of the superuser
    impatience.py       terminates sessions that block ours
    postgres.py         access to Postgres
    surroundings.py     access to files, Patroni and Kubernetes
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

from backups import FirstBackup, ManualBackup, create_replica, stanza
from databases import INIT_SQL_RUNS, allow_init_sql, databases, init_sql, schemas
from endpoints import patroni_endpoints
from extensions import extensions
from facts import POD_SECONDS, BackupFacts, DatabaseFacts, PodFacts
from in_place import RestoreInPlace
from members import (
    PendingRestarts,
    RefusedSettings,
    dynamic_configuration,
    lost_data,
    primary_endpoints,
    switchover,
)
from monitoring import monitoring
from owner import ArchiveOwner
from pgbouncer import pgbouncer
from pod import (
    DeadPatroni,
    DeadPostmaster,
    OnChange,
    ReloadPatroni,
    copy_replication_certificate,
    follow_fingerprints,
    label_pod,
    reload_pgbackrest,
)
from pools import PoolFacts
from pre_start import pre_start
from pre_stop import pre_stop
from restore import restore
from roles import users
from slices import follow_endpoints
from standby import follow_source, wake_source
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

# A duty looks for changes by others this often. If it takes long, it runs less often, so that it uses at most 1 % of the time.
DRIFT_SECONDS = 300.0
DRIFT_SHARE = 100.0


class Duty:
    """A function that keeps one thing right, and the time of its next run."""

    def __init__(self, work: Callable[[Wanted], float | None], period: float = DRIFT_SECONDS, name: str = "") -> None:
        self.work = work
        self.period = period
        self.name = name or getattr(work, "__name__", "duty").replace("_", " ")
        self.due = 0.0
        self.failures = 0
        self.reason = ""

    def run(self, wanted: Wanted) -> None:
        """Run the function, and decide when to run it again. No exception stops the other duties."""
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
                log(f"{self.name}: works again")
            self.failures, self.reason = 0, ""
        self.due = time.monotonic() + pause

    def complain(self, reason: str, pause: float) -> None:
        """Log a failure, but a repeated failure only every 20th time."""
        if reason != self.reason or self.failures % 20 == 0:
            log(f"{self.name}: {reason}; trying again in {pause:.0f} s")
        self.reason = reason


class Group(NamedTuple):
    """The duties of one thread, in this order."""

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
            Duty(OnChange("reloaded Patroni", ReloadPatroni(), PATRONI), 0.5),
            Duty(OnChange("reloaded pgBackRest", reload_pgbackrest, PGBACKREST / "server", PGBACKREST / "conf.d"), 0.5),
            Duty(label_pod),
            Duty(lost_data, 20),
            Duty(wake_source, 10),
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
            Duty(follow_source),
            Duty(PendingRestarts(), 5, "pending restarts"),
            Duty(RefusedSettings(), 30, "refused settings"),
            Duty(switchover),
        ],
        LEADER,
        while_paused=False,
        tick=0.5,
    ),
    Group([Duty(RestoreInPlace(), name="restore in place")], ANYONE, while_paused=False, tick=0.5),
    Group(
        [
            Duty(ArchiveOwner(), name="archive"),
            Duty(stanza),
            Duty(FirstBackup(), name="first backup"),
            Duty(ManualBackup(), name="backup on demand"),
        ],
        WRITER,
        while_paused=False,
        tick=0.5,
    ),
    # Each has a thread, because a volume, a repository, a database or a pgBouncer may not answer for long.
    Group([Duty(PodFacts(), POD_SECONDS, "facts of the pod")], ANYONE, while_paused=True, tick=1),
    Group([Duty(BackupFacts(), name="facts of backups")], ANYONE, while_paused=True, tick=1),
    Group([Duty(DatabaseFacts(), name="facts of databases")], WRITER, while_paused=True, tick=1),
    Group([Duty(PoolFacts(), POD_SECONDS, "facts of pools")], LEADER, while_paused=True, tick=1),
]


def look_after(group: Group) -> None:
    """Run the duties of a group forever: all when the settings or the role of the pod change, otherwise each when it is due."""
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
    """Start the groups. When a new version of this program is mounted, replace this process by it without a pod restart."""
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
    log("starting the new version of the caretaker")
    os.execv(sys.executable, [sys.executable, __file__])


def program() -> list[bytes]:
    """Return the mounted files of this program; none at the moment when the kubelet replaces them."""
    try:
        return [file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py"))]
    except OSError:
        return []


def find_programs() -> None:
    """Add the programs of Postgres to PATH: their directory depends on the distribution of the image."""
    places = read_wanted().settings["programDirectories"]
    os.environ["PATH"] = os.pathsep.join([*places, os.environ.get("PATH", os.defpath)])


def take_variables_of_patroni() -> None:
    """Set the variables `PATRONI_…` with which Patroni was started. It removes them from its environment, so the programs that it
    runs do not have them (`_build_environment_configuration` in patroni/config.py)."""
    started = Path(f"/proc/{os.getppid()}/environ").read_bytes().split(b"\0")
    for name, _, value in (os.fsdecode(variable).partition("=") for variable in started):
        if name.startswith("PATRONI_"):
            os.environ.setdefault(name, value)


def main() -> None:
    """Run as the sidecar or as one of the hooks."""
    if sys.argv[1:] == ["pre-start"]:
        pre_start()
        return
    if sys.argv[1:2] in (["restore"], ["create-replica"]):
        take_variables_of_patroni()
        {"restore": restore, "create-replica": create_replica}[sys.argv[1]](sys.argv[2:])
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
