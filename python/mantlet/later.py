"""Whether an app may get more routes when it starts: by looking at its start-up code, which is not run."""

from __future__ import annotations

import dis
import functools
import inspect
import sysconfig
import types

from starlette.applications import Starlette
from starlette.routing import Router

from .schemas import name_of

# What start-up code may do with an app and leave its routes alone.
INNOCENT = {"state", "title", "version", "debug", "dependency_overrides", "openapi_schema", "extra"}
DEPTH = 4
ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR")
FUNCTIONS = (types.FunctionType, types.MethodType, functools.partial)


def adds_routes(router):
    """-> the name of a start-up function that may, or none."""
    seen = set()
    for function in functions_in([*getattr(router, "on_startup", ()), router.lifespan_context], set()):
        if not isinstance(function, types.FunctionType) or is_installed(function):
            return name_of(function)
        if touches_app(function, first_argument(function), seen, 0):
            return name_of(function)
    return None


def functions_in(things, seen):
    """The code that runs: functions, also those that decorators keep inside, and objects that can be called."""
    for thing in things:
        thing = getattr(thing, "__func__", thing)
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if hasattr(thing, "__wrapped__"):
            yield from functions_in([inspect.unwrap(thing)], seen)
        elif isinstance(thing, functools.partial):
            yield from functions_in([thing.func], seen)
        elif isinstance(thing, types.FunctionType) and is_frameworks(thing):
            yield from functions_in([one for one in closure(thing) if isinstance(one, FUNCTIONS)], seen)
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


def codes(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


def touches(code, function, argument, seen, depth):
    instructions = [one for one in dis.get_instructions(code) if one.opname not in ("CACHE", "PUSH_NULL", "NOP")]
    for one, following in zip(instructions, [*instructions[1:], None]):
        attribute = following.argval if following and following.opname in ATTRIBUTES else None
        if one.opname.startswith(("LOAD_FAST", "LOAD_DEREF", "LOAD_CLOSURE")) and argument is not None:
            loaded = one.argval if isinstance(one.argval, tuple) else (one.argval,)
            if argument in loaded and one.opname != "LOAD_CLOSURE" and attribute not in INNOCENT:
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


def is_frameworks(function):
    return (function.__module__ or "").partition(".")[0] in ("fastapi", "starlette", "contextlib")


def is_installed(function):
    paths = sysconfig.get_paths()
    file = function.__code__.co_filename
    return file.startswith((paths["stdlib"], paths["purelib"], paths["platlib"])) or "site-packages" in file
