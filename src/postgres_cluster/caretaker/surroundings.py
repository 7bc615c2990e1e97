"""Access to mounted files, Patroni, the Kubernetes API, and other programs.

Every request and every program has a time limit. No command line and no message contains a secret."""

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
BACKUP = "pgrender.dev/backup"
STANDBY = "pgrender.dev/standby"


# Patroni's roles in which a duty runs.
WRITER, LEADER, ANYONE = ("primary",), ("primary", "standby_leader"), ()

# The roles of leaders in `GET /cluster`, which uses other names.
LEADERS = ("leader", "standby_leader")


# The HTTP status for a wrong or missing password.
UNAUTHORIZED = 401


class Failure(Exception):
    """An error. Its message is one line for the log, and never contains a secret."""


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
    """Return the seconds to wait after so many failures in a row: 1, then 1.5 times as long each time, at most 60."""
    return float(min(1.5 ** min(failures - 1, 20), 60))


def log(message: str) -> None:
    """Print one line with the time. Escape line breaks and the like, because names could imitate other lines."""
    line = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in message)
    print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), line, flush=True)


class Wanted(NamedTuple):
    """The two mounted files."""

    settings: Any
    roles: Any

    @property
    def cluster(self) -> str:
        """The name of the cluster, the prefix of most object names."""
        return str(self.settings["cluster"])

    @property
    def names(self) -> list[str]:
        """The pod names of all instances."""
        sets = self.settings["instanceSets"]
        return [f"{self.cluster}-{there['name']}-{number}" for there in sets for number in range(int(there["replicas"]))]

    @property
    def instances(self) -> int:
        """The number of instances in all sets."""
        return len(self.names)

    def members(self, view: Any) -> list[Any]:
        """Return the members of this cluster in Patroni's answer to `GET /cluster`. Patroni lists every pod with the labels of
        the cluster, and an attacker who controls an instance of another cluster in the namespace can set these labels."""
        return [member for member in view["members"] if member["name"] in self.names]


def read_wanted() -> Wanted:
    """Read both files from one resolved directory, so that they are of the same rendering."""
    directory = SETTINGS / "..data" if (SETTINGS / "..data").exists() else SETTINGS
    directory = directory.resolve()
    try:
        return Wanted(
            json.loads((directory / "caretaker.json").read_bytes()), json.loads((directory / "roles.json").read_bytes())
        )
    except (OSError, ValueError) as error:
        raise Failure(f"the settings in {SETTINGS} cannot be read: {error}") from None


def version_of(*directories: Path) -> tuple[str, ...]:
    """Return a value that changes with the content of mounted directories: the kubelet then replaces the link `..data`."""
    versions = []
    for directory in directories:
        try:
            versions.append(os.readlink(directory / "..data"))
        except OSError:
            files = sorted(directory.rglob("*")) if directory.exists() else []
            versions.append(" ".join(f"{file}:{file.stat().st_mtime_ns}" for file in files if file.is_file()))
    return tuple(versions)


class Connection(http.client.HTTPSConnection):
    """HTTPS to an address, with a certificate for a host name."""

    def __init__(self, address: str, host: str, port: int, tls: ssl.SSLContext, timeout: float) -> None:
        super().__init__(host, port, context=tls, timeout=timeout)
        self.address = address
        self.tls = tls

    def connect(self) -> None:
        """Connect to the address, but verify the host name."""
        plain = socket.create_connection((self.address, self.port), self.timeout)
        self.sock = self.tls.wrap_socket(plain, server_hostname=self.host)


def exchange(connection: Connection, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
    """Send one request. Return the JSON or the text of the answer."""
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
    """Return the header for Patroni's unsafe endpoints. Read the file each time, because the password is rotated.

    A pod of an earlier version has no such file, and its Patroni needs no password."""
    try:
        words = json.loads(AUTHENTICATION.read_bytes())["restapi"]["authentication"]
        credential = f"{words['username']}:{words['password']}".encode()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Failure(f"cannot read the password of Patroni's API: {error}") from None
    except (KeyError, TypeError, ValueError):
        form = '{"restapi": {"authentication": {"username": …, "password": …}}}'
        raise Failure(f"the password of Patroni's API: {AUTHENTICATION} is not JSON of the form {form}") from None
    return {"Authorization": f"Basic {base64.b64encode(credential).decode()}"}


def patroni(method: str, path: str, body: Any = None, member: str = "", timeout: float = 10) -> Any:
    """Send a request to the Patroni of this pod, or of another member.

    Patroni's unsafe endpoints require the certificate of a member (`restapi.verify_client: optional`) and the password. The
    password is sent to the member's DNS name, and not to the address that the member announces."""
    names = PATRONI / "~postgres-operator"
    try:
        tls = ssl.create_default_context(cafile=str(names / "patroni.ca-roots"))
        tls.load_cert_chain(names / "patroni.crt+key")
    except OSError as error:
        raise Failure(f"cannot read the certificate of Patroni's clients: {error}") from error
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
            else "requires a password, which this pod gets when it is created again"
        )
        raise Refused(UNAUTHORIZED, "Unauthorized", f"the Patroni of {host} {why}") from None


