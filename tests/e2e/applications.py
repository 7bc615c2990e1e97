"""The interruptions that applications see when the leader changes, with and without PgBouncer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from framework import Test

# The time that PgBouncer may add to an interruption.
BOUNCER = 1


class Applications:
    """One application that connects to the leader, and one that connects through PgBouncer."""

    def __init__(self, test: Test) -> None:
        self.test = test
        self.direct, self.bouncer = test.start_writer(), test.start_writer(bouncer=True)

    @contextlib.contextmanager
    def gaps(self, name: str, target: float) -> Iterator[list[float]]:
        """Measure the interruptions during the block. Return those of the direct application, longest first."""
        with self.direct.gaps() as gaps, self.bouncer.gaps() as bounced:
            yield gaps
        longest = f"{name}: longest gap"
        self.test.figure(longest, gaps[0], target)
        self.test.figure(f"{longest} through pgBouncer", bounced[0], target + BOUNCER)

    def expect_nothing_lost(self) -> None:
        """Fail if an acknowledged row is missing."""
        for writer in (self.direct, self.bouncer):
            self.test.expect(not writer.lost(), f"acknowledged rows are lost: {writer.lost()}")
