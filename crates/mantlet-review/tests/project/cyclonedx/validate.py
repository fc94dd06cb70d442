"""Validates files by the schema of CycloneDX 1.6 beside this script."""

import json
import sys
from pathlib import Path

from jsonschema import Draft7Validator, FormatChecker
from referencing import Registry, Resource

here = Path(__file__).parent
schemas = [json.loads(path.read_text()) for path in sorted(here.glob("*.schema.json"))]
registry = Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in schemas)
schema = next(schema for schema in schemas if schema["$id"].endswith("bom-1.6.schema.json"))
validator = Draft7Validator(schema, registry=registry, format_checker=FormatChecker())

wrong = [
    f"{path}: {error.json_path}: {error.message}"
    for path in sys.argv[1:]
    for error in validator.iter_errors(json.loads(Path(path).read_text()))
]
if wrong:
    sys.exit("\n".join(wrong))
print(len(sys.argv) - 1, "valid")
