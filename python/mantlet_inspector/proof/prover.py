"""Proves that code which runs before FastAPI validates leaves requests as they are, by reading it.

Nothing counts as harmless because it looks so. Every use of a request, of its scope, of received
messages and of the app's responses has to be on the list of uses that change nothing (`values.py`).
What is not understood is not proven. The code may call functions of its own and of others, as far
as their source can be read.
"""

from __future__ import annotations

import ast
import functools
import inspect
import types
from collections.abc import Sequence
from typing import Any, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Router

from mantlet_inspector.proof import known_middleware, values
from mantlet_inspector.proof.catching import hides_errors_of
from mantlet_inspector.proof.facts import DEPTH, GUARDED, Facts, Instance, Unproven, callable_of
from mantlet_inspector.proof.interpret.function import Function
from mantlet_inspector.proof.known_middleware import ERRORS
from mantlet_inspector.proof.values import FREE, Box, Value
from mantlet_inspector.source import files, lookup, memory, places, trees
from mantlet_inspector.source.places import name_of

# What there is to prove


def middleware(cls: Any, options: dict[str, Any], instance: Any = None) -> Facts:
    """A middleware of ASGI: its class or the function that makes it, and the instance if it exists
    already."""
    facts = Facts()
    if known_middleware.is_known(cls, options):
        return facts
    return proving(facts, lambda prover: prover.middleware(cls, options, instance))


def dependency(call: Any, names: Sequence[str], bodies: Sequence[str] = (), has_body: bool = True) -> Facts:
    """A dependency that takes the request in the arguments `names`, or parts of the body in
    `bodies`. FastAPI validates the very same objects afterwards, the body too if `has_body`."""
    place = "dependency" if has_body else "handler"
    return proving(Facts(), lambda prover: prover.dependency(call, names, bodies), place)


def leaves_alone(function: Any) -> bool:
    """Whether a function that takes the request as its first argument, if it takes any, leaves it
    alone."""
    names = list(inspect.signature(function).parameters)[:1]
    return not names or dependency(function, names).is_proven()


def reads(call: Any, names: Sequence[str]) -> bool:
    """Whether a handler that takes the request may look at input that is not declared."""
    facts = proving(Facts(), lambda prover: prover.dependency(call, names), "handler")
    return not facts.is_proven() or facts.reads is not None


def route_handler(handler: Any, inner: Any) -> Facts:
    """A function that a route class of the app's own puts around FastAPI's handler, which
    validates."""
    facts = proving(Facts(), lambda prover: prover.route_handler(handler, inner), "dependency")
    if hides_errors_of(handler):
        facts.rewrites = facts.rewrites or "may catch what FastAPI raises for an invalid request"
    return facts


def answers_errors(handler: Any, key: Any) -> bool:
    """Whether a handler of exceptions only ever answers with an error."""
    if known_middleware.qualified(handler) in ERRORS:
        return True
    facts = proving(Facts(), lambda prover: prover.handler(handler, key), "handler")
    return facts.is_proven()


def proving(facts: Facts, prove: Callable[[Prover], None], place: str = "middleware") -> Facts:
    prover = Prover(facts, place)
    try:
        with memory.current.reading():
            prove(prover)
    except Unproven as why:
        facts.rewrites = str(why)
    except memory.Late:
        facts.rewrites = memory.current.said()
    except Exception:  # no source, or not one that is understood
        facts.rewrites = f"is not understood: its source cannot be followed{prover.reached()}"
    return facts


