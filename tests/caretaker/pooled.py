"""What the tests of pools need: real pgBouncers with TLS, clients of them, and a process that pretends to be one."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import unittest.mock
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from monitored import Authority, free_port
from monitored import wanted as monitored
from servers import ROOT, Server, password, programs, sql, verifier

# isort: split
import facts
import pools
from surroundings import Wanted

# The name in the certificate of the tests.
HOST = "hippo-primary"
PASSWORD = "password of \"pgBouncer's\" own role"


def pgbouncer_program() -> str:
    """Return pgBouncer. Skip the tests if there is none, which with CI=true is a failure."""
    found = shutil.which("pgbouncer", path=f"{ROOT / '.cache' / 'bin'}:{os.environ['PATH']}")
    if found is None or not programs():
        if os.environ.get("CI") == "true":
            raise AssertionError("no pgBouncer or no PostgreSQL, and CI=true")
        raise unittest.SkipTest("no pgBouncer or no PostgreSQL on this machine")
    return found


def pods(*addresses: str) -> dict[str, Any]:
    """Return an answer of the API server: these pods, and one that is not ready."""
    ready = {"conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}]}
    waiting = {"podIP": "127.0.0.9", "conditions": [{"type": "Ready", "status": "False"}]}
    there = [{"metadata": {"name": f"p{number}"}, "status": {**ready, "podIP": ip}} for number, ip in enumerate(addresses)]
    return {"items": [*there, {"metadata": {"name": "starts"}, "status": waiting}, {"metadata": {"name": "new"}}]}


class Console:
    """The directory with the files of the caretaker and the port, for programs that listen on addresses of this machine."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.directory.chmod(0o755)
        self.authority = Authority(self.directory)
        self.port = free_port()
        self.files = self.directory / "console"
        self.files.mkdir()
        shutil.copy(self.directory / "ca.crt", self.files / "ca.crt")
        (self.files / "password").write_text(PASSWORD)
        self.said = ""
        self.requested: list[str] = []

    def wanted(self) -> Wanted:
        """A cluster with a pgBouncer and an exporter."""
        return monitored(pgbouncer={"host": HOST, "port": self.port}, cluster="hippo")

    @contextlib.contextmanager
    def patched(self, *addresses: str) -> Iterator[None]:
        """Let the program find these pods, and these files."""

        def api(method: str, path: str) -> Any:
            self.requested.append(f"{method} {path}")
            return pods(*addresses)

        with (
            unittest.mock.patch.object(pools, "DIRECTORY", self.files),
            unittest.mock.patch.object(pools, "kubernetes", api),
            unittest.mock.patch.object(facts, "FILE", self.directory / "facts.json"),
            unittest.mock.patch.object(facts, "facts", facts.Facts()),
        ):
            yield

    def collect(self, *addresses: str, duty: pools.PoolFacts | None = None) -> dict[str, Any]:
        """Run the duty with these pods, and return the facts. Its log is in `said`."""
        out = io.StringIO()
        with self.patched(*addresses), contextlib.redirect_stdout(out):
            assert (duty or pools.PoolFacts())(self.wanted()) == facts.POD_SECONDS
            found = json.loads(facts.FILE.read_text())["pools"]
        self.said = out.getvalue()
        return dict(found)

    def stop(self) -> None:
        """Delete the files."""
        shutil.rmtree(self.directory)


