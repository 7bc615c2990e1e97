#!/usr/bin/env python3
"""Reduces PGO's CustomResourceDefinition of PostgresCluster to what validation needs.

    tools/schema/reduce.py postgres-operator.crunchydata.com_postgresclusters.yaml > src/parse/schema.json

The result is one table of schema nodes. A node refers to others by their place in the table, always an earlier one, and
equal nodes are stored once, so that the two versions of the API share nearly everything. Descriptions, messages and what
the API server does not look at are left out. The same input always gives the same bytes.

Needs Python 3.9 and PyYAML.
"""

import json
import sys

import yaml

# Keywords that are kept as they are, by the name they have in the table.
KEPT = {
    "default": "default",
    "enum": "enum",
    "maximum": "maximum",
    "maxItems": "maxItems",
    "maxLength": "maxLength",
    "maxProperties": "maxProperties",
    "minimum": "minimum",
    "minItems": "minItems",
    "minLength": "minLength",
    "minProperties": "minProperties",
    "pattern": "pattern",
    "required": "required",
    "x-kubernetes-preserve-unknown-fields": "open",
}
# Keywords that are translated below, or that change nothing for a single object that is created. The server enforces
# neither int32 nor int64.
TRANSLATED = {
    "additionalProperties",
    "format",
    "items",
    "properties",
    "type",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-validations",
}
IGNORED = {"description", "x-kubernetes-map-type"}
FORMATS = {"int32": None, "int64": None, "duration": "duration", "date-time": "date-time"}

# The metadata of every object: Kubernetes API reference, ObjectMeta v1 meta.
TEXT = {"type": "string"}
WORD = {"type": "string", "minLength": 1}
WHOLE = {"type": "integer"}
TIME = {"type": "string", "format": "date-time"}
# Go reads a null among strings as an empty one.
TEXTS = {"type": "object", "additionalProperties": {"type": "string", "default": ""}}
METADATA = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "annotations": TEXTS,
        "creationTimestamp": TIME,
        "deletionGracePeriodSeconds": WHOLE,
        "deletionTimestamp": TIME,
        "finalizers": {"type": "array", "items": TEXT},
        "generateName": TEXT,
        "generation": WHOLE,
        "labels": TEXTS,
        "managedFields": {
            "type": "array",
            "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
        "name": TEXT,
        "namespace": TEXT,
        "ownerReferences": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["apiVersion", "kind", "name", "uid"],
                "properties": {
                    "apiVersion": WORD,
                    "blockOwnerDeletion": {"type": "boolean"},
                    "controller": {"type": "boolean"},
                    "kind": WORD,
                    "name": WORD,
                    "uid": WORD,
                },
            },
        },
        "resourceVersion": TEXT,
        "selfLink": TEXT,
        "uid": TEXT,
    },
}


class Table:
    """The nodes seen so far, each once."""

    def __init__(self):
        self.lines = []
        self.places = {}

    def add(self, schema):
        """Adds a schema with all that is below it and returns its place."""
        unknown = set(schema) - set(KEPT) - TRANSLATED - IGNORED
        if unknown:
            sys.exit(f"keywords this script does not know: {sorted(unknown)}")

        node = {KEPT[keyword]: schema[keyword] for keyword in KEPT if keyword in schema}
        node["type"] = "int-or-string" if schema.get("x-kubernetes-int-or-string") else schema["type"]
        if "format" in schema and FORMATS[schema["format"]]:
            node["format"] = FORMATS[schema["format"]]
        if "properties" in schema:
            node["properties"] = {name: self.add(schema["properties"][name]) for name in sorted(schema["properties"])}
        if "additionalProperties" in schema:
            node["values"] = self.add(schema["additionalProperties"])
        if "items" in schema:
            node["items"] = self.add(schema["items"])
        if schema.get("x-kubernetes-list-type") == "set":
            node["unique"] = []
        elif schema.get("x-kubernetes-list-type") == "map":
            node["unique"] = schema["x-kubernetes-list-map-keys"]
        if "x-kubernetes-validations" in schema:
            node["rules"] = [self.rule(rule) for rule in schema["x-kubernetes-validations"]]

        line = json.dumps(node, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        if line not in self.places:
            self.places[line] = len(self.lines)
            self.lines.append(line)
        return self.places[line]

    @staticmethod
    def rule(rule):
        unknown = set(rule) - {"rule", "message", "fieldPath"}
        if unknown:
            sys.exit(f"parts of a rule that this script does not know: {sorted(unknown)}")
        reduced = {"rule": rule["rule"]}
        if "fieldPath" in rule:
            reduced["field"] = rule["fieldPath"].removeprefix(".")
        return reduced


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        definition = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))

    table = Table()
    roots = {"metadata": table.add(METADATA)}
    kind = definition["spec"]["names"]["kind"]
    for version in sorted(definition["spec"]["versions"], key=lambda version: version["name"]):
        root = version["schema"]["openAPIV3Schema"]
        roots[f"{kind}/{version['name']}"] = table.add(root["properties"]["spec"])

    nodes = ",\n".join(table.lines)
    print(f'{{"roots":{json.dumps(roots, separators=(",", ":"))},"nodes":[\n{nodes}\n]}}')


if __name__ == "__main__":
    main()
