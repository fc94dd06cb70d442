"""The values of expressions in the app's own code: objects, or the classes of objects that do not
exist yet.
"""

from __future__ import annotations

import ast
import collections
import functools
import inspect
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any, NamedTuple

from mantlet_inspector.proof.app_code import is_apps
from mantlet_inspector.source import files, lookup, trees
from mantlet_inspector.source.lookup import UNKNOWN

# What others keep there may be anything.
KEPT = {"state", "app", "user", "auth", "scope", "session", "extra", "extensions"}
FOREIGN = object()  # something whose code is not the app's
BUILTIN = (
    ast.Constant,
    ast.JoinedStr,
    ast.List,
    ast.Dict,
    ast.Set,
    ast.Tuple,
    ast.ListComp,
    ast.DictComp,
    ast.SetComp,
    ast.Compare,
)


class Typed(NamedTuple):
    """An object of a class of the app's own."""

    cls: type


class Bound(NamedTuple):
    """A function, and what its first argument is."""

    function: types.FunctionType
    me: Any


class FunctionNames:
    """One function that is read: what its names stand for."""

    def __init__(self, function: types.FunctionType, node: Any, me: Any) -> None:
        self.function, self.node, self.me = function, node, me
        parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        self.parameters = [one.arg for one in parameters]
        self.bound = set(self.parameters)
        self.given: dict[str, list[ast.expr]] = collections.defaultdict(list)
        self.imported: dict[str, Any] = {}
        self.caught: set[str] = set()
        self.open: set[int] = set()
        self.stored: collections.Counter[str] = collections.Counter()
        for one in inside(node):
            self.bind(one)

    def bind(self, one: ast.AST) -> None:
        if isinstance(one, ast.Name) and isinstance(one.ctx, (ast.Store, ast.Del)):
            self.bound.add(one.id)
            self.stored[one.id] += 1
        elif isinstance(one, (*trees.FUNCTIONS, ast.ClassDef)) and one is not self.node:
            self.bound.add(getattr(one, "name", "<lambda>"))
            for inner in ast.walk(one.args) if isinstance(one, trees.FUNCTIONS) else ():
                if isinstance(inner, ast.arg):
                    self.bound.add(inner.arg)
        elif isinstance(one, ast.ExceptHandler) and one.name:
            self.bound.add(one.name)
            self.caught.add(one.name)
        elif isinstance(one, ast.Import):
            for alias in one.names:
                top = alias.name if alias.asname else alias.name.partition(".")[0]
                self.imported[alias.asname or top] = sys.modules.get(top, UNKNOWN)
        elif isinstance(one, ast.ImportFrom):
            base = lookup.imported_from(one, sys.modules.get(self.function.__module__))
            module = sys.modules.get(base)
            for alias in one.names:
                found = vars(module).get(alias.name, UNKNOWN) if module is not None else UNKNOWN
                if found is UNKNOWN:
                    found = sys.modules.get(f"{base}.{alias.name}", UNKNOWN)
                self.imported[alias.asname or alias.name] = found
        if isinstance(one, ast.Assign):
            for target in one.targets:
                if isinstance(target, ast.Name):
                    self.given[target.id].append(one.value)
        elif (
            isinstance(one, (ast.AnnAssign, ast.NamedExpr))
            and isinstance(one.target, ast.Name)
            and one.value is not None
        ):
            self.given[one.target.id].append(one.value)
        elif isinstance(one, ast.withitem) and isinstance(one.optional_vars, ast.Name):
            self.given[one.optional_vars.id].append(one.context_expr)

    def is_elsewhere(self, node: ast.AST) -> bool:
        """A name from an import inside the function, of a module that is not imported yet."""
        return isinstance(node, ast.Name) and self.imported.get(node.id) is UNKNOWN

    def is_rebound(self, node: ast.AST) -> bool:
        """A name of the module that stands for now one thing, now another."""
        return (
            isinstance(node, ast.Name) and node.id not in self.bound and node.id in self.function.__globals__
        )

    def value(self, node: ast.AST) -> Any:
        """What an expression stands for."""
        if id(node) in self.open:  # a name that is made of itself
            return UNKNOWN
        self.open.add(id(node))
        try:
            return self.seen(node)
        finally:
            self.open.discard(id(node))

    def seen(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Name):
            return self.name(node.id)
        if isinstance(node, ast.Attribute):
            return attribute(self.value(node.value), node.attr)
        if isinstance(node, ast.Await):
            return self.value(node.value)
        if isinstance(node, ast.Call):
            return made_by(self.value(node.func))
        if isinstance(node, ast.BoolOp):
            return FOREIGN if all(self.value(one) is FOREIGN for one in node.values) else UNKNOWN
        return FOREIGN if isinstance(node, BUILTIN) else UNKNOWN

    def name(self, name: str) -> Any:
        if name in self.imported:
            return self.imported[name]
        if name not in self.bound:
            return plain(lookup.value_of(self.function, name))
        given = self.given.get(name, ())
        stored = self.stored[name]
        if name in self.parameters and not stored:
            if self.parameters[0] == name and self.me is not None:
                return self.me if isinstance(self.me, type) is False else Typed(self.me)
            return typed(hints_of(self.function).get(name))
        if name in self.parameters or stored != len(given) or not given:
            return FOREIGN if name in self.caught and not stored else UNKNOWN
        values = [self.value(one) for one in given]
        return values[0] if all(one is values[0] or one == values[0] for one in values) else UNKNOWN


