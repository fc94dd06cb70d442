"""The state while a function is read: the values of its names, and of those in the functions around
it.
"""

from __future__ import annotations

import ast
import types
from typing import TYPE_CHECKING, Any, NoReturn

from mantlet_inspector.proof import values
from mantlet_inspector.proof.facts import Unproven
from mantlet_inspector.proof.values import FREE, Value, is_harmless, joined
from mantlet_inspector.source import lookup

if TYPE_CHECKING:
    from mantlet_inspector.proof.prover import Prover


class Frame:
    """One function that is read, or one inside another.

    Expressions, calls and statements are read by classes that build on this one and on each other,
    in this order: reading is one recursion. Methods of the higher ones that the lower ones call are
    declared here.
    """

    def __init__(self, prover: Prover, function: types.FunctionType, outer: Frame | None, depth: int) -> None:
        self.prover = prover
        self.function = function
        self.outer = outer
        self.depth = depth
        self.making = False
        self.names: dict[str, Value] = {}
        self.assigned: set[str] = set()
        self.elsewhere: set[str] = set()  # names that are assigned further out
        self.result: Value | None = None

    def fail(self, what: str, node: Any) -> NoReturn:
        line = getattr(node, "lineno", None)
        raise Unproven(f"{what} (line {line})" if line else what)

    def bind(self, name: str, value: Value, node: Any) -> None:
        where = self
        if name in self.elsewhere:
            where = self.outer
            while where is not None and name not in where.names:
                where = where.outer
            if where is None:
                if not is_harmless(value):
                    self.fail(f"keeps {values.said(value)} in `{name}`", node)
                return
        if name in where.names:
            came = joined(where.names[name], value)
            if came is None:
                self.fail(f"`{name}` is now one thing, now another", node)
            value = came
        where.names[name] = value

    def reads(self, node: Any) -> None:
        self.prover.facts.reads = (
            self.prover.facts.reads or f"looks at the query or the body (line {node.lineno})"
        )

    def answers(self, what: str, node: Any) -> None:
        self.prover.facts.answers = self.prover.facts.answers or f"{what} (line {node.lineno})"

    def look_up(self, node: Any) -> Value:
        where = self
        while where is not None:
            if node.id in where.names and not (where is self and node.id in self.elsewhere):
                return where.names[node.id]
            where = where.outer
        if node.id in self.assigned and node.id not in self.elsewhere:
            return FREE  # not assigned yet, or deleted
        value = lookup.value_of(self.function, node.id)
        return FREE if value is lookup.UNKNOWN else self.prover.of_value(value)

    def inner(self, outer: Frame) -> Frame:
        """A function inside another one, to be read."""
        return type(self)(self.prover, self.function, outer, self.depth + 1)

    # Of the classes that build on this one

    def see(self, node: ast.expr) -> Value:
        """What an expression stands for."""
        raise NotImplementedError

    def store(self, target: Any, value: Value) -> None:
        raise NotImplementedError

    def run(self, node: Any, arguments: list[Value], named: dict[str, Value]) -> Value:
        """What a function returns that is called so."""
        raise NotImplementedError
