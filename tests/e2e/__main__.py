"""End-to-end scenarios on a real Kubernetes: `make e2e`, or `make e2e SCENARIO=name`. CONTRIBUTING.md describes them.

    python3 tests/e2e [SCENARIO ...]

A scenario is a module in `scenarios` with a function `run(test)`. It checks what an application or a DBA sees. Each scenario
has its own namespace, which is deleted at the end."""

from __future__ import annotations

import importlib
import os
import sys
import time
import traceback
from pathlib import Path

from framework import Skipped, Test

SCENARIOS = sorted(
    file.stem.replace("_", "-") for file in (Path(__file__).parent / "scenarios").glob("*.py") if file.stem[0] != "_"
)


def play(scenario: str) -> Test | None:
    """Run one scenario. Return its figures, or None if it failed."""
    module = importlib.import_module(f"scenarios.{scenario.replace('-', '_')}")
    test = Test(scenario)
    print(f"{scenario}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
    started = time.monotonic()
    try:
        with test.in_namespace():
            module.run(test)
    except Skipped as reason:
        print(f"{scenario}: skipped, {reason}", flush=True)
        return test
    except Exception:  # noqa: BLE001
        traceback.print_exc()
        print(f"{scenario}: failed", flush=True)
        return None
    missed = [figure.name for figure in test.figures if not figure.is_met()]
    verdict = f"failed, too slow: {', '.join(missed)}" if missed else "passed"
    print(f"{scenario}: {verdict}, in {time.monotonic() - started:.0f} s, load {os.getloadavg()[0]:.1f}", flush=True)
    return test


def main() -> int:
    """Run the named scenarios, or all. Return the exit code."""
    wanted = sys.argv[1:] or SCENARIOS
    unknown = [scenario for scenario in wanted if scenario not in SCENARIOS]
    if unknown:
        print(f"no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}", file=sys.stderr)
        return 2
    done = {scenario: play(scenario) for scenario in wanted}
    print("\n| scenario | figure | n | median | most | target |\n| --- | --- | --- | --- | --- | --- |")
    for scenario, test in done.items():
        for figure in test.figures if test else []:
            print(f"| {scenario} | {figure.row()} |")
    well = all(test and all(figure.is_met() for figure in test.figures) for test in done.values())
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
