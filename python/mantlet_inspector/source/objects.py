"""What objects are, asked so that no code of theirs runs."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from typing import Any


def code_of(thing: Any) -> types.CodeType | None:
    """By its very type: a proxy (`wrapt`) shows the code behind it, and runs another."""
    if type(thing) is types.MethodType:
        thing = thing.__func__
    return thing.__code__ if type(thing) is types.FunctionType else None


def is_class(thing: Any) -> bool:
    """By its very type: a proxy that is asked for its class may load what it stands for."""
    return issubclass(type(thing), type)


def is_module(thing: Any) -> bool:
    return issubclass(type(thing), types.ModuleType)


def names_in(module: Any) -> dict[str, Any]:
    """The names of a module as it is: one that loads itself when it is asked stays unloaded."""
    return object.__getattribute__(module, "__dict__")


def name_in(module: Any) -> str:
    return names_in(module).get("__name__") or ""


def loads_itself(module: Any) -> bool:
    """Whether looking at a module may run its code."""
    return type(module).__getattribute__ is not types.ModuleType.__getattribute__


def generated_for(function: Any) -> Any:
    """The function behind one that `makefun` has written; any other function as it is."""
    code = code_of(function)
    if code is None or code.co_names != ("_func_impl_",):
        return function
    return function.__globals__.get("_func_impl_", function)


def whole(call: Any) -> Any:
    while isinstance(call, functools.partial):
        call = call.func
    return call


def closure(function: Any) -> Iterator[Any]:
    for cell in getattr(function, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:
            continue
