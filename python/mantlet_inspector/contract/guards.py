"""Code of an operation that may refuse a request before all of its input is validated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable, Optional

from mantlet_inspector.contract.dependants import fields_in
from mantlet_inspector.proof import known_packages
from mantlet_inspector.source.places import name_of, named_at

Refuses = Callable[[Any], Optional[str]]  # where something refuses, if it may

PARTS = (dict, list, tuple)  # what core schemas are made of
NOT_CALLED = ("metadata", "serialization")  # of a core schema, when it validates


def validators(dependants: list[Any], refuses: Refuses) -> list[dict[str, Any]]:
    """Validators of the app's own that may refuse. They run while FastAPI validates, and their
    exception hides the errors of other input."""
    seen = {}
    for dependant in dependants:
        for field in fields_in(dependant):
            for function in functions_in(field._type_adapter.core_schema):
                place = refuses(function) if id(function) not in seen else None
                seen[id(function)] = function
                if place:
                    return [{"inputs": [0, 0], "why": named_at(name_of(function), place)}]
    return []


def functions_in(schema: Any) -> Iterator[Any]:
    """The functions that a core schema calls."""
    # A model that waits for a name that is not there yet has a stand-in instead.
    waiting, seen = [schema] if isinstance(schema, PARTS) else [], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if not isinstance(one, dict):
            waiting += [part for part in one if isinstance(part, PARTS)]
            continue
        kind = one.get("type")
        if isinstance(kind, str) and kind.startswith("function-") and isinstance(one.get("function"), dict):
            yield one["function"]["function"]
        if kind == "model":
            decides = one.get("custom_init") and known_packages.how_made(one["cls"]) is None
            names = ("__init__" if decides else None, one.get("post_init"))
            yield from (getattr(one["cls"], name) for name in names if name)
        waiting += [part for key, part in one.items() if isinstance(part, PARTS) and key not in NOT_CALLED]


def guards(spans: list[tuple[Any, int]], counts: list[int], refuses: Refuses) -> list[dict[str, Any]]:
    """Dependencies that may refuse, with the inputs that they and their own dependencies take:
    FastAPI calls a dependency only if these are valid. Of several with the same inputs, one is
    named."""
    found = []
    for index, (dependant, first) in enumerate(spans[:-1]):
        place = refuses(dependant.call)
        if place:
            span = [counts[first], counts[index + 1]]
            if not any(one["inputs"] == span for one in found):
                found.append({"inputs": span, "why": named_at(name_of(dependant.call), place)})
    return found
