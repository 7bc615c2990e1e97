"""Prometheus sees each instance, and an alert fires for what is wrong. Nothing that watches stops Postgres."""

from __future__ import annotations

import json
import time
from typing import Any

from cost import cost
from framework import Test, hippo, instance_sets, is_ready, until
from page import Page
from programs import run as program
from prometheus import Prometheus, impatient, prometheus

MOST_PERCENT, MOST_MEBIBYTES, MOST_MILLISECONDS = 1, 40, 50
SECONDS = 60
MOST_CONNECTIONS = 30

# The exporter and its script.
EXPORTER = r"words[0].endswith(b'postgres-exporter') or words[0] == b'sh' and words[4:5] == [b'exporter']"


def cluster(**exporter: Any) -> dict[str, Any]:
    """Return a cluster with an exporter and few connections."""
    made = hippo(instances=instance_sets(instance1=2), monitoring={"pgmonitor": {"exporter": exporter}})
    made["spec"]["config"] = {"parameters": {"max_connections": MOST_CONNECTIONS}}
    made["spec"].pop("proxy", None)
    return made


def render(test: Test, made: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Render a cluster. Return its manifests, without those for which this Kubernetes has no CRD, and the rules if there are any."""
    manifests = test.render(made, "--prometheus-operator", "--grafana-dashboard")
    documents = manifests.split("\n---\n")
    others = [text for text in documents if "\nkind: PodMonitor\n" not in text and "\nkind: PrometheusRule\n" not in text]
    rules = next((text for text in documents if "\nkind: PrometheusRule\n" in text), None)
    if rules is None:
        return "\n---\n".join(others), {}
    # kubectl reads YAML without knowing the kind.
    loaded = json.loads(program("kubectl", "patch", "--local", "--type=merge", "--patch={}", "--output=json", "--filename=-", text=rules))
    return "\n---\n".join(others), loaded["spec"]


def started(test: Test) -> dict[str, str]:
    """Return when each Postgres started."""
    return {pod: test.superuser(pod, "SELECT pg_postmaster_start_time()") for pod in test.instances()}


def check_cost(test: Test, watch: Prometheus) -> None:
    """Measure for a minute, in which the exporter is scraped every five seconds."""
    before = {pod: cost(test, pod, EXPORTER)[0] for pod in test.instances()}
    time.sleep(SECONDS)
    for pod, seconds in before.items():
        after, mebibytes = cost(test, pod, EXPORTER)
        test.figure("CPU of an exporter", 100 * (after - seconds) / SECONDS, MOST_PERCENT, "% of a core")
        test.figure("memory of an exporter", mebibytes, MOST_MEBIBYTES, "MiB")
    for seconds in watch.values("avg_over_time(pg_exporter_last_scrape_duration_seconds[1m])").values():
        test.figure("queries of one scrape", 1000 * seconds, MOST_MILLISECONDS, "ms")


def check_metrics(test: Test, watch: Prometheus) -> None:
    """What Prometheus sees of the leader and of the replica."""
    leader = test.leader()
    until("both exporters answer", lambda: set(watch.values("pg_up == 1")) == set(test.instances()), 60, pause=1)
    until("there are facts", lambda: len(watch.values("ccp_patroni_leader")) == 2, 120, pause=1)
    roles = watch.values("ccp_is_in_recovery_status")
    test.expect({pod for pod, role in roles.items() if role == 2} == {leader}, f"the roles are {roles}")
    until("the age of the backup is known", lambda: watch.values("ccp_backrest_last_full_backup_time_since_completion_seconds"), 120)
    free = watch.values('ccp_nodemx_data_disk_available_bytes{mount_point="/pgdata"}')
    test.expect(all(value > 0 for value in free.values()) and len(free) == 2, f"the free space is {free}")
    remaining = "min by (pod) (ccp_certificate_remaining_seconds)"
    until("the certificates are known", lambda: len(watch.values(remaining)) == 2, 120, pause=1)
    days = {pod: value / 86400 for pod, value in watch.values(remaining).items()}
    test.expect(len(days) == 2 and all(182 < value < 397 for value in days.values()), f"the certificates are valid for {days} days")
    errors = watch.values('{__name__=~"pg_exporter_(last_scrape|user_queries_load)_error"} != 0')
    test.expect(not errors, f"queries fail: {errors}")
    test.expect("pg_up 1" in Page("docs/monitoring.md", "monitoring", test.namespace).run("/metrics"), "the page has no metrics")


def check_alerts(test: Test, watch: Prometheus) -> None:
    """Break one thing after the other, and wait for its alert and for its end."""
    watch.waits_for("PostgresBackupTooOld")
    # The volumes are on the disk of the node. While Prometheus starts, it has not seen all instances yet.
    expected = {"PostgresBackupTooOld", "PostgresVolumeFilling"}
    until("no other alert fires", lambda: watch.alerts() <= expected, 30, pause=1)
    time.sleep(15)
    test.expect(watch.alerts() <= expected, f"these alerts fire without need: {watch.alerts()}")

    leader = test.leader()
    sleepers = MOST_CONNECTIONS - 4
    script = f"for i in $(seq {sleepers}); do psql -XAtqc 'SELECT pg_sleep(600)' & done; wait"
    busy = test.start_pod(test.pod("busy", ["bash", "-c", script]))
    watch.waits_for("PostgresConnectionsNearMaximum")
    test.expect(watch.values("pg_up == 1").get(leader) == 1, "the exporter lost its connection")
    test.kubectl("delete", "pod", busy, "--wait=true")
    # Postgres does not notice it while its sessions sleep.
    test.superuser(leader, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'hippo'")
    watch.waits_for_end("PostgresConnectionsNearMaximum")

    test.kubectl("scale", "statefulset", "hippo-repo-host", "--replicas=0")
    until("the repo host is gone", lambda: "hippo-repo-host-0" not in test.kubectl("get", "pods"), 90)
    test.superuser(leader, "CREATE TABLE full_of_wal (); SELECT pg_switch_wal()")
    watch.waits_for("PostgresArchiveFailing", 180)
    test.kubectl("scale", "statefulset", "hippo-repo-host", "--replicas=1")
    watch.waits_for_end("PostgresArchiveFailing", 180)

    (replica,) = set(test.instances()) - {leader}
    test.in_pod(leader, "patronictl", "pause", "--wait")
    refuse_replication(test, leader, True)
    watch.waits_for("PostgresReplicaNotStreaming")
    refuse_replication(test, leader, False)
    watch.waits_for_end("PostgresReplicaNotStreaming")
    test.in_pod(replica, "pg_ctl", "stop", "--mode=fast", "--pgdata=/pgdata/pg17")
    for alert in ("PostgresInstanceDown", "PostgresMetricsMissing", "PostgresFailoverPaused"):
        watch.waits_for(alert)
    test.expect("PostgresNoLeader" not in watch.alerts(), "an alert says that there is no leader")
    test.in_pod(leader, "patronictl", "resume", "--wait")
    for alert in ("PostgresInstanceDown", "PostgresMetricsMissing", "PostgresFailoverPaused"):
        watch.waits_for_end(alert)


def refuse_replication(test: Test, leader: str, refused: bool) -> None:
    """Let the leader refuse its replicas, or accept them again. Patroni must be paused, so that it leaves the file alone."""
    edit = "1i hostssl replication all all reject" if refused else "1d"
    test.in_pod(leader, "sed", "--in-place", edit, "/pgdata/pg17/pg_hba.conf")
    test.superuser(leader, "SELECT pg_reload_conf(); SELECT pg_terminate_backend(pid) FROM pg_stat_replication")


def check_password(test: Test, watch: Prometheus) -> None:
    """A new password reaches the exporter, and Postgres does not restart."""
    before, password = started(test), test.secret("hippo-monitoring")["password"]
    made = cluster()
    made["metadata"]["annotations"]["pgrender.dev/rotate-password.ccp_monitoring"] = "2"
    applied = test.apply_manifests(render(test, made)[0])
    test.expect(test.secret("hippo-monitoring")["password"] != password, "the password is the same")
    restarts = "the mounted files have changed"
    for pod in test.instances():
        until("the exporter starts again", lambda pod=pod: restarts in test.kubectl("logs", pod, "--container=exporter"), 150, pause=1)
    until("it logs in", lambda: set(watch.values("pg_up == 1")) == set(test.instances()), 60, pause=1)
    test.figure("a new password is used", time.time() - applied)
    test.expect(started(test) == before, "Postgres restarted")


def check_broken(test: Test) -> None:
    """An image without the exporter, and files that do not exist, keep no pod from being ready."""
    broken = cluster(
        image=program("bash", "-c", "echo $RELATED_IMAGE_PGBOUNCER"),
        customTLSSecret={"name": "nothing"},
        configuration=[{"configMap": {"name": "nothing"}}, {"secret": {"name": "nothing"}}],
    )
    test.apply_manifests(render(test, broken)[0])
    until("all have the new image", lambda: all(has_image(pod, broken) for pod in test.instance_pods()), 180, pause=1)
    test.wait_until_well(2, 120)
    for pod in test.instance_pods():
        test.expect(is_ready(pod), "a pod is not ready")


def has_image(pod: Any, made: dict[str, Any]) -> bool:
    """Whether the exporter of a pod has the image of the spec."""
    wanted = made["spec"]["monitoring"]["pgmonitor"]["exporter"]["image"]
    return any(container["image"] == wanted for container in pod["spec"]["containers"] if container["name"] == "exporter")


def run(test: Test) -> None:
    """Watch a cluster, break it, and then break what watches."""
    manifests, rules = render(test, cluster())
    test.apply_manifests(manifests)
    test.wait_until_well(2)
    until("there is a backup", lambda: test.backups(), 120, pause=1)
    labels = dict.fromkeys(("pg_cluster", "cluster_name"), f"{test.namespace}:hippo")
    with prometheus(test, impatient(rules), labels) as watch:
        check_metrics(test, watch)
        check_cost(test, watch)
        check_alerts(test, watch)
        check_password(test, watch)
    check_broken(test)
