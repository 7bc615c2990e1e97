"""What every instance pod does for itself: certificates, reloads, its label, a dead Postgres, and the watch for changes."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import time
from pathlib import Path
from typing import Any, Callable

from standby import source_of
from surroundings import (
    CERTIFICATES,
    FINGERPRINTS,
    LABEL,
    LEADER,
    LEADERS,
    REPLICATION,
    SERVICE_ACCOUNT,
    Failure,
    Refused,
    Wanted,
    data_directory,
    find,
    is_alive,
    kubernetes,
    kubernetes_connection,
    leadership,
    log,
    patroni,
    pause_after,
    pods_of,
    postmaster,
    read_wanted,
    version_of,
)


def label_pod(_: Wanted) -> None:
    """Label this pod with its instance. The template, which all pods of a set share, cannot contain their names."""
    name = os.environ["PATRONI_NAME"]
    labels = kubernetes("GET", f"/pods/{name}")["metadata"].get("labels", {})
    if labels.get(f"{LABEL}instance") != name:
        kubernetes("PATCH", f"/pods/{name}", {"metadata": {"labels": {f"{LABEL}instance": name}}})
        log(f"labelled pod {name} with its instance")


class OnChange:
    """A duty that acts when mounted directories change, and once at the start, because they may have changed before.

    The action returns whether it did something, or None if it must be tried again later."""

    def __init__(self, what: str, act: Callable[[], bool | None], *directories: Path) -> None:
        self.what, self.act, self.directories = what, act, directories
        self.seen: tuple[str, ...] | None = None

    def __call__(self, _: Wanted) -> None:
        """Act, and log it, but not at the start."""
        version = version_of(*self.directories)
        if version == self.seen:
            return
        done = self.act()
        if done is None:
            return
        if done and self.seen is not None:
            log(f"{self.what}, because {' or '.join(map(str, self.directories))} changed")
        self.seen = version


def copy_replication_certificate() -> bool:
    """Copy the client certificate of replicas, because libpq refuses a key that others than its owner can read.

    Then reload Postgres, which also reads its server certificate again."""
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


# How long the change of a role may take.
ROLE_SECONDS = 10


def reload_patroni() -> bool | None:
    """Make Patroni read its files again.

    Use a signal, because the API requires the old password until the reload, and the files have the new one. The signal would end
    a Patroni that is just starting, so wait until it handles SIGHUP."""
    there = dict(processes("patroni"))
    parents = [pid for pid, parent in there.items() if parent not in there]
    if not all(map(heeds_hangup, parents)):
        return None
    for pid in parents:
        os.kill(pid, signal.SIGHUP)
    return bool(parents)


class ReloadPatroni:
    """Makes Patroni read its files again, but promotes or demotes first: Patroni takes more than a second for a reload.

    It waits only for some seconds, because Patroni may refuse the new configuration until it has read a new password."""

    def __init__(self) -> None:
        self.since = 0.0

    def __call__(self) -> bool | None:
        """Reload, or wait."""
        if self.since == 0:
            self.since = time.monotonic()
        wanted = read_wanted()
        right = "standby_leader" if source_of(wanted.settings["dynamicConfiguration"]) else "primary"
        changes = leadership.role in LEADER and leadership.role != right and not wanted.settings["paused"]
        if changes and time.monotonic() - self.since < ROLE_SECONDS:
            return None
        done = reload_patroni()
        if done is not None:
            self.since = 0
        return done


def heeds_hangup(pid: int) -> bool:
    """Whether a process has a handler for SIGHUP (`SigCgt` in proc(5))."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) & 1 << signal.SIGHUP - 1)


def reload_pgbackrest() -> bool | None:
    """Make pgBackRest's TLS server read its certificate and configuration again. Each child process serves one session.

    The signal would end a server that is just starting, so wait until it handles SIGHUP."""
    servers = {pid: parent for pid, parent in processes("pgbackrest") if b"\0server\0" in command_of(pid)}
    parents = [pid for pid, parent in servers.items() if parent not in servers]
    if not all(map(heeds_hangup, parents)):
        return None
    for pid in parents:
        os.kill(pid, signal.SIGHUP)
    return bool(parents)


def processes(name: str) -> list[tuple[int, int]]:
    """Return the live processes with that name and their parents. The containers of the pod share a process namespace."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        if is_alive(int(directory.name), name):
            status = (directory / "stat").read_text()
            found.append((int(directory.name), int(status.rsplit(")", 1)[1].split()[1])))
    return found


def command_of(pid: int) -> bytes:
    """Return the arguments of a process, each with a NUL at its end."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


