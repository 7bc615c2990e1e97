"""A directory that replaces an instance pod on this machine, with a real Patroni and its Postgres."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "src" / "postgres_cluster" / "caretaker"))

import surroundings

CARETAKER = sys.path[0]
USER = "_crunchypatroni"
HOST = "alpha-one-0.alpha-pods.zoo.svc.cluster.local"

# Resolves the names of pods to this machine. The Python interpreter of every program below loads it.
HOSTS = """
import socket
ask = socket.getaddrinfo
socket.getaddrinfo = lambda host, *more, **named: ask(
    "127.0.0.1" if isinstance(host, str) and host.endswith(".svc.cluster.local") else host, *more, **named)
"""


def free_port() -> int:
    """Return a port that is not in use."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(what: str, check: Callable[[], Any], seconds: float = 60) -> None:
    """Wait until a check succeeds."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.2)


def find(objects: list[Any], kind: str, name: str) -> Any:
    """Return an object by its name."""
    return next(there for there in objects if there["kind"] == kind and there["metadata"]["name"] == name)


def value(objects: list[Any], kind: str, name: str, key: str) -> str:
    """Return a value of a Secret or ConfigMap."""
    text = find(objects, kind, name)["data"][key]
    return base64.b64decode(text).decode() if kind == "Secret" else str(text)


def certificates(objects: list[Any]) -> dict[str, str]:
    """Return every key of a cluster with its certificate."""
    found = {}
    for secret in (there for there in objects if there["kind"] == "Secret"):
        name = secret["metadata"]["name"]
        for key in secret["data"]:
            text = value(objects, "Secret", name, key)
            if key == "patroni.crt-combined":
                found[name] = text
            elif key.endswith(".key"):
                found[f"{name} {key}"] = text + value(objects, "Secret", name, f"{key[:-4]}.crt")
    return found


def unprivileged() -> list[str]:
    """Return a command prefix that runs a program as another user than root, whom servers refuse. If only root can read the
    interpreter, the program has another user only in its own namespace."""
    if os.getuid() != 0:
        return []
    other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    again = "import subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)"
    if subprocess.run([*other, sys.executable, "-c", again], stderr=subprocess.DEVNULL).returncode == 0:
        return other
    return ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"]


class Pod:
    """A directory that replaces an instance pod on this machine."""

    def __init__(self, root: Path, postgres: str) -> None:
        self.root, self.postgres = root, postgres
        self.port, self.api_port = free_port(), free_port()
        self.etc = root / "etc-patroni"
        self.problem = ""
        self.as_user = unprivileged()
        (root / "python").mkdir()
        (root / "python" / "sitecustomize.py").write_text(HOSTS)
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(root / "python"),
            "PATRONI_NAME": "alpha-one-0",
            "PATRONI_POSTGRESQL_BIN_DIR": postgres,
            "PATRONI_POSTGRESQL_CONNECT_ADDRESS": f"127.0.0.1:{self.port}",
            "PATRONI_POSTGRESQL_LISTEN": f"127.0.0.1:{self.port}",
            "PATRONI_POSTGRESQL_DATA_DIR": str(root / "pgdata/data"),
            "PATRONI_RESTAPI_CONNECT_ADDRESS": f"{HOST}:{self.api_port}",
            "PATRONI_RESTAPI_LISTEN": f"127.0.0.1:{self.api_port}",
            "PATRONICTL_CONFIG_FILE": str(self.etc / "patronictl"),
        }

    def localized(self, text: str) -> str:
        """Return the text of a file with the paths of this machine."""
        for theirs, ours in [
            ("/etc/patroni/", f"{self.etc}/"),
            ("/pgconf/tls/", f"{self.root}/tls/"),
            ("/tmp/postgres", f"{self.root}/socket"),
            ("/tmp/replication", f"{self.root}/tls"),
            ("/tmp/.pgpass", f"{self.root}/pgpass"),
            ("/pgdata/", f"{self.root}/pgdata/"),
        ]:
            text = text.replace(theirs, ours)
        # The user of this machine has another name, and the library may not be installed.
        text = re.sub(r'local all (\\?)"postgres\\?" \\?"peer\\?"', "local all all trust", text)
        return text.replace('"shared_preload_libraries": "pgaudit"', '"shared_preload_libraries": ""').replace(
            "shared_preload_libraries: pgaudit", 'shared_preload_libraries: ""'
        )

    def mount(self, objects: list[Any]) -> None:
        """Replace the files of the volume `patroni-config` at once, as the kubelet does."""
        new = self.root / "new"
        shutil.rmtree(new, ignore_errors=True)
        volumes = find(objects, "StatefulSet", "alpha-one")["spec"]["template"]["spec"]["volumes"]
        volume = next(volume for volume in volumes if volume["name"] == "patroni-config")
        for source in volume["projected"]["sources"]:
            (kind, projection), *_ = source.items()
            kind = {"secret": "Secret", "configMap": "ConfigMap"}[kind]
            for item in projection["items"]:
                file = new / item["path"]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(self.localized(value(objects, kind, projection["name"], item["key"])))
                file.chmod(item.get("mode", volume["projected"]["defaultMode"]))
        for name in ("~postgres-operator_cluster", "~postgres-operator_instance", "patronictl/cluster"):
            file = new / f"{name}.yaml"
            content = yaml.safe_load(file.read_text())
            assert "citus" not in content
            del content["kubernetes"]
            content["raft"] = {"self_addr": f"127.0.0.1:{self.raft_port()}", "data_dir": str(self.root / "raft")}
            file.write_text(yaml.safe_dump(content))
        tls = self.root / "tls"
        tls.mkdir(exist_ok=True)
        for key in ("ca.crt", "tls.crt", "tls.key"):
            (tls / key).write_text(value(objects, "Secret", "alpha-cluster-cert", key))
            (tls / key).chmod(0o600)
        self.give(new)
        shutil.rmtree(self.etc, ignore_errors=True)
        new.rename(self.etc)

    def raft_port(self) -> int:
        """Return the same port each time."""
        file = self.root / "raft-port"
        if not file.exists():
            file.write_text(str(free_port()))
        return int(file.read_text())

    def give(self, *paths: Path) -> None:
        """Give the files to the unprivileged user."""
        if "setpriv" in self.as_user:
            for path in paths or (self.root,):
                subprocess.run(["chown", "--recursive", "65534:65534", str(path)], check=True)

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run Patroni, and wait until its Postgres is the leader."""
        for name in ("socket", "raft", "pgdata", "pgdata/logs/postgres"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        self.give()
        with (self.root / "patroni.log").open("wb") as log:
            words = [*self.as_user, "patroni", str(self.etc)]
            process = subprocess.Popen(
                words, env=self.environment, stdout=log, stderr=log, start_new_session=True, cwd=self.root
            )
        try:
            until("Postgres leads", lambda: process.poll() is not None or self.leads(), 120)
            assert process.poll() is None, "Patroni ended"
            yield process
        except BaseException:
            print((self.root / "patroni.log").read_text()[-6000:], self.problem, file=sys.stderr)
            raise
        finally:
            process.terminate()
            try:
                process.wait(20)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def leads(self) -> bool:
        """Whether a probe, which has no certificate, finds a leader."""
        try:
            return self.ask("GET", "primary") == 200
        except OSError as error:
            self.problem = str(error)
            return False

    def answer(self, method: str, path: str, pem: str = "", credential: str = "", body: Any = None) -> tuple[int, str]:
        """Send a request to the API with this certificate and password."""
        tls = ssl.create_default_context(cafile=str(self.etc / "~postgres-operator/patroni.ca-roots"))
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(pem)
            file.flush()
            if pem:
                tls.load_cert_chain(file.name)
        connection = surroundings.Connection("127.0.0.1", HOST, self.api_port, tls, 30)
        header = base64.b64encode(credential.encode()).decode()
        headers = {"Authorization": f"Basic {header}"} if credential else {}
        try:
            connection.request(method, f"/{path}", None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        finally:
            connection.close()

    def ask(self, *words: Any, **more: Any) -> int:
        """Return the status of the answer; 0 if TLS refuses the certificate."""
        try:
            return self.answer(*words, **more)[0]
        except (ssl.SSLError, ConnectionResetError, http.client.RemoteDisconnected):
            return 0

    def patronictl(self, *words: str) -> str:
        """Run patronictl, as in the container."""
        words = (*self.as_user, "patronictl", *words)
        done = subprocess.run(words, env=self.environment, cwd=self.root, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sql(self, sql: str) -> str:
        """Run SQL over the socket."""
        target = f"host={self.root}/socket port={self.port} dbname=postgres"
        words = [*self.as_user, f"{self.postgres}/psql", "-XAtqc", sql, target]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)
        return done.stdout.strip()
