"""Reads expressions: what they stand for, and whether a request stays as it is."""

from __future__ import annotations

import ast
import types
from typing import Any

from mantlet_inspector.proof import values
from mantlet_inspector.proof.interpret.frame import Frame
from mantlet_inspector.proof.values import FREE, Box, Value, is_harmless, joined
from mantlet_inspector.source import files, lookup
from mantlet_inspector.source.lookup import owner
from mantlet_inspector.source.trees import constant

FRAMES = {
    "_getframe",
    "currentframe",
    "get_objects",
    "get_referrers",
    "get_referents",
    "__globals__",
    "__closure__",
    "__code__",
    "__dict__",
    "__init__",
    "__setattr__",
}
PARTS = {"json": values.JSON, "routes": values.ROUTE}
URL_PARTS = {"path", "scheme", "hostname", "port", "netloc", "is_secure", "username", "fragment"}


class Expressions(Frame):
    def used(self, node: Any) -> None:
        """An expression that goes somewhere by itself."""
        self.harmless(self.see(node), node)

    def harmless(self, value: Value, node: Any) -> None:
        if value.name == "function":
            self.mention(value, node)
        elif not is_harmless(value):
            self.fail(f"hands {values.said(value)} on", node)

    def readable(self, value: Value, node: Any) -> None:
        if value.name == "query" or value.name == "json":
            self.reads(node)
        if value.name not in (
            *values.READ_ONLY,
            "request",
            "made-request",
            "answer",
            "refusal",
            "the app",
            "self",
            "route",
            "routes",
        ) and not is_harmless(value):
            if value.name == "function":
                return
            self.fail(f"uses {values.said(value)} in a way that is not known", node)

    def mention(self, made: Value, node: Any) -> None:
        """A function inside that other code may call, with any arguments."""
        inner, outer = made.data
        came = self.inner(outer).run(inner, [], {})
        if not is_harmless(came):
            self.fail(f"hands {values.said(came)} on", inner)

    def see(self, node: Any) -> Value:
        method = getattr(self, "see_" + type(node).__name__, None)
        if method is not None:
            return method(node)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.used(child)
        return FREE

    def see_Constant(self, node: Any) -> Value:
        if type(node.value) is int:
            return Value("value", data=Box(node.value))
        return values.NOTHING if node.value is None else FREE

    def see_Name(self, node: Any) -> Value:
        return self.look_up(node)

    def see_NamedExpr(self, node: Any) -> Value:
        value = self.see(node.value)
        self.store(node.target, value)
        return value

    def see_Await(self, node: Any) -> Value:
        value = self.see(node.value)
        return values.ANSWER._replace(sure=value.sure) if value.name == "coming" else value

    def see_Yield(self, node: Any) -> Value:
        if node.value is not None:
            self.used(node.value)
        return FREE

    see_YieldFrom = see_Yield

    def see_JoinedStr(self, node: Any) -> Value:
        for one in node.values:
            if isinstance(one, ast.FormattedValue):
                self.readable(self.see(one.value), one)
                if one.format_spec is not None:
                    self.see(one.format_spec)
        return FREE

    def see_BoolOp(self, node: Any) -> Value:
        return self.either([self.see(one) for one in node.values], node)

    def see_IfExp(self, node: Any) -> Value:
        self.readable(self.see(node.test), node.test)
        return self.either([self.see(node.body), self.see(node.orelse)], node)

    def either(self, choices: list[Value], node: Any) -> Value:
        came = choices[0]
        for value in choices[1:]:
            # A value of its own beside another is not the other.
            came = joined(came, value)
            if came is None:
                self.fail("is now one thing, now another", node)
        return came

    def see_UnaryOp(self, node: Any) -> Value:
        self.readable(self.see(node.operand), node)
        return FREE

    def see_Compare(self, node: Any) -> Value:
        for one in (node.left, *node.comparators):
            value = self.see(one)
            if value.name != "scope":  # `"x" in scope`
                self.readable(value, one)
        return FREE

    def see_Lambda(self, node: Any) -> Value:
        return Value("function", data=(node, self))

    def comprehension(self, node: Any) -> Value:
        for generator in node.generators:
            came = self.see(generator.iter)
            self.readable(came, generator.iter)
            self.store(generator.target, PARTS.get(came.name, FREE))
            for test in generator.ifs:
                self.readable(self.see(test), test)
        for name in ("elt", "key", "value"):
            if getattr(node, name, None) is not None:
                self.used(getattr(node, name))
        return FREE

    see_ListComp = see_SetComp = see_DictComp = see_GeneratorExp = comprehension

    def see_Dict(self, node: Any) -> Value:
        for key, value in zip(node.keys, node.values):
            if key is None:
                came = self.see(value)
                if came.name in values.MAPPINGS:
                    self.readable(came, value)
                else:
                    self.harmless(came, value)
            else:
                self.used(key)
                self.used(value)
        return FREE

    def see_Starred(self, node: Any) -> Value:
        came = self.see(node.value)
        if came.name in (*values.MAPPINGS, "raw headers"):
            self.readable(came, node)
        else:
            self.harmless(came, node)
        return FREE

    def see_Subscript(self, node: Any) -> Value:
        base = self.see(node.value)
        self.used(node.slice)
        key = constant(node.slice)
        if base.name == "scope":
            return self.part_of_scope(key, node)
        if base.name in values.MAPPINGS:
            self.readable(base, node)
            return FREE
        if base.name == "raw headers":
            return FREE
        if base.name == "json":
            self.reads(node)
            return values.JSON
        if base.name == "message":
            return FREE
        if base.name not in ("free", "value", "object", "call", "exception", "nothing"):
            self.fail(f"takes something out of {values.said(base)}", node)
        return FREE

    def part_of_scope(self, key: Any, node: Any) -> Value:
        if not isinstance(key, str):
            self.fail("takes something out of the scope that is not known", node)
        if key == "headers":
            return values.RAW_HEADERS
        if key == "path_params":
            return values.PATH
        if key == "query_string":
            self.reads(node)
            return FREE
        if key == "app":
            return values.THE_APP
        if key == "route":
            return values.ROUTE
        if key == "router" or values.is_private(key):
            self.fail(f"takes {key!r} out of the scope", node)
        return FREE

    def see_Attribute(self, node: Any) -> Value:
        if isinstance(node.value, ast.Attribute) and node.value.attr == "url":
            if node.attr in URL_PARTS and self.see(node.value.value).name in values.REQUESTS:
                return FREE
            if node.attr not in ("replace", "__str__"):
                self.reads(node)
        return self.attribute(self.see(node.value), node.attr, node)

    def attribute(self, base: Value, name: str, node: Any) -> Value:
        if name in FRAMES:
            self.fail(f"reaches into other code (`{name}`)", node)
        if base.name in values.REQUESTS:
            return self.of_request(base, name, node)
        if base.name == "self":
            return self.of_self(base, name, node)
        if base.name in ("the app", "app"):
            if name in values.APP_FREE:
                return FREE
            if name == "routes":
                return values.ROUTES
            if name == "router":
                return values.THE_APP
            self.fail(f"uses `{name}` of the app", node)
        if base.name == "route":
            if name in values.ROUTE_FREE:
                return FREE
            if name == "matches":
                return Value("method", data=(base, name))
            self.fail(f"uses `{name}` of the route", node)
        if base.name == "value":
            return self.of_value(base.data.value, name, node)
        if base.name in ("answer", "coming"):
            if name not in values.ANSWER_FREE:
                self.answers(f"uses `{name}` of what the app answered", node)
            return FREE
        if base.name == "object":
            return self.of_class(base.data.value, base, name)
        if base.name == "exception":
            return values.ERROR_STATUS if name == "status_code" else FREE
        if base.name in ("refusal", "own answer"):
            return FREE
        if base.name in (*values.MAPPINGS, "raw headers", "scope", "message", "json"):
            return Value("method", data=(base, name))
        if is_harmless(base):
            return FREE
        self.fail(f"uses `{name}` of {values.said(base)}", node)

    def of_request(self, base: Value, name: str, node: Any) -> Value:
        if name in values.REQUEST_FREE:
            if name == "url" and self.prover.place != "middleware":
                self.reads(node)
            return FREE
        simple = {
            "headers": values.HEADERS,
            "cookies": values.COOKIES,
            "path_params": values.PATH,
            "scope": values.SCOPE,
            "app": values.THE_APP,
        }
        if name in simple:
            return simple[name]
        if name == "query_params":
            self.reads(node)
            return values.QUERY
        if name == "receive" and base.name == "made-request" and base.data == "receives":
            return values.RECEIVE._replace(sure=base.sure)
        if name in ("body", "json", "form", "stream", "get", "is_disconnected"):
            return Value("method", data=(base, name))
        self.fail(f"uses `{name}` of the request", node)

    def of_self(self, base: Value, name: str, node: Any) -> Value:
        me = base.data
        if name in me.apps:
            return values.APP
        if me.made is not None and name in vars(me.made):
            return self.prover.of_value(vars(me.made)[name])
        return self.of_class(me.cls, base, name)

    def of_class(self, cls: Any, base: Value, name: str) -> Value:
        """A method of an object that is not made yet."""
        stored = lookup.stored_in(cls)
        found = lookup.attribute_of(cls, name)
        if stored is None or name in stored:
            return FREE
        if isinstance(found, types.FunctionType):
            static = isinstance(vars(owner(cls, name)).get(name), staticmethod)
            return Value("value", data=Box(found)) if static else Value("own method", data=(Box(found), base))
        if isinstance(found, types.MethodType):
            return Value("value", data=Box(found))
        return FREE

    def of_value(self, value: Any, name: str, node: Any) -> Value:
        if name in FRAMES:
            self.fail(f"reaches into other code (`{name}`)", node)
        if isinstance(value, types.ModuleType):
            file = getattr(value, "__file__", None)
            if file and file.endswith(".py") and name in lookup.rebound(file):
                return FREE
        if not isinstance(value, (types.ModuleType, type, types.FunctionType)) and files.is_read(type(value)):
            stored = lookup.stored_in(type(value), made=True)
            if stored is None or name in stored:
                return FREE
        found = lookup.attribute_of(value, name)
        if found is lookup.UNKNOWN:
            return FREE
        return self.prover.of_value(found)
