"""Whether code that reads a token without its signature goes on only if the same token is
verified."""

from __future__ import annotations

import ast
from typing import Any

from mantlet_inspector.candidates.decodes.places import Place
from mantlet_inspector.candidates.decodes.sources import COMPREHENSIONS, FUNCTIONS

# How a list of statements ends: by an exception or with a token that is verified; by going on; or
# with a result, and the token may not be verified.
DONE, ON, OPEN = "done", "on", "open"
BRANCHES = (ast.IfExp, ast.BoolOp, *FUNCTIONS, *COMPREHENSIONS)


def is_harmless(peek: Place, verifying: list[Place]) -> bool:
    """Each way from where it is read has to come to one of the calls that verify it."""
    function = peek.source.function_around(peek.call)
    if function is None or isinstance(function, ast.Lambda) or not peek.arguments:
        return False
    if not isinstance(peek.arguments[0], ast.Name):
        return False
    bound = peek.source.binding_of(peek.call, peek.arguments[0].id)
    if bound is None or len(bound[1]) != 1:  # it may be another one later
        return False
    token = ast.dump(peek.arguments[0])
    calls = {
        one.call
        for one in verifying
        if one.arguments and ast.dump(one.arguments[0]) == token and one.held is None
    }
    return Ways(peek, calls).are_done(function)


class Ways:
    def __init__(self, peek: Place, calls: set[Any]) -> None:
        self.peek = peek
        self.parents = peek.source.parents
        self.calls = calls

    def are_done(self, function: Any) -> bool:
        below = self.peek.source.statement_of(self.peek.call)
        ending = self.statement(below) if isinstance(below, ast.If) else ON
        if ending == OPEN or isinstance(below, (ast.Return, ast.For, ast.While, ast.With)):
            return False
        while below is not function:
            above = self.parents[below]
            if isinstance(above, ast.ExceptHandler):
                return False
            block = next((one for one in blocks(above) if below in one), [])
            if ending == ON:
                ending = self.all(block[block.index(below) + 1 :] if block else [])
            if isinstance(above, ast.Try) and block is above.body:
                handled = [self.all(one.body) for one in above.handlers]
                ending = ON if ON in handled and ending == DONE else ending
                if OPEN in handled or has_return(above.finalbody):
                    return False
            elif isinstance(above, ast.stmt) and not isinstance(above, (ast.If, ast.Try, *FUNCTIONS)):
                return False
            if ending == OPEN:
                return False
            below = above
        return ending == DONE

    def all(self, statements: list[Any]) -> str:
        for one in statements:
            ending = self.statement(one)
            if ending != ON:
                return ending
        return ON

    def statement(self, node: Any) -> str:
        if isinstance(node, ast.Raise):
            return DONE
        if isinstance(node, ast.If):
            if self.verifies(node.test):
                return DONE
            return worst(self.all(node.body), self.all(node.orelse))
        if isinstance(node, ast.Try):
            if has_return(node.finalbody):
                return OPEN
            return worst(self.all([*node.body, *node.orelse]), *(self.all(one.body) for one in node.handlers))
        if isinstance(node, ast.Return):
            is_nothing = node.value is None or (isinstance(node.value, ast.Constant) and not node.value.value)
            return DONE if is_nothing or self.verifies(node.value) else OPEN
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr)):
            return DONE if node.value is not None and self.verifies(node.value) else ON
        if isinstance(node, (ast.Break, ast.Continue)) or has_return([node]):
            return OPEN
        return ON

    def verifies(self, node: Any) -> bool:
        """Whether an expression always comes to one of the calls."""
        if node in self.calls:
            return True
        if isinstance(node, BRANCHES):
            return False
        return any(self.verifies(one) for one in ast.iter_child_nodes(node))


def worst(*endings: str) -> str:
    return next((one for one in (OPEN, ON) if one in endings), DONE)


def blocks(node: Any) -> list[list[Any]]:
    found = (getattr(node, name, None) for name in ("body", "orelse", "finalbody"))
    return [one for one in found if isinstance(one, list)]


def has_return(nodes: list[Any]) -> bool:
    return any(isinstance(one, ast.Return) for node in nodes for one in ast.walk(node))
