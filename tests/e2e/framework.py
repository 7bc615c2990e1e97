"""What every scenario needs: a namespace of its own, clusters in it, SQL as an application, deadlines, and figures.

Nothing here reaches a pod by its address: clients run in pods made from the Postgres image, so any kubeconfig will do."""

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

# What the Pod Security Standard "restricted" asks of a container.
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def hippo(**spec: Any) -> dict[str, Any]:
    """A cluster to change at will, with other fields in its `spec`."""
    cluster = copy.deepcopy(HIPPO)
    cluster["spec"].update(spec)
    return cluster


def instance_sets(**replicas: int) -> list[dict[str, Any]]:
    """`spec.instances`, by name and number of replicas."""
    return [{"name": name, "replicas": count, "dataVolumeClaimSpec": CLAIM} for name, count in replicas.items()]


def image() -> str:
    """The Postgres image, which has `psql` and the interpreter of Patroni."""
    return os.environ["RELATED_IMAGE_POSTGRES_17"]


def decoded(data: dict[str, str]) -> dict[str, str]:
    """The values of a Secret as they are meant."""
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


class Test:
    """A namespace in which one scenario runs."""

    def __init__(self, scenario: str) -> None:
        self.scenario = scenario
        self.namespace = f"e2e-{scenario}-{secrets.token_hex(3)}"
        self.figures: list[Figure] = []

    # Kubernetes

    def kubectl(self, *words: str, text: str = "", timeout: float = 180) -> str:
        """Run kubectl in the namespace."""
        return run("kubectl", f"--namespace={self.namespace}", *words, text=text, timeout=timeout)

    def get(self, *words: str) -> Any:
        """Read objects, for example `pods`, or `pod hippo-instance1-0`."""
        return json.loads(self.kubectl("get", *words, "--output=json"))

    def apply_manifests(self, manifests: str) -> float:
        """Apply, without force: a conflict with what others own is a failure. Gives the time before."""
        before = time.time()
        self.kubectl("apply", "--server-side", "--field-manager=e2e", "--filename=-", text=manifests)
        return before

    def render(self, cluster: dict[str, Any], *options: str) -> str:
        """Render a cluster into its manifests."""
        words = ["render", f"--namespace={self.namespace}", *options]
        # A Kubernetes that was started without the controllers that create EndpointSlices from Endpoints.
        words += ["--endpoint-slices"] if os.environ.get("NO_ENDPOINTS") else []
        return run(PGRENDER, *words, text=json.dumps(cluster), PGRENDER_SEED=SEED)

    def apply(self, cluster: dict[str, Any], *options: str) -> float:
        """Render and apply a cluster. Gives the time before the apply."""
        return self.apply_manifests(self.render(cluster, *options))

    def secrets(self, manifests: str) -> dict[str, dict[str, str]]:
        """The Secrets among manifests: their values by key, by name."""
        words = ["create", "--dry-run=client", "--output=jsonpath={.kind} {.metadata.name} {.data}{'\\n'}", "--filename=-"]
        lines = [line for line in self.kubectl(*words, text=manifests).splitlines() if line.startswith("Secret ")]
        return {name: decoded(json.loads(data)) for _, name, data in (line.split(" ", 2) for line in lines)}

    def clear(self) -> None:
        """Delete what runs, then the data and what Patroni keeps: it would write that anew on its way out."""
        self.kubectl("delete", "statefulset,deployment,cronjob,job,pod", "--all", "--timeout=120s")
        until("all pods are gone", lambda: not self.get("pods")["items"])
        self.kubectl("delete", "pvc,endpoints", "--all", "--timeout=60s")

    def secret(self, name: str) -> dict[str, str]:
        """The values of a Secret."""
        return decoded(self.get("secret", name)["data"])

    def pod(self, name: str, command: list[str], user: str = "hippo", **fields: Any) -> dict[str, Any]:
        """A pod of the Postgres image which, like the application of PGO's Keycloak example, has the keys of the user's
        Secret in its environment. The certificate of the authority is in `/authority/ca.crt`."""
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
        """Create a pod and wait until it runs; gives its name."""
        self.kubectl("apply", "--filename=-", text=json.dumps(pod))
        name = str(pod["metadata"]["name"])
        self.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
        return name

    def in_pod(self, pod: str, *command: str, container: str = "database", text: str = "") -> str:
        """Run a command in a container, `text` on its input; gives what it printed."""
        return self.kubectl("exec", "--stdin", pod, f"--container={container}", "--", *command, text=text)

    # The cluster, as a DBA sees it

    def instances(self) -> list[str]:
        """The instance pods."""
        return sorted(pod["metadata"]["name"] for pod in self.instance_pods())

    def instance_pods(self) -> list[Any]:
        """The instance pods as objects."""
        return list(self.get("pods", f"--selector={PREFIX}patroni=hippo-ha")["items"])

    def leader(self) -> str:
        """The pod that Patroni's lock names."""
        return str(self.get("endpoints", "hippo-ha")["metadata"]["annotations"]["leader"])

    def members(self) -> list[Any]:
        """Patroni's own view."""
        return list(json.loads(self.in_pod(self.leader(), "patronictl", "list", "--format=json")))

    def superuser(self, pod: str, sql: str, database: str = "postgres") -> str:
        """Run SQL as superuser inside an instance pod."""
        return self.in_pod(pod, "psql", "-XAtq", "--set=ON_ERROR_STOP=1", f"--dbname={database}", text=sql)

    def is_well(self, count: int) -> bool:
        """Whether one leads, so many are there, and everyone else streams on the leader's timeline."""
        members = self.members()
        states = sorted(member["State"] for member in members)
        timelines = {member["TL"] for member in members}
        return states == sorted(["running"] + ["streaming"] * (count - 1)) and len(timelines) == 1

    def wait_until_well(self, count: int, seconds: float = 90) -> float:
        """Wait until all members are well and all their pods ready; gives how long that took."""
        start = time.monotonic()
        until(f"{count} members are well", lambda: self.is_well(count), seconds)
        until("their pods are ready", lambda: all(map(is_ready, self.instance_pods())), seconds)
        return time.monotonic() - start

    def caretaker_log(self, pod: str) -> str:
        """What the caretaker of a pod has printed."""
        return self.kubectl("logs", pod, "--container=caretaker")

    def backups(self) -> list[Any]:
        """What `pgbackrest info` lists, oldest first."""
        stanzas = json.loads(self.in_pod(self.leader(), "pgbackrest", "--stanza=db", "info", "--output=json"))
        return list(stanzas[0]["backup"])

    # The cluster, as an application sees it

    def start_client(self) -> None:
        """Start the pod from which `sql` runs."""
        self.start_pod(self.pod("client", ["sleep", "infinity"]))

    def sql(self, sql: str, user: str = "hippo", database: str = "", service: str = "primary", **options: str) -> str:
        """Run SQL as a user of the cluster, through a Service, over verified TLS. Needs the client's pod."""
        keys = self.secret(f"hippo-pguser-{user}")
        host = keys["host"].replace("hippo-primary", f"hippo-{service}")
        words = {"host": host, "user": user, "dbname": database or keys["dbname"], "connect_timeout": "2", **options}
        target = " ".join(f"{name}={value}" for name, value in words.items())
        script = 'read -r PGPASSWORD; export PGPASSWORD; exec psql -XAtq --set=ON_ERROR_STOP=1 "$0"'
        text = f"{keys['password']}\n{sql}"
        return self.in_pod("client", "bash", "-c", script, target, container="client", text=text)

    def logs_in(self, user: str, database: str, password: str, service: str = "primary") -> bool:
        """Whether a user gets in with a password. Needs the client's pod."""
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
        """Start an application that commits all the time, and wait until it does; one through pgBouncer when asked."""
        program = (Path(__file__).parent / "writer.py").read_text()
        name = "bouncer-writer" if bouncer else "writer"
        self.start_pod(self.pod(name, ["python3", "-c", program, *(["bouncer"] if bouncer else [])]))
        writer = Writer(self, name)
        until("the writer commits", writer.commits)
        return writer

    # Figures

    def figure(self, name: str, value: float, target: float | None = None, unit: str = "s") -> None:
        """Record a measured value; those of one name are shown together."""
        print(f"  {name}: {value:.2f} {unit}", flush=True)
        for figure in self.figures:
            if figure.name == name:
                figure.values.append(value)
                return
        self.figures.append(Figure(name, unit, [value], target))

    def expect(self, condition: Any, message: str) -> None:
        """Fail with a message where a condition does not hold."""
        if not condition:
            raise Failed(message)

    # The namespace

    @contextlib.contextmanager
    def in_namespace(self) -> Iterator[None]:
        """Create the namespace, and delete it whatever happens. KEEP=1 keeps it, to look at."""
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
        """Print what helps to find out why a scenario failed."""
        with contextlib.suppress(Failed):
            print(self.kubectl("get", "pods", "--output=wide"))
            print("\n".join(self.kubectl("get", "events", "--sort-by=.lastTimestamp").splitlines()[-15:]))
        for pod in self.instances():
            for container in ("caretaker", "database"):
                with contextlib.suppress(Failed):
                    print(f"--- {pod} {container}")
                    print(self.kubectl("logs", pod, f"--container={container}", "--tail=30"))


