"""What FastAPI makes of the routes of a router that was included.

It analyses each dependency anew for each route. In a process that does not serve the app, routes
may share what was found of one.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

from fastapi.dependencies import utils
from fastapi.utils import get_path_param_names


@contextlib.contextmanager
def shared_dependencies(known: dict[Any, Any]) -> Iterator[None]:
    """Within, FastAPI analyses a dependency once for all routes of which the path has the same
    parameters. `known` is what was found so far."""
    analyse = utils.get_dependant

    def analysed(**given: Any) -> Any:
        if given.get("name") is None:  # the handler itself
            return analyse(**given)
        key = key_of(given)
        if key is None:
            return analyse(**given)
        if key not in known:
            known[key] = (given["call"], analyse(**given))
        found = known[key][1]
        if takes_body(found):  # FastAPI may mark what stands in a body for one route
            return analyse(**given)
        made = copy.copy(found)
        made.path = given["path"]
        return made

    utils.get_dependant = analysed
    try:
        yield
    finally:
        utils.get_dependant = analyse


def key_of(given: dict[str, Any]) -> Any:
    """What the analysis of a dependency follows from; none if that is not known."""
    try:
        names = frozenset(get_path_param_names(given["path"]))
        rest = {name: value for name, value in given.items() if name not in ("path", "call")}
        values = [tuple(value) if isinstance(value, list) else value for value in rest.values()]
        key = (id(given["call"]), names, *rest, *values)
        hash(key)
    except Exception:  # of another version
        return None
    return key


def takes_body(dependant: Any) -> bool:
    return bool(dependant.body_params) or any(map(takes_body, dependant.dependencies))
