"""Reads the code of an operation, or of a dependency."""

from __future__ import annotations

import dataclasses
import functools
import time
from typing import Any

from mantlet_inspector.review import known
from mantlet_inspector.review.effects import Effects
from mantlet_inspector.review.frame import Frame
from mantlet_inspector.review.values import NOTHING, Sent, Value, copied, live
from mantlet_inspector.source import bytecode, files
from mantlet_inspector.source.objects import code_of
from mantlet_inspector.source.stored import bases_of
from mantlet_inspector.source.trees import node_of

DEEPEST = 8  # functions that call each other
MOST = 20_000  # steps of one operation


class TooMuch(Exception):
    """It takes too long to read."""


class Shared:
    """What the operations of an app have in common."""

    def __init__(self, tables: dict[str, Any], bound: float) -> None:
        self.tables = tables
        for one in tables.values():
            one.name = str(one.name)  # SQLAlchemy has a class of its own for names
        self.by_class = {id(one.cls): one for one in tables.values() if one.cls is not None}
        self.stores: dict[int, tuple[Any, str]] = {}  # objects in which an app keeps its own, and names
        self.annotations: dict[int, tuple[Any, list[tuple[str, Value]]]] = {}  # of functions
        self.modules: list[Any] = []
        self.literals: dict[str, bool] = {}  # texts, and whether they stand in the app's code
        self.secrets: set[bytes] = set()  # with which the app signs
        self.end = time.thread_time() + bound
        self.is_late = False

    def check(self) -> None:
        if self.is_late or time.thread_time() > self.end:
            self.is_late = True
            raise TooMuch

    def table_of(self, cls: Any) -> Any:
        return next((self.by_class[id(one)] for one in bases_of(cls) if id(one) in self.by_class), None)

    def annotations_of(self, function: Any) -> list[tuple[str, Value]]:
        """What the annotations of a function say of its arguments."""
        if id(function) not in self.annotations:
            notes = getattr(function, "__annotations__", {})
            read = [(name, known.of_annotation(one, function)) for name, one in notes.items()]
            self.annotations[id(function)] = (function, read)
        return self.annotations[id(function)][1]

    def columns_of(self, store: str) -> frozenset[str] | None:
        """The columns of a table; none if it is not one that is known."""
        table = self.tables.get(store) or next(
            (one for one in self.tables.values() if one.name == store), None
        )
        return frozenset(table.columns) if table is not None else None

    def store_of(self, held: Any, name: str) -> str:
        return self.stores.setdefault(id(held), (held, name))[1]


class Reader:
    """Of one operation, or of one dependency."""

    def __init__(self, shared: Shared, finds_caller: bool = False) -> None:
        self.shared = shared
        self.effects = Effects()
        self.validated: set[Sent] = set()
        self.aliases: dict[Sent, str] = {}  # as clients call what they send, where that differs
        self.steps = 0
        self.running: list[Any] = []
        self.finds_caller = finds_caller
        self.background: set[Any] = set()

    def step(self) -> None:
        self.steps += 1
        if self.steps > MOST:
            raise TooMuch
        if not self.steps & 255:
            self.shared.check()

    def run(self, function: Any, arguments: dict[str, Value], depth: int = 0) -> Value | None:
        """What a function of the app returns; none if it is not read."""
        function = bytecode.unwrapped(function)
        code = code_of(function)
        if code is None or depth > DEEPEST or any(one is code for one in self.running):
            return None
        if not is_followed(code.co_filename):
            return None
        node = node_of(function)
        if node is None:
            self.effects.is_whole = False
            return None
        names = {**defaults_of(function), **arguments}
        for name, of in self.shared.annotations_of(function):
            given = names.get(name)
            if given is None:
                names[name] = copied(of)
            elif given.live is NOTHING and given.cls is None and given.store is None and given.model is None:
                item = given.item or (copied(of.item) if of.item is not None else None)
                names[name] = dataclasses.replace(given, cls=of.cls, item=item)
        self.running.append(code)
        try:
            return Frame(self, function, names, depth).run(node)
        finally:
            self.running.pop()


@functools.cache
def is_followed(file: str) -> bool:
    """Whether it is code of the app's own."""
    return not (files.is_installed(file) or files.is_standard(file) or file.startswith(files.FRAMEWORKS))


def defaults_of(function: Any) -> dict[str, Value]:
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    given = function.__defaults__ or ()
    found = dict(zip(names[len(names) - len(given) :], given))
    found.update(function.__kwdefaults__ or {})
    return {name: live(value) for name, value in found.items() if not known.is_marker(value)}
