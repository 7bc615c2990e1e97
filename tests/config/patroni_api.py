"""Runs a whole Patroni, with its Postgres, on rendered files, and asks its API as members, people and neighbours do.

    patroni_api.py OBJECTS POSTGRES

OBJECTS is JSON: the rendered objects of a cluster `alpha`, by variant, and of `beta`, a cluster of the same namespace.
POSTGRES is the directory of Postgres' programs. What changes on the way into a pod's place are places only: directories,
ports, the names of hosts, and where Patroni keeps what the cluster knows, which needs an API server otherwise."""

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

import patroni.api
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src" / "caretaker"))

import pod
import surroundings

USER = "_crunchypatroni"
HOST = "alpha-one-0.alpha-pods.zoo.svc.cluster.local"

# Names of pods lead to this machine; the interpreter of every program below loads it.
HOSTS = """
import socket
ask = socket.getaddrinfo
socket.getaddrinfo = lambda host, *more, **named: ask(
    "127.0.0.1" if isinstance(host, str) and host.endswith(".svc.cluster.local") else host, *more, **named)
"""

# `POST /mpp` tells the coordinator of Citus of a worker. Patroni is one where its own files have a section `citus` only.
ONLY_FOR_CITUS = ("POST", "mpp")


def unsafe_endpoints() -> list[tuple[str, str]]:
    """Every endpoint of the installed Patroni that is not for reading."""
    names = [re.fullmatch(r"do_([A-Z]+)_(\w+)", name) for name in dir(patroni.api.RestApiHandler)]
    return [(match[1], match[2]) for match in names if match and match[1] != "GET"]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(what: str, check: Callable[[], Any], seconds: float = 60) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.2)


def find(objects: list[Any], kind: str, name: str) -> Any:
    """An object by its name."""
    return next(there for there in objects if there["kind"] == kind and there["metadata"]["name"] == name)


def value(objects: list[Any], kind: str, name: str, key: str) -> str:
    """The value of a Secret or ConfigMap."""
    text = find(objects, kind, name)["data"][key]
    return base64.b64decode(text).decode() if kind == "Secret" else str(text)


def certificates(objects: list[Any]) -> dict[str, str]:
    """Every key of a cluster with its certificate."""
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
    """How to start a program as another user than root, whom servers refuse. The interpreter may be where only root can
    read: then it is another user only to itself."""
    if os.getuid() != 0:
        return []
    other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    again = "import subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)"
    if subprocess.run([*other, sys.executable, "-c", again], stderr=subprocess.DEVNULL).returncode == 0:
        return other
    return ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"]


