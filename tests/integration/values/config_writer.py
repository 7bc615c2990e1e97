"""Writes parameters as Patroni does, each into its own file. The first argument is a JSON list of pairs."""

import json
import sys
from pathlib import Path

from patroni.collections import CaseInsensitiveSet
from patroni.postgresql.config import ConfigWriter
from patroni.postgresql.validator import transform_postgresql_parameter_value

source, directory = (Path(argument) for argument in sys.argv[1:])
for number, (name, value) in enumerate(json.loads(source.read_text(encoding="utf-8"))):
    with ConfigWriter(str(directory / f"{number:06}.conf")) as file:
        kept = transform_postgresql_parameter_value(170000, name, value, CaseInsensitiveSet())
        if kept is not None:
            file.write_param(name, kept)
