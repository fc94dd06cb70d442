"""What is read, and what was found: the parts that all of the proof shares."""

from __future__ import annotations

import functools
import types
from typing import Any

from mantlet_inspector.proof.values import Box, Value
from mantlet_inspector.source import files

DEPTH = 6
STEPS = 20_000  # of one proof
# Attributes of a middleware that say what it does.
GUARDED = {"app", "dispatch", "dispatch_func", "__call__", "__class__"}


class Unproven(Exception):
    """What the code does, in words for the operator."""


class Facts:
    """What was found: each is none, or says why not."""

    def __init__(self) -> None:
        self.rewrites: str | None = None  # it may change the request, or answer by itself
        self.answers: str | None = None  # it may turn an answer into another
        self.reads: str | None = None  # it looks at bytes of the body or at names in the query
        self.preflights = False  # it answers OPTIONS by itself

    def is_proven(self) -> bool:
        return not (self.rewrites or self.answers)


class Instance:
    """The middleware itself."""

    def __init__(self, cls: Any, instance: Any) -> None:
        self.cls = cls
        self.made = instance
        self.apps = set()  # attributes in which the app inside is

    def __repr__(self) -> str:
        return f"Instance({id(self.cls)})"


def callable_of(call: Any) -> tuple[Any, list[Value]]:
    """The function that runs when a dependency is called, and its first argument if FastAPI does
    not give it."""
    if isinstance(call, types.MethodType):
        return call.__func__, [Value("value", data=Box(call.__self__))]
    if isinstance(call, types.FunctionType):
        return call, []
    if isinstance(call, type):
        return call.__init__, [Value("self", data=Instance(call, None))]
    if isinstance(call, functools.partial):
        raise Unproven("is made of parts (`partial`)")
    return type(call).__call__, [Value("value", data=Box(call))]


def shown_code(thing: Any, options: dict[str, Any]) -> Any:
    """The function by whose place a piece is named."""
    if options.get("dispatch"):
        return options["dispatch"]
    if isinstance(thing, type):
        for name in ("dispatch", "__call__", "__init__"):
            function = files.behind(vars(thing).get(name))
            if isinstance(function, types.FunctionType):
                return function
        return thing
    try:
        return callable_of(thing)[0]
    except Unproven:
        return thing
