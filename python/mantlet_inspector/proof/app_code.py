"""Which code may raise FastAPI's exceptions."""

from __future__ import annotations

import functools
import types
from typing import Any

from starlette.exceptions import HTTPException

from mantlet_inspector.source import files, objects


def module_of(value: Any) -> str | None:
    """The name of the module in which a function, a class, or that of an object, is defined."""
    try:
        name = value.__module__
    except Exception:  # there is none, or it is a proxy of nothing
        return None
    return name if isinstance(name, str) else None


def is_read(thing: Any) -> bool:
    """Whether it has code of the app's own."""
    if isinstance(thing, functools.partial):
        return True
    return files.is_read(
        thing if isinstance(thing, (type, types.FunctionType, types.MethodType)) else type(thing)
    )


def is_http(value: Any) -> bool:
    return objects.is_class(value) and issubclass(value, HTTPException)


def subclasses(cls: Any) -> set[Any]:
    found = {cls}
    for one in cls.__subclasses__():
        found |= subclasses(one)
    return found


def is_apps(module: Any) -> bool:
    """Code that may raise FastAPI's exceptions: the app's own, and what is installed and knows
    them."""
    file = files.file_in(module)
    if files.is_standard(file) or file.startswith(files.FRAMEWORKS):
        return False
    if file.startswith(files.OURS):
        return False
    if not files.is_installed(file):
        return True
    return any(map(is_http, list(objects.names_in(module).values())))
