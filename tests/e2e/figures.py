"""The measurements of a scenario."""

from __future__ import annotations

import statistics
from typing import NamedTuple

from programs import SLOWNESS


class Figure(NamedTuple):
    """One measured quantity: its values, and the highest value that is allowed."""

    name: str
    unit: str
    values: list[float]
    target: float | None

    def is_met(self) -> bool:
        """Whether the worst value is within the target."""
        return self.target is None or max(self.values) <= self.target * SLOWNESS

    def row(self) -> str:
        """Return a row of the Markdown table."""
        target = "" if self.target is None else f"{self.target:g} {self.unit}"
        verdict = "" if self.is_met() else " **missed**"
        middle, most = statistics.median(self.values), max(self.values)
        return f"{self.name} | {len(self.values)} | {middle:.2f} | {most:.2f} {self.unit} | {target}{verdict}"
