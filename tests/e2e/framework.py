"""Functions for all scenarios: a namespace of their own, clusters in it, SQL as an application, deadlines, and figures.

The tests never connect to the address of a pod: clients run in pods of the Postgres image, so any kubeconfig works."""

from __future__ import annotations

import base64
import contextlib
import copy
import itertools
import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from figures import Figure
from programs import Failed, Skipped, run, until

ROOT = Path(__file__).resolve().parents[2]
PGRENDER = os.environ.get("PGRENDER", str(ROOT / "target" / "debug" / "pgrender"))
SEED = "the seed of a database that serves a test and is thrown away"
PREFIX = "postgres-operator.crunchydata.com/"

CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
HIPPO: dict[str, Any] = {
    "apiVersion": f"{PREFIX}v1beta1",
    "kind": "PostgresCluster",
    "metadata": {"name": "hippo", "annotations": {f"{PREFIX}autoCreateUserSchema": "true"}},
    "spec": {
        "postgresVersion": 17,
        "users": [
            {"name": "hippo", "databases": ["hippo"]},
            {"name": "rhino", "databases": ["zoo", "hippo"], "options": "CREATEDB"},
        ],
        "instances": [{"name": "instance1", "replicas": 2, "dataVolumeClaimSpec": CLAIM}],
        "backups": {
            "pgbackrest": {
                "repos": [
                    {
                        "name": "repo1",
                        "schedules": {"full": "0 1 * * 0", "differential": "0 1 * * 1-6"},
                        "volume": {"volumeClaimSpec": CLAIM},
                    }
                ]
            }
        },
        "proxy": {"pgBouncer": {"replicas": 1}},
    },
}

# The Pod Security Standard "restricted" requires these fields of a container.
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def hippo(**spec: Any) -> dict[str, Any]:
    """Return a cluster that the caller may change, with other fields in its `spec`."""
    cluster = copy.deepcopy(HIPPO)
    cluster["spec"].update(spec)
    return cluster


def instance_sets(**replicas: int) -> list[dict[str, Any]]:
    """Return `spec.instances` for these names and numbers of replicas."""
    return [{"name": name, "replicas": count, "dataVolumeClaimSpec": CLAIM} for name, count in replicas.items()]


def image() -> str:
    """Return the Postgres image, which has `psql` and the Python interpreter of Patroni."""
    return os.environ["RELATED_IMAGE_POSTGRES_17"]


def decoded(data: dict[str, str]) -> dict[str, str]:
    """Return the decoded values of a Secret."""
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


