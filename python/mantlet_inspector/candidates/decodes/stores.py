"""Whether code may change a value while the app runs."""

from __future__ import annotations

import ast
from typing import Any

from mantlet_inspector.candidates.decodes.names import Names
from mantlet_inspector.candidates.decodes.sources import NOTHING, Source, Sources
from mantlet_inspector.source import index
from mantlet_inspector.source.objects import is_class, is_module
from mantlet_inspector.source.stored import bases_of

READERS = {"copy", "count", "get", "index", "items", "keys", "values"}
READING = {"dict", "enumerate", "frozenset", "iter", "len", "list", "reversed", "set", "sorted", "tuple"}


class Stores:
    def __init__(self, sources: Sources, names: Names) -> None:
        self.sources = sources
        self.names = names
        self.known: dict[Any, bool] = {}

    def is_rebound(self, source: Source, name: str) -> bool:
        """Whether a name of a module gets another value in a function."""
        return name in self.sources.parsed(source).rebound or self.is_set(name, source.module)

    def had_others(self, source: Source, name: str) -> bool:
        """Whether a name of a module may have had another value when code of the module ran."""
        stored = [
            node
            for node in self.sources.parsed(source).named.get(name, ())
            if isinstance(node, ast.Name)
            and not isinstance(node.ctx, ast.Load)
            and source.function_around(node) is None
            and source.binding_of(node, name) is None
            and getattr(source.parents[node], "value", node) is not None  # a mere annotation
        ]
        return len(stored) > 1 or any(is_in_loop(source, node) for node in stored)

    # Attributes

    def is_set(self, name: str, owner: Any, is_made: bool = True) -> bool:
        """Whether code in a function sets an attribute of a module, a class, or an object. What
        `__init__` sets is set already; of a class whose objects are made later (not `is_made`),
        what its methods set is known."""
        key = (name, id(owner), is_made)
        if key not in self.known:
            self.known[key] = any(
                self.may_be(source, node, owner, is_made)
                for source in self.sources.that_may_set(name)
                for node in source.named.get(name, ())
                if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
            ) or self.is_set_by_name(name, owner)
        return self.known[key]

    def may_be(self, source: Source, node: ast.Attribute, owner: Any, is_made: bool) -> bool:
        function = source.function_around(node)
        if function is None:  # it has run
            return False
        cls = self.class_of_self(source, node.value)
        if cls is not NOTHING:
            if is_module(owner):
                return False
            if cls is None or not related(cls, class_of(owner)):
                return cls is None
            method = source.function_around(node)
            if "classmethod" in map(index.last_name, getattr(method, "decorator_list", ())):
                return True
            return is_made and not is_class(owner) and getattr(method, "name", "") != "__init__"
        found = self.names.live(source, node.value)
        if found is owner:
            return True
        if is_module(owner):
            return False  # modules have names
        if is_class(found):
            return any(base is found for base in bases_of(class_of(owner)))
        if found is not NOTHING:
            return not is_made and related(type(found), class_of(owner))
        typed = self.type_of(source, node.value)
        return typed is NOTHING or related(typed, class_of(owner))

    def class_of_self(self, source: Source, node: Any) -> Any:
        """The class of the object whose method mentions itself; none if it cannot be had; nothing
        if it is not that."""
        if not isinstance(node, ast.Name):
            return NOTHING
        bound = source.binding_of(node, node.id)
        if bound is None or len(bound[1]) != 1 or bound[1][0].kind != "parameter":
            return NOTHING
        function = bound[0]
        around = source.class_around(function)
        if around is None or not is_first(function, node.id):
            return NOTHING
        return source.class_of(around)

    def type_of(self, source: Source, node: Any) -> Any:
        """The class of a parameter that is annotated with it, or of what a call of the class
        makes."""
        if not isinstance(node, ast.Name):
            return NOTHING
        bound = source.binding_of(node, node.id)
        if bound is None or len(bound[1]) != 1:
            return NOTHING
        kind, value, path = bound[1][0]
        if kind == "parameter" and value.annotation is not None:
            found = self.names.live(source, value.annotation)
        elif kind == "value" and not path and isinstance(value, ast.Call):
            found = self.names.live(source, value.func)
        else:
            found = NOTHING
        return found if is_class(found) else NOTHING

    def is_set_by_name(self, name: str, owner: Any) -> bool:
        """`setattr(settings, name, value)`, where `settings` is known."""
        for source in self.sources.all:
            if b"setattr" not in source.text or not any(one is owner for one in source.names.values()):
                continue
            for node in list(self.sources.parsed(source).named.get("setattr", ())):
                call = source.parents[node]
                if not isinstance(call, ast.Call) or call.func is not node or len(call.args) < 2:
                    continue
                if self.names.live(source, call.args[0]) is owner and source.function_around(node):
                    given = call.args[1]
                    if not isinstance(given, ast.Constant) or given.value == name:
                        return True
        return False

    # Containers

    def is_environment_changed(self) -> bool:
        """Whether a function sets variables."""
        key = "environ"
        if key not in self.known:
            self.known[key] = any(
                self.may_change(source, node, False) for source, node in self.sources.named({key})
            )
        return self.known[key]

    def is_constant(self, container: Any, name: str, is_strict: bool) -> bool:
        """Whether no function changes a list or a dict, which a module may also have by other
        names. It is not to be in the hands of other code if `is_strict`."""
        words = {name} if name else set()
        for source in self.sources.all:
            words |= {one for one, value in source.names.items() if value is container and type(one) is str}
        if not words:
            return False
        return not any(self.may_change(source, node, is_strict) for source, node in self.sources.named(words))

    def is_changed_in(self, source: Source, scope: Any, name: str) -> bool:
        """Whether a function changes a container that a name of its own has, or hands it on."""
        for node in source.named.get(name, ()):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                bound = source.binding_of(node, name)
                if bound is not None and bound[0] is scope and self.changes(source, node, True):
                    return True
        return False

    def may_change(self, source: Source, node: Any, is_strict: bool) -> bool:
        if source.function_around(node) is None:
            return False
        if isinstance(node, ast.Name):
            bound = source.binding_of(node, node.id)
            if bound is not None and all(one.kind != "import" for one in bound[1]):
                return False  # another of the same name
        return self.changes(source, node, is_strict)

    def changes(self, source: Source, node: Any, is_strict: bool) -> bool:
        """Whether the code around a mention of a container changes it."""
        parent = source.parents.get(node)
        while isinstance(parent, ast.Subscript) and parent.value is node:
            if not isinstance(parent.ctx, ast.Load):
                return True
            node, parent = parent, source.parents.get(parent)
        if not isinstance(getattr(node, "ctx", None), ast.Load):
            return True
        if isinstance(parent, ast.AugAssign):
            return parent.target is node
        if isinstance(parent, ast.Attribute):
            return parent.attr not in READERS
        if isinstance(node, ast.Subscript):
            return False
        if isinstance(parent, ast.Call) and parent.func is not node:
            return is_strict and index.last_name(parent.func) not in READING
        is_read = isinstance(parent, (ast.Compare, ast.For, ast.AsyncFor, ast.comprehension, ast.Dict))
        return is_strict and not (is_read or isinstance(parent, (ast.If, ast.IfExp, ast.BoolOp, ast.Expr)))


def class_of(owner: Any) -> Any:
    return owner if is_class(owner) else type(owner)


def related(one: Any, other: Any) -> bool:
    return any(base is other for base in bases_of(one)) or any(base is one for base in bases_of(other))


def is_in_loop(source: Source, node: Any) -> bool:
    while node is not None:
        if isinstance(node, (ast.For, ast.AsyncFor, ast.While, ast.With, ast.AugAssign)):
            return True
        node = source.parents.get(node)
    return False


def is_first(function: Any, name: str) -> bool:
    """Whether a name is the first parameter of a method."""
    if isinstance(function, ast.Lambda):
        return False
    first = [*function.args.posonlyargs, *function.args.args][:1]
    decorators = {index.last_name(one) for one in function.decorator_list}
    return bool(first) and first[0].arg == name and "staticmethod" not in decorators
