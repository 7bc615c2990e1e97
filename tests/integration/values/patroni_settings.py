"""Prints as JSON the settings that Patroni knows, from its validator, its defaults and its source."""

import json
import re
from pathlib import Path
from typing import Any

import patroni
import yaml
from patroni.config import Config
from patroni.postgresql.available_parameters import get_validator_files
from patroni.postgresql.validator import transform_postgresql_parameter_value
from patroni.utils import parse_bool, parse_int
from patroni.validator import schema


def names(section: Any) -> list[str]:
    """Return the names in a section of the validator's schema."""
    found: list[str] = []
    for key in section:
        if isinstance(key, str):
            found.append(key)
        elif hasattr(key, "name"):
            found.append(key.name)
        else:
            found.extend(key.args)
    return found


def part(section: Any, name: str) -> Any:
    """Return a section of a section."""
    return next(
        value for key, value in section.items() if getattr(key, "name", key) == name
    )


def survives(name: str) -> bool:
    """Whether Patroni accepts a setting below `postgresql` in the dynamic configuration."""
    config = Config.__new__(Config)
    return (
        name
        in config._safe_copy_dynamic_configuration({"postgresql": {name: {}}})[
            "postgresql"
        ]
    )


def reads(function: Any, value: Any) -> bool:
    """Whether Patroni can parse a value."""
    try:
        return function(value) is not None
    except (TypeError, ValueError):
        return False


source = "\n".join(
    path.read_text(encoding="utf-8")
    for path in Path(patroni.__file__).parent.rglob("*.py")
)
asked = re.findall(
    r"(?:global_config|self)\.(?:check_mode|get_int|get)\('(\w+)'", source
)
in_global = (
    Path(patroni.__file__)
    .parent.joinpath("global_config.py")
    .read_text(encoding="utf-8")
)
asked = [
    name
    for name in asked
    if re.search(rf"'{name}'", in_global) or f"check_mode('{name}'" in source
]
top = schema.validator
dcs = part(part(top, "bootstrap"), "dcs")
default = Config.get_default_config()
mentioned = sorted(set(re.findall(r"""['"](\w+)['"]""", source)))

parameters: dict[str, list[int | None]] = {}
for file in get_validator_files():
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    for section, first in (("parameters", 10), ("recovery_parameters", 12)):
        for name, rules in content[section].items():
            until = [rule.get("version_till") for rule in rules]
            last = None if None in until else max(until) // 10000
            since = max(
                first, min(rule.get("version_from", 0) for rule in rules) // 10000
            )
            # PostgreSQL 18 still accepts the first as `ssl_groups`.
            if (
                name != "ssl_ecdh_curve"
                and (last is None or last > since)
                and name not in ("standby_mode", "trigger_file")
            ):
                parameters[name] = [since, last]

values = [
    "1G",
    "1GB",
    "4mb",
    "64M",
    "64 MB",
    "25%",
    "0.5",
    ".5",
    "1e3",
    "1,1",
    "30sec",
    "30s",
    "5min",
    "5m",
    "2 h",
    "0x10",
    "-1",
]
values += [
    "0x",
    "12kB",
    "abc",
    "",
    "on",
    "Yes",
    "1",
    "enabled",
    "t",
    "local",
    "remote",
    "remote_write",
    "minimal",
    "auto",
    "LZ4",
    "debug1",
]
kept = {
    name: [
        value
        for value in values
        if transform_postgresql_parameter_value(170000, name, value, {}) is not None
    ]
    for name, range_ in parameters.items()
    if range_[0] <= 17 and (range_[1] is None or range_[1] > 17)
}
whole = [10, 0, -1, "10", "1.5", " 10 ", "1MB", "many", "", "30 minutes", [], {}]
switches = [
    True,
    False,
    "on",
    "OFF",
    "yes",
    "No",
    1,
    0,
    2,
    "true",
    "enabled",
    "t",
    [],
    {},
]
times = [10, "10", "1.5h", "30min", "5 s", "1h", "2d", "30 minutes", "min", "", [], {}]
print(
    json.dumps(
        {
            "dynamic": sorted({*names(dcs), *default, *asked}),
            "postgresql": sorted(
                {*names(part(dcs, "postgresql")), *default["postgresql"]}
            ),
            "standby_cluster": sorted(default["standby_cluster"]),
            "local": sorted({*names(top)} - {"postgresql"}),
            "postgresql_local": [name for name in mentioned if not survives(name)],
            "mentioned": mentioned,
            "parameters": parameters,
            "values": values,
            "kept": kept,
            "parse_bool": {
                json.dumps(value): reads(parse_bool, value) for value in switches
            },
            "int": {json.dumps(value): reads(int, value) for value in whole},
            "parse_int": {
                json.dumps(value): reads(parse_int, value) for value in whole
            },
            "seconds": {
                json.dumps(value): reads(lambda value: parse_int(value, "s"), value)
                for value in times
            },
        },
    ),
)
