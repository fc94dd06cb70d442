"""What is read, and what was found: the parts that all of the proof shares."""

from __future__ import annotations

import functools
import types

from starlette.exceptions import HTTPException

from mantlet_inspector.proof import values as kinds
from mantlet_inspector.proof.values import kind
from mantlet_inspector.source import files, lookup

DEPTH = 6
STEPS = 20_000  # of one proof
# Attributes of a middleware that say what it does.
GUARDED = {"app", "dispatch", "dispatch_func", "__call__", "__class__"}


class Unproven(Exception):
    """Why, as a person reads it: what the code does."""


class Facts:
    """What was found: each is none, or says why not."""

    def __init__(self):
        self.rewrites = None  # it may change the request, or answer by itself
        self.answers = None  # it may turn an answer into another
        self.reads = None  # it looks at bytes of the body or at names in the query
        self.preflights = False  # it answers OPTIONS by itself

    def is_proven(self):
        return not (self.rewrites or self.answers)


class Me:
    """The middleware itself."""

    def __init__(self, cls, instance):
        self.cls = cls
        self.instance = instance
        self.apps = set()  # attributes in which the app inside is

    def __repr__(self):
        return f"Me({id(self.cls)})"


class Box:
    """A value that is compared by what it is."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, Box) and self.key() == other.key()

    def __hash__(self):
        return hash(self.key())

    def __repr__(self):
        return f"Box{self.key()}"

    def key(self):
        return ("int", self.value) if type(self.value) is int else ("id", id(self.value))


def callable_of(call):
    """The function that runs when a dependency is called, and what its first argument is if that is not FastAPI's."""
    if isinstance(call, types.MethodType):
        return call.__func__, [kind("value", Box(call.__self__))]
    if isinstance(call, types.FunctionType):
        return call, []
    if isinstance(call, type):
        return call.__init__, [kind("self", Me(call, None))]
    if isinstance(call, functools.partial):
        raise Unproven("is made of parts (`partial`)")
    return type(call).__call__, [kind("value", Box(call))]


def code_of(thing, options):
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


def is_harmless(value):
    return value.name in kinds.HARMLESS


def is_http(value):
    """Whether exceptions have a status that is looked at elsewhere (`raised.py`)."""
    held = value.data.value if value.name == "value" else None
    return isinstance(held, type) and issubclass(held, HTTPException)


def are_errors(cls):
    """Exceptions of the app's own that say their status once and for all."""
    stored, status = lookup.stored_in(cls), getattr(cls, "status_code", None)
    here = stored is not None and "status_code" not in stored and type(status) is int and 400 <= status <= 599
    return here and all(map(are_errors, cls.__subclasses__()))


def owner_of(value, function):
    return next((one for one in type(value).__mro__ if function in vars(one).values()), type(value))


def is_security(function):
    """FastAPI's own schemes read the one place that they declare."""
    return files.is_frameworks(function) and (function.__module__ or "").startswith("fastapi.security")
