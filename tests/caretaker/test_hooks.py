"""The hooks that Patroni runs, with the real Patroni's environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

CARETAKER = Path(__file__).resolve().parents[2] / "src" / "postgres_cluster" / "caretaker"

# Patroni reads its configuration, and then runs a program.
PATRONI = """
import subprocess, sys
from patroni.config import Config
Config("")
subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
"""
# What a hook sees, before and after it takes Patroni's variables.
HOOK = """
import json, os, sys
sys.path.insert(0, os.environ["CARETAKER"])
import caretaker
seen = lambda: {name: value for name, value in os.environ.items() if name.startswith("PATRONI_N") or "CONNECT" in name}
before = seen()
caretaker.take_variables_of_patroni()
print(json.dumps([before, seen()]))
"""
VARIABLES = {
    "PATRONI_NAME": "hippo-one-0",
    "PATRONI_RESTAPI_CONNECT_ADDRESS": "hippo-one-0.hippo-pods:8008",
}
CONFIGURATION = {"scope": "hippo-ha", "postgresql": {"data_dir": "/pgdata/pg17", "listen": "*:5432"}}


class Variables(unittest.TestCase):
    """What a hook knows about its pod."""

    def test_a_hook_has_the_variables_that_patroni_was_started_with(self) -> None:
        started = {
            **os.environ,
            **VARIABLES,
            "CARETAKER": str(CARETAKER),
            "PATRONI_CONFIGURATION": json.dumps(CONFIGURATION),
        }
        words = [sys.executable, "-c", PATRONI, HOOK]
        result = subprocess.run(words, env=started, capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        before, after = json.loads(result.stdout)
        self.assertEqual(before, {}, "Patroni leaves its variables, so take_variables_of_patroni() is no longer needed")
        self.assertEqual(after, VARIABLES)


if __name__ == "__main__":
    unittest.main()
