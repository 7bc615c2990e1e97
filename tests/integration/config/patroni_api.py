"""Runs a real Patroni, with its Postgres, on rendered files, and calls its API as members, users and other clusters do.

    patroni_api.py OBJECTS POSTGRES

OBJECTS is JSON: the rendered objects of a cluster `alpha`, by variant, and of `beta`, a cluster of the same namespace.
POSTGRES is the directory of Postgres' programs. The files only differ from those of a pod in directories, ports and host names,
and in the place of Patroni's state, which otherwise needs an API server."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest.mock
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import patroni.api
import patroni.config
import patroni.dcs
import patroni.request
import urllib3
from patroni_pod import CARETAKER, HOSTS, USER, Pod, certificates, until, value

sys.path.insert(0, CARETAKER)

import pod
import surroundings

# The name in the certificate of a pod of another cluster.
STRANGER = "beta-one-0.beta-pods.zoo.svc.cluster.local"

# `POST /mpp` tells the coordinator of Citus about a worker.
# Patroni is a coordinator only if its own files have a section `citus`.
ONLY_FOR_CITUS = ("POST", "mpp")


def unsafe_endpoints() -> list[tuple[str, str]]:
    """Return every endpoint of the installed Patroni that is not read-only."""
    names = [re.fullmatch(r"do_([A-Z]+)_(\w+)", name) for name in dir(patroni.api.RestApiHandler)]
    return [(match[1], match[2]) for match in names if match and match[1] != "GET"]


def check_endpoints(here: Pod, alpha: list[Any], beta: list[Any]) -> None:
    """Each endpoint that changes something requires both the certificate and the password."""
    password = f"{USER}:{value(alpha, 'Secret', 'alpha-patroni', 'password')}"
    own = value(alpha, "Secret", "alpha-one-certs", "patroni.crt-combined")
    theirs = certificates(beta)
    before = here.answer("GET", "config")
    wrong = f"{USER}:{value(beta, 'Secret', 'beta-patroni', 'password')}"
    endpoints = unsafe_endpoints()
    assert {("PATCH", "config"), ("PUT", "config"), ("POST", "restart"), ("POST", "failsafe")} <= set(endpoints)
    for endpoint in endpoints:
        if endpoint == ONLY_FOR_CITUS:
            continue
        method, path = endpoint
        ask = lambda pem="", credential="", method=method, path=path: here.ask(method, path, pem, credential, {})  # noqa: E731
        assert ask() == 403, f"{endpoint} without anything: {ask()}"
        assert ask(credential=password) == 403, f"{endpoint} with the password alone: {ask(credential=password)}"
        for name, pem in [*theirs.items(), ("own", own)]:
            for credential in ("", wrong, f"{USER}:", "x:y"):
                status = ask(pem, credential)
                assert status == (401 if name == "own" else 0), f"{endpoint}, {name}, {credential or 'nothing'}: {status}"
        for name, pem in theirs.items():
            # A pod that claims to be a member gets the password, so the password alone must not be enough.
            assert ask(pem, password) == 0, f"{endpoint} with {name} and the password: {ask(pem, password)}"
        status = ask(own, password)
        assert status not in (0, 401, 403), f"{endpoint} with both: {status}"
    assert {"beta-one-certs", "beta-pgbackrest pgbackrest-client.key"} <= set(theirs), theirs.keys()
    assert here.answer("GET", "config") == before
    for path in ("liveness", "readiness", "primary"):
        assert here.ask("GET", path) == 200, f"a probe of {path}"
    until("Postgres is back", lambda: here.leads())
    body = {"postgresql": {"parameters": {"work_mem": "5MB"}}}
    assert here.ask("PATCH", "config", own, password, body) == 200
    until("the change is there", lambda: here.sql("SHOW work_mem") == "5MB")


def check_caretaker(here: Pod, alpha: list[Any]) -> None:
    """The caretaker sends the password to unsafe endpoints, and never prints it."""
    surroundings.PATRONI = here.etc
    surroundings.AUTHENTICATION = here.etc / surroundings.AUTHENTICATION.name
    for name in ("PATRONI_NAME", "PATRONI_RESTAPI_CONNECT_ADDRESS"):
        os.environ[name] = here.environment[name]
    there = surroundings.patroni("GET", "/config")
    assert surroundings.patroni("PUT", "/config", there) == there
    file = surroundings.AUTHENTICATION
    text, password = file.read_text(), value(alpha, "Secret", "alpha-patroni", "password")
    for wrong, expected in [
        (None, "requires a password, which this pod gets when it is created again"),
        (text.replace(password, "another"), "has another password: it reads a new one within seconds"),
        (f"restapi:\n  authentication:\n    password: {password}\n", "is not JSON"),
        (text.replace('"password"', '"word"'), "is not JSON of the form"),
    ]:
        file.unlink(missing_ok=True)
        if wrong is not None:
            file.write_text(wrong)
        try:
            surroundings.patroni("PUT", "/config", there)
        except surroundings.Failure as failure:
            assert expected in str(failure) and password not in str(failure), failure
        else:
            raise AssertionError(expected)
        assert surroundings.patroni("GET", "/config") == there
    file.write_text(text)
    here.give(here.etc)


def check_patronictl(here: Pod) -> None:
    """In the container, `patronictl` works without additional options."""
    assert "alpha-one-0" in here.patronictl("list")
    started = here.sql("SELECT pg_postmaster_start_time()")
    assert "Success" in here.patronictl("restart", "alpha-ha", "alpha-one-0", "--force")
    assert here.sql("SELECT pg_postmaster_start_time()") != started
    here.patronictl("edit-config", "--force", "--quiet", "--set", "postgresql.parameters.work_mem=6MB")
    until("edit-config is there", lambda: here.sql("SHOW work_mem") == "6MB")
    assert "Reload request received" in here.patronictl("reload", "alpha-ha", "--force")


def check_introductions(here: Pod, alpha: list[Any], alone: list[Any], beta: list[Any]) -> None:
    """Patroni sends the password only if the failsafe mode needs it, and over TLS only to members. `patronictl` also has it."""
    password = f"{USER}:{value(alpha, 'Secret', 'alpha-patroni', 'password')}"
    for objects, place, expected in (
        (alpha, "", password),
        (alpha, "patronictl", password),
        (alone, "patronictl", password),
        (alone, "", "member:none"),
    ):
        here.mount(objects)
        # Patroni removes its variables from the environment.
        with unittest.mock.patch.dict(os.environ):
            client = patroni.request.PatroniRequest(patroni.config.Config(str(here.etc / place)))
        credential = client._pool.headers["authorization"].removeprefix("Basic ")
        assert base64.b64decode(credential).decode() == expected, place
        for name, pem in certificates(beta).items():
            with posing(pem) as (port, heard):
                # Patroni connects to the address that a member announces.
                announced = patroni.dcs.Member(0, "alpha-one-1", "", {"api_url": f"https://{STRANGER}:{port}/patroni"})
                with contextlib.suppress(urllib3.exceptions.HTTPError):
                    client(announced, "POST", "failsafe", {}, timeout=5, retries=0)
            assert heard == [b""], f"{name} of another cluster hears {heard}"


@contextlib.contextmanager
def posing(pem: str) -> Iterator[tuple[int, list[bytes]]]:
    """A server with this certificate, and the bytes that it receives."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(pem)
        file.flush()
        tls.load_cert_chain(file.name)
    heard: list[bytes] = []

    def listen() -> None:
        connection, _ = listener.accept()
        connection.settimeout(10)
        with connection:
            try:
                heard.append(tls.wrap_socket(connection, server_side=True).recv(10_000))
            except OSError:
                heard.append(b"")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=listen)
        thread.start()
        yield listener.getsockname()[1], heard
        thread.join()


