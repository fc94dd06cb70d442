"""Writes what the real Pydantic says: a line for each type, with its shapes and with values and their errors.

Arguments: the seed, the number of values. With `check` after them it makes the same types again and reads lines: the number of a type,
a value, and the same value with members cut out. Whatever then means something else is written.
"""

import json
import random
import sys
import warnings
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

import shapes
import types_
from values import Values

EACH = 40


def judged(adapter, value):
    """What FastAPI would get: None if it is accepted, the errors, or nothing to compare if something else is raised."""
    try:
        adapter.validate_python(value, from_attributes=True)
    except ValidationError as error:
        return [[e["type"], list(e["loc"]), e["msg"]] for e in error.errors(include_url=False, include_input=False)]
    return None


def lines(seed, count):
    r = random.Random(seed)
    while count > 0:
        try:
            kind = types_.a_type(r) if r.random() < 0.6 else types_.a_model(r)
            adapter = TypeAdapter(Annotated[kind, Field()])  # as FastAPI does it
        except Exception:  # not every random type is one
            continue
        made, root = shapes.translate(adapter.core_schema)
        values = Values(r, {})
        cases = []
        for number in range(EACH):
            if number % 8 == 7:
                mode, source = "text", values.some_text()
                value = source
            else:
                mode, source = "json", values.start(adapter.core_schema)
                try:
                    value = json.loads(source)
                except ValueError:
                    continue
            try:
                errors = judged(adapter, value)
                if errors is not None:
                    json.dumps(errors)
            except Exception:
                continue
            cases.append({"mode": mode, "value": source, "errors": errors})
        count -= len(cases)
        yield adapter, {"name": str(kind), "shapes": made, "root": root, "cases": cases}


def meaning(adapter, source):
    try:
        value = repr(adapter.validate_python(json.loads(source), from_attributes=True))
        # NaNs have no order of their own in a set.
        return "".join(sorted(value)) if "nan" in value else value
    except ValidationError:
        return "refused"


def check(made):
    made = [(line["name"], adapter) for adapter, line in made]
    for line in sys.stdin:
        at, whole, cut = json.loads(line)
        name, adapter = made[at]
        before, after = meaning(adapter, whole), meaning(adapter, cut)
        if before != after:
            print(json.dumps([name, whole, cut, before, after]))


def main():
    warnings.simplefilter("ignore")
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    if sys.argv[3:] == ["check"]:
        check(lines(seed, count))
        return
    for _, line in lines(seed, count):
        print(json.dumps(line, ensure_ascii=True))


main()