class PgBouncer:
    """A real pgBouncer on one address, which asks a server for verifiers."""

    def __init__(self, console: Console, server: Server, address: str, **more: str) -> None:
        self.console, self.address = console, address
        self.directory = Path(tempfile.mkdtemp(dir=console.directory))
        quoted = PASSWORD.replace('"', '""')
        users = [f'"{pools.USER}" "{quoted}"', f'"tenant" "{verifier("tenant")}"']
        (self.directory / "users.txt").write_text("\n".join(users) + "\n")
        settings = {
            **{"listen_addr": address, "listen_port": str(console.port), "unix_socket_dir": ""},
            **{"auth_file": f"{self.directory}/users.txt", "stats_users": pools.USER, "default_pool_size": "1"},
            **{"client_tls_sslmode": "require", "client_tls_cert_file": f"{console.directory}/tls.crt"},
            **{"client_tls_key_file": f"{console.directory}/tls.key", "server_login_retry": "1", **more},
        }
        text = "\n".join(f"{name} = {value}" for name, value in settings.items())
        text += f"\n[databases]\n* = host={server.directory}\n"
        (self.directory / "pgbouncer.ini").write_text(f"[pgbouncer]\n{text}")
        user: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(self.directory, "nobody", "nogroup")
            user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        self.log = open(self.directory / "log", "w+")
        command = [pgbouncer_program(), str(self.directory / "pgbouncer.ini")]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT, cwd="/", **user)
        while "process up" not in (self.directory / "log").read_text():
            assert self.process.poll() is None, (self.directory / "log").read_text()
            time.sleep(0.05)

    def client(self, database: str, text: str) -> subprocess.Popen[str]:
        """Start a client, which waits after this SQL until its input ends."""
        environment = {**os.environ, "PGHOST": self.address, "PGPORT": str(self.console.port), "PGUSER": "tenant"}
        environment.update(PGPASSWORD=password("tenant"), PGDATABASE=database, PGSSLMODE="require")
        process = subprocess.Popen(
            ["psql", "-XqAtw"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdin
        process.stdin.write(text + "\n")
        process.stdin.flush()
        return process

    def stop(self) -> None:
        """Stop it."""
        self.process.kill()
        self.process.wait()
        self.log.close()


@functools.cache
def pools_of_pgbouncer() -> str:
    """Return facts about a real pgBouncer as JSON. One client has the only connection of a pool, and one waits for it."""
    environment = {name: os.environ.get(name) for name in ("PATH", "PGHOST", "PGPORT", "PGUSER", "PGDATA")}
    server, console = Server(max(programs(), key=int)), Console()
    running: list[Any] = []
    try:
        sql(f"CREATE ROLE tenant LOGIN CREATEDB PASSWORD '{verifier('tenant')}'")
        for name in ("a.b", "\u00e4 \"x\n,"):
            quoted = name.replace('"', '""')
            sql(f'CREATE DATABASE "{quoted}"', role="tenant")
        pgbouncer = PgBouncer(console, server, "127.0.0.1")
        running.append(pgbouncer)
        busy = pgbouncer.client("a.b", "BEGIN; SELECT 1;")
        assert busy.stdout and busy.stdout.readline() == "1\n"
        waits = pgbouncer.client("a.b", "SELECT 2;")
        other = pgbouncer.client("\u00e4 \"x\n,", "SELECT 3;")
        assert other.stdout and other.stdout.readline() == "3\n"
        time.sleep(1.2)
        started, used = time.monotonic(), sum(os.times()[:4])
        found = console.collect("127.0.0.1")
        assert console.said == "", console.said
        cost = {"seconds": time.monotonic() - started, "cpu": sum(os.times()[:4]) - used}
        for client in (busy, waits, other):
            client.communicate()
        return json.dumps({"found": found, "cost": cost, "requested": console.requested})
    finally:
        for program in running:
            program.stop()
        server.stop()
        console.stop()
        os.environ.update({name: value for name, value in environment.items() if value is not None})


class Pretender:
    """A process at the address of a pgBouncer with its certificate, which answers as it likes."""

    def __init__(self, console: Console, address: str, behave: Callable[[ssl.SSLSocket], None]) -> None:
        self.behave = behave
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(console.directory / "tls.crt", console.directory / "tls.key")
        self.listener = socket.create_server((address, console.port))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        """Let everybody in, and behave."""
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self.listener.accept()
                plain.recv(8)
                plain.sendall(b"S")
                with contextlib.suppress(OSError), self.tls.wrap_socket(plain, server_side=True) as connection:
                    connection.recv(1024)
                    connection.sendall(message(b"R", b"\0\0\0\0") + message(b"Z", b"I"))
                    self.behave(connection)

    def stop(self) -> None:
        """Stop listening."""
        self.listener.close()


def message(kind: bytes, content: bytes) -> bytes:
    """Return a message of Postgres' protocol (PostgreSQL, "Message Formats")."""
    return kind + (len(content) + 4).to_bytes(4, "big") + content


def header(*names: str) -> bytes:
    """Return the names of columns, all of type text."""
    column = b"\0" + bytes(6) + (25).to_bytes(4, "big") + b"\xff\xff" + b"\xff\xff\xff\xff" + b"\0\0"
    return message(b"T", len(names).to_bytes(2, "big") + b"".join(name.encode() + column for name in names))


def row(*values: bytes) -> bytes:
    """Return one row."""
    return message(b"D", len(values).to_bytes(2, "big") + b"".join(len(v).to_bytes(4, "big") + v for v in values))


END = message(b"C", b"SHOW\0") + message(b"Z", b"I")
