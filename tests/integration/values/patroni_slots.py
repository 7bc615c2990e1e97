"""Prints as JSON which permanent slots Patroni creates, and their types."""

import itertools
import json
import logging
from typing import Any

from patroni.dcs import Cluster
from patroni.postgresql.misc import PostgresqlRole

logging.disable()


def made(name: str, slot: Any) -> Any:
    """Return the type of the slot that Patroni creates, or None."""
    slots: dict[str, Any] = {}
    wanted = {name: slot}
    Cluster.empty()._merge_permanent_slots(
        slots, wanted, "me", PostgresqlRole.PRIMARY, True
    )
    return slots.get(name, {}).get("type")


NAMES = ["a", "a_1", "a" * 63, "a" * 64, "A", "a-b", "a.b", "é", "a b"]
CHOICES = {
    "type": [None, "physical", "logical", "Physical", "both"],
    "database": [None, "", "d"],
    "plugin": [None, "", "p"],
}
print(
    json.dumps(
        [
            {"name": name, "slot": slot, "made": made(name, slot)}
            for name in NAMES
            for values in itertools.product(*CHOICES.values())
            for slot in [
                {
                    key: value
                    for key, value in zip(CHOICES, values, strict=True)
                    if value is not None
                }
            ]
        ]
    )
)
