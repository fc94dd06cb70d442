"""Reads calls: their arguments, and their results."""

from __future__ import annotations

import ast
import logging
import types
from typing import Any

from starlette.middleware.base import BaseHTTPMiddleware

from mantlet_inspector.proof import known_middleware, values
from mantlet_inspector.proof.interpret.expressions import Expressions
from mantlet_inspector.proof.interpret.making import make
from mantlet_inspector.proof.interpret.sending import call_app, call_send
from mantlet_inspector.proof.known_middleware import ERRORS
from mantlet_inspector.proof.values import FREE, Box, Value, is_harmless
from mantlet_inspector.source import files
from mantlet_inspector.source.trees import constant, is_super

READING = {
    "str",
    "repr",
    "bool",
    "len",
    "isinstance",
    "id",
    "hash",
    "dict",
    "list",
    "tuple",
    "set",
    "sorted",
    "any",
    "all",
    "hasattr",
    "print",
    "enumerate",
    "iter",
    "next",
}
COPYING = (dict, list, tuple, set, sorted, enumerate, iter, next)
# They run any code or reach any object.
OPEN = {
    "exec",
    "eval",
    "compile",
    "globals",
    "locals",
    "vars",
    "__import__",
    "delattr",
    "setattr",
    "breakpoint",
}
TEXT = {
    "lower",
    "upper",
    "strip",
    "split",
    "startswith",
    "endswith",
    "encode",
    "isdigit",
    "replace",
    "rstrip",
    "lstrip",
    "count",
}


