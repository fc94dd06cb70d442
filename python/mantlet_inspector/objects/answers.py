"""Answers that a handler makes itself: they may show something else than what is declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starlette.responses import Response

from mantlet_inspector.source import bytecode, files
from mantlet_inspector.source.lookup import UNKNOWN, attribute_of, value_of
from mantlet_inspector.source.objects import code_of, is_class, is_module
from mantlet_inspector.source.stored import bases_of

MOST = 100  # functions that are looked at for one handler


def makes_answers(handler: Any) -> bool:
    """Whether a handler, or a function of the app that it calls by its name, names a class of
    responses."""
    waiting, seen = [handler], set()
    while waiting and len(seen) < MOST:
        function = bytecode.unwrapped(waiting.pop())
        if code_of(function) is None or id(function) in seen or files.is_installed(files.file_of(function)):
            continue
        seen.add(id(function))
        for value in named_in(function):
            if is_class(value) and any(base is Response for base in bases_of(value)):
                return True
            waiting += [value] if code_of(value) is not None else []
    return False


def named_in(function: Any) -> Iterator[Any]:
    """What the names in the code of a function stand for."""
    names = dict.fromkeys(name for code in bytecode.codes(function.__code__) for name in code.co_names)
    for name in names:
        value = value_of(function, name)
        if is_module(value):
            yield from (attribute_of(value, other) for other in names)
        elif value is not UNKNOWN:
            yield value
