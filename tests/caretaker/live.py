"""Try the caretaker on a real Kubernetes: what it does, how soon, and what it costs.

    tests/caretaker/live.py [scenario ...]

needs `kubectl` with a cluster to talk to, `psql`, a built `pgrender` (PGRENDER, else target/debug/pgrender) and an image
in the variables RELATED_IMAGE_POSTGRES_17, RELATED_IMAGE_PGBACKREST and RELATED_IMAGE_PGBOUNCER. It makes the namespace
CARETAKER_NAMESPACE (caretaker-dev) and leaves it, so that a second run is quick.
"""

from __future__ import annotations

import base64
import copy
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PGRENDER = os.environ.get("PGRENDER", str(ROOT / "target" / "debug" / "pgrender"))
NAMESPACE = os.environ.get("CARETAKER_NAMESPACE", "caretaker-dev")
SEED = "the seed of a database that is thrown away"
PREFIX = "postgres-operator.crunchydata.com/"

CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
HIPPO: dict[str, Any] = {
    "apiVersion": "postgres-operator.crunchydata.com/v1beta1",
    "kind": "PostgresCluster",
    "metadata": {"name": "hippo", "annotations": {}},
    "spec": {
        "postgresVersion": 17,
        "users": [
            {"name": "hippo", "databases": ["hippo"]},
            {"name": "rhino", "databases": ["zoo", "hippo"], "options": "CREATEDB"},
        ],
        "instances": [{"name": "instance1", "replicas": 3, "dataVolumeClaimSpec": CLAIM}],
        "backups": {"pgbackrest": {"repos": [{"name": "repo1", "volume": {"volumeClaimSpec": CLAIM}}]}},
        "patroni": {"dynamicConfiguration": {"postgresql": {"parameters": {}}}, "switchover": {"enabled": True}},
        "proxy": {"pgBouncer": {"replicas": 1}},
    },
}


def run(*command: str, text: str = "", check: bool = True, **environment: str) -> str:
    """Run a program; gives what it printed."""
    result = subprocess.run(
        command, input=text, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=180
    )
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {result.stderr[-2000:]}")
    return result.stdout.strip()


def kubectl(*words: str, text: str = "") -> str:
    """Run kubectl in the namespace."""
    return run("kubectl", "--namespace", NAMESPACE, *words, text=text)


def get(what: str, *words: str) -> Any:
    """Read objects."""
    return json.loads(kubectl("get", what, *words, "--output=json"))


def apply(cluster: dict[str, Any]) -> float:
    """Render and apply a cluster; gives the moment when it was there."""
    manifests = run(PGRENDER, "render", "--namespace", NAMESPACE, text=json.dumps(cluster), PGRENDER_SEED=SEED)
    kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", text=manifests)
    return time.monotonic()


def until(what: str, check: Callable[[], Any], seconds: float = 60) -> float:
    """Wait until something holds; gives how long that took."""
    start = time.monotonic()
    problem = ""
    while time.monotonic() - start < seconds:
        try:
            if check():
                return time.monotonic() - start
        except (AssertionError, KeyError, subprocess.TimeoutExpired) as error:
            problem = str(error)
        time.sleep(0.1)
    raise AssertionError(f"after {seconds} s still not: {what} {problem}")


def secret(name: str, key: str) -> str:
    """Read one value of a Secret."""
    return base64.b64decode(get("secret", name)["data"][key]).decode()


def login(user: str, database: str, sql: str = "SELECT 1") -> str:
    """Log in as an application does, through the Service, and run SQL."""
    host = get("service", "hippo-ha")["spec"]["clusterIP"]
    password = secret(f"hippo-pguser-{user}", "password")
    return connect(host, user, database, password, sql)


def connect(host: str, user: str, database: str, password: str, sql: str) -> str:
    """Run SQL over TLS."""
    target = f"host={host} user={user} dbname={database} sslmode=require connect_timeout=1"
    return run("psql", "-XAtq", target, "-c", sql, PGPASSWORD=password)


def leader() -> str:
    """The pod that Patroni's lock names."""
    return str(get("endpoints", "hippo-ha")["metadata"]["annotations"]["leader"])


