"""Whether code around an operation may change a request before FastAPI validates it: by looking at it.

A middleware that adds a Content-Type or decompresses a body makes right what was wrong. One that only measures, logs or
refuses leaves a request as it is, and so do nearly all.
"""

from __future__ import annotations

import types

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from .bytecode import codes, globals_in, instructions, is_frameworks, package, unwrapped

PARTS = {"headers", "query_string", "path", "raw_path", "method"}
PRIVATE = {"_headers", "_list", "_query_params", "_receive", "_body", "_form", "_json", "_url", "_cookies", "_stream"}
MUTATORS = {"append", "extend", "insert", "remove", "clear", "pop"}
LOADS = ("LOAD_ATTR", "LOAD_METHOD")
DEPTH = 3


def may_rewrite(middleware):
    """Whether a middleware, as it was added to the app, may change requests."""
    options = getattr(middleware, "kwargs", getattr(middleware, "options", {}))
    return any(rewrites(one) for one in (middleware.cls, options.get("dispatch")) if one is not None)


def handed_on(cls):
    """Of a route class of the app's own -> (whether it hands requests on as they came, whether it may hide errors)."""
    functions = [
        function
        for one in cls.__mro__
        if not is_frameworks(one) and one is not object
        for function in vars(one).values()
        if isinstance(function, types.FunctionType)
    ]
    calls_on = all(
        name in function.__code__.co_names
        for function in functions
        for name in ("get_route_handler", "handle")
        if function.__name__ == name
    )
    hides = any(
        isinstance(value, type) and issubclass(RequestValidationError, value)
        for function in functions
        for code in codes(function.__code__)
        for value in globals_and_builtins(code, function)
    )
    return calls_on and not rewrites(cls), hides


def globals_and_builtins(code, function):
    yield from globals_in(code, function)
    if "Exception" in code.co_names:
        yield Exception


def rewrites(thing, depth=0, seen=None):
    seen = set() if seen is None else seen
    thing = unwrapped(thing)
    if id(thing) in seen or is_frameworks(thing):
        return False
    seen.add(id(thing))
    if isinstance(thing, type):
        functions = [
            unwrapped(getattr(value, "__func__", value))
            for cls in thing.__mro__
            if not is_frameworks(cls) and cls is not object
            for value in vars(cls).values()
        ]
        functions = [function for function in functions if isinstance(function, types.FunctionType)]
        # Compiled code cannot be looked at.
        return not functions or any(rewrites(function, depth, seen) for function in functions)
    if not isinstance(thing, types.FunctionType):
        return isinstance(thing, types.BuiltinFunctionType) or rewrites(type(thing), depth, seen)
    for code in codes(thing.__code__):
        if changes(code):
            return True
        for value in globals_in(code, thing):
            if isinstance(value, type) and issubclass(value, Request) and value is not Request:
                if not is_frameworks(value):
                    return True
            near = isinstance(value, types.FunctionType) and package(value) == package(thing)
            if near and depth < DEPTH and rewrites(value, depth + 1, seen):
                return True
    return False


def changes(code):
    """Whether code stores into a request's scope, its private parts, or what it receives."""
    loaded = instructions(code)
    receives = "receive" in code.co_name
    passes = {"receive", "call_next"}.intersection(code.co_varnames + code.co_freevars)
    for place, one in enumerate(loaded):
        before = loaded[max(0, place - 2) : place]
        after = loaded[place + 1 : place + 5]
        if one.opname == "STORE_ATTR" and one.argval in PRIVATE:
            return True
        if one.argval == "mutablecopy":
            return True
        if one.opname == "STORE_SUBSCR" and len(before) == 2:
            container, key = before
            if key.argval in PARTS and is_scope(container) or receives and key.argval == "body":
                return True
        if one.opname in ("DICT_UPDATE", "DICT_MERGE") and any(map(is_scope, before)):
            if passes and PARTS.intersection(constants(code)):  # else it is only a copy to look at
                return True
        if is_scope(one) and after and after[0].argval in ("update", "setdefault") and after[0].opname in LOADS:
            return True
        if is_scope(one) and after and after[0].argval == "headers" and MUTATORS.intersection(map(text, after[1:3])):
            return True
        if one.argval == "MutableHeaders" and any(is_scope(other) for other in after):
            return True
        if receives and one.opname in ("BUILD_MAP", "BUILD_CONST_KEY_MAP") and "body" in constants(code):
            return True
    return False


def is_scope(one):
    return one.opname.startswith("LOAD_") and any("scope" in name for name in names_of(one))


def names_of(one):
    values = one.argval if isinstance(one.argval, tuple) else (one.argval,)
    return [value for value in values if isinstance(value, str)] if one.opname != "LOAD_CONST" else []


def text(one):
    return one.argval if isinstance(one.argval, str) else ""


def constants(code):
    found = set()
    for constant in code.co_consts:
        values = constant if isinstance(constant, tuple) else (constant,)
        found.update(value for value in values if isinstance(value, str))
    return found
