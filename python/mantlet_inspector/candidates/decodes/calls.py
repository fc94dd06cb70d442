"""What calls come to: of functions of the app's own, of dependencies, and of some of Python's."""

from __future__ import annotations

import ast
import base64
import functools
import os
import types
import typing
from typing import TYPE_CHECKING, Any, Callable

from mantlet_inspector.candidates.decodes.libraries import KEYS_MADE
from mantlet_inspector.candidates.decodes.names import function_of, kept_in
from mantlet_inspector.candidates.decodes.sources import FUNCTIONS, NOTHING, Source
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
    inner,
    inside,
    is_depends,
    is_environment,
    is_generator,
    positional,
    text_of,
)
from mantlet_inspector.candidates.reach import CACHED
from mantlet_inspector.source.objects import is_class
from mantlet_inspector.source.stored import is_a, is_exactly

if TYPE_CHECKING:
    from mantlet_inspector.candidates.decodes.values import Values

PURE = (
    base64.b64decode,
    base64.b64encode,
    base64.standard_b64decode,
    base64.urlsafe_b64decode,
    base64.urlsafe_b64encode,
    bytes.fromhex,
)
PURE_METHODS = {"decode", "encode", "lower", "lstrip", "replace", "rstrip", "strip", "upper"}


class Calls:
    def __init__(self, values: Values) -> None:
        self.values = values

    def call(self, node: ast.Call, at: At) -> list[Value]:
        if isinstance(node.func, ast.Attribute):
            found = self.method(node, node.func.value, node.func.attr, at)
            if found is not None:
                return found
        return [one for callee in self.values.of(node.func, at) for one in self.returned(callee, node, at)]

    def method(self, node: ast.Call, base_node: Any, name: str, at: At) -> list[Value] | None:
        """Methods whose result is known; none if it is not one of these."""
        if name in PURE_METHODS:
            base = self.values.of(base_node, at)
            if all(is_exactly(one.value, *TEXT) for one in base if isinstance(one, Live)):
                return [self.pure(getattr(text_of(one), name), node, at) for one in base]
            return None
        if name == "get_secret_value":
            return [inner(one) for one in self.values.of(base_node, at)]
        if (
            name in KEYS_MADE
            and self.values.libraries.kind(self.values.names.live(at.source, base_node)) is not None
        ):
            return self.values.of(node.args[0], at) if node.args else []
        if name == "get" and node.args:
            base = self.values.of(base_node, at)
            if any(is_environment(one) for one in base):
                return [one for value in base for one in self.values.variable(value, node.args, at)]
            if all(
                isinstance(one, Parts) or (isinstance(one, Live) and is_a(one.value, dict)) for one in base
            ):
                default = self.values.of(node.args[1], at) if len(node.args) > 1 else []
                return self.values.looked_up(base, base_node, node.args[0], at) + default
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
        found = self.values.of(node, at)
        if len(found) == 1 and isinstance(found[0], Live) and is_exactly(found[0].value, *TEXT, int, bool):
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
                return self.values.variable(Live(os.environ), node.args, at, node.keywords)
            if value is typing.cast and len(node.args) == 2:
                return self.values.of(node.args[1], at)
            if type(value) is types.FunctionType and value in PURE:
                return self.one_by_one(value, node, at)
            if is_class(value):
                if self.values.is_own(value):
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
            made = [text_of(one) for one in self.values.of(node.args[0], at)]
            if value is str and len(node.args) == 1 and all(type(one) is str for one in made):
                return [Live(one) for one in made]
            more = [self.one_of(one, at) for one in node.args[1:]]
            more += [self.one_of(one.value, at) for one in node.keywords]
            try:
                return [Live(value(one, *more)) for one in made]
            except Exception:
                raise Unknown from None
        if any(value is one for one in (list, tuple, set, frozenset)) and len(node.args) == 1:
            return self.values.of(node.args[0], at)
        if type(value) is types.BuiltinFunctionType and value in PURE:
            return self.one_by_one(value, node, at)
        return None

    def one_by_one(self, function: Any, node: ast.Call, at: At) -> list[Value]:
        made: list[Value] = []
        for one in self.values.of(node.args[0], at) if node.args else ():
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
            found = self.values.sources.function(live) if live is not None else None
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
                    given[argument.arg] = functools.partial(
                        self.values.callers.injected, source, function, argument
                    )
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
                given[names[number]] = functools.partial(self.values.of, one, at)
        for one in node.keywords:
            if one.arg is None:
                is_sure = False
            else:
                given[one.arg] = functools.partial(self.values.of, one.value, at)
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
            return self.values.of(function.body, at)
        found: list[Value] = []
        for node in inside(function):
            if isinstance(node, ast.YieldFrom) and ast.Yield in kinds:
                found += self.values.each(node.value, (), at)
            if isinstance(node, kinds) and node.value is not None:
                found += self.values.of(node.value, at)
        return found

    def depended(self, node: Any, at: At) -> list[Value]:
        """What FastAPI makes of `Depends(call)`."""
        return [one for callee in self.values.of(node, at) for one in self.injected_by(callee, at)]

    def injected_by(self, callee: Value, at: At) -> list[Value]:
        if isinstance(callee, Live):
            if is_class(callee.value):
                if not self.values.is_own(callee.value):
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
