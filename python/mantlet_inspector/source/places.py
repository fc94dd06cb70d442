"""How code is named to the person who wrote it."""

from __future__ import annotations

import inspect
import os
from typing import Any

from mantlet_inspector.source.files import file_of
from mantlet_inspector.source.objects import code_of, whole


def where(function: Any) -> str:
    """`main.py:12`"""
    code = code_of(function)
    if code is None:
        return os.path.basename(file_of(function)) or "of which there is no file"
    return place(function, code.co_firstlineno)


def where_class(cls: Any) -> str:
    """`shop.routes, routes.py:12`"""
    code = next((code_of(one) for one in vars(cls).values() if code_of(one) is not None), None)
    module = getattr(cls, "__module__", None) or ""
    try:
        line = inspect.getsourcelines(cls)[1]
    except (OSError, TypeError, IndexError, SyntaxError):
        line = code.co_firstlineno if code is not None else 0
    return f"{module}, {place(cls, line)}"


def place(function: Any, line: int) -> str:
    return f"{os.path.basename(file_of(function))}:{line}"


def name_of(thing: Any) -> str:
    """How to name code to the person who wrote it."""
    thing = whole(thing)
    return getattr(thing, "__qualname__", None) or type(thing).__qualname__


def named_at(name: str, place: str) -> str:
    """A piece and where it refuses: in itself, or in what it comes to."""
    own = f"`{name}`, "
    return f"`{name}` ({place[len(own) :] if place.startswith(own) else place})"
