"""What the caretaker talks to: its mounted files, Patroni, the Kubernetes API, other programs.

Every request and every program has a time limit. Nothing secret is ever on a command line or in a message."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import types
import urllib.parse
from pathlib import Path
from typing import Any, NamedTuple

SETTINGS = Path("/etc/pgrender")
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PATRONI = Path("/etc/patroni")
PGBACKREST = Path("/etc/pgbackrest")
CERTIFICATES = Path("/pgconf/tls")
REPLICATION = Path("/tmp/replication")

LABEL = "postgres-operator.crunchydata.com/"
FINGERPRINTS = "pgrender.dev/fingerprints"
SWITCHOVER = "pgrender.dev/switchover"


# Roles, as Patroni says them, in which a duty is done.
WRITER, LEADER, ANYONE = ("primary",), ("primary", "standby_leader"), ()

# The roles of leaders in `GET /cluster`, which has other words.
LEADERS = ("leader", "standby_leader")


# The status of who has the wrong password, or none.
UNAUTHORIZED = 401


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


def pause_after(failures: int) -> float:
    """How long to wait after so many failures in a row: a second, then half as much again each time, up to a minute."""
    return float(min(1.5 ** min(failures - 1, 20), 60))


def log(message: str) -> None:
    """Print one line: when, and what was done or went wrong. Names in it may have been chosen to look like other lines."""
    line = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in message)
    print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), line, flush=True)


class Wanted(NamedTuple):
    """The two mounted files."""

    settings: Any
    roles: Any

    @property
    def cluster(self) -> str:
        """The name of the cluster, which most names of objects begin with."""
        return str(self.settings["cluster"])

    @property
    def names(self) -> list[str]:
        """The instances of all sets, by the names of their pods."""
        sets = self.settings["instanceSets"]
        return [f"{self.cluster}-{there['name']}-{number}" for there in sets for number in range(int(there["replicas"]))]

    @property
    def instances(self) -> int:
        """How many instances there are in all sets."""
        return len(self.names)

    def members(self, view: Any) -> list[Any]:
        """The members of this cluster in what Patroni answers to `GET /cluster`. It takes every pod with the labels of the
        cluster for one, and whoever has taken an instance of another cluster of the namespace can label a pod so."""
        return [member for member in view["members"] if member["name"] in self.names]


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


AUTHENTICATION = PATRONI / "~postgres-operator_restapi.yaml"


def authentication() -> dict[str, str]:
    """Give the header for Patroni's unsafe endpoints. The file is read each time, because the password is rotated.

    A pod that was made before there was a password has no such file, and its Patroni wants none."""
    try:
        words = json.loads(AUTHENTICATION.read_bytes())["restapi"]["authentication"]
        credential = f"{words['username']}:{words['password']}".encode()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Failure(f"the password of Patroni's API: {error}") from None
    except (KeyError, TypeError, ValueError):
        form = '{"restapi": {"authentication": {"username": …, "password": …}}}'
        raise Failure(f"the password of Patroni's API: {AUTHENTICATION} is not JSON of the form {form}") from None
    return {"Authorization": f"Basic {base64.b64encode(credential).decode()}"}


def patroni(method: str, path: str, body: Any = None, member: str = "", timeout: float = 10) -> Any:
    """Ask the Patroni of this pod, or that of another member.

    Patroni's unsafe endpoints want the certificate of a member (`restapi.verify_client: optional`) and the password of
    the cluster. The password goes to the address that a member has, and not to the one that it announces."""
    names = PATRONI / "~postgres-operator"
    try:
        tls = ssl.create_default_context(cafile=str(names / "patroni.ca-roots"))
        tls.load_cert_chain(names / "patroni.crt+key")
    except OSError as error:
        raise Failure(f"the certificate of Patroni's clients: {error}") from error
    me, address = os.environ["PATRONI_NAME"], os.environ["PATRONI_RESTAPI_CONNECT_ADDRESS"]
    place = urllib.parse.urlsplit(f"https://{address.replace(me, member or me, 1)}")
    host = (place.hostname or "").rstrip(".")
    connection = Connection(host if member else "127.0.0.1", host, place.port or 8008, tls, timeout)
    headers = {} if method == "GET" else authentication()
    try:
        return exchange(connection, method, path, body, headers)
    except Refused as refused:
        if refused.status != UNAUTHORIZED:
            raise
        why = (
            "has another password: it reads a new one within seconds"
            if headers
            else "wants a password, which this pod gets when it is made anew"
        )
        raise Refused(UNAUTHORIZED, "Unauthorized", f"the Patroni of {host} {why}") from None


def kubernetes_connection(timeout: float) -> tuple[Connection, dict[str, str]]:
    """Connect to the API server as this pod. The token is read each time, because the kubelet renews it."""
    host = os.environ["KUBERNETES_SERVICE_HOST"]
    try:
        tls = ssl.create_default_context(cafile=str(SERVICE_ACCOUNT / "ca.crt"))
        token = (SERVICE_ACCOUNT / "token").read_text().strip()
    except OSError as error:
        raise Failure(f"the token of this pod: {error}") from error
    connection = Connection(host, host, int(os.environ["KUBERNETES_SERVICE_PORT"]), tls, timeout)
    return connection, {"Authorization": f"Bearer {token}"}


def kubernetes(method: str, path: str, body: Any = None, timeout: float = 10, api: str = "v1") -> Any:
    """Ask the API server about objects of this namespace, for example `/pods/hippo-00-0`; core objects unless another version
    of an API is given. PATCH means merge patch."""
    content = "application/merge-patch+json" if method == "PATCH" else "application/json"
    return kubernetes_request(method, path, body, content, timeout, api)


def apply(kind: str, path: str, body: Any, api: str = "v1") -> Any:
    """Create an object, or set these fields of one that is there.

    By server-side apply, because that bears the name in its path: the right to create by POST is the right to create any."""
    metadata = {"name": path.rsplit("/", 1)[1], **body["metadata"]}
    body = {"apiVersion": api, "kind": kind, **body, "metadata": metadata}
    query = "fieldManager=caretaker&force=true"
    return kubernetes_request("PATCH", f"{path}?{query}", body, "application/apply-patch+yaml", 10, api)


def kubernetes_request(method: str, path: str, body: Any, content: str, timeout: float, api: str) -> Any:
    """Send one request about this namespace."""
    connection, headers = kubernetes_connection(timeout)
    headers["Content-Type"] = content
    namespace = (SERVICE_ACCOUNT / "namespace").read_text().strip()
    prefix = f"/apis/{api}" if "/" in api else f"/api/{api}"
    return exchange(connection, method, f"{prefix}/namespaces/{namespace}{path}", body, headers)


def find(path: str, timeout: float = 10) -> Any:
    """Read an object from the API server; None where there is none."""
    try:
        return kubernetes("GET", path, timeout=timeout)
    except Refused as refused:
        if refused.status != 404:
            raise
        return None


def pods_of(cluster: str) -> Any:
    """All pods of the cluster: instances, repo host, pgBouncer, backups."""
    selector = urllib.parse.quote(f"{LABEL}cluster={cluster}")
    return kubernetes("GET", f"/pods?labelSelector={selector}")["items"]


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


leadership = Leadership()


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


def run(command: list[str], timeout: float, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, within the time; those that it started end with it. What it reads comes from us, never from the
    command line.

    Bytes that are no UTF-8 come and go as surrogates: a name in Postgres may have them."""
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(
            command,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env={**os.environ, **environment},
            encoding="utf-8",
            errors="surrogateescape",
            start_new_session=True,
        )
    except OSError as error:
        raise Failure(f"`{command[0]}` does not start: {error}") from None
    with process:
        try:
            out, err = process.communicate(text, timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise Failure(f"`{command[0]}` took longer than {timeout:.0f} s") from None
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def load_later_files() -> None:
    """Load the modules whose files are not mounted, from the settings.

    A pod mounts the files that its template names, and one that an earlier version made lacks those that came later."""
    try:
        modules = json.loads((SETTINGS / "caretaker.json").read_bytes()).get("laterFiles", {})
    except (OSError, ValueError):
        return
    for name, text in modules.items():
        if not (SETTINGS / f"{name}.py").exists():
            module = sys.modules[name] = types.ModuleType(name)
            exec(compile(text, f"{name}.py", "exec"), module.__dict__)


load_later_files()
