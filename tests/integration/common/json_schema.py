"""Validates JSON documents, one per line of standard input, with the JSON schema in the file of the first argument.

Prints one line for each error."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jsonschema


def main() -> None:
    schema = json.loads(Path(sys.argv[1]).read_text())
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    for number, line in enumerate(sys.stdin, 1):
        for error in validator(schema).iter_errors(json.loads(line)):
            print(number, "/".join(map(str, error.absolute_path)), error.message)


main()
