"""Whether code catches the exceptions that FastAPI raises for an invalid request, and goes on."""

from __future__ import annotations

import ast
import contextlib
import sys
from typing import Any

from fastapi.exceptions import RequestValidationError

from mantlet_inspector.proof.facts import callable_of
from mantlet_inspector.proof.statuses import value_of
from mantlet_inspector.source import lookup, objects, trees
from mantlet_inspector.source.objects import whole


def hides_errors(call: Any) -> bool:
    """Whether a dependency with `yield` catches what FastAPI raises for an invalid request."""
    function = objects.generated_for(callable_of(whole(call))[0])
    node = trees.node_of(function)
    if node is None:
        return False
    for one in ast.walk(node):
        if not isinstance(one, ast.Try) or not any(
            isinstance(inner, ast.Yield) for body in one.body for inner in ast.walk(body)
        ):
            continue
        if any(isinstance(inner, ast.Return) for last in one.finalbody for inner in ast.walk(last)):
            return True
        for handler in one.handlers:
            if catches(handler.type, function) and not raises_again(handler):
                return True
    return False


def hides_errors_of(function: Any) -> bool:
    """Whether a function may catch what FastAPI raises within it for an invalid request."""
    node = trees.node_of(function)
    for one in ast.walk(node) if node is not None else ():
        if isinstance(one, (ast.With, ast.AsyncWith)) and not all(
            lets_through(item.context_expr, function) for item in one.items
        ):
            return True
        if isinstance(one, ast.Try):
            if any(isinstance(inner, ast.Return) for last in one.finalbody for inner in ast.walk(last)):
                return True
            if any(catches(handler.type, function) and not raises_again(handler) for handler in one.handlers):
                return True
    return node is None


def lets_through(node: Any, function: Any) -> bool:
    """Whether what a `with` enters surely lets exceptions pass."""
    made = node.func if isinstance(node, ast.Call) else None
    value = lookup.UNKNOWN
    if isinstance(made, ast.Name):
        value = lookup.value_of(function, made.id)
    elif isinstance(made, ast.Attribute) and isinstance(made.value, ast.Name):
        value = lookup.attribute_of(lookup.value_of(function, made.value.id), made.attr)
    return value in (contextlib.ExitStack, contextlib.AsyncExitStack, contextlib.nullcontext)


def catches(node: Any, function: Any) -> bool:
    if node is None:
        return True
    if isinstance(node, ast.Tuple):
        return any(catches(one, function) for one in node.elts)
    value = lookup.UNKNOWN
    if isinstance(node, ast.Name):
        value = lookup.value_of(function, node.id)
    elif isinstance(node, ast.Attribute):
        value = value_of(node, sys.modules.get(function.__module__))
    values = value if isinstance(value, tuple) else (value,)
    return any(not isinstance(one, type) or issubclass(RequestValidationError, one) for one in values)


def raises_again(handler: Any) -> bool:
    if any(isinstance(one, ast.Return) for one in ast.walk(handler)):
        return False
    last = handler.body[-1]
    if not isinstance(last, ast.Raise):
        return False
    return last.exc is None or (isinstance(last.exc, ast.Name) and last.exc.id == handler.name)
