"""Whether an app may change its routes, or the way to them, when it starts. Its start-up code is
read, not run.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Router

from mantlet_inspector.proof.facts import Unproven
from mantlet_inspector.proof.known_packages import pages_added, without_pages
from mantlet_inspector.proof.pre_validation import PreValidation
from mantlet_inspector.source.bytecode import codes, instructions, is_installed, unwrapped
from mantlet_inspector.source.files import file_of, is_frameworks, is_standard
from mantlet_inspector.source.objects import closure
from mantlet_inspector.source.places import name_of
from mantlet_inspector.source.trees import mentioned_in, node_of

# What start-up code may do with an app and leave it as it is.
INNOCENT = {"state", "title", "version", "debug", "openapi_schema", "extra", "url_path_for"}
# What puts routes behind those that are there: what these accept stays as it is.
ADDS = {
    "add_api_route",
    "add_api_websocket_route",
    "add_route",
    "add_websocket_route",
    "api_route",
    "delete",
    "get",
    "head",
    "host",
    "include_router",
    "mount",
    "options",
    "patch",
    "post",
    "put",
    "route",
    "trace",
    "websocket",
    "websocket_route",
}
# Names that have one meaning only: code that reaches them, in any way, changes an app.
CHANGES = {
    "add_exception_handler",
    "add_middleware",
    "build_middleware_stack",
    "dependant",
    "dependency_overrides",
    "exception_handlers",
    "get_request_handler",
    "get_route_handler",
    "middleware_stack",
    "request_response",
    "route_class",
    "solve_dependencies",
    "user_middleware",
}
ROUTING = {"add_api_route", "add_api_websocket_route", "add_route", "add_websocket_route", "include_router"}
DEPTH = 4
ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR")


def changes_app(router: Any, pre_validation: PreValidation) -> tuple[str | None, bool]:
    """-> (the name of a start-up function that may change the app, whether it may do more than add
    routes at the end)."""
    seen, adds = set(), None
    for function in handlers([*getattr(router, "on_startup", ()), router.lifespan_context], set()):
        if not isinstance(function, types.FunctionType) or is_installed(function):
            return name_of(function), True
        found = touched(function, first_argument(function), seen, 0)
        node = node_of(function)
        try:
            names = pre_validation.graph.called(mentioned_in(node, True)) if node is not None else CHANGES
        except Unproven:
            names = CHANGES
        if found == "changes" or names & CHANGES:
            return name_of(function), True
        if found or names & ROUTING:
            adds = adds or name_of(function)
    return adds, False


def handlers(things: Iterable[Any], seen: set[int]) -> Iterator[Any]:
    """The code that runs: functions, those inside FastAPI's own functions too, and callable
    objects."""
    for thing in things:
        thing = unwrapped(thing)
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, types.FunctionType) and is_theirs(thing):
            inside = (unwrapped(one) for one in closure(thing))
            yield from handlers([one for one in inside if isinstance(one, types.FunctionType)], seen)
        elif (added := pages_added(thing)) is not None:
            yield from handlers([added[1]], seen)
        elif not is_theirs(type(thing)):
            yield thing


def late_pages(router: Any) -> list[Any]:
    """Routes that will take the parameters of a page when the app has started."""
    found, waiting, seen = [], [*getattr(router, "on_startup", ()), router.lifespan_context], set()
    while waiting:
        thing = unwrapped(waiting.pop())
        if id(thing) in seen or not isinstance(thing, types.FunctionType):
            continue
        seen.add(id(thing))
        added = pages_added(thing)
        if added:
            found += without_pages(added[0].routes)
            waiting.append(added[1])
        elif is_theirs(thing):
            waiting += closure(thing)
    return found


def is_theirs(thing: Any) -> bool:
    return is_frameworks(thing) or (
        getattr(thing, "__module__", "") == "contextlib" and is_standard(file_of(thing))
    )


def first_argument(function: Any) -> str | None:
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return names[0] if names else None


def touched(function: Any, argument: str | None, seen: set[int], depth: int) -> str | None:
    """What a function does to an app: `adds`, `changes`, or none."""
    if id(function) in seen:
        return None
    seen.add(id(function))
    found = {
        one
        for code in codes(function.__code__)
        for one in touches(code, function, argument, seen, depth)
        if one
    }
    return "changes" if "changes" in found else "adds" if found else None


def touches(
    code: types.CodeType, function: Any, argument: str | None, seen: set[int], depth: int
) -> Iterator[str | None]:
    loaded = instructions(code)
    for one, following in zip(loaded, [*loaded[1:], None]):
        attribute = following.argval if following and following.opname in ATTRIBUTES else None
        how = None if attribute in INNOCENT else "adds" if attribute in ADDS else "changes"
        if one.opname.startswith(("LOAD_FAST", "LOAD_DEREF")) and argument is not None:
            names = one.argval if isinstance(one.argval, tuple) else (one.argval,)
            if argument in names and how:
                yield how
        elif one.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            value = function.__globals__.get(one.argval)
            if isinstance(value, types.ModuleType) and attribute:
                value, attribute = getattr(value, attribute, None), None
                how = "changes"
            if isinstance(value, (Starlette, Router, BaseRoute)) and how:
                yield how
            if isinstance(value, types.FunctionType) and not is_installed(value) and depth < DEPTH:
                yield touched(value, None, seen, depth + 1)
