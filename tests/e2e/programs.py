"""Runs programs and waits for their effects, both with a time limit."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

# Targets and deadlines are for an idle machine with two cores. For a slower one, set this factor.
SLOWNESS = float(os.environ.get("SLOWNESS", "1"))


class Failed(AssertionError):
    """A scenario found an error."""


class Skipped(Exception):
    """A scenario needs something that this cluster does not have."""


def run(*command: str, text: str = "", timeout: float = 180, **environment: str) -> str:
    """Run a program. Return its output. If the program fails, the scenario fails."""
    try:
        result = subprocess.run(
            command,
            input=text,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(command)[:300]}: no end after {timeout:.0f} s") from None
    if result.returncode != 0:
        raise Failed(f"{' '.join(command)[:300]}: {result.stderr.strip()[-2000:]}")
    return result.stdout.strip()


def until(what: str, check: Callable[[], Any], seconds: float = 60, pause: float = 0.2) -> float:
    """Wait until a check succeeds. Return how long that took. A check that raises an error counts as not successful yet."""
    start = time.monotonic()
    problem = ""
    while time.monotonic() - start < seconds * SLOWNESS:
        try:
            if check():
                return time.monotonic() - start
        except (Failed, KeyError, IndexError, ValueError) as error:
            problem = f"{type(error).__name__}: {error}"
        time.sleep(pause)
    raise Failed(f"after {seconds * SLOWNESS:.0f} s still not: {what}. {problem}")