def until_moved(old: str) -> float:
    """Wait until the leader is another pod; gives how long that took."""
    return until("another leader", lambda: leader() != old)


def instances() -> list[str]:
    """The instance pods."""
    pods = get("pods", f"--selector={PREFIX}patroni=hippo-ha")["items"]
    return sorted(pod["metadata"]["name"] for pod in pods)


def members() -> Any:
    """Patroni's own view."""
    view = kubectl("exec", leader(), "--container=database", "--", "patronictl", "list", "--format=json")
    return json.loads(view)


def all_well(count: int) -> bool:
    """Whether there is a leader and everyone else streams."""
    states = [member["State"] for member in members()]
    return sorted(states) == sorted(["running"] + ["streaming"] * (count - 1))


def superuser(pod: str, sql: str) -> str:
    """Run SQL inside a pod."""
    return kubectl("exec", pod, "--container=database", "--", "psql", "-XAtq", "-c", sql)


def log_of(pod: str, container: str = "caretaker") -> str:
    """What a container has printed."""
    return kubectl("logs", pod, f"--container={container}")


class Writer:
    """An application that commits all the time; the longest time without a commit is what it suffers."""

    def __init__(self) -> None:
        self.host = get("service", "hippo-ha")["spec"]["clusterIP"]
        self.password = secret("hippo-pguser-hippo", "password")
        self.gaps: list[float] = []
        self.stopped = False
        self.thread = threading.Thread(target=self.write)

    def __enter__(self) -> Writer:
        self.run("CREATE TABLE IF NOT EXISTS written (id bigserial, at timestamptz DEFAULT now())")
        self.thread.start()
        time.sleep(1)
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(3)
        self.stopped = True
        self.thread.join()

    def run(self, sql: str) -> None:
        """Run SQL as the application."""
        connect(self.host, "hippo", "hippo", self.password, f"SET search_path TO hippo; {sql}")

    def write(self) -> None:
        """Commit, and note each time without."""
        last = time.monotonic()
        while not self.stopped:
            try:
                self.run("INSERT INTO written DEFAULT VALUES")
            except AssertionError:
                continue
            now = time.monotonic()
            self.gaps.append(now - last)
            last = now

    def report(self) -> str:
        """The longest gap, and how many were felt."""
        return f"longest gap {max(self.gaps):.2f} s, over 0.5 s: {sum(gap > 0.5 for gap in self.gaps)}"


def changed(**spec: Any) -> dict[str, Any]:
    """HIPPO with another spec."""
    cluster = copy.deepcopy(HIPPO)
    cluster["metadata"]["annotations"][f"{PREFIX}autoCreateUserSchema"] = "true"
    cluster["spec"].update(spec)
    return cluster


def start() -> None:
    """From nothing to a cluster that applications use."""
    run("kubectl", "create", "namespace", NAMESPACE, check=False)
    applied = apply(changed())
    until("hippo logs in", lambda: login("hippo", "hippo"))
    print(f"  first login after {time.monotonic() - applied:.1f} s")
    until("three members", lambda: all_well(3), 90)
    print(f"  all stream after {time.monotonic() - applied:.1f} s")
    for pod in instances():
        assert get("pod", pod)["metadata"]["labels"][f"{PREFIX}instance"] == pod
    address = get("service", "hippo-ha")["spec"]["clusterIP"]
    assert get("endpoints", "hippo-primary")["subsets"][0]["addresses"] == [{"ip": address}]
    until(
        "a schema of their own", lambda: login("rhino", "zoo", "CREATE TABLE rhino.t (); DROP TABLE rhino.t; SELECT 1")
    )
    until(
        "pgBouncer's function", lambda: superuser(leader(), "SELECT pgbouncer.get_auth('hippo')").startswith("(hippo")
    )
    check = ["exec", leader(), "--container=database", "--", "pgbackrest", "--stanza=db", "check"]
    until("pgbackrest check", lambda: kubectl(*check) == "")


