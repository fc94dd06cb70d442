"""The dependencies of a route, in the order in which FastAPI solves them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi.dependencies import utils

# Where FastAPI keeps what comes from a place.
PARAMETERS = {name: f"{name}_params" for name in ("path", "query", "header", "cookie")}


def flattened(dependant: Any, overrides: dict[Any, Any], before: int = 0) -> Iterator[tuple[Any, int]]:
    """Dependencies, each before the one that needs it, with the number of the first that it needs
    itself. FastAPI validates one that is used twice a second time, even if its value is cached."""
    first = before
    for sub in dependant.dependencies:
        if sub.call in overrides:
            sub = utils.get_dependant(path=sub.path or "", call=overrides[sub.call], name=sub.name)
        for one in flattened(sub, overrides, before):
            before += 1
            yield one
    yield dependant, first


def dependants_of(route: Any) -> list[Any]:
    """The handler comes last."""
    return [dependant for dependant, _ in spans_of(route)]


def spans_of(route: Any) -> list[tuple[Any, int]]:
    provider = getattr(route, "dependency_overrides_provider", None)
    return list(flattened(route.dependant, getattr(provider, "dependency_overrides", None) or {}))


def fields_in(dependant: Any) -> Iterator[Any]:
    """What FastAPI validates for a dependency itself."""
    for name in (*PARAMETERS.values(), "body_params"):
        yield from getattr(dependant, name)


def fields_of(route: Any, dependants: list[Any]) -> Iterator[Any]:
    """All that FastAPI validates for a route, and what it writes."""
    for dependant in dependants:
        yield from fields_in(dependant)
    yield from (one for one in (route.body_field, route.response_field) if one is not None)