class Prover:
    """One proof: what is read for it, and what was found."""

    def __init__(self, facts: Facts, place: str) -> None:
        self.facts = facts
        self.place = place
        self.known: dict[Any, Value] = {}
        self.steps = 0
        self.place_read: tuple[Any, int] | None = None  # a function, and a line of it
        self.inner: Any = None  # FastAPI's handler, in the hands of a route class

    def reached(self) -> str:
        return f" at {places.place(*self.place_read)}" if self.place_read else ""

    # Pieces

    def middleware(self, cls: Any, options: dict[str, Any], instance: Any) -> None:
        if not isinstance(cls, type):
            made = self.returned(cls, [values.APP], {}, 0)
            if made.name != "function":
                raise Unproven("is made by code that is not understood")
            self.enter_local(made, [values.SCOPE, values.RECEIVE, values.SEND])
            return
        if known_middleware.qualified(cls) == "starlette.middleware.authentication.AuthenticationMiddleware":
            self.authentication(options if instance is None else vars(instance))
            return
        own = [one for one in cls.__mro__ if one is not object and not files.is_frameworks(one)]
        if not own and cls is not BaseHTTPMiddleware:
            raise Unproven("is not one that is known")
        for base in cls.__mro__:
            if base not in own and base not in (object, BaseHTTPMiddleware):
                changed = {name for one in own for name in vars(one)} - {"__init__", "__module__", "__doc__"}
                if not changed.isdisjoint(vars(base)):
                    raise Unproven(f"changes how `{base.__name__}` works")
        me = Value("self", data=Instance(cls, instance))
        dispatch = options.get("dispatch") if instance is None else getattr(instance, "dispatch_func", None)
        if issubclass(cls, BaseHTTPMiddleware):
            handler = dispatch or cls.dispatch
            if isinstance(handler, types.MethodType):
                handler = handler.__func__ if getattr(handler, "__self__", None) is instance else handler
            is_method = handler is getattr(cls, "dispatch", None)
            if is_method and not own:
                raise Unproven("has no code")
            self.init(cls, me)
            arguments = [values.REQUEST, values.CALL_NEXT]
            self.answered(self.returned(handler, [me, *arguments] if is_method else arguments, {}, 0))
            if files.is_frameworks(files.behind(cls.__call__)):
                return
        else:
            self.init(cls, me)
        self.returned(files.behind(cls.__call__), [me, values.SCOPE, values.RECEIVE, values.SEND], {}, 0)

    def init(self, cls: Any, me: Value) -> None:
        """Finds the attributes that hold the app inside, and whether another app may take its place
        later."""
        own = [base for base in cls.__mro__ if base is not object and not files.is_frameworks(base)]
        for name in ("__new__", "__getattr__", "__getattribute__", "__setattr__"):
            if any(name in vars(base) for base in own):
                raise Unproven(f"has a `{name}` of its own")
        init = cls.__init__
        if not isinstance(init, types.FunctionType):
            raise Unproven("has no source")
        if not files.is_frameworks(init):
            if trees.node_of(init) is None and "__dataclass_fields__" in vars(cls):
                me.data.apps.add(next(iter(cls.__dataclass_fields__)))
            else:
                self.returned(init, [me, values.APP], {}, 0, making=True)
        elif issubclass(cls, BaseHTTPMiddleware):
            me.data.apps.add("app")
        for name in me.data.apps:
            if hasattr(cls, name) and "__dataclass_fields__" not in vars(cls):
                raise Unproven(f"decides in its class what `{name}` is")
        if lookup.stored_in(cls) is None:
            raise Unproven("sets attributes by their names")
        guarded = me.data.apps | GUARDED
        for base in own:
            for name, function in vars(base).items():
                node = trees.node_of(function) if name != "__init__" else None
                for one in ast.walk(node) if node is not None else ():
                    if (
                        isinstance(one, ast.Attribute)
                        and isinstance(one.ctx, ast.Store)
                        and one.attr in guarded
                    ):
                        raise Unproven(
                            f"puts something else in the place of `{one.attr}` (line {one.lineno})"
                        )

    def authentication(self, options: dict[str, Any]) -> None:
        backend, on_error = options.get("backend"), options.get("on_error")
        self.returned(lookup.attribute_of(backend, "authenticate"), [values.MADE], {}, 0)
        default = lookup.attribute_of(on_error, "__func__")
        if on_error is not None and not files.is_frameworks(
            on_error if default is lookup.UNKNOWN else default
        ):
            self.handler(on_error)

    def dependency(self, call: Any, names: Sequence[str], bodies: Sequence[str] = ()) -> None:
        function, first = callable_of(call)
        named = {**dict.fromkeys(bodies, values.JSON), **dict.fromkeys(names, values.REQUEST)}
        came = self.returned(function, first, named, 0)
        if came.name not in values.HARMLESS:
            raise Unproven("hands the request on to whoever depends on it")

    def route_handler(self, handler: Any, inner: Any) -> None:
        self.inner = inner
        came = self.returned(handler, [values.REQUEST], {}, 0)
        if came.name != "answer" or not came.sure:
            raise Unproven("may answer by itself before FastAPI validates")

    def handler(self, handler: Any, key: Any = None) -> None:
        told = isinstance(key, int) or (
            isinstance(key, type) and (issubclass(key, HTTPException) or are_errors(key))
        )
        came = self.returned(handler, [FREE, values.EXCEPTION if told else FREE], {}, 0)
        if came.name != "refusal" or not came.sure:
            raise Unproven("may answer something that is no error")

    def answered(self, came: Value) -> None:
        if came.name not in ("answer", "refusal") or not came.sure:
            # Whether before or after the app inside answered is not told apart.
            self.facts.answers = "answers in the place of the app"
            raise Unproven("answers by itself, with something that need not be an error")

    # Functions

    def returned(
        self, function: Any, arguments: list[Value], named: dict[str, Value], depth: int, making: bool = False
    ) -> Value:
        """What a function returns that is called so."""
        first = []
        if isinstance(function, functools.partial):
            raise Unproven("is made of parts (`partial`)")
        if isinstance(function, types.MethodType):
            first, function = [self.of_value(function.__self__)], function.__func__
        elif type(function) is not types.FunctionType:
            call = lookup.attribute_of(type(function), "__call__")
            if not isinstance(call, types.FunctionType):
                raise Unproven(f"hands the request to `{name_of(function)}`, whose source cannot be read")
            first, function = [self.of_value(function)], call
        if depth > DEPTH:
            raise Unproven("hands the request on too often to be followed")
        if files.is_frameworks(function):
            raise Unproven(f"hands the request to `{function.__qualname__}`")
        node = trees.node_of(function)
        if node is None:
            raise Unproven(f"hands the request to `{function.__qualname__}`, whose source cannot be read")
        arguments = [*first, *arguments]
        key = (
            id(function.__code__),
            tuple(map(repr, arguments)),
            tuple(sorted((n, repr(k)) for n, k in named.items())),
        )
        if key not in self.known:
            self.known[key] = FREE  # if it calls itself
            read = Function(self, function, None, depth)
            read.making = making
            self.known[key] = read.run(node, arguments, named)
        return self.known[key]

    def enter_local(self, made: Value, arguments: list[Value]) -> Value:
        node, outer = made.data
        return Function(self, outer.function, outer, outer.depth + 1).run(node, arguments, {})

    def of_value(self, value: Any) -> Value:
        if isinstance(value, (Starlette, Router)):
            return values.THE_APP
        return Value("value", data=Box(value))


def are_errors(cls: Any) -> bool:
    """Exceptions of the app's own that say their status once and for all."""
    stored, status = lookup.stored_in(cls), getattr(cls, "status_code", None)
    here = stored is not None and "status_code" not in stored and type(status) is int and 400 <= status <= 599
    return here and all(map(are_errors, cls.__subclasses__()))
