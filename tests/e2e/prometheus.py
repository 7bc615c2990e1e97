"""A real Prometheus on this machine, which scrapes the exporters of a cluster through the API server and evaluates its rules."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from framework import ROOT, Test
from programs import Failed, Skipped, until

PROGRAM = ROOT / ".cache" / "bin" / "prometheus"
SCRAPE_SECONDS = 5


def impatient(rules: dict[str, Any]) -> dict[str, Any]:
    """Return rules that fire at the second evaluation instead of after minutes, and find every backup too old."""
    text = re.sub(r'"for": "\w+"', f'"for": "{SCRAPE_SECONDS}s"', json.dumps(rules))
    # The time without archived files that an alert waits for.
    text = text.replace("[10m]", "[2m]")
    text = re.sub(r'(ccp_backrest_last_incr_backup_time_since_completion_seconds\{[^}]*\}\)) > \d+', r"\1 > 1", text)
    return dict(json.loads(text))


class Prometheus:
    """The API of the running server."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str, **query: str) -> Any:
        """Call the API."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return json.load(response)["data"]
        except (urllib.error.URLError, OSError) as error:
            raise Failed(f"Prometheus: {error}") from None

    def alerts(self) -> set[str]:
        """Return the names of the alerts that fire."""
        return {alert["labels"]["alertname"] for alert in self.get("alerts")["alerts"] if alert["state"] == "firing"}

    def values(self, query: str) -> dict[str, float]:
        """Return the values of a query, by pod."""
        found = self.get("query", query=query)["result"]
        return {series["metric"].get("pod", ""): float(series["value"][1]) for series in found}

    def waits_for(self, alert: str, seconds: float = 120) -> None:
        """Wait until an alert fires."""
        until(f"{alert} fires", lambda: alert in self.alerts(), seconds, pause=1)

    def waits_for_end(self, alert: str, seconds: float = 120) -> None:
        """Wait until an alert no longer fires."""
        until(f"{alert} ends", lambda: alert not in self.alerts(), seconds, pause=1)


def targets(test: Test, labels: dict[str, str]) -> list[dict[str, Any]]:
    """Return the exporters of all instances, with the labels that the PodMonitor gives to their series."""
    base = f"/api/v1/namespaces/{test.namespace}/pods"
    return [
        {
            "targets": ["127.0.0.1:PROXY"],
            "labels": {"__metrics_path__": f"{base}/{pod}:9187/proxy/metrics", "pod": pod, "namespace": test.namespace, **labels},
        }
        for pod in test.instances()
    ]


@contextlib.contextmanager
def prometheus(test: Test, rules: dict[str, Any], labels: dict[str, str]) -> Iterator[Prometheus]:
    """Run Prometheus with these rules."""
    if not PROGRAM.exists():
        raise Skipped("there is no Prometheus: `tools/install.sh` installs it")
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        proxy = stack.enter_context(running("kubectl", "proxy", "--port=0", "--accept-paths=^/api/v1/namespaces/[^/]+/pods/"))
        assert proxy.stdout
        port = proxy.stdout.readline().rsplit(":", 1)[1].strip()
        there = json.loads(json.dumps(targets(test, labels)).replace("PROXY", port))
        (directory / "rules.yml").write_text(json.dumps(rules))
        configuration = {
            "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": f"{SCRAPE_SECONDS}s"},
            "rule_files": [str(directory / "rules.yml")],
            "scrape_configs": [{"job_name": "exporter", "static_configs": there}],
        }
        (directory / "prometheus.yml").write_text(json.dumps(configuration))
        words = [f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data"]
        server = stack.enter_context(running(str(PROGRAM), *words, "--web.listen-address=127.0.0.1:0"))
        assert server.stdout
        for line in server.stdout:
            found = re.search(r"[Ll]istening on.*127\.0\.0\.1:(\d+)", line)
            if found:
                break
        else:
            raise Failed("Prometheus did not start")
        yield Prometheus(int(found[1]))


@contextlib.contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program until the end of the block."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
