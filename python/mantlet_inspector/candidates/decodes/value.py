"""What an expression may stand for, and what is asked of trees and of values."""

from __future__ import annotations

import ast
import os
import types
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple, Union

from mantlet_inspector.candidates.decodes.sources import FUNCTIONS, Source
from mantlet_inspector.source.stored import attribute, module_of

MOST = 200  # values of one expression
TEXT = (str, bytes)


class Unknown(Exception):
    """The values of an expression are not known."""


class At(NamedTuple):
    """Where an expression stands, and the calls in which it is looked at."""

    source: Source
    frames: dict[Any, Frame]


class Frame(NamedTuple):
    """What the parameters of a function are in one call, where one that is not given has its
    default; or what a function inside has of one that has ended."""

    given: dict[str, Callable[[], list[Value]]]
    is_closure: bool = False


class Live(NamedTuple):
    """An object."""

    value: Any


class Made(NamedTuple):
    """An object that a call of its class makes; of which call is not known if there is none."""

    cls: Any
    call: Any = None
    at: Any = None


class Local(NamedTuple):
    """A function in a function."""

    node: Any
    at: At


class Bound(NamedTuple):
    """A function of the app's own and its first argument."""

    function: Any
    me: Any


class Parts(NamedTuple):
    """A list, a tuple, a set or a dict as it is written."""

    node: Any
    at: At


Value = Union[Live, Made, Local, Bound, Parts]
NO_FRAMES: dict[Any, Frame] = {}


def contents(cell: Any) -> list[Value]:
    try:
        return [Live(cell.cell_contents)]
    except ValueError:
        raise Unknown from None


def identity(value: Value) -> Any:
    """What makes two values the same, asked so that no code of theirs runs."""
    if isinstance(value, Live):
        is_text = type(value.value) in TEXT
        return (type(value.value), value.value) if is_text else id(value.value)
    return (type(value).__name__, *(part if type(part) in (int, str) else id(part) for part in value))


def distinct(values: list[Value]) -> list[Value]:
    found = {identity(one): one for one in values}
    if len(found) > MOST:
        raise Unknown
    return list(found.values())


def inner(value: Value) -> Live:
    """What Pydantic's secrets hold."""
    found = attribute(value.value, "_secret_value") if isinstance(value, Live) else None
    if found is None:
        raise Unknown
    return Live(found)


def text_of(value: Value) -> Any:
    """A text or bytes; that in a secret of Starlette, whose `str` it is."""
    found = value.value if isinstance(value, Live) else None
    if type(found) not in TEXT and module_of(type(found)) == "starlette.datastructures":
        found = attribute(found, "_value")
    if type(found) not in TEXT:
        raise Unknown
    return found


def is_environment(value: Value) -> bool:
    return isinstance(value, Live) and value.value is os.environ


def is_changeable(value: Value) -> bool:
    return isinstance(value, Parts) and not isinstance(value.node, ast.Tuple)


def is_depends(value: Any) -> bool:
    return type(value) is types.FunctionType and value.__module__ == "fastapi.param_functions"


def is_generator(function: Any) -> bool:
    return any(isinstance(one, (ast.Yield, ast.YieldFrom)) for one in inside(function))


def inside(function: Any) -> Iterator[Any]:
    """What runs in a function, without functions and classes in it."""
    waiting = list(function.body) if isinstance(function.body, list) else [function.body]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def arguments_of(function: Any) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def positional(function: Any) -> list[str]:
    return [one.arg for one in (*function.args.posonlyargs, *function.args.args)]


def default_of(function: Any, argument: ast.arg) -> Any:
    arguments = function.args
    plain = [*arguments.posonlyargs, *arguments.args]
    for one, node in zip(reversed(plain), reversed(arguments.defaults)):
        if one is argument:
            return node
    for one, node in zip(arguments.kwonlyargs, arguments.kw_defaults):
        if one is argument:
            return node
    return None
