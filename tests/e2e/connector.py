"""Applications that connect again and again, and verify the server: some with one CA bundle, some with another.

It runs in a pod of the Postgres image. Its arguments are the Services, then the bundles after a `--`. It prints a line for each
attempt: the time, the Service, the bundle, and `ok` or the error."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time

PAUSE_SECONDS = 0.05


def attempt(service: str, bundle: str) -> str:
    """Log in and run a query. Return `ok` or the error."""
    host = os.environ["PGHOST"].replace("-primary.", f"-{service}.")
    environment = {**os.environ, "PGHOST": host, "PGSSLROOTCERT": bundle, "PGCONNECT_TIMEOUT": "5"}
    words = ["psql", "-XAtqc", "SELECT 'ok'"]
    result = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    return (result.stdout or result.stderr).strip().replace("\n", " ")


def main() -> None:
    """Try all combinations in turn, forever."""
    words = sys.argv[1:]
    services, bundles = words[: words.index("--")], words[words.index("--") + 1 :]
    for service, bundle in itertools.cycle(itertools.product(services, bundles)):
        print(f"{time.time():.3f} {service} {bundle} {attempt(service, bundle)}", flush=True)
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
