"""The values that an expression may have: all of them, or an exception.

The order of statements does not matter here: a name may have every value that anything gives it.
"""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any, Callable

from mantlet_inspector.candidates.decodes.callers import Callers
from mantlet_inspector.candidates.decodes.calls import Calls
from mantlet_inspector.candidates.decodes.libraries import Libraries
from mantlet_inspector.candidates.decodes.names import Names
from mantlet_inspector.candidates.decodes.objects import Objects
from mantlet_inspector.candidates.decodes.sources import (
    FUNCTIONS,
    NOTHING,
    Binding,
    Source,
    Sources,
    imported,
)
from mantlet_inspector.candidates.decodes.stores import Stores
from mantlet_inspector.candidates.decodes.value import (
    NO_FRAMES,
    At,
    Live,
    Local,
    Parts,
    Unknown,
    Value,
    default_of,
    distinct,
    has_own_ways,
    identity,
    is_changeable,
    is_environment,
    positional,
)
from mantlet_inspector.source import index
from mantlet_inspector.source.stored import entries, is_a, items, module_of

DEPTH = 60
STEPS = 20_000
PASSES = 5


class Open:
    """A name whose values are being worked out, and those found so far."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.is_used = False


class Values:
    def __init__(
        self,
        sources: Sources,
        names: Names,
        libraries: Libraries,
        check: Callable[[], None],
        folders: list[Path],
    ) -> None:
        self.sources = sources
        self.names = names
        self.libraries = libraries
        self.check = check
        self.folders = folders  # in which an app may have its `.env`
        self.stores = Stores(sources, names)
        self.objects = Objects(self)
        self.callers = Callers(self)
        self.calls = Calls(self)
        self.open: dict[Any, Open] = {}
        self.depth = self.steps = 0

    def of(self, node: Any, at: At) -> list[Value]:
        self.steps += 1
        if self.depth > DEPTH or self.steps > STEPS:
            raise Unknown
        self.check()
        self.depth += 1
        try:
            return distinct(self.any(node, at))
        finally:
            self.depth -= 1

    def any(self, node: Any, at: At) -> list[Value]:
        if isinstance(node, ast.Constant):
            return [Live(node.value)]
        if isinstance(node, ast.Name):
            return self.name(node, at)
        parts = index.attribute_parts(node)
        if parts is not None:
            default = node.args[2:] if isinstance(node, ast.Call) else ()
            found = [one for part in default for one in self.of(part, at)]
            for value in self.of(parts[0], at):
                found += self.objects.attribute(value, parts[1])
            return found
        if isinstance(node, ast.Call):
            return self.calls.call(node, at)
        if isinstance(node, ast.Subscript):
            return self.item(node, at)
        if isinstance(node, (ast.Await, ast.NamedExpr)):
            return self.of(node.value, at)
        if isinstance(node, ast.IfExp):
            return self.of(node.body, at) + self.of(node.orelse, at)
        if isinstance(node, ast.BoolOp):
            return [one for part in node.values for one in self.of(part, at)]
        if isinstance(node, (ast.List, ast.Tuple, ast.Set, ast.Dict)):
            return [Parts(node, at)]
        if isinstance(node, ast.Lambda):
            return [Local(node, at)]
        raise Unknown

    # Names

    def name(self, node: ast.Name, at: At) -> list[Value]:
        bound = at.source.binding_of(node, node.id)
        if bound is None:
            found = self.names.live(at.source, node)
            if found is NOTHING or self.stores.is_rebound(at.source, node.id):
                raise Unknown
            if at.source.function_around(node) is None and self.stores.had_others(at.source, node.id):
                raise Unknown
            return [Live(found)]
        scope, bindings = bound
        if isinstance(scope, ast.ClassDef):
            found = self.names.live(at.source, node)
            if found is NOTHING:
                raise Unknown
            return [Live(found)]
        frame = at.frames.get(scope)
        if frame is not None and frame.is_closure and node.id in frame.given:
            return frame.given[node.id]()
        key = (id(scope), node.id, id(at.frames))
        found = self.fixed(key, lambda: [one for each in bindings for one in self.bound(scope, each, at)])
        if any(is_changeable(one) for one in found) and self.stores.is_changed_in(at.source, scope, node.id):
            raise Unknown
        return found

    def fixed(self, key: Any, find: Callable[[], list[Value]]) -> list[Value]:
        """The values of a name that may be made of itself: looked for until there are no more."""
        if key in self.open:
            self.open[key].is_used = True
            return self.open[key].values
        open_ = self.open[key] = Open()
        try:
            for _ in range(PASSES):
                open_.is_used = False
                found = distinct(find())
                known = set(map(identity, open_.values))
                if not open_.is_used or known >= set(map(identity, found)):
                    return found
                open_.values = distinct(open_.values + found)
            raise Unknown
        finally:
            del self.open[key]

    def bound(self, scope: Any, binding: Binding, at: At) -> list[Value]:
        kind, node, path = binding
        if kind == "import":
            found = imported(at.source, *node)
            if found is NOTHING:
                raise Unknown
            return [Live(found)]
        if kind == "definition":
            if isinstance(node, FUNCTIONS) and not getattr(node, "decorator_list", ()):
                return [Local(node, at)]
            raise Unknown
        if kind == "value":
            return self.unpacked(self.of(node, at), path)
        if kind == "each":
            return self.each(node, path, at)
        if kind != "parameter":
            raise Unknown
        frame = at.frames.get(scope)
        if frame is None or frame.is_closure:
            return self.callers.parameter(at.source, scope, node)
        if node.arg in frame.given:
            return frame.given[node.arg]()
        return self.default(at.source, scope, node)

    def default(self, source: Source, function: Any, argument: ast.arg) -> list[Value]:
        node = default_of(function, argument)
        if node is None:
            raise Unknown
        live = self.names.function_at(source, function)
        if live is not None:  # as it was when the function was made
            names = positional(function)
            known = dict(zip(reversed(names), reversed(live.__defaults__ or ())))
            known.update(live.__kwdefaults__ or {})
            if argument.arg in known:
                return [Live(known[argument.arg])]
        return self.of(node, At(source, NO_FRAMES))

    def unpacked(self, values: list[Value], path: tuple[int, ...]) -> list[Value]:
        for number in path:
            values = [one for value in values for one in self.nth(value, number)]
        return values

    def nth(self, value: Value, number: int) -> list[Value]:
        if isinstance(value, Parts) and isinstance(value.node, (ast.Tuple, ast.List)):
            parts = value.node.elts
            if number < len(parts) and not any(isinstance(one, ast.Starred) for one in parts):
                return self.of(parts[number], value.at)
        elif isinstance(value, Live) and is_a(value.value, tuple):
            found = items(value.value)
            if number < len(found):
                return [Live(found[number])]
        raise Unknown

    # Containers

    def each(self, node: Any, path: tuple[int, ...], at: At) -> list[Value]:
        """What a loop goes through."""
        if isinstance(node, ast.Call):
            called: Any = node.func
            method = called.attr if isinstance(called, ast.Attribute) else ""
            if method == "items" and path[:1] == (1,):
                return self.unpacked(self.parts(called.value, at), path[1:])
            if method == "values":
                return self.unpacked(self.parts(called.value, at), path)
            if self.names.live(at.source, node.func) is enumerate and path[:1] == (1,) and node.args:
                return self.each(node.args[0], path[1:], at)
            found = [one for value in self.of(node.func, at) for one in self.yielded(value, node, at)]
            return self.unpacked(found, path)
        if any(isinstance(one, Live) and is_a(one.value, dict) for one in self.of(node, at)):
            raise Unknown
        return self.unpacked(self.parts(node, at), path)

    def yielded(self, callee: Value, call: Any, at: At) -> list[Value]:
        source, function, frames = self.calls.entered(callee, call, at)
        return self.calls.results(source, function, frames, (ast.Yield,))

    def parts(self, node: Any, at: At) -> list[Value]:
        """All that is in a container, or the values of a dict."""
        found: list[Value] = []
        for value in self.of(node, at):
            if isinstance(value, Parts):
                found += self.written(value)
            elif isinstance(value, Live) and is_a(value.value, dict, list, tuple, set, frozenset):
                self.be_constant(value.value, node, True)
                is_dict = is_a(value.value, dict)
                inside = [one for _, one in entries(value.value)] if is_dict else items(value.value)
                found += [Live(one) for one in inside]
            else:
                raise Unknown
        return found

    def written(self, parts: Parts) -> list[Value]:
        nodes = parts.node.values if isinstance(parts.node, ast.Dict) else parts.node.elts
        keys = parts.node.keys if isinstance(parts.node, ast.Dict) else ()
        if None in keys or any(isinstance(one, ast.Starred) for one in nodes):
            raise Unknown
        return [one for node in nodes for one in self.of(node, parts.at)]

    def be_constant(self, container: Any, node: Any, is_strict: bool) -> None:
        if has_own_ways(container):
            raise Unknown
        if is_a(container, tuple, frozenset):
            return
        while isinstance(node, (ast.Subscript, ast.Call)):
            node = node.value if isinstance(node, ast.Subscript) else getattr(node.func, "value", None)
        if not self.stores.is_constant(container, index.last_name(node), is_strict):
            raise Unknown

    def item(self, node: ast.Subscript, at: At) -> list[Value]:
        base = self.of(node.value, at)
        if any(is_environment(one) for one in base):
            return [one for value in base for one in self.variable(value, [node.slice], at)]
        if isinstance(node.slice, ast.Slice):
            raise Unknown
        return self.looked_up(base, node.value, node.slice, at)

    def looked_up(self, base: list[Value], node: Any, key: Any, at: At) -> list[Value]:
        """`KEYS["current"]`, `KEYS[kid]`"""
        if not isinstance(key, ast.Constant):
            return self.parts(node, at)
        found: list[Value] = []
        for value in base:
            if isinstance(value, Parts) and isinstance(value.node, ast.Dict):
                keys = [getattr(one, "value", NOTHING) for one in value.node.keys]
                if not all(isinstance(one, ast.Constant) for one in value.node.keys):
                    raise Unknown
                at_key = [one for known, one in zip(keys, value.node.values) if known == key.value]
                found += [each for one in at_key for each in self.of(one, value.at)]
            elif isinstance(value, Live) and is_a(value.value, dict) and type(key.value) is str:
                self.be_constant(value.value, node, False)
                found += [
                    Live(one) for name, one in entries(value.value) if type(name) is str and name == key.value
                ]
            else:
                found += self.parts(node, at)
        return found

    def is_own(self, cls: Any) -> bool:
        return module_of(cls) in self.sources.by_name

    # The environment

    def variable(
        self, value: Value, arguments: list[Any], at: At, options: list[Any] | None = None
    ) -> list[Value]:
        """`os.environ["NAME"]`, also as it may be read from a file later; and the default."""
        if not is_environment(value) or self.stores.is_environment_changed():
            raise Unknown
        name = self.calls.one_of(arguments[0], at)
        found: list[Value] = []
        if type(name) is str and name in os.environ:
            found.append(Live(os.environ[name]))
        for known, text in self.objects.variables():
            if known == name:
                found.append(Live(text))
        default = [*arguments[1:2], *(one.value for one in options or () if one.arg == "default")]
        for one in default:
            found += self.of(one, at)
        return found