def users() -> None:
    """A new user and database, another password; nothing restarts and nothing leaks."""
    before = [get("pod", pod)["metadata"]["uid"] for pod in instances()]
    name = f"u{int(time.time())}"
    more = changed()
    more["spec"]["users"].append({"name": name, "databases": [f"d{name}", "zoo"]})
    apply(more)
    print(f"  new user logs in after {until('login', lambda: login(name, f'd{name}'), 10):.1f} s")
    old = secret("hippo-pguser-rhino", "password")
    more["metadata"]["annotations"]["pgrender.dev/rotate-password.rhino"] = name[1:]
    apply(more)
    print(f"  new password works after {until('login', lambda: login('rhino', 'zoo'), 10):.1f} s")
    assert secret("hippo-pguser-rhino", "password") != old
    host = get("service", "hippo-ha")["spec"]["clusterIP"]
    try:
        connect(host, "rhino", "zoo", old, "SELECT 1")
        raise SystemExit("the old password still works")
    except AssertionError:
        pass
    assert [get("pod", pod)["metadata"]["uid"] for pod in instances()] == before
    logs = "".join(log_of(pod, container) for pod in instances() for container in ("caretaker", "database"))
    assert "SCRAM-SHA-256$" not in logs, "a verifier is in a log"


def postmaster() -> None:
    """Postgres of the leader is killed."""
    for _ in range(3):
        until("three members", lambda: all_well(3))
        with Writer() as writer:
            kubectl(
                "exec",
                leader(),
                "--container=database",
                "--",
                "bash",
                "-c",
                "kill -9 $(head -1 $PGDATA/postmaster.pid)",
            )
            time.sleep(4)
        print(f"  postmaster killed: {writer.report()}")
        assert max(writer.gaps) < 5


def hand_over() -> None:
    """The leader's pod is deleted gracefully."""
    for _ in range(3):
        until("three members", lambda: all_well(3), 90)
        old = leader()
        with Writer() as writer:
            kubectl("delete", "pod", old, "--wait=false")
            until_moved(old)
            time.sleep(4)
        print(f"  leader deleted: {writer.report()}")
        until("three members", lambda: all_well(3), 90)


def configuration() -> None:
    """Parameters that need a reload, a restart in either order, or that Postgres refuses."""
    parameters: dict[str, Any] = {}
    configured = changed(patroni={"dynamicConfiguration": {"postgresql": {"parameters": parameters}}})
    parameters["work_mem"] = f"{4000 + int(time.time()) % 1000}kB"
    apply(configured)
    wanted = parameters["work_mem"]
    print(f"  reload after {until('work_mem', lambda: superuser(leader(), 'SHOW work_mem') == wanted):.1f} s")
    now = int(superuser(leader(), "SHOW max_connections"))
    for connections in (str(now + 10), str(now - 10)):
        parameters["max_connections"] = connections
        since = now_utc()
        apply(configured)
        print(
            f"  max_connections {connections} everywhere after {until_everywhere('max_connections', connections):.1f} s"
        )
        until_restarted(3, since)
        order = restarts_since(since)
        print(f"  order {order}, leader {leader()}")
        assert order.index(leader()) == (len(order) - 1 if int(connections) > now else 0), order
        until("three members", lambda: all_well(3))
    parameters["work_mem"] = "much"
    parameters["no_such_thing"] = "1"
    since = now_utc()
    apply(configured)

    def named() -> bool:
        lines = [line for line in log_since(since) if "refused settings" in line]
        return any("no_such_thing" in line and "work_mem" in line for line in lines)

    until("the log names them", named)
    assert all_well(3)
    apply(changed())


def until_everywhere(setting: str, value: str) -> float:
    """Wait until every instance runs with a setting; gives how long that took."""
    return until(setting, lambda: all(superuser(pod, f"SHOW {setting}") == value for pod in instances()), 120)


def until_restarted(count: int, moment: str) -> float:
    """Wait until the leader's caretaker has said that it restarted so many."""
    return until("the log of each restart", lambda: len(restarts_since(moment)) == count)


def now_utc() -> str:
    """The moment, as kubectl takes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def log_since(moment: str) -> list[str]:
    """What the leader's caretaker has printed since."""
    return kubectl("logs", leader(), "--container=caretaker", f"--since-time={moment}").splitlines()


def restarts_since(moment: str) -> list[str]:
    """The pods whose Postgres the leader's caretaker restarted, in order."""
    return [line.split()[4].rstrip(":") for line in log_since(moment) if "restarted Postgres" in line]


