"""Validates what programs print against docs/reference/json.schema.json, with Debian's python3-jsonschema."""
import json
import pathlib
import sys

try:
    import jsonschema
except ImportError:
    jsonschema = None
    print("SKIPPED: documents are not validated, as jsonschema is absent; scripts/setup installs it.", file=sys.stderr)

SCHEMA = json.loads((pathlib.Path(__file__).parents[2] / "docs/reference/json.schema.json").read_text())


def problem(document, definition=None):
    """Why a document, or a part of one that the schema calls `definition`, is not what the schema says; None if it is."""
    if jsonschema is None:
        return None
    schema = SCHEMA if definition is None else {**SCHEMA, "oneOf": [{"$ref": f"#/$defs/{definition}"}]}
    validator = jsonschema.Draft202012Validator(schema)
    errors = [jsonschema.exceptions.best_match([error]) for error in validator.iter_errors(document)]
    return "; ".join(f"{error.json_path}: {error.message}"[:500] for error in errors) or None


def parse(text, definition=None):
    """The document in a text. ValueError if it isn't JSON, isn't UTF-8, has NaN or Infinity, or the schema refuses it."""

    def refuse(constant):
        raise ValueError(f"{constant} is not JSON")

    document = json.loads(text, parse_constant=refuse)
    if wrong := problem(document, definition):
        raise ValueError(f"not what docs/reference/json.schema.json says: {wrong}\n{text[:2000]}")
    return document
