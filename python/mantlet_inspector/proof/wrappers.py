"""Whether code around an operation may change what FastAPI has written: by looking at it.

A middleware that wraps every answer into `{"data": …}` writes fields that no model has. For that it
has to touch the body, and few do. Where one does, or where an error handler answers as if no error
had happened, the response models are only a claim.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

from starlette.exceptions import HTTPException

from mantlet_inspector.source.bytecode import codes, instructions, unwrapped
from mantlet_inspector.source.files import is_frameworks
from mantlet_inspector.source.objects import is_class, is_module
from mantlet_inspector.source.places import name_of

MESSAGE = {"http.response.body", "body"}
# They measure answers or compress them.
KNOWN = (
    "asgi_correlation_id",
    "brotli_asgi",
    "opentelemetry",
    "prometheus_fastapi_instrumentator",
    "sentry_sdk",
)
DEPTH = 3


def middleware_wraps(cls: Any, options: dict[str, Any]) -> bool:
    """Whether a middleware may change answers."""
    parts = [part for part in (cls, options.get("dispatch")) if part is not None]
    return any(package(part) not in KNOWN and wraps(part) for part in parts)


def answers_errors_well(app: Any) -> str | None:
    """The name of an error handler that may answer as if no error had happened, if there is one."""
    handlers = [handler for handler in app.exception_handlers.values() if may_answer_200(handler)]
    return name_of(unwrapped(handlers[0])) if handlers else None


def errors_answered(app: Any) -> list[int]:
    """Statuses from 500 on that error handlers of the app may answer with: their words are
    deliberate."""
    found = set()
    for key, handler in app.exception_handlers.items():
        handler = unwrapped(handler)
        if is_frameworks(handler):
            continue
        if key is HTTPException:
            found.update(range(500, 600))
        elif key is Exception:
            found.add(500)
        elif isinstance(key, int):
            found.add(key)
        if isinstance(handler, types.FunctionType):
            for code in codes(handler.__code__):
                found.update(
                    value for value in (*code.co_consts, *globals_in(code, handler)) if type(value) is int
                )
    return sorted(status for status in found if 500 <= status < 600)


def wraps(thing: Any, depth: int = 0, seen: set[int] | None = None) -> bool:
    """Whether a class or function touches the body of an answer."""
    seen = set() if seen is None else seen
    thing = unwrapped(thing)
    if id(thing) in seen or is_frameworks(thing):
        return False
    seen.add(id(thing))
    if is_class(thing):
        called = [
            unwrapped(getattr(value, "__func__", value))
            for cls in thing.__mro__
            if not is_frameworks(cls) and cls is not object
            for value in vars(cls).values()
            if callable(value) or hasattr(value, "__func__")
        ]
        functions = [function for function in called if isinstance(function, types.FunctionType)]
        # Compiled code cannot be looked at.
        return bool(called and not functions) or any(wraps(one, depth, seen) for one in functions)
    if not isinstance(thing, types.FunctionType):
        return isinstance(thing, types.BuiltinFunctionType) or wraps(type(thing), depth, seen)
    for code in codes(thing.__code__):
        if "body_iterator" in code.co_names or MESSAGE.intersection(texts(code)):
            return True
        for value in globals_in(code, thing):
            near = isinstance(value, types.FunctionType) and package(value) == package(thing)
            if near and depth < DEPTH and wraps(value, depth + 1, seen):
                return True
    return False


def may_answer_200(handler: Any) -> bool:
    """Whether an error handler may answer with a status for which a model is declared."""
    handler = unwrapped(handler)
    if is_frameworks(handler):
        return False
    if not isinstance(handler, types.FunctionType):
        return True
    inner = list(codes(handler.__code__))
    says_200 = any(type(one) is int and 200 <= one < 300 for code in inner for one in code.co_consts)
    return says_200 or not any("status_code" in texts(code) for code in inner)


def texts(code: types.CodeType) -> set[str]:
    found = set()
    for constant in code.co_consts:
        values = constant if isinstance(constant, (tuple, frozenset)) else (constant,)
        found.update(value for value in values if isinstance(value, str))
    return found


def globals_in(code: types.CodeType, function: Any) -> Iterator[Any]:
    """The values of the global names that code loads, with attributes of modules."""
    loaded = instructions(code)
    for one, following in zip(loaded, [*loaded[1:], None]):
        if one.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            value = function.__globals__.get(one.argval)
            if is_module(value) and following and following.opname in ("LOAD_ATTR", "LOAD_METHOD"):
                value = getattr(value, following.argval, None)
            yield value


def package(thing: Any) -> str:
    return (getattr(thing, "__module__", None) or "").partition(".")[0]
