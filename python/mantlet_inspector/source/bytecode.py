"""Looks at functions of an app without running them."""

from __future__ import annotations

import dis
import functools
import inspect
import types
from collections.abc import Iterator
from typing import Any

from mantlet_inspector.source import files

NOISE = ("CACHE", "PUSH_NULL", "NOP", "EXTENDED_ARG", "PRECALL", "RESUME")


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code of a function, and of those within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


def instructions(code: types.CodeType) -> list[dis.Instruction]:
    return [one for one in dis.get_instructions(code) if one.opname not in NOISE]


def unwrapped(function: Any) -> Any:
    """The function that a decorator, a method or a `partial` stands for; anything else as it is."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, types.MethodType):
            function = function.__func__
        elif hasattr(function, "__wrapped__"):
            function = inspect.unwrap(function)
        else:
            return function


def is_installed(function: Any) -> bool:
    file = function.__code__.co_filename
    return files.is_installed(file) or files.is_standard(file)