def reload(process: subprocess.Popen[bytes]) -> None:
    """Make Patroni read its files, as the caretaker does."""
    pod.processes = lambda _: [(process.pid, 0)]
    assert pod.reload_patroni() is True


def configure(here: Pod, objects: list[Any]) -> None:
    """Set the dynamic configuration, as the caretaker of the leader does."""
    text = value(objects, "ConfigMap", "alpha-caretaker", "caretaker.json")
    surroundings.patroni("PUT", "/config", json.loads(here.localized(text))["dynamicConfiguration"])


def shown(here: Pod) -> str:
    """Return the configuration that Patroni shows without authentication."""
    return here.answer("GET", "config")[1]


def check_rules(here: Pod, process: subprocess.Popen[bytes], plain: list[Any], secret: list[Any]) -> None:
    """Rules with a password are added and removed without anybody seeing it, in both orders of files and configuration."""
    question = (
        "SELECT count(*) FROM pg_hba_file_rules WHERE 'ldapbindpasswd=hush-hush' = ANY (options) AND error IS NULL"
    )
    all_rules = "SELECT count(*) FROM pg_hba_file_rules"
    number = here.sql(all_rules)
    steps = {"files": lambda to: (here.mount(to), reload(process)), "configuration": lambda to: configure(here, to)}
    for order in (("files", "configuration"), ("configuration", "files")):
        for to, expected in ((secret, "1"), (plain, "0")):
            before = here.sql(question)
            for step in order:
                assert here.sql(question) == before, f"{order}: the rules changed early"
                steps[step](to)
                if step != order[-1]:
                    # Patroni needs this time for its next run.
                    time.sleep(4)
                    # There must always be rules. Otherwise the rules of initdb would apply, or none.
                    assert int(here.sql(all_rules)) >= int(number)
                    before = here.sql(question)
            until(
                f"{order}: the rule is there {expected}", lambda expected=expected: here.sql(question) == expected, 30
            )
            until(f"{order}: everybody sees the rules", lambda to=to: ("pg_hba" in shown(here)) == (to is plain), 30)
            cached = here.root / "pgdata/data/patroni.dynamic.json"
            assert "hush-hush" not in shown(here) + cached.read_text()
    assert "hush-hush" not in (here.root / "patroni.log").read_text()