def kubernetes_connection(timeout: float) -> tuple[Connection, dict[str, str]]:
    """Connect to the API server as this pod. Read the token each time, because the kubelet renews it."""
    host = os.environ["KUBERNETES_SERVICE_HOST"]
    try:
        tls = ssl.create_default_context(cafile=str(SERVICE_ACCOUNT / "ca.crt"))
        token = (SERVICE_ACCOUNT / "token").read_text().strip()
    except OSError as error:
        raise Failure(f"cannot read the token of this pod: {error}") from error
    connection = Connection(host, host, int(os.environ["KUBERNETES_SERVICE_PORT"]), tls, timeout)
    return connection, {"Authorization": f"Bearer {token}"}


def kubernetes(method: str, path: str, body: Any = None, timeout: float = 10, api: str = "v1") -> Any:
    """Send a request about objects of this namespace, for example `/pods/hippo-00-0`, in the core API unless `api` is given.
    PATCH is a merge patch."""
    content = "application/merge-patch+json" if method == "PATCH" else "application/json"
    return kubernetes_request(method, path, body, content, timeout, api)


def apply(kind: str, path: str, body: Any, api: str = "v1") -> Any:
    """Create an object, or set these fields of an existing one.

    This uses server-side apply, because RBAC can limit it to names. The right to create by POST applies to all names."""
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
    """Read an object from the API server; None if it does not exist."""
    try:
        return kubernetes("GET", path, timeout=timeout)
    except Refused as refused:
        if refused.status != 404:
            raise
        return None


def primary_path(wanted: Wanted) -> str:
    """Return the path of the Endpoints that applications use."""
    return f"/endpoints/{wanted.cluster}-primary"


def pods_of(cluster: str) -> Any:
    """Return all pods of the cluster: instances, repo host, PgBouncer, backups."""
    selector = urllib.parse.quote(f"{LABEL}cluster={cluster}")
    return kubernetes("GET", f"/pods?labelSelector={selector}")["items"]


class Leadership:
    """The role of this pod, as its Patroni says. The answer is cached, because each request costs a TLS handshake."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.role = ""
        self.standby = False
        self.asked = 0.0

    def now(self) -> str:
        """Return `primary`, `standby_leader`, `replica` or, if Patroni does not answer, an empty string.

        The file `standby.signal` exists while Postgres is a replica. If it appears or disappears, is missing although the cached
        role is not `primary`, or if Patroni did not say a role, ask Patroni again soon."""
        with self.lock:
            standby = (data_directory() / "standby.signal").exists()
            settled = standby == self.standby and (bool(self.role) if standby else self.role == "primary")
            if time.monotonic() - self.asked >= (10 if settled else 0.5):
                self.role, self.standby, self.asked = self.ask(), standby, time.monotonic()
            return self.role

    @staticmethod
    def ask() -> str:
        """Ask Patroni for the role. Patroni before 4 says `master`."""
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
    """Return Postgres' data directory."""
    return Path(os.environ["PGDATA"])


def postmaster() -> int | None:
    """Return the process in `postmaster.pid`, alive or not; None after a clean stop, which removes the file."""
    try:
        return int((data_directory() / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def is_alive(pid: int, name: str) -> bool:
    """Whether the process runs and has this name, because process IDs are reused."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return f"({name})" in status and status.rsplit(")", 1)[1].split()[0] not in "ZX"


def run(command: list[str], timeout: float, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program with `text` as its input. If it exceeds the timeout, kill it and its child processes.

    Bytes that are not UTF-8 are passed as surrogates, because names in Postgres may contain them."""
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


def control_data(directory: Path, **environment: str) -> dict[str, str]:
    """Return what `pg_controldata` says about a data directory, whether Postgres runs or not."""
    result = run(["pg_controldata", str(directory)], 60, LC_ALL="C", **environment)
    if result.returncode != 0:
        raise Failure(f"pg_controldata: {result.stderr.strip()}")
    pairs = (line.split(":", 1) for line in result.stdout.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def load_later_files() -> None:
    """Load modules from the settings if their files are not mounted.

    A pod mounts the files that its template names, so a pod of an earlier version lacks newer files."""
    try:
        modules = json.loads((SETTINGS / "caretaker.json").read_bytes()).get("laterFiles", {})
    except (OSError, ValueError):
        return
    for name, text in modules.items():
        if not (SETTINGS / f"{name}.py").exists():
            module = sys.modules[name] = types.ModuleType(name)
            exec(compile(text, f"{name}.py", "exec"), module.__dict__)


load_later_files()
