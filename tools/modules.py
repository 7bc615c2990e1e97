#!/usr/bin/env python3
"""Checks that the modules of the program form layers: no file below src depends on one that depends on it.

A file may use what the module around it declares: `patroni/resolve.rs` may name `patroni.rs`. Tests may use everything.

Prints the modules directly below src, each after those that it depends on. Fails with the names of those that form a circle."""

from __future__ import annotations

import graphlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent / "src"
COMMENT = re.compile(r"//[^\n]*")
TESTS = re.compile(r"#\[cfg\(test\)\]\s*mod \w+ \{.*", re.DOTALL)
USE = re.compile(r"^\s*(?:pub(?:\(\w+\))?\s+)?use\s+([\w:{},*\s]+);", re.MULTILINE)
PATH = re.compile(r"(?<![\w:])\w+(?:::\w+)+")


def leaves(tree: str) -> Iterator[str]:
    """The paths of a `use`, without braces."""
    before, brace, rest = tree.partition("{")
    if not brace:
        yield re.sub(r"\s+as\s+\w+|\s", "", tree)
        return
    depth, part = 0, ""
    for character in rest[: rest.rindex("}")] + ",":
        if character == "," and depth == 0:
            if part.strip():
                yield from leaves(before.strip() + part.strip())
            part = ""
            continue
        depth += (character == "{") - (character == "}")
        part += character


def absolute(path: str, module: tuple[str, ...], imported: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """A path of the source of `module`, from the root of the program."""
    first, *rest = path.split("::")
    if first == "crate":
        return tuple(rest)
    base = module
    if first == "super":
        base = module[:-1]
        while rest[:1] == ["super"]:
            base, rest = base[:-1], rest[1:]
    elif first != "self":
        base = imported.get(first, (*module, first))
    return (*base, *(part for part in rest if part != "self"))


def dependencies(text: str, module: tuple[str, ...], modules: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """The modules that a source names, except those around it."""
    text = TESTS.sub("", COMMENT.sub("", text))
    uses = [absolute(leaf, module, {}) for use in USE.findall(text) for leaf in leaves(use)]
    imported = {path[-1]: path for path in uses if path in modules}
    # The name of an imported module is only the way to one of its parts.
    items = [path for path in uses if path not in modules]
    paths = items + [absolute(path, module, imported) for path in PATH.findall(USE.sub("", text))]
    needed = {next((path[:end] for end in range(len(path), 0, -1) if path[:end] in modules), ()) for path in paths}
    return {other for other in needed if other and other != module[: len(other)]}


def layers(graph: dict[tuple[str, ...], set[tuple[str, ...]]]) -> list[tuple[str, ...]]:
    """The modules, each after those that it depends on."""
    try:
        return list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        circle = " -> ".join("::".join(module) for module in reversed(error.args[1]))
        sys.exit(f"modules depend on each other: {circle}")


def main() -> None:
    """Read every source."""
    files = {path.relative_to(SOURCES).with_suffix("").parts: path for path in sorted(SOURCES.rglob("*.rs"))}
    files = {module: path for module, path in files.items() if module not in (("lib",), ("main",)) and "tests" not in module}
    graph = {module: dependencies(path.read_text(), module, set(files)) for module, path in files.items()}
    layers(graph)
    outer: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for module, needed in graph.items():
        outer.setdefault(module[:1], set()).update(other[:1] for other in needed if other[0] != module[0])
    print(" ".join(module[0] for module in layers(outer)))


main()
