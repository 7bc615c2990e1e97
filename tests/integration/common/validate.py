"""Validates custom resources, JSON lines on standard input, with the schemas in the file of the first argument.

An unknown field is an error, as with `kubectl apply --validate=strict`. Prints one line for each error."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jsonschema
import yaml


def strict(schema: dict) -> dict:
    """Return the schema without additional properties. An object without `properties` stays open."""
    schema = dict(schema)
    if "properties" in schema:
        schema["properties"] = {name: strict(field) for name, field in schema["properties"].items()}
        schema.setdefault("additionalProperties", False)
    if "items" in schema:
        schema["items"] = strict(schema["items"])
    return schema


def main() -> None:
    documents = yaml.safe_load_all(Path(sys.argv[1]).read_text())
    schemas = {(document["version"], document["kind"]): strict(document["schema"]) for document in documents}
    for line in sys.stdin:
        resource = json.loads(line)
        validator = jsonschema.Draft4Validator(schemas[resource["apiVersion"], resource["kind"]])
        for error in validator.iter_errors(resource):
            print(resource["metadata"]["name"], "/".join(map(str, error.absolute_path)), error.message)


main()