class Pod:
    """The place of an instance's pod on this machine."""

    def __init__(self, root: Path, postgres: str) -> None:
        self.root, self.postgres = root, postgres
        self.port, self.api_port = free_port(), free_port()
        self.etc = root / "etc-patroni"
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
            "PATRONICTL_CONFIG_FILE": str(self.etc),
        }

    def localized(self, text: str) -> str:
        """A file with the places of this machine."""
        for theirs, ours in [
            ("/etc/patroni/", f"{self.etc}/"),
            ("/pgconf/tls/", f"{self.root}/tls/"),
            ("/tmp/postgres", f"{self.root}/socket"),
            ("/tmp/replication", f"{self.root}/tls"),
            ("/tmp/.pgpass", f"{self.root}/pgpass"),
            ("/pgdata/", f"{self.root}/pgdata/"),
        ]:
            text = text.replace(theirs, ours)
        # The user of this machine has another name, and the library may not be here.
        text = re.sub(r'local all (\\?)"postgres\\?" \\?"peer\\?"', "local all all trust", text)
        return text.replace('"shared_preload_libraries": "pgaudit"', '"shared_preload_libraries": ""').replace(
            "shared_preload_libraries: pgaudit", 'shared_preload_libraries: ""'
        )

    def mount(self, objects: list[Any]) -> None:
        """Bring the files of the volume `patroni-config`, all at once as the kubelet does."""
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
        cluster = new / "~postgres-operator_cluster.yaml"
        content = yaml.safe_load(cluster.read_text())
        assert "citus" not in content
        del content["kubernetes"]
        content["raft"] = {"self_addr": f"127.0.0.1:{self.raft_port()}", "data_dir": str(self.root / "raft")}
        cluster.write_text(yaml.safe_dump(content))
        (new / "~postgres-operator_instance.yaml").write_text(
            yaml.safe_dump({**yaml.safe_load((new / "~postgres-operator_instance.yaml").read_text()), "kubernetes": None})
        )
        tls = self.root / "tls"
        tls.mkdir(exist_ok=True)
        for key in ("ca.crt", "tls.crt", "tls.key"):
            (tls / key).write_text(value(objects, "Secret", "alpha-cluster-cert", key))
            (tls / key).chmod(0o600)
        self.give(new)
        shutil.rmtree(self.etc, ignore_errors=True)
        new.rename(self.etc)

    def raft_port(self) -> int:
        """One port, whenever it is asked for."""
        file = self.root / "raft-port"
        if not file.exists():
            file.write_text(str(free_port()))
        return int(file.read_text())

    def give(self, *paths: Path) -> None:
        """Let the unprivileged user have what is there."""
        if "setpriv" in self.as_user:
            for path in paths or (self.root,):
                subprocess.run(["chown", "--recursive", "65534:65534", str(path)], check=True)

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Start Patroni, and wait until its Postgres leads."""
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
            print((self.root / "patroni.log").read_text()[-6000:], file=sys.stderr)
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
        except OSError:
            return False

    def answer(self, method: str, path: str, pem: str = "", credential: str = "", body: Any = None) -> tuple[int, str]:
        """Ask the API as somebody who has this."""
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
        """The status of the answer; 0 where TLS refuses the certificate."""
        try:
            return self.answer(*words, **more)[0]
        except (ssl.SSLError, ConnectionResetError, http.client.RemoteDisconnected):
            return 0

    def patronictl(self, *words: str) -> str:
        """Run patronictl as a person in the container does."""
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


def check_endpoints(here: Pod, alpha: list[Any], beta: list[Any]) -> None:
    """Whatever changes something wants the certificate and the password, both."""
    password = f"{USER}:{value(alpha, 'Secret', 'alpha-patroni', 'password')}"
    own = value(alpha, "Secret", "alpha-one-certs", "patroni.crt-combined")
    theirs = certificates(beta)
    before = here.answer("GET", "config")
    wrong = f"{USER}:{value(beta, 'Secret', 'beta-patroni', 'password')}"
    endpoints = unsafe_endpoints()
    assert {("PATCH", "config"), ("PUT", "config"), ("POST", "restart"), ("POST", "failsafe")} <= set(endpoints)
    accepted = set()
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
                assert status in (0, 401, 403), f"{endpoint} with {name} and {credential or 'nothing'}: {status}"
                if status == 401:
                    accepted.add(name)
        status = ask(own, password)
        assert status not in (0, 401, 403), f"{endpoint} with both: {status}"
    # These certificates are refused for the missing password alone.
    assert {"own", "beta-pgbackrest pgbackrest-client.key", "beta-one-certs"} <= accepted, accepted
    assert here.answer("GET", "config") == before
    for path in ("liveness", "readiness", "primary"):
        assert here.ask("GET", path) == 200, f"a probe of {path}"
    until("Postgres is back", lambda: here.leads())
    body = {"postgresql": {"parameters": {"work_mem": "5MB"}}}
    assert here.ask("PATCH", "config", own, password, body) == 200
    until("the change is there", lambda: here.sql("SHOW work_mem") == "5MB")


def check_caretaker(here: Pod, alpha: list[Any]) -> None:
    """The caretaker sends the password with what is unsafe, and says nothing of it."""
    surroundings.PATRONI = here.etc
    surroundings.AUTHENTICATION = here.etc / surroundings.AUTHENTICATION.name
    os.environ["PATRONI_RESTAPI_CONNECT_ADDRESS"] = f"{HOST}:{here.api_port}"
    there = surroundings.patroni("GET", "/config")
    assert surroundings.patroni("PUT", "/config", there) == there
    file = surroundings.AUTHENTICATION
    text, password = file.read_text(), value(alpha, "Secret", "alpha-patroni", "password")
    for wrong, expected in [
        (None, "wants a password, which this pod gets when it is made anew"),
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
    """A person in the container needs nothing more than before."""
    assert "alpha-one-0" in here.patronictl("list")
    started = here.sql("SELECT pg_postmaster_start_time()")
    assert "Success" in here.patronictl("restart", "alpha-ha", "alpha-one-0", "--force")
    assert here.sql("SELECT pg_postmaster_start_time()") != started
    here.patronictl("edit-config", "--force", "--quiet", "--set", "postgresql.parameters.work_mem=6MB")
    until("edit-config is there", lambda: here.sql("SHOW work_mem") == "6MB")
    assert "Reload request received" in here.patronictl("reload", "alpha-ha", "--force")


def reload(process: subprocess.Popen[bytes]) -> None:
    """Have Patroni read its files as the caretaker does."""
    pod.processes = lambda _: [(process.pid, 0)]
    assert pod.reload_patroni() is True


def configure(here: Pod, objects: list[Any]) -> None:
    """Bring the dynamic configuration as the caretaker of the leader does."""
    text = value(objects, "ConfigMap", "alpha-caretaker", "caretaker.json")
    surroundings.patroni("PUT", "/config", json.loads(here.localized(text))["dynamicConfiguration"])


def shown(here: Pod) -> str:
    """What Patroni shows to everybody."""
    return here.answer("GET", "config")[1]


def check_rules(here: Pod, process: subprocess.Popen[bytes], plain: list[Any], secret: list[Any]) -> None:
    """Rules with a password come and go with nobody seeing it, in whichever order files and configuration arrive."""
    question = "SELECT count(*) FROM pg_hba_file_rules WHERE 'ldapbindpasswd=hush-hush' = ANY (options) AND error IS NULL"
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
                    # What Patroni would do at its next look.
                    time.sleep(4)
                    # Never without rules: then those of initdb would be there, or none.
                    assert int(here.sql(all_rules)) >= int(number)
                    before = here.sql(question)
            until(f"{order}: the rule is there {expected}", lambda expected=expected: here.sql(question) == expected, 30)
            until(f"{order}: everybody sees the rules", lambda to=to: ("pg_hba" in shown(here)) == (to is plain), 30)
            cached = here.root / "pgdata/data/patroni.dynamic.json"
            assert "hush-hush" not in shown(here) + cached.read_text()
    assert "hush-hush" not in (here.root / "patroni.log").read_text()


def check_rotation(here: Pod, process: subprocess.Popen[bytes], before: list[Any], after: list[Any]) -> None:
    """The password is another as soon as Patroni has read its files; nothing restarts."""
    started = here.sql("SELECT pg_postmaster_start_time()")
    own = value(before, "Secret", "alpha-one-certs", "patroni.crt-combined")
    old, new = (f"{USER}:{value(objects, 'Secret', 'alpha-patroni', 'password')}" for objects in (before, after))
    ask = lambda credential: here.ask("POST", "failsafe", own, credential, {})  # noqa: E731
    here.mount(after)
    assert (ask(old), ask(new)) == (502, 401)
    reload(process)
    until("the new password works", lambda: ask(new) == 502, 30)
    assert ask(old) == 401
    here.patronictl("reload", "alpha-ha", "--force")
    assert process.poll() is None and here.sql("SELECT pg_postmaster_start_time()") == started


def main() -> None:
    """Start one Patroni, and do everything with it."""
    objects = json.loads(Path(sys.argv[1]).read_text())
    exec(HOSTS, {})  # noqa: S102
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        root.chmod(0o755)
        here = Pod(root, sys.argv[2])
        here.mount(objects["plain"])
        with here.running() as process:
            check_endpoints(here, objects["plain"], objects["beta"])
            check_caretaker(here, objects["plain"])
            check_patronictl(here)
            check_rules(here, process, objects["plain"], objects["secret"])
            check_rotation(here, process, objects["plain"], objects["rotated"])


if __name__ == "__main__":
    main()