class Test:
    """A namespace in which one scenario runs."""

    def __init__(self, scenario: str) -> None:
        self.scenario = scenario
        self.namespace = f"e2e-{scenario}-{secrets.token_hex(3)}"
        self.figures: list[Figure] = []
        self.cluster = "hippo"

    def beside(self, cluster: str) -> Test:
        """Return a view of another cluster in the same namespace, with the same figures."""
        other = copy.copy(self)
        other.cluster = cluster
        return other

    # Kubernetes

    def kubectl(self, *words: str, text: str = "", timeout: float = 180) -> str:
        """Run kubectl in the namespace."""
        return run("kubectl", f"--namespace={self.namespace}", *words, text=text, timeout=timeout)

    def get(self, *words: str) -> Any:
        """Read objects, for example `pods`, or `pod hippo-instance1-0`."""
        return json.loads(self.kubectl("get", *words, "--output=json"))

    def apply_manifests(self, manifests: str) -> float:
        """Apply without `--force-conflicts`, so that a conflict with another field manager is a failure. Return the time before
        the apply."""
        before = time.time()
        self.kubectl("apply", "--server-side", "--field-manager=e2e", "--filename=-", text=manifests)
        return before

    def apply_object(self, body: dict[str, Any]) -> None:
        """Create or change one object that pgrender does not render."""
        self.kubectl("apply", "--server-side", "--field-manager=e2e", "--filename=-", text=json.dumps(body))

    def render(self, cluster: dict[str, Any], *options: str) -> str:
        """Render a cluster. Return its manifests."""
        return self.render_together([cluster], *options)

    def render_together(self, clusters: list[dict[str, Any]], *options: str) -> str:
        """Render clusters in one input. Return their manifests."""
        words = ["render", f"--namespace={self.namespace}", *options]
        # If Kubernetes runs without the controllers that create EndpointSlices from Endpoints.
        words += ["--endpoint-slices"] if os.environ.get("NO_ENDPOINTS") else []
        return run(PGRENDER, *words, text="\n---\n".join(map(json.dumps, clusters)), PGRENDER_SEED=SEED)

    def apply(self, cluster: dict[str, Any], *options: str) -> float:
        """Render and apply a cluster. Return the time before the apply."""
        return self.apply_manifests(self.render(cluster, *options))

    def secrets(self, manifests: str) -> dict[str, dict[str, str]]:
        """Return the Secrets among the manifests: their values by key, by name."""
        words = ["create", "--dry-run=client", "--output=jsonpath={.kind} {.metadata.name} {.data}{'\\n'}", "--filename=-"]
        lines = [line for line in self.kubectl(*words, text=manifests).splitlines() if line.startswith("Secret ")]
        return {name: decoded(json.loads(data)) for _, name, data in (line.split(" ", 2) for line in lines)}

    def clear(self) -> None:
        """Delete the pods, then the data and Patroni's Endpoints, because Patroni writes these again when it stops."""
        self.kubectl("delete", "statefulset,deployment,cronjob,job,pod", "--all", "--timeout=120s")
        until("all pods are gone", lambda: not self.get("pods")["items"])
        self.kubectl("delete", "pvc,endpoints", "--all", "--timeout=60s")

    def secret(self, name: str) -> dict[str, str]:
        """Return the values of a Secret."""
        return decoded(self.get("secret", name)["data"])

    def pod(self, name: str, command: list[str], user: str = "hippo", **fields: Any) -> dict[str, Any]:
        """Return a pod of the Postgres image. Like the application in PGO's Keycloak example, it has the keys of the user's
        Secret in its environment. The CA certificate is in `/authority/ca.crt`."""
        secret = f"hippo-pguser-{user}"
        keys = {
            "PGHOST": "host",
            "PGPORT": "port",
            "PGDATABASE": "dbname",
            "PGUSER": "user",
            "PGPASSWORD": "password",
            "BOUNCER_HOST": "pgbouncer-host",
            "BOUNCER_PORT": "pgbouncer-port",
        }
        environment: list[dict[str, Any]] = [
            {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key, "optional": "BOUNCER" in name}}}
            for name, key in keys.items()
        ]
        environment += [
            {"name": "PGSSLMODE", "value": "verify-full"},
            {"name": "PGSSLROOTCERT", "value": "/authority/ca.crt"},
        ]
        container = {
            "name": "client",
            "image": image(),
            "command": command,
            "env": environment,
            "securityContext": RESTRICTED,
            "volumeMounts": [{"name": "authority", "mountPath": "/authority"}],
        }
        authority = {"secretName": "hippo-cluster-cert", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
        spec = {
            "automountServiceAccountToken": False,
            "containers": [container],
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "volumes": [{"name": "authority", "secret": authority}],
            **fields,
        }
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}

    def start_pod(self, pod: dict[str, Any]) -> str:
        """Create a pod and wait until it runs. Return its name."""
        self.kubectl("apply", "--filename=-", text=json.dumps(pod))
        name = str(pod["metadata"]["name"])
        self.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
        return name

    def in_pod(self, pod: str, *command: str, container: str = "database", text: str = "") -> str:
        """Run a command in a container, with `text` as its input. Return its output."""
        return self.kubectl("exec", "--stdin", pod, f"--container={container}", "--", *command, text=text)

    # The cluster from a DBA's view

    def instances(self) -> list[str]:
        """Return the names of the instance pods."""
        return sorted(pod["metadata"]["name"] for pod in self.instance_pods())

    def instance_pods(self) -> list[Any]:
        """Return the instance pods as objects."""
        return list(self.get("pods", f"--selector={PREFIX}patroni={self.cluster}-ha")["items"])

    def leader(self) -> str:
        """Return the pod that holds Patroni's leader lock."""
        return str(self.get("endpoints", f"{self.cluster}-ha")["metadata"]["annotations"]["leader"])

    def members(self) -> list[Any]:
        """Return the members in Patroni's own view."""
        return list(json.loads(self.in_pod(self.leader(), "patronictl", "list", "--format=json")))

    def superuser(self, pod: str, sql: str, database: str = "postgres") -> str:
        """Run SQL as superuser inside an instance pod."""
        return self.in_pod(pod, "psql", "-XAtq", "--set=ON_ERROR_STOP=1", f"--dbname={database}", text=sql)

    def is_well(self, count: int) -> bool:
        """Whether there is a leader and the right number of members, and all others stream on the leader's timeline."""
        members = self.members()
        states = sorted(member["State"] for member in members)
        timelines = {member.get("TL") for member in members}
        return states == sorted(["running"] + ["streaming"] * (count - 1)) and len(timelines) == 1

    def wait_until_well(self, count: int, seconds: float = 90) -> float:
        """Wait until all members are healthy and all their pods are ready. Return how long that took."""
        start = time.monotonic()
        until(f"{count} members are well", lambda: self.is_well(count), seconds)
        until("their pods are ready", lambda: all(map(is_ready, self.instance_pods())), seconds)
        return time.monotonic() - start

    def caretaker_log(self, pod: str) -> str:
        """Return the log of a pod's caretaker."""
        return self.kubectl("logs", pod, "--container=caretaker")

    def termination_message(self) -> str:
        """Return why the containers with Postgres ended last."""
        statuses = [status for pod in self.instance_pods() for status in pod["status"].get("containerStatuses", [])]
        databases = [status for status in statuses if status["name"] == "database"]
        ended = [state.get("terminated") or {} for status in databases for state in (status["state"], status.get("lastState", {}))]
        return " ".join(end.get("message", "") for end in ended)

    def backups(self) -> list[Any]:
        """Return the backups in `pgbackrest info`, oldest first."""
        stanzas = json.loads(self.in_pod(self.leader(), "pgbackrest", "--stanza=db", "info", "--output=json"))
        return list(stanzas[0]["backup"])

    # The cluster from an application's view

    def start_client(self) -> None:
        """Start the pod in which `sql` runs."""
        self.start_pod(self.pod("client", ["sleep", "infinity"]))

    def sql(self, sql: str, user: str = "hippo", database: str = "", service: str = "primary", **options: str) -> str:
        """Run SQL as a user of the cluster, through a Service, over verified TLS. The client pod must be running."""
        keys = self.secret(f"hippo-pguser-{user}")
        host = keys["host"].replace("hippo-primary", f"hippo-{service}")
        words = {"host": host, "user": user, "dbname": database or keys["dbname"], "connect_timeout": "2", **options}
        target = " ".join(f"{name}={value}" for name, value in words.items())
        script = 'read -r PGPASSWORD; export PGPASSWORD; exec psql -XAtq --set=ON_ERROR_STOP=1 "$0"'
        text = f"{keys['password']}\n{sql}"
        return self.in_pod("client", "bash", "-c", script, target, container="client", text=text)

    def logs_in(self, user: str, database: str, password: str, service: str = "primary") -> bool:
        """Whether a user can log in with a password. The client pod must be running."""
        script = 'read -r PGPASSWORD; export PGPASSWORD; exec psql -XAtqc "SELECT 1" "$0"'
        target = f"host=hippo-{service}.{self.namespace}.svc user={user} dbname={database} connect_timeout=2"
        try:
            self.in_pod("client", "bash", "-c", script, target, container="client", text=f"{password}\n")
        except Failed as failure:
            if "authentication failed" not in str(failure):
                raise
            return False
        return True

    def start_writer(self, bouncer: bool = False) -> Writer:
        """Start an application that commits all the time, directly or through PgBouncer, and wait until it commits."""
        program = (Path(__file__).parent / "writer.py").read_text()
        name = "bouncer-writer" if bouncer else "writer"
        self.start_pod(self.pod(name, ["python3", "-c", program, *(["bouncer"] if bouncer else [])]))
        writer = Writer(self, name)
        until("the writer commits", writer.commits)
        return writer

    # Figures

    def figure(self, name: str, value: float, target: float | None = None, unit: str = "s") -> None:
        """Record a measured value. Values with the same name are shown together."""
        print(f"  {name}: {value:.2f} {unit}", flush=True)
        for figure in self.figures:
            if figure.name == name:
                figure.values.append(value)
                return
        self.figures.append(Figure(name, unit, [value], target))

    def expect(self, condition: Any, message: str) -> None:
        """Fail with a message if a condition does not hold."""
        if not condition:
            raise Failed(message)

    # The namespace

    @contextlib.contextmanager
    def in_namespace(self) -> Iterator[None]:
        """Create the namespace, and delete it in any case. With KEEP=1 it is kept for inspection."""
        run("kubectl", "create", "namespace", self.namespace)
        try:
            yield
        except Skipped:
            raise
        except BaseException:
            self.describe()
            raise
        finally:
            if not os.environ.get("KEEP"):
                run("kubectl", "delete", "namespace", self.namespace, "--wait=true", "--timeout=120s", "--ignore-not-found")

    def describe(self) -> None:
        """Print information that helps to find out why a scenario failed."""
        with contextlib.suppress(Failed):
            print(self.kubectl("get", "pods", "--output=wide"))
            print("\n".join(self.kubectl("get", "events", "--sort-by=.lastTimestamp").splitlines()[-15:]))
        # Also the pods of other clusters in the namespace.
        for pod in self.get("pods", f"--selector={PREFIX}instance")["items"]:
            name = pod["metadata"]["name"]
            for container, *more in (["caretaker"], ["database"], ["database", "--previous"]):
                with contextlib.suppress(Failed):
                    print(f"--- {name} {container} {' '.join(more)}")
                    print(self.kubectl("logs", name, f"--container={container}", "--tail=30", *more))


