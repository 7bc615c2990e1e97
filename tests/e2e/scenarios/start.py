"""From nothing to a cluster that an application uses, with `kustomize build | kubectl apply`.

The application is a Job in the same apply. It only has its user's Secret and the CA certificate."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import framework
from framework import PGRENDER, PREFIX, ROOT, SEED, Failed, Test, hippo, until

# It commits first. Then it reads the rows through the replicas and through PgBouncer, and also writes through PgBouncer.
APPLICATION = r"""
psql() { command psql --no-psqlrc --no-align --tuples-only --quiet --set=ON_ERROR_STOP=1 "$@"; }
export PGCONNECT_TIMEOUT=2
until psql --command='CREATE TABLE IF NOT EXISTS visits (who text)' --command="INSERT INTO visits VALUES ('primary')"
do sleep 0.1; done
echo "committed $(date +%s.%N)"
until PGHOST=$BOUNCER_HOST PGPORT=$BOUNCER_PORT psql --command="INSERT INTO visits VALUES ('pgbouncer')"
do sleep 0.5; done
until [[ $(PGHOST=${PGHOST/-primary/-replicas} psql --command="SELECT pg_is_in_recovery(), string_agg(who, '+' ORDER BY who)
  FROM visits") == 't|pgbouncer+primary' ]]
do sleep 0.5; done
echo "read $(date +%s.%N)"
"""


def build(test: Test) -> str:
    """Return the output of `kustomize build` for the cluster and the application."""
    pod = test.pod("application", ["bash", "-c", APPLICATION], restartPolicy="Never")
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "application"}}
    job["spec"] = {"backoffLimit": 0, "template": {"spec": pod["spec"]}}
    kustomization = {
        "namespace": test.namespace,
        "resources": ["cluster.yaml", "application.yaml"],
        "transformers": ["pgrender.yaml"],
    }
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "cluster.yaml").write_text(json.dumps(hippo()))
        (directory / "application.yaml").write_text(json.dumps(job))
        (directory / "kustomization.yaml").write_text(json.dumps(kustomization))
        shutil.copy(ROOT / "kustomize" / "hippo" / "pgrender.yaml", directory)
        path = f"{Path(PGRENDER).parent}:{os.environ['PATH']}"
        words = ["build", "--enable-alpha-plugins", "--enable-exec", name]
        return framework.run("kustomize", *words, PGRENDER_SEED=SEED, PATH=path)


def run(test: Test) -> None:
    """Apply, and wait for the application, the pods and the backup."""
    applied = test.apply_manifests(build(test))
    for workload in ("statefulset/hippo-instance1", "statefulset/hippo-repo-host", "deployment/hippo-pgbouncer"):
        test.kubectl("rollout", "status", workload, "--timeout=120s")
    test.wait_until_well(2)
    test.figure("all ready and streaming", time.time() - applied, target=25)
    until("a backup is complete", lambda: len(test.backups()) == 1, 120, pause=1)
    backup = test.backups()[0]
    test.figure("first backup complete", backup["timestamp"]["stop"] + 1 - applied, target=30)
    test.expect(backup["type"] == "full" and not backup["error"], f"the first backup is {backup}")

    test.kubectl("wait", "--for=condition=Complete", "job/application", "--timeout=60s")
    log = test.kubectl("logs", "job/application").splitlines()
    committed, read = (float(line.split()[1]) for line in log if line.startswith(("committed ", "read ")))
    test.figure("first commit", committed - applied, target=8)
    test.figure("read through the replicas", read - applied)

    pods = test.get("pods", f"--selector={PREFIX}cluster=hippo")["items"]
    restarts = {
        f"{pod['metadata']['name']} {status['name']}": status["restartCount"]
        for pod in pods
        for status in pod["status"]["containerStatuses"]
        if status["restartCount"]
    }
    test.expect(not restarts, f"containers restarted on the way: {restarts}")
    test.start_client()
    try:
        test.sql("SELECT 1", sslmode="disable")
    except Failed:
        return
    raise Failed("a login without TLS works")
