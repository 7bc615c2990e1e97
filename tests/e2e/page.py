"""The commands of a page of the documentation that a scenario runs."""

from __future__ import annotations

import re
from pathlib import Path

from programs import run

ROOT = Path(__file__).resolve().parents[2]


class Page:
    """Runs the blocks of shell commands that name a scenario, one after the other, in a namespace."""

    def __init__(self, name: str, scenario: str, namespace: str) -> None:
        marker = re.escape(f"<!-- run by tests/e2e/scenarios/{scenario}.py -->")
        text = (ROOT / name).read_text()
        self.blocks: list[str] = re.findall(rf"^{marker}\n```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        self.namespace = namespace

    def run(self, sign: str) -> str:
        """Run the first block that contains `sign` and was not run yet. Return its output."""
        block = next(block for block in self.blocks if sign in block)
        self.blocks.remove(block)
        return self.again(block)

    def again(self, block: str) -> str:
        """Run a block. The page leaves the namespace out, because it is the current one."""
        context = f'kubectl() {{ command kubectl --namespace="{self.namespace}" "$@"; }}\n'
        return run("bash", "-euo", "pipefail", "-c", context + block)