def check_rotation(here: Pod, process: subprocess.Popen[bytes], before: list[Any], after: list[Any]) -> None:
    """The password changes as soon as Patroni has read its files, without a restart."""
    started = here.sql("SELECT pg_postmaster_start_time()")
    own = value(before, "Secret", "alpha-one-certs", "patroni.crt-combined")
    old, new = (f"{USER}:{value(objects, 'Secret', 'alpha-patroni', 'password')}" for objects in (before, after))
    works = lambda credential: here.ask("POST", "failsafe", own, credential, {}) not in (0, 401, 403)  # noqa: E731
    here.mount(after)
    assert works(old) and not works(new)
    reload(process)
    until("the new password works", lambda: works(new), 30)
    assert not works(old)
    here.patronictl("reload", "alpha-ha", "--force")
    assert process.poll() is None and here.sql("SELECT pg_postmaster_start_time()") == started


def main() -> None:
    """Start one Patroni, and run all checks with it."""
    objects = json.loads(Path(sys.argv[1]).read_text())
    exec(HOSTS, {})
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        root.chmod(0o755)
        here = Pod(root, sys.argv[2])
        here.mount(objects["plain"])
        with here.running() as process:
            check_endpoints(here, objects["plain"], objects["beta"])
            check_caretaker(here, objects["plain"])
            check_introductions(here, objects["plain"], objects["alone"], objects["beta"])
            check_patronictl(here)
            check_rules(here, process, objects["plain"], objects["secret"])
            check_rotation(here, process, objects["plain"], objects["rotated"])


if __name__ == "__main__":
    main()
