"""What names and attributes in the code of a function stand for, without running code."""

from __future__ import annotations

import ast
import builtins
import enum
import functools
import inspect
import types
import warnings
from collections.abc import Set as AbstractSet
from typing import Any

from mantlet_inspector.source import index, memory
from mantlet_inspector.source.files import FRAMEWORKS, file_in, is_frameworks
from mantlet_inspector.source.objects import is_module, names_in
from mantlet_inspector.source.trees import node_of

UNKNOWN = object()
BY_NAME = ("setattr", "__dict__", "vars", "__setattr__")  # ways to attributes of any name


@functools.cache
def rebound(file: str) -> AbstractSet[str]:
    """Names that some function of a module gives another value while the app runs."""
    if memory.are_known(file):
        return memory.facts_of(file).rebound
    if b"global" not in memory.text_of(file):
        return frozenset()
    return set(index.rebound_in(memory.tree_of(file)))


def value_of(function: Any, name: str) -> Any:
    """What a name that is not the function's own stands for."""
    code = function.__code__
    if name in code.co_freevars and function.__closure__:
        try:
            return function.__closure__[code.co_freevars.index(name)].cell_contents
        except ValueError:
            return UNKNOWN
    if name in function.__globals__:
        return UNKNOWN if name in rebound(code.co_filename) else function.__globals__[name]
    return getattr(builtins, name, UNKNOWN)


def attribute_of(value: Any, name: str) -> Any:
    """An attribute that can be had without running code."""
    if is_module(value):
        if name in names_in(value) or not file_in(value).startswith(FRAMEWORKS):
            return names_in(value).get(name, UNKNOWN)
        with warnings.catch_warnings():  # a former name
            warnings.simplefilter("ignore")
            return getattr(value, name, UNKNOWN)
    if isinstance(value, enum.EnumMeta) and name in value.__members__:
        return value.__members__[name]
    try:
        found = inspect.getattr_static(value, name)
    except AttributeError:
        return UNKNOWN
    if isinstance(found, (staticmethod, classmethod)):
        return found.__func__ if isinstance(found, staticmethod) else types.MethodType(found.__func__, value)
    if isinstance(found, types.FunctionType) and not isinstance(value, type):
        own = getattr(value, "__dict__", {})
        return found if name in own else types.MethodType(found, value)
    runs = isinstance(found, property) or (hasattr(type(found), "__get__") and not callable(found))
    return UNKNOWN if runs else found


@functools.cache
def stored_in(cls: Any, made: bool = False) -> set[str] | None:
    """Attributes that the methods of a class set on its objects, after `__init__` only if `made`;
    none if they may be any."""
    names = set()
    for base in cls.__mro__:
        for name, function in list(vars(base).items()):
            function = getattr(function, "__func__", function)
            is_left_out = base is object or is_frameworks(base) or (made and name == "__init__")
            node = None if is_left_out else node_of(function)
            for one in ast.walk(node) if node is not None else ():
                if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store):
                    names.add(one.attr)
                if index.last_name(one) in BY_NAME:
                    return None
    return names


def imported_from(node: ast.ImportFrom, module: Any) -> str:
    """The whole name of the module from which a module imports."""
    name = node.module or ""
    if not node.level:
        return name
    package = (getattr(module, "__package__", None) or "").split(".")
    return ".".join([*package[: len(package) - node.level + 1], *([name] if name else [])])


def owner(cls: Any, name: str) -> type:
    return next(one for one in cls.__mro__ if name in vars(one))