def switchover() -> None:
    """PGO's request moves the leader once."""
    until("three members", lambda: all_well(3), 90)
    request = changed()
    request["metadata"]["annotations"][f"{PREFIX}trigger-switchover"] = str(time.time())
    old = leader()
    apply(request)
    print(f"  the leader moves after {until_moved(old):.1f} s")
    new = leader()
    time.sleep(15)
    assert leader() == new, "it moved twice"
    until("three members", lambda: all_well(3), 90)


def paused() -> None:
    """Nothing is changed while the cluster is paused."""
    name = f"p{int(time.time())}"
    more = changed(paused=True)
    more["spec"]["users"].append({"name": name, "databases": ["zoo"]})
    apply(more)
    kubectl("annotate", "pod", "--overwrite", "--all", f"test={name}")
    time.sleep(10)
    assert superuser(leader(), f"SELECT count(*) FROM pg_roles WHERE rolname = '{name}'") == "0"
    more["spec"]["paused"] = False
    apply(more)
    print(f"  after the pause it is made in {until('login', lambda: login(name, 'zoo'), 90):.1f} s")


def certificates() -> None:
    """New certificates are served without a restart."""

    def served() -> str:
        host = get("service", "hippo-ha")["spec"]["clusterIP"]
        shown = run("openssl", "s_client", "-starttls", "postgres", "-connect", f"{host}:5432", check=False)
        return run("openssl", "x509", "-noout", "-serial", text=shown)

    before = served()
    turned = changed()
    turned["metadata"]["annotations"]["pgrender.dev/rotate-ca"] = str(int(time.time()))
    apply(turned)
    print(f"  new certificate served after {until('new serial', lambda: served() != before, 20):.1f} s")
    until("three members", lambda: all_well(3))
    apply(changed())
    until("the old one again", lambda: served() == before, 20)
    until("three members", lambda: all_well(3))


def shutdown() -> None:
    """All pods go and come back, and nobody waits for an heir who goes too."""
    until("three members", lambda: all_well(3), 90)
    apply(changed(shutdown=True))
    print(f"  down after {until('no pods', lambda: not instances(), 90):.1f} s")
    applied = apply(changed())
    until("hippo logs in", lambda: login("hippo", "hippo"), 90)
    print(f"  up after {time.monotonic() - applied:.1f} s")
    until("three members", lambda: all_well(3), 90)


READ_COST = """
import os
for pid in filter(str.isdigit, os.listdir('/proc')):
    words = open(f'/proc/{pid}/cmdline', 'rb').read().split(b'\\0')
    if words[1:2] == [b'/etc/pgrender/caretaker.py']:
        fields = open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()
        status = dict(line.split(':', 1) for line in open(f'/proc/{pid}/status'))
        print(sum(map(int, fields[11:15])), status['VmRSS'].split()[0])
"""


def read_cost(pod: str) -> tuple[int, int]:
    """Hundredths of a second of CPU time so far, and KiB of memory."""
    ticks, memory = kubectl("exec", pod, "--container=caretaker", "--", "python3", "-c", READ_COST).split()
    return int(ticks), int(memory)


def cost() -> None:
    """What an idle caretaker costs, on the leader and on a replica."""
    time.sleep(60)
    before = {pod: read_cost(pod)[0] for pod in instances()}
    time.sleep(120)
    for pod in instances():
        ticks, memory = read_cost(pod)
        share = (ticks - before[pod]) / 120
        print(f"  {pod}{' (leader)' if pod == leader() else ''}: {share:.2f} % of a core, {memory / 1024:.0f} MiB")
        assert share <= 1 and memory <= 40 * 1024


SCENARIOS = [start, users, postmaster, hand_over, configuration, switchover, paused, certificates, shutdown, cost]


def main() -> None:
    """Run the scenarios that are named, else all."""
    for scenario in SCENARIOS:
        if not sys.argv[1:] or scenario.__name__ in sys.argv[1:]:
            print(f"{scenario.__name__}: {scenario.__doc__}", flush=True)
            scenario()


if __name__ == "__main__":
    main()
