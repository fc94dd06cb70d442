"""What an expression may stand for, and what is asked of trees and of values."""

from __future__ import annotations

import ast
import os
import types
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple, Union

from mantlet_inspector.candidates.decodes.sources import FUNCTIONS, Source
from mantlet_inspector.source.stored import attribute, bases_of, is_exactly, module_of, names_of

MOST = 200  # values of one expression
TEXT = (str, bytes)
# Methods by which a container or a text tells what it has.
WAYS = ("__bytes__", "__getitem__", "__iter__", "__missing__", "encode", "get", "items", "values")


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


def identity(value: Value | At) -> Any:
    """What makes two values the same, asked so that no code of theirs runs."""
    if isinstance(value, Live):
        is_text = is_exactly(value.value, *TEXT)
        return (type(value.value), value.value) if is_text else id(value.value)
    if isinstance(value, At):
        return id(value.source), id(value.frames)
    is_inside = (At, Live, Made, Local, Bound, Parts)
    return (type(value), *(identity(one) if is_exactly(one, *is_inside) else id(one) for one in value))


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
    if not is_exactly(found, *TEXT) and module_of(type(found)) == "starlette.datastructures":
        found = attribute(found, "_value")
    if not is_exactly(found, *TEXT):
        raise Unknown
    return found


def has_own_ways(value: Any) -> bool:
    """Whether a container, or a text, is of a class whose own code says what is in it."""
    classes = bases_of(type(value))[:-1]
    return any(type(names_of(one).get(name)) is types.FunctionType for one in classes for name in WAYS)


def is_environment(value: Value) -> bool:
    return isinstance(value, Live) and value.value is os.environ


def is_changeable(value: Value) -> bool:
    return isinstance(value, Parts) and not isinstance(value.node, ast.Tuple)


def is_depends(value: Any) -> bool:
    if type(value) is not types.FunctionType or value.__module__ != "fastapi.param_functions":
        return False
    return value.__name__ in ("Depends", "Security")


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
