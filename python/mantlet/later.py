"""Whether an app may get more routes when it starts: by looking at its start-up code, which is not run."""

from __future__ import annotations

import types

from starlette.applications import Starlette
from starlette.routing import Router

from .bytecode import codes, instructions, is_frameworks, is_installed, unwrapped
from .schemas import name_of

# What start-up code may do with an app and leave its routes alone.
INNOCENT = {"state", "title", "version", "debug", "dependency_overrides", "openapi_schema", "extra"}
DEPTH = 4
ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR")


def adds_routes(router):
    """-> the name of a start-up function that may, or none."""
    seen = set()
    for function in handlers([*getattr(router, "on_startup", ()), router.lifespan_context], set()):
        if not isinstance(function, types.FunctionType) or is_installed(function):
            return name_of(function)
        if touches_app(function, first_argument(function), seen, 0):
            return name_of(function)
    return None


def handlers(things, seen):
    """The code that runs: functions, also those that FastAPI keeps inside its own, and objects that can be called."""
    for thing in things:
        thing = unwrapped(thing)
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, types.FunctionType) and is_frameworks(thing):
            inside = (unwrapped(one) for one in closure(thing))
            yield from handlers([one for one in inside if isinstance(one, types.FunctionType)], seen)
        elif not is_frameworks(type(thing)):
            yield thing


def closure(function):
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:
            pass


def first_argument(function):
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return names[0] if names else None


def touches_app(function, argument, seen, depth):
    if id(function) in seen:
        return False
    seen.add(id(function))
    return any(touches(code, function, argument, seen, depth) for code in codes(function.__code__))


def touches(code, function, argument, seen, depth):
    loaded = instructions(code)
    for one, following in zip(loaded, [*loaded[1:], None]):
        attribute = following.argval if following and following.opname in ATTRIBUTES else None
        if one.opname.startswith(("LOAD_FAST", "LOAD_DEREF")) and argument is not None:
            names = one.argval if isinstance(one.argval, tuple) else (one.argval,)
            if argument in names and attribute not in INNOCENT:
                return True
        elif one.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            value = function.__globals__.get(one.argval)
            if isinstance(value, types.ModuleType) and attribute:
                value, attribute = getattr(value, attribute, None), None
            if isinstance(value, (Starlette, Router)) and attribute not in INNOCENT:
                return True
            if isinstance(value, types.FunctionType) and not is_installed(value) and depth < DEPTH:
                if touches_app(value, None, seen, depth + 1):
                    return True
    return False