class DeadPostmaster:
    """Makes Patroni restart a dead Postgres at once: by itself, Patroni checks only every `loop_wait` seconds."""

    def __init__(self) -> None:
        self.alive: int | None = None

    def __call__(self, _: Wanted) -> None:
        """A clean stop removes `postmaster.pid`. So if the file names a dead process, Postgres has crashed."""
        pid = postmaster()
        if pid is not None and is_alive(pid, "postgres"):
            self.alive = pid
        elif pid is not None and pid == self.alive:
            view = patroni("GET", "/cluster")
            roles = {member["name"]: member["role"] for member in view["members"]}
            led = not (data_directory() / "standby.signal").exists()
            leads = roles.get(os.environ["PATRONI_NAME"]) in LEADERS
            # A former leader must not start as a leader if another one has already taken over.
            if not view.get("pause") and (leads or not led):
                answer = patroni("POST", "/restart", {}, timeout=60)
                log(f"asked Patroni to restart Postgres, because process {pid} is dead: {answer}")
            self.alive = None


# The kubelet restarts a container at once, but after repeated failures only after 10 seconds, then 20, 40 and so on.
GONE_SECONDS = 4


class DeadPatroni:
    """Releases the leader lock if Patroni has ended and does not restart soon. Otherwise the others wait until it expires.

    This is only safe if Postgres has ended too, which is visible because the containers share a process namespace."""

    def __init__(self) -> None:
        self.pid = 0
        self.seen = time.monotonic()

    def __call__(self, wanted: Wanted) -> None:
        """Look for Patroni, and release the lock if it is away for too long."""
        if not is_alive(self.pid, "patroni"):
            self.pid = min((pid for pid, _ in processes("patroni")), default=0)
        if self.pid:
            self.seen = time.monotonic()
        postgres = postmaster()
        alive = postgres and is_alive(postgres, "postgres")
        if time.monotonic() - self.seen < GONE_SECONDS or wanted.instances == 1 or alive:
            return
        path = f"/endpoints/{wanted.cluster}-ha"
        lock = find(path)
        if lock and lock["metadata"].get("annotations", {}).get("leader") == os.environ["PATRONI_NAME"]:
            # As Patroni does when it stops. The resourceVersion makes this fail if the lock has changed since.
            version = lock["metadata"]["resourceVersion"]
            metadata = {"resourceVersion": version, "annotations": {"leader": None}}
            kubernetes("PATCH", path, {"metadata": metadata, "subsets": []})
            log("released the leader lock, because Patroni and Postgres have ended")


# The fingerprints ConfigMap may arrive before the Secrets of the same apply, so the pods are annotated three times. These are the
# seconds after the first and the second time.
TELL_AGAIN = {1: 2, 2: 5}
TOLD_ENOUGH = 3


def fingerprints_path(wanted: Wanted) -> str:
    """Return the path of a list with only the fingerprints ConfigMap. It needs the verbs `list` and `watch`, but not `get`."""
    return f"/configmaps?fieldSelector=metadata.name%3D{wanted.settings['fingerprints']}"


def fingerprint(config_map: Any) -> str:
    """Return a short digest of all files mounted in the cluster's pods."""
    return hashlib.sha256(json.dumps(config_map.get("data"), sort_keys=True).encode()).hexdigest()[:16]


def refresh_pods(wanted: Wanted, value: str) -> None:
    """Annotate pods, so that the kubelet updates their volumes at once and not in its next periodic sync.

    Each instance pod does it for itself, and the leader for all, because some pods have no caretaker. This continues while the
    cluster is paused, so that the end of the pause is noticed soon."""
    me = os.environ["PATRONI_NAME"]
    for pod in sorted(pods_of(wanted.cluster), key=lambda pod: bool(pod["metadata"]["name"] != me)):
        name = pod["metadata"]["name"]
        if pod["status"].get("phase") != "Running" or pod["metadata"].get("annotations", {}).get(FINGERPRINTS) == value:
            continue
        if name == me or leadership.role in LEADER:
            try:
                kubernetes("PATCH", f"/pods/{name}", {"metadata": {"annotations": {FINGERPRINTS: value}}})
            except Refused as refused:
                # The Role limits which pods may be annotated, and a pod may no longer exist.
                if refused.status not in (403, 404):
                    log(f"cannot annotate pod {name}, so it sees the change later: {refused}")


def follow_fingerprints() -> None:
    """Watch the fingerprints ConfigMap, which changes whenever a mounted file changes."""
    failures = 0
    value, told = "", TOLD_ENOUGH - 1  # a pod that has just started has fresh files: annotate once
    while True:
        try:
            wanted = read_wanted()
            path = fingerprints_path(wanted)
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
        except Exception as error:  # noqa: BLE001
            failures += 1
            log(f"fingerprints: {error}; trying again in {pause_after(failures):.0f} s")
            time.sleep(pause_after(failures))


def wait_for_event(path: str, version: str, seconds: int) -> None:
    """Wait until the object changes, or for so many seconds."""
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
