"""The values that an expression may have: all of them, or an exception.

The order of statements does not matter here: a name may have every value that anything gives it.
"""

from __future__ import annotations

import ast
import base64
import functools
import os
import types
import typing
from pathlib import Path
from typing import Any, Callable

from mantlet_inspector.candidates.decodes.callers import Callers
from mantlet_inspector.candidates.decodes.libraries import KEYS_MADE, Libraries
from mantlet_inspector.candidates.decodes.names import Names, function_of, kept_in
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
    TEXT,
    At,
    Bound,
    Frame,
    Live,
    Local,
    Made,
    Parts,
    Unknown,
    Value,
    arguments_of,
    contents,
    default_of,
    distinct,
    identity,
    inner,
    inside,
    is_changeable,
    is_depends,
    is_environment,
    is_generator,
    positional,
    text_of,
)
from mantlet_inspector.candidates.reach import CACHED
from mantlet_inspector.source import index
from mantlet_inspector.source.objects import is_class
from mantlet_inspector.source.stored import entries, is_a, items, module_of

DEPTH = 60
STEPS = 20_000
PASSES = 5
PURE = (
    base64.b64decode,
    base64.b64encode,
    base64.standard_b64decode,
    base64.urlsafe_b64decode,
    base64.urlsafe_b64encode,
    bytes.fromhex,
)
PURE_METHODS = {"decode", "encode", "lower", "lstrip", "replace", "rstrip", "strip", "upper"}


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
            return self.call(node, at)
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
        source, function, frames = self.entered(callee, call, at)
        return self.results(source, function, frames, (ast.Yield,))

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

    # Calls

    def call(self, node: ast.Call, at: At) -> list[Value]:
        if isinstance(node.func, ast.Attribute):
            found = self.method(node, node.func.value, node.func.attr, at)
            if found is not None:
                return found
        return [one for callee in self.of(node.func, at) for one in self.returned(callee, node, at)]

    def method(self, node: ast.Call, base_node: Any, name: str, at: At) -> list[Value] | None:
        """Methods whose result is known; none if it is not one of these."""
        if name in PURE_METHODS:
            base = self.of(base_node, at)
            if all(type(one.value) in TEXT for one in base if isinstance(one, Live)):
                return [self.pure(getattr(text_of(one), name), node, at) for one in base]
            return None
        if name == "get_secret_value":
            return [inner(one) for one in self.of(base_node, at)]
        if name in KEYS_MADE and self.libraries.kind(self.names.live(at.source, base_node)) is not None:
            return self.of(node.args[0], at) if node.args else []
        if name == "get" and node.args:
            base = self.of(base_node, at)
            if any(is_environment(one) for one in base):
                return [one for value in base for one in self.variable(value, node.args, at)]
            if all(
                isinstance(one, Parts) or (isinstance(one, Live) and is_a(one.value, dict)) for one in base
            ):
                default = self.of(node.args[1], at) if len(node.args) > 1 else []
                return self.looked_up(base, base_node, node.args[0], at) + default
        return None

    def pure(self, function: Callable[..., Any], node: ast.Call, at: At) -> Live:
        """What a function of Python makes of texts."""
        arguments = [self.one_of(one, at) for one in node.args]
        options = {one.arg or "": self.one_of(one.value, at) for one in node.keywords}
        try:
            return Live(function(*arguments, **options))
        except Exception:
            raise Unknown from None

    def one_of(self, node: Any, at: At) -> Any:
        found = self.of(node, at)
        if len(found) == 1 and isinstance(found[0], Live) and type(found[0].value) in (*TEXT, int, bool):
            return found[0].value
        raise Unknown

    def returned(self, callee: Value, node: ast.Call, at: At) -> list[Value]:
        """What a call comes to."""
        if isinstance(callee, Live):
            value = callee.value
            if type(value) is types.BuiltinFunctionType or is_class(value):
                found = self.built_in(value, node, at)
                if found is not None:
                    return found
            if type(value) is CACHED and not node.args and not node.keywords:
                kept = kept_in(value)
                if kept is not NOTHING:
                    return [Live(kept)]
            if value is os.getenv and node.args:
                return self.variable(Live(os.environ), node.args, at, node.keywords)
            if value is typing.cast and len(node.args) == 2:
                return self.of(node.args[1], at)
            if type(value) is types.FunctionType and value in PURE:
                return self.one_by_one(value, node, at)
            if is_class(value):
                if self.is_own(value):
                    return [Made(value, node, at)]
                raise Unknown
            if is_depends(value):
                return self.depended(node.args[0], at) if node.args else self.refused()
        source, function, frames = self.entered(callee, node, at)
        if is_generator(function):
            raise Unknown
        return self.results(source, function, frames, (ast.Return,))

    def refused(self) -> list[Value]:
        raise Unknown

    def built_in(self, value: Any, node: ast.Call, at: At) -> list[Value] | None:
        if (value is str or value is bytes) and node.args:
            made = [text_of(one) for one in self.of(node.args[0], at)]
            if value is str and len(node.args) == 1 and all(type(one) is str for one in made):
                return [Live(one) for one in made]
            more = [self.one_of(one, at) for one in node.args[1:]]
            more += [self.one_of(one.value, at) for one in node.keywords]
            try:
                return [Live(value(one, *more)) for one in made]
            except Exception:
                raise Unknown from None
        if any(value is one for one in (list, tuple, set, frozenset)) and len(node.args) == 1:
            return self.of(node.args[0], at)
        if type(value) is types.BuiltinFunctionType and value in PURE:
            return self.one_by_one(value, node, at)
        return None

    def one_by_one(self, function: Any, node: ast.Call, at: At) -> list[Value]:
        made: list[Value] = []
        for one in self.of(node.args[0], at) if node.args else ():
            try:
                made.append(Live(function(text_of(one))))
            except Exception:
                raise Unknown from None
        return made

    def entered(self, callee: Value, node: Any, at: At) -> tuple[Source, Any, dict[Any, Frame]]:
        """A function of the app's own that a call enters -> its source, its tree, and the calls
        that are open then."""
        me = None
        if isinstance(callee, Bound):
            callee, me = callee.function, callee.me
        if isinstance(callee, Local):
            source, function, outer = callee.at.source, callee.node, callee.at.frames
        elif isinstance(callee, Live):
            if type(callee.value) is types.MethodType:
                me = me or Live(callee.value.__self__)
            live = function_of(callee.value)
            found = self.sources.function(live) if live is not None else None
            if live is None or found is None:
                raise Unknown
            source, function = found
            outer = self.closed_over(source, function, live)
        else:
            raise Unknown
        return source, function, {**outer, function: self.frame(function, node, at, me)}

    def closed_over(self, source: Source, function: Any, live: types.FunctionType) -> dict[Any, Frame]:
        """What a function has from those around it."""
        cells = dict(zip(live.__code__.co_freevars, live.__closure__ or ()))
        frames = {}
        for scope in source.scopes(function):
            if isinstance(scope, FUNCTIONS):
                given = {name: functools.partial(contents, cell) for name, cell in cells.items()}
                frames[scope] = Frame(given, is_closure=True)
        return frames

    def frame(self, function: Any, node: Any, at: At, me: Value | None) -> Frame:
        given: dict[str, Callable[[], list[Value]]] = {}
        names = positional(function)
        if me is not None and names:
            given[names.pop(0)] = lambda: [me]
        if node is None:  # FastAPI calls it
            source = at.source
            for argument in arguments_of(function):
                if argument.arg not in given:
                    given[argument.arg] = functools.partial(self.callers.injected, source, function, argument)
            return Frame(given)
        given.update(self.bound_by(function, names, node, at))
        return Frame(given)

    def bound_by(
        self, function: Any, names: list[str], node: Any, at: At
    ) -> dict[str, Callable[[], list[Value]]]:
        """What a call gives for the parameters of a function, of which `names` are positional."""
        given: dict[str, Callable[[], list[Value]]] = {}
        is_sure = True
        for number, one in enumerate(node.args):
            if isinstance(one, ast.Starred):
                is_sure = False
                break
            if number < len(names):
                given[names[number]] = functools.partial(self.of, one, at)
        for one in node.keywords:
            if one.arg is None:
                is_sure = False
            else:
                given[one.arg] = functools.partial(self.of, one.value, at)
        if not is_sure:
            for argument in arguments_of(function):
                given.setdefault(argument.arg, self.refused)
        return given

    def results(
        self, source: Source, function: Any, frames: dict[Any, Frame], kinds: tuple[type, ...]
    ) -> list[Value]:
        """What a function returns, or yields."""
        at = At(source, frames)
        if isinstance(function, ast.Lambda):
            return self.of(function.body, at)
        found: list[Value] = []
        for node in inside(function):
            if isinstance(node, ast.YieldFrom) and ast.Yield in kinds:
                found += self.each(node.value, (), at)
            if isinstance(node, kinds) and node.value is not None:
                found += self.of(node.value, at)
        return found

    def depended(self, node: Any, at: At) -> list[Value]:
        """What FastAPI makes of `Depends(call)`."""
        return [one for callee in self.of(node, at) for one in self.injected_by(callee, at)]

    def injected_by(self, callee: Value, at: At) -> list[Value]:
        if isinstance(callee, Live):
            if is_class(callee.value):
                if not self.is_own(callee.value):
                    raise Unknown
                return [Made(callee.value)]
            if type(callee.value) is CACHED:
                kept = kept_in(callee.value)
                if kept is not NOTHING:
                    return [Live(kept)]
        source, function, _ = self.entered(callee, ast.Call(ast.Name("", ast.Load()), [], []), at)
        me = callee.me if isinstance(callee, Bound) else None
        if isinstance(callee, Live) and type(callee.value) is types.MethodType:
            me = Live(callee.value.__self__)
        frames = {function: self.frame(function, None, At(source, NO_FRAMES), me)}
        if isinstance(callee, Live):
            live = function_of(callee.value)
            frames.update(self.closed_over(source, function, live) if live is not None else {})
        kind = ast.Yield if is_generator(function) else ast.Return
        return self.results(source, function, frames, (kind,))

    def is_own(self, cls: Any) -> bool:
        return module_of(cls) in self.sources.by_name

    # The environment

    def variable(
        self, value: Value, arguments: list[Any], at: At, options: list[Any] | None = None
    ) -> list[Value]:
        """`os.environ["NAME"]`, also as it may be read from a file later; and the default."""
        if not is_environment(value):
            raise Unknown
        name = self.one_of(arguments[0], at)
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