class Commit(NamedTuple):
    """A commit that an application was told of: when, by the clock of its node, and which row."""

    time: float
    row: int


class Writer:
    """The application of writer.py, from outside."""

    def __init__(self, test: Test, pod: str) -> None:
        self.test = test
        self.pod = pod
        self.table = "bounced" if pod == "bouncer-writer" else "written"

    def log(self) -> list[str]:
        """All that it has printed."""
        return self.test.kubectl("logs", self.pod).splitlines()

    def commits(self) -> list[Commit]:
        """All commits until now."""
        words = [line.split() for line in self.log() if not line.startswith("#")]
        return [Commit(float(when), int(row)) for when, row in words]

    @contextlib.contextmanager
    def gaps(self, settle: float = 3) -> Iterator[list[float]]:
        """Find the times between commits from here to some seconds after the end of the block, longest first."""
        found: list[float] = []
        before = len(self.commits())
        yield found
        time.sleep(settle)
        so_far = len(self.commits())
        until("commits go on", lambda: len(self.commits()) > so_far, 60)
        times = [commit.time for commit in self.commits()[before - 1 :]]
        found.extend(sorted((later - earlier for earlier, later in itertools.pairwise(times)), reverse=True))

    def lost(self) -> list[int]:
        """The rows that were acknowledged and are not there."""
        acknowledged = {commit.row for commit in self.commits()}
        there = set(map(int, self.test.superuser(self.test.leader(), f"SELECT row FROM hippo.{self.table}", "hippo").split()))
        return sorted(acknowledged - there)


def is_ready(pod: Any) -> bool:
    """Whether a pod is ready and stays."""
    conditions = {entry["type"]: entry["status"] for entry in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]