class Calls(Expressions):
    def see_Call(self, node: Any) -> Value:
        if is_super(node):
            return Value("super")
        if isinstance(node.func, ast.Attribute) and is_super(node.func.value):
            return self.call_super(node)
        callee = self.see(node.func)
        arguments, named = [], {}
        for one in node.args:
            if isinstance(one, ast.Starred):
                self.see_Starred(one)
            else:
                arguments.append(self.see(one))
        starred = any(isinstance(one, ast.Starred) for one in node.args)
        for keyword in node.keywords:
            value = self.see(keyword.value)
            if keyword.arg is None:
                if value.name not in values.MAPPINGS:
                    self.harmless(value, node)
                starred = True
            else:
                named[keyword.arg] = value
        if starred and any(not is_harmless(one) for one in (*arguments, *named.values())):
            self.fail("hands the request on among arguments that are not known", node)
        return self.call(callee, arguments, named, node)

    def call(self, callee: Value, arguments: list[Value], named: dict[str, Value], node: Any) -> Value:
        every = [*arguments, *named.values()]
        if not callee.sure and not all(map(is_harmless, every)):
            self.fail("hands the request to what need not be the app inside", node)
        if callee.name == "call_next":
            if len(every) != 1 or every[0].name != "request" or not every[0].sure:
                self.fail("hands on another request than came", node)
            return values.COMING._replace(sure=callee.sure)
        if callee.name == "app":
            call_app(self, arguments, named, node)
            return FREE
        if callee.name == "send":
            return call_send(self, every, node)
        if callee.name == "receive":
            self.fail("takes the body out of what is received", node)
        if callee.name == "method":
            return self.call_method(callee.data, arguments, named, node)
        if callee.name == "own method":
            function, me = callee.data
            return self.call_function(function.value, [me, *arguments], named, node)
        if callee.name == "function":
            inner, outer = callee.data
            return self.inner(outer).run(inner, arguments, named)
        if callee.name in ("refusal", "own answer"):
            if any(not is_harmless(one) for one in every):
                if callee.name == "own answer" or not callee.sure:
                    self.fail("answers by itself, with something that need not be an error", node)
                names = [one.name for one in every]
                if names != ["scope", "receive", "send"]:
                    self.fail("answers in a way that is not understood", node)
            return FREE
        if callee.name == "value":
            return self.call_value(callee.data.value, arguments, named, node)
        for one in every:
            self.harmless(one, node)
        return FREE

    def call_method(
        self, method: tuple[Value, str], arguments: list[Value], named: dict[str, Value], node: Any
    ) -> Value:
        base, name = method
        if base.name == "route" and [one.name for one in arguments] == ["scope"] and not named:
            return FREE  # Starlette's own; a route class with another is opaque
        for one in (*arguments, *named.values()):
            self.harmless(one, node)
        if base.name in values.REQUESTS:
            return self.call_request(base, name, node)
        if base.name == "scope":
            key = constant(node.args[0]) if node.args else None
            if name == "get":
                return self.part_of_scope(key, node)
            if (
                name == "setdefault"
                and isinstance(key, str)
                and key not in values.TAKEN
                and not values.is_private(key)
            ):
                return FREE
        elif base.name == "raw headers":
            if name in ("copy", "index", "count"):
                return FREE
        elif base.name == "message":
            if name in ("get", "keys"):
                return FREE
            if name == "setdefault" and constant(node.args[0]) == "headers":
                return FREE
        elif base.name in values.MAPPINGS and name in values.READERS:
            self.readable(base, node)
            return FREE
        elif base.name == "headers" and name == "mutablecopy":
            return FREE
        elif base.name == "json" and name in ("get", "keys", "values", "items"):
            self.reads(node)
            return values.JSON
        elif base.name == "json" and name in TEXT:
            return FREE
        self.fail(f"calls `{name}` of {values.said(base)}", node)

    def call_request(self, base: Value, name: str, node: Any) -> Value:
        if name == "get":
            return self.part_of_scope(constant(node.args[0]) if node.args else None, node)
        place = self.prover.place
        if name == "is_disconnected" and place != "middleware":
            return FREE  # before, it could take a part of the body
        self.reads(node)
        if base.name == "made-request" and place != "handler":
            self.fail("takes the body out of what is received", node)
        if name == "body" or place == "handler":
            return FREE
        if name == "json":
            return FREE if place == "middleware" else values.JSON
        self.fail(f"calls `{name}` of the request: nothing of it is left after", node)

    def call_value(self, value: Any, arguments: list[Value], named: dict[str, Value], node: Any) -> Value:
        every = [*arguments, *named.values()]
        if value is self.prover.inner and value is not None:
            if [one.name for one in every] != ["request"] or not every[0].sure:
                self.fail("hands on another request than came", node)
            return values.COMING
        if (
            isinstance(value, types.BuiltinFunctionType)
            and value.__name__ in OPEN
            and value.__module__ == "builtins"
        ):
            if value.__name__ not in ("setattr", "delattr") or not all(map(is_harmless, every)):
                self.fail(f"calls `{value.__name__}`", node)
            return FREE
        if getattr(value, "__module__", None) == "builtins" and getattr(value, "__name__", "") in READING:
            if value in COPYING and any(one.name == "json" for one in every):
                self.fail("copies what of the body is validated after", node)
            for one in every:
                self.readable(one, node)
            return FREE
        if value is getattr and len(arguments) >= 2:
            name = constant(node.args[1])
            if is_harmless(arguments[0]):
                for one in every:
                    self.harmless(one, node)
                return FREE
            if not isinstance(name, str):
                self.fail("reads an attribute that is not known", node)
            for one in every[2:]:
                self.harmless(one, node)
            return self.attribute(arguments[0], name, node)
        if isinstance(value, type):
            return make(self, value, arguments, named, node)
        if isinstance(value, types.MethodType) and isinstance(value.__self__, logging.Logger):
            for one in every:
                if one.name in values.MAPPINGS:
                    self.readable(one, node)
                else:
                    self.harmless(one, node)
            return FREE
        called = known_middleware.qualified(value)
        if (
            called in ("asyncio.tasks.wait_for", "asyncio.tasks.shield")
            and arguments
            and arguments[0].name == "coming"
        ):
            for one in every[1:]:
                self.harmless(one, node)
            return arguments[0]
        if called == "typing.cast" and len(arguments) == 2:
            return arguments[1]
        if called in ("starlette.concurrency.run_in_threadpool", "asyncio.threads.to_thread") and arguments:
            return self.call(arguments[0], arguments[1:], named, node)
        if called in ERRORS:
            return values.REFUSAL
        return self.call_function(value, arguments, named, node)

    def call_function(self, value: Any, arguments: list[Value], named: dict[str, Value], node: Any) -> Value:
        every = [*arguments, *named.values()]
        tracked = [one for one in every if not is_harmless(one) and one.name not in ("function", "self")]
        if any(one.name == "app" for one in tracked):
            self.fail("hands the app inside on", node)
        if not tracked:
            for one in every:
                if one.name == "function":
                    self.mention(one, node)
            if any(one.name == "self" for one in every[1:]):
                self.fail("hands itself on", node)
            if isinstance(value, (types.FunctionType, types.MethodType)) and not files.is_frameworks(value):
                return Value("call", data=Box((value, tuple(arguments), dict(named))))
            return FREE
        if isinstance(value, types.FunctionType) and is_security(value):
            return FREE
        return self.prover.returned(value, arguments, named, self.depth + 1)

    def call_super(self, node: Any) -> Value:
        """`super().method(…)`"""
        method = node.func.attr
        arguments = [self.see(one) for one in node.args if not isinstance(one, ast.Starred)]
        named = {one.arg: self.see(one.value) for one in node.keywords if one.arg is not None}
        me = next((one for one in self.names.values() if one.name == "self"), None)
        defined = self.function.__qualname__.rpartition(".")[0].rpartition(".")[2]
        first = None
        if me is not None:
            order = me.data.cls.__mro__
            place = next((index for index, one in enumerate(order) if one.__name__ == defined), None)
            if place is not None:
                first = next((one for one in order[place + 1 :] if method in vars(one)), None)
        if first is None or me is None:
            if all(map(is_harmless, [*arguments, *named.values()])):
                return FREE
            held = next((one for one in self.names.values() if one.name == "value"), None)
            if held is not None:
                found = getattr(
                    super(owner_of(held.data.value, self.function), held.data.value), method, None
                )
                if isinstance(found, types.MethodType) and is_security(found.__func__):
                    return FREE
            self.fail(f"hands the request to `{method}` of another class", node)
        function = vars(first)[method]
        if first is object:
            return FREE
        if method == "__init__" and first is BaseHTTPMiddleware:
            if set(named) - {"app", "dispatch"} or len(arguments) > 1:
                self.fail("is made in a way that is not understood", node)
            given = [*arguments, named.get("app")]
            if given[0] is None or given[0].name != "app" or not self.making:
                self.fail("is made in a way that is not understood", node)
            dispatch = named.get("dispatch")
            if dispatch is not None and not is_own(dispatch, me.data.cls, "dispatch"):
                self.fail("is made in a way that is not understood", node)
            me.data.apps.add("app")
            return FREE
        if method == "__call__" and first is BaseHTTPMiddleware:
            if [one.name for one in arguments] != ["scope", "receive", "send"] or not all(
                one.sure for one in arguments
            ):
                self.fail("hands on another request than came", node)
            return FREE
        if files.is_frameworks(first):
            if method == "__init__" and known_middleware.qualified(first) in known_middleware.KNOWN:
                return FREE
            if known_middleware.is_known(first, {}) and [one.name for one in arguments] == [
                "scope",
                "receive",
                "send",
            ]:
                return FREE
            if is_security(function):
                return FREE
            self.fail(f"hands the request to `{first.__name__}`", node)
        return self.prover.returned(function, [me, *arguments], named, self.depth + 1, making=self.making)


def is_own(value: Value, cls: Any, name: str) -> bool:
    return value.name == "own method" and value.data[0].value is getattr(cls, name, None)


def owner_of(value: Any, function: Any) -> type:
    return next((one for one in type(value).__mro__ if function in vars(one).values()), type(value))


def is_security(function: Any) -> bool:
    """FastAPI's own schemes read the one place that they declare."""
    return files.is_frameworks(function) and (function.__module__ or "").startswith("fastapi.security")
