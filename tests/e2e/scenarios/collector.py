"""The OpenTelemetry collector sends a log line of each program, and metrics. Without it, and when it ends, nothing else stops."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import yaml
from framework import ROOT, Test, hippo, image, until
from programs import Skipped

# The only directory of the container that it can write to and that is large enough for the program.
STATE = "/var/lib/otelcol"

MOST_MEBIBYTES, MOST_SECONDS = 250, 60
MEMORY = "for f in /proc/[0-9]*; do case $(readlink $f/exe) in */otelcol-contrib) grep VmRSS $f/status;; esac; done"


def program() -> Path:
    """Return the static binary of the collector."""
    place = os.environ.get("OTELCOL") or shutil.which("otelcol-contrib") or str(ROOT / ".cache" / "bin" / "otelcol-contrib")
    if not Path(place).is_file():
        raise Skipped("no otelcol-contrib: run `tools/install.sh otelcol-contrib`, or set OTELCOL")
    return Path(place)


def cluster() -> dict[str, Any]:
    """Return a cluster whose collector has an image without a collector. The program is copied into its containers."""
    exporter = {"endpoint": "http://otlp:4318", "encoding": "json", "compression": "none"}
    instrumentation = {
        "image": image(),
        "config": {"exporters": {"otlphttp": exporter}},
        "logs": {"exporters": ["otlphttp"]},
        "metrics": {
            "exporters": ["otlphttp"],
            "customQueries": {"add": [{"name": "absent", "queries": {"name": "absent", "key": "absent.yaml"}}]},
            "perDBMetricTargets": ["postgres"],
        },
    }
    return hippo(instrumentation=instrumentation)


def with_path(manifests: str) -> str:
    """Let the containers of the collector find the program where it is copied to. A spec may not set their PATH."""
    path = f"{STATE}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    objects = [item for item in yaml.safe_load_all(manifests) if item]
    for item in objects:
        pod = item.get("spec", {}).get("template", {}).get("spec", {})
        for container in pod.get("containers", []):
            if container["name"] == "collector":
                container.setdefault("env", []).append({"name": "PATH", "value": path})
    return yaml.safe_dump_all(objects)


def start_server(test: Test) -> None:
    """Start a server of OTLP."""
    text = (ROOT / "tests" / "e2e" / "otlp_server.py").read_text()
    pod = test.pod("otlp", ["python3", "-c", text])
    pod["metadata"]["labels"] = {"app": "otlp"}
    # The Secrets of the cluster are not there yet, and it does not need them.
    pod["spec"]["volumes"] = []
    pod["spec"]["containers"][0].update(env=[], volumeMounts=[])
    test.start_pod(pod)
    spec = {"selector": {"app": "otlp"}, "ports": [{"port": 4318}]}
    test.apply_object({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "otlp"}, "spec": spec})


def received(test: Test) -> list[dict[str, Any]]:
    """Return everything that the server has received."""
    return [json.loads(line) for line in test.kubectl("logs", "otlp").splitlines()]


def pods(test: Test) -> list[str]:
    """Return the pods with a collector."""
    found = test.get("pods", "--selector=postgres-operator.crunchydata.com/crunchy-otel-collector=true")["items"]
    return sorted(pod["metadata"]["name"] for pod in found)


def give_program(test: Test) -> None:
    """Copy the collector into all containers that lack it."""
    binary = str(program())
    for pod in pods(test):
        test.kubectl("cp", binary, f"{pod}:{STATE}/part", "--container=collector", timeout=300)
        test.in_pod(pod, "sh", "-c", f"chmod +x {STATE}/part && mv {STATE}/part {STATE}/otelcol-contrib", container="collector")


def check_logs(test: Test) -> None:
    """A line of each program in each pod arrives."""
    leader = test.leader()
    test.superuser(leader, "DO $$ BEGIN RAISE WARNING 'one line\nand another'; END $$")
    warning = {"pod": leader, "program": "postgres", "severity": "WARNING", "body": "one line\nand another"}
    test.figure("a line of Postgres arrives", until("the warning arrives", lambda: warning in received(test), 60), MOST_SECONDS)
    for pod, name in (
        *((pod, name) for pod in test.instances() for name in ("postgres", "patroni")),
        (leader, "pgbackrest"),
        ("hippo-repo-host-0", "pgbackrest"),
        (next(pod for pod in pods(test) if "pgbouncer" in pod), "pgbouncer"),
    ):
        arrives = lambda pod=pod, name=name: any(  # noqa: E731
            (line["pod"], line.get("program"), bool(line.get("severity"))) == (pod, name, True) for line in received(test)
        )
        until(f"{name} of {pod} arrives", arrives, 120)


def check_metrics(test: Test) -> None:
    """The metrics of the exporter and of Patroni arrive from each instance."""
    for name in ("ccp_is_in_recovery_status", "patroni_postgres_running"):
        until(name, lambda name=name: {line["pod"] for line in received(test) if line.get("metric") == name} == set(test.instances()))


def check_queries(test: Test) -> None:
    """The collector says which queries it cannot run. It has what it needs to run the others: the program that is built for tests lacks
    the receiver, so `psql` logs in as it would."""
    test.superuser(test.leader(), "CREATE TABLE IF NOT EXISTS public.measured AS SELECT 1 AS one")
    for pod in test.instances():
        for name in ("custom-absent", "tables"):
            message = f"runs without /etc/pgrender-collector/receivers/{name}.yaml, which the collector refuses"
            until(message, lambda pod=pod, message=message: message in test.kubectl("logs", pod, "--container=collector"))
        read = lambda file, pod=pod: yaml.safe_load(test.in_pod(pod, "cat", f"/etc/pgrender-collector/{file}", container="collector"))  # noqa: E731
        [receiver] = read("receivers/tables.yaml")["receivers"].values()
        [query] = read("tables.yaml")
        command = ("env", "PGPASSFILE=/tmp/pgpass", "psql", "-XAt", receiver["datasource"], "--command", query["sql"])
        rows = test.in_pod(pod, *command, container="collector").splitlines()
        test.expect(any(row.startswith("postgres|public|measured|") for row in rows), f"{pod}: {rows}")
    limit = test.superuser(test.leader(), "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'ccp_monitoring'")
    test.expect(limit == "50", f"the limit of connections is {limit}")


def check_restarts(test: Test) -> None:
    """A collector that ends starts again, and no line is sent twice. Nothing else restarts."""
    pod = test.leader()
    before = test.superuser(pod, "SELECT pg_postmaster_start_time()")
    memory = test.in_pod(pod, "sh", "-c", MEMORY, container="collector")
    test.figure("memory of a collector", int(memory.split()[1]) / 1024, MOST_MEBIBYTES, "MiB")
    test.in_pod(pod, "pkill", "-KILL", "otelcol-contrib", container="collector")
    until("the container says it", lambda: "the collector ended with code 137" in test.kubectl("logs", pod, "--container=collector"))
    test.superuser(pod, "DO $$ BEGIN RAISE WARNING 'a third line'; END $$")
    until("the next warning arrives", lambda: any(line.get("body") == "a third line" for line in received(test)), 60)
    bodies = [line.get("body") for line in received(test)]
    test.expect(bodies.count("one line\nand another") == 1, "a line was sent twice")
    test.expect(test.superuser(pod, "SELECT pg_postmaster_start_time()") == before, "Postgres restarted")
    test.expect(not any(status["restartCount"] for each in test.instance_pods() for status in each["status"]["containerStatuses"]), "restarts")


def run(test: Test) -> None:
    """Start without the collector, then give it to all pods."""
    program()
    start_server(test)
    test.apply_manifests(with_path(test.render(cluster())))
    test.wait_until_well(2)
    missing = "otelcol-contrib is not in this image"
    for pod in pods(test):
        until(f"{pod} says what is missing", lambda pod=pod: missing in test.kubectl("logs", pod, "--container=collector"))
    until("there is a backup", lambda: test.backups(), 120, pause=1)
    give_program(test)
    check_logs(test)
    check_metrics(test)
    check_queries(test)
    check_restarts(test)
