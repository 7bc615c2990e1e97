#!/usr/bin/env python3
"""Checks that the modules of the program have no circular dependencies.

Prints the modules, each after its dependencies. If there is a circle, fails with the names of its modules."""

from __future__ import annotations

import graphlib
import re
import sys
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent / "src"
COMMENTS = re.compile(r"//[^\n]*")
GROUP = re.compile(r"\bcrate::\{([^}]*)\}")
SINGLE = re.compile(r"\bcrate::(\w+)")


def dependencies(text: str) -> set[str]:
    """Return the modules that a source names, except those that only its tests name."""
    text = re.sub(r"#\[cfg\(test\)\]\s*mod \w+ \{.*", "", COMMENTS.sub("", text), flags=re.DOTALL)
    grouped = {part.strip().split("::")[0] for group in GROUP.findall(text) for part in group.split(",")}
    return grouped | set(SINGLE.findall(text))


def main() -> None:
    """Read all sources, and check the order of their modules."""
    graph: dict[str, set[str]] = {}
    for path in sorted(SOURCES.rglob("*.rs")):
        module = path.relative_to(SOURCES).parts[0].removesuffix(".rs")
        if module not in ("lib", "main"):
            graph.setdefault(module, set()).update(dependencies(path.read_text()))
    modules = set(graph)
    for module, needed in graph.items():
        needed &= modules - {module}
    try:
        order = list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        sys.exit(f"modules depend on each other: {' -> '.join(reversed(error.args[1]))}")
    print(" ".join(order))


main()