def attribute(base: Any, name: str) -> Any:
    if base is FOREIGN:
        return UNKNOWN if name in KEPT else FOREIGN
    if base is UNKNOWN:
        return UNKNOWN
    if isinstance(base, Bound):
        return UNKNOWN
    if isinstance(base, Typed):
        found = inspect.getattr_static(base.cls, name, UNKNOWN)
        found = found.fget if isinstance(found, property) else getattr(found, "__func__", found)
        if isinstance(found, types.FunctionType):
            return Bound(found, base.cls)
        return typed(hints_of(base.cls).get(name))
    found = lookup.attribute_of(base, name)
    if found is UNKNOWN and not isinstance(base, type):
        held = getattr(base, "__dict__", {})
        found = held[name] if isinstance(held, dict) and name in held else found
    if found is UNKNOWN and is_foreign(base if isinstance(base, (type, types.FunctionType)) else type(base)):
        return UNKNOWN if name in KEPT else FOREIGN
    return plain(found)


def made_by(callee: Any) -> Any:
    if isinstance(callee, type):
        return FOREIGN if is_foreign(callee) else Typed(callee)
    if callee is FOREIGN:
        return FOREIGN
    if isinstance(callee, types.MethodType):
        callee = callee.__func__
    callee = callee.function if isinstance(callee, Bound) else callee
    if isinstance(callee, types.BuiltinFunctionType):
        return UNKNOWN if callee.__name__ in ("getattr", "eval", "__import__", "next") else FOREIGN
    if isinstance(callee, types.FunctionType):
        return typed(hints_of(callee).get("return")) if not is_foreign(callee) else FOREIGN
    return UNKNOWN


def typed(hint: Any) -> Any:
    """What an annotation says of a value."""
    if typing.get_origin(hint) is not None:
        parts = [typed(one) for one in typing.get_args(hint) if one is not type(None)]
        is_one = bool(parts) and all(one == parts[0] for one in parts) and not isinstance(parts[0], Typed)
        return parts[0] if is_one else UNKNOWN
    if not isinstance(hint, type) or hint is object:
        return UNKNOWN
    return FOREIGN if is_foreign(hint) else Typed(hint)


def plain(value: Any) -> Any:
    """A value of a module; what holds no code is foreign."""
    if isinstance(value, (str, bytes, int, float, bool, type(None))):
        return FOREIGN
    return value


@functools.cache
def hints_of(function: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # a name that is there for type checkers only
        return {
            name: hint
            for name, hint in getattr(function, "__annotations__", {}).items()
            if not isinstance(hint, str)
        }


def is_foreign(thing: Any) -> bool:
    """Code that knows no `HTTPException`, and the frameworks' own."""
    if files.is_frameworks(thing) or files.is_standard(files.file_of(thing)):
        return True
    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    return files.is_installed(files.file_of(thing)) and not is_apps(module)


def functions_of(cls: type) -> Iterator[types.FunctionType]:
    """The methods of the app's own that objects of a class have."""
    for one in (part for base in cls.__mro__ if not is_foreign(base) for part in list(vars(base).values())):
        for part in (one.fget, one.fset) if isinstance(one, property) else (getattr(one, "__func__", one),):
            part = vars(part).get("__wrapped__", part) if isinstance(part, types.FunctionType) else part
            if isinstance(part, types.FunctionType):
                yield part


@functools.cache
def functions_named() -> dict[str, list[tuple[types.FunctionType, Any]]]:
    """All functions and methods of the app's own, by their names."""
    found: dict[str, list[tuple[types.FunctionType, Any]]] = collections.defaultdict(list)
    modules = [one for one in list(sys.modules.values()) if isinstance(one, types.ModuleType)]
    for module in [one for one in modules if is_apps(one)]:
        for name, value in list(vars(module).items()):
            if isinstance(value, types.FunctionType) and value.__module__ == module.__name__:
                found[name].append((value, None))
            elif isinstance(value, type) and value.__module__ == module.__name__:
                for inner, function in list(vars(value).items()):
                    is_property = isinstance(function, property)
                    function = function.fget if is_property else getattr(function, "__func__", function)
                    if isinstance(function, types.FunctionType) and not inner.startswith("__"):
                        found[inner].append((function, value))
    return found


def inside(node: Any) -> Iterator[ast.AST]:
    """What runs when a function is called: not its defaults, nor its decorators."""
    for one in node.body if isinstance(node.body, list) else [node.body]:
        yield from ast.walk(one)
