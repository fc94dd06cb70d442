"""What names and attributes stand for where only one thing is possible, without running code."""

from __future__ import annotations

import ast
import builtins
import gc
import sys
import types
from typing import Any

from mantlet_inspector.candidates.decodes.libraries import Libraries
from mantlet_inspector.candidates.decodes.sources import NOTHING, Source, Sources, imported
from mantlet_inspector.candidates.reach import CACHED
from mantlet_inspector.source import index
from mantlet_inspector.source.objects import is_class, is_module, name_in, names_in
from mantlet_inspector.source.stored import attributes, bases_of, class_name, is_exactly, names_of

DEPTH = 10


class Instance:
    """An object of a library's class that a call makes."""

    def __init__(self, cls: Any) -> None:
        self.cls = cls


class Names:
    def __init__(self, sources: Sources, libraries: Libraries) -> None:
        self.sources = sources
        self.libraries = libraries

    def live(self, source: Source, node: Any, depth: int = 0) -> Any:
        """The object that an expression stands for; nothing if that is not known."""
        if depth > DEPTH:
            return NOTHING
        if isinstance(node, ast.Name):
            return self.name(source, node, depth)
        if isinstance(node, ast.Subscript):  # `JWTStrategy[User, UUID]`
            found = self.live(source, node.value, depth + 1)
            return found if is_class(found) else NOTHING
        parts = index.attribute_parts(node)
        if parts is not None:
            return member(self.live(source, parts[0], depth + 1), parts[1])
        if isinstance(node, ast.Call):
            made = self.live(source, node.func, depth + 1)
            kind = self.libraries.kind(made)
            is_made = is_class(made) and kind is not None and kind.what == "class"
            return Instance(made) if is_made else NOTHING
        return NOTHING

    def name(self, source: Source, node: ast.Name, depth: int) -> Any:
        bound = source.binding_of(node, node.id)
        if bound is None:
            return source.names.get(node.id, vars(builtins).get(node.id, NOTHING))
        scope, bindings = bound
        if isinstance(scope, ast.ClassDef):
            cls = source.class_of(scope)
            return NOTHING if cls is None else names_of(cls).get(node.id, NOTHING)
        if len(bindings) != 1:
            return NOTHING
        kind, value, path = bindings[0]
        if kind == "import":
            return imported(source, *value)
        if kind == "value" and not path:
            return self.live(source, value, depth + 1)
        return NOTHING

    def function_at(self, source: Source, function: Any) -> types.FunctionType | None:
        """The function that a definition has made."""
        around = source.class_around(function)
        names: Any = source.names
        if around is not None:
            cls = source.class_of(around)
            names = names_of(cls) if cls is not None else {}
        value = names.get(getattr(function, "name", ""))
        found = function_of(value.__func__ if is_exactly(value, staticmethod, classmethod) else value)
        tree = self.sources.function(found) if found is not None else None
        return found if tree is not None and tree[1] is function else None


def member(value: Any, name: str) -> Any:
    """An attribute, if it can be had without running code."""
    if value is NOTHING:
        return NOTHING
    if type(value) is Instance:
        return of_class(value.cls, name, value)
    if is_module(value):
        found = names_in(value).get(name, NOTHING)
        return sys.modules.get(f"{name_in(value)}.{name}", NOTHING) if found is NOTHING else found
    if is_class(value):
        return of_class(value, name, None)
    found = of_class(type(value), name, value)
    if type(found) is property:
        return NOTHING
    for own, part in attributes(value):
        if own == name:
            return part
    return found


def of_class(cls: Any, name: str, me: Any) -> Any:
    """What a class has by a name: for one of its objects, or for itself."""
    for base in bases_of(cls):
        names = names_of(base)
        members = names.get("_member_map_")
        if me is None and type(members) is dict and name in members:
            return members[name]
        if name not in names:
            continue
        found = names[name]
        if type(found) is staticmethod:
            return found.__func__
        if type(found) is classmethod:
            return types.MethodType(found.__func__, cls)
        if type(found) is types.FunctionType:
            return found if me is None else types.MethodType(found, me)
        is_kept = is_class(found) or is_exactly(found, property, CACHED) or not has(type(found), "__get__")
        return found if is_kept else NOTHING
    return NOTHING


def has(cls: Any, name: str) -> bool:
    """Whether a class has a name, but for `object`."""
    return any(name in names_of(base) for base in bases_of(cls)[:-1])


def kept_in(cached: Any) -> Any:
    """What a function with `lru_cache` has returned when it was called without arguments."""
    parts = gc.get_referents(cached)
    kept = next((one for one in parts if type(one) is dict and len(one) == 1 and () in one), None)
    if kept is None:
        return NOTHING
    found = kept[()]
    if class_name(type(found)) != "_lru_list_elem":
        return found
    keys = [number for number, one in enumerate(parts) if type(one) is tuple and one == ()]
    return parts[keys[0] + 1] if keys else NOTHING


def function_of(value: Any) -> types.FunctionType | None:
    """The function behind a method, a cache or a decorator that says what it wraps."""
    for _ in range(10):
        if type(value) is types.MethodType:
            value = value.__func__
        elif type(value) is CACHED:
            value = dict(attributes(value)).get("__wrapped__")
        elif type(value) is types.FunctionType:
            wrapped = value.__dict__.get("__wrapped__")
            if wrapped is None:
                return value
            value = wrapped
        else:
            return None
    return None