class Commit(NamedTuple):
    """An acknowledged commit: its time, by the clock of its node, and its row."""

    time: float
    row: int


class Writer:
    """The application in writer.py, from outside the cluster."""

    def __init__(self, test: Test, pod: str) -> None:
        self.test = test
        self.pod = pod
        self.table = "bounced" if pod == "bouncer-writer" else "written"

    def log(self) -> list[str]:
        """Return its output."""
        return self.test.kubectl("logs", self.pod).splitlines()

    def commits(self) -> list[Commit]:
        """Return all commits until now."""
        words = [line.split() for line in self.log() if not line.startswith("#")]
        return [Commit(float(when), int(row)) for when, row in words]

    @contextlib.contextmanager
    def gaps(self, settle: float = 3) -> Iterator[list[float]]:
        """Find the times between commits, from here to some seconds after the end of the block, longest first."""
        found: list[float] = []
        before = len(self.commits())
        yield found
        time.sleep(settle)
        so_far = len(self.commits())
        until("commits go on", lambda: len(self.commits()) > so_far, 60)
        times = [commit.time for commit in self.commits()[before - 1 :]]
        found.extend(sorted((later - earlier for earlier, later in itertools.pairwise(times)), reverse=True))

    def lost(self) -> list[int]:
        """Return the acknowledged rows that are missing."""
        acknowledged = {commit.row for commit in self.commits()}
        there = set(map(int, self.test.superuser(self.test.leader(), f"SELECT row FROM hippo.{self.table}", "hippo").split()))
        return sorted(acknowledged - there)


def is_ready(pod: Any) -> bool:
    """Whether a pod is ready and is not being deleted."""
    conditions = {entry["type"]: entry["status"] for entry in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]
