"""Receives OTLP over HTTP as JSON, and prints each log record and each metric as one line of JSON.

It runs in a pod of the Postgres image."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PORT = 4318


def attributes(of: dict[str, Any]) -> dict[str, Any]:
    """Return attributes as a dictionary."""
    return {pair["key"]: next(iter(pair["value"].values()), None) for pair in of.get("attributes", [])}


def lines(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is in a request."""
    found = []
    for resource in request.get("resourceLogs", []):
        common = attributes(resource["resource"])
        for scope in resource["scopeLogs"]:
            for record in scope["logRecords"]:
                found.append(
                    {
                        "pod": common.get("k8s.pod.name"),
                        "program": common.get("process.executable.name"),
                        "severity": record.get("severityText", ""),
                        "body": record.get("body", {}).get("stringValue", ""),
                    }
                )
    for resource in request.get("resourceMetrics", []):
        common = attributes(resource["resource"])
        names = {metric["name"] for scope in resource["scopeMetrics"] for metric in scope["metrics"]}
        found += [{"pod": common.get("k8s.pod.name"), "metric": name} for name in sorted(names)]
    return found


class Handler(BaseHTTPRequestHandler):
    """Answers every request."""

    def do_POST(self) -> None:
        """Print the content."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        print("".join(json.dumps(line) + "\n" for line in lines(request)), end="", flush=True)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Print nothing else."""


if __name__ == "__main__":
    ThreadingHTTPServer(("", PORT), Handler).serve_forever()
