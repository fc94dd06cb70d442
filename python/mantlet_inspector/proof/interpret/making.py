"""Reads what makes an object: of the request, of a response, of a class of the app's own."""

from __future__ import annotations

import ast
import http
import types
from typing import Any

from starlette.datastructures import URL, Headers, MutableHeaders, QueryParams
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from mantlet_inspector.proof import values
from mantlet_inspector.proof.facts import Instance
from mantlet_inspector.proof.interpret.expressions import Expressions
from mantlet_inspector.proof.values import FREE, Box, Value, is_harmless
from mantlet_inspector.source import files
from mantlet_inspector.source.trees import constant


def make(reader: Expressions, cls: Any, arguments: list[Value], named: dict[str, Value], node: Any) -> Value:
    """An object of a class."""
    every = [*arguments, *named.values()]
    names = [one.name for one in arguments]
    if cls in (Request, HTTPConnection):
        if (names == ["scope"] and not named) or (cls is HTTPConnection and names[:1] == ["scope"]):
            return values.MADE
        if (
            names[:2] == ["scope", "receive"]
            and all(one.sure for one in every)
            and set(names[2:]) <= {"send"}
        ):
            return Value("made-request", data="receives")
        reader.fail("makes another request", node)
    if cls is Headers:
        if {one.name for one in every} <= {"scope", "raw headers", "headers", "free"}:
            return values.HEADERS
    if cls is MutableHeaders and any(one.name in ("scope", "raw headers", "headers") for one in every):
        reader.fail("may change the headers of the request", node)
    if cls is MutableHeaders and [one.name for one in every] == ["message"]:
        return FREE
    if cls is URL and [one.name for one in every] == ["scope"]:
        return FREE
    if cls is QueryParams:
        reader.reads(node)
    if issubclass(cls, Response):
        for one in every:
            reader.harmless(one, node)
        return response(reader, cls, node)
    for one in every:
        if one.name == "function":
            reader.mention(one, node)
    if any(not is_harmless(one) and one.name != "function" for one in every):
        if files.is_frameworks(cls) or not isinstance(cls.__init__, types.FunctionType):
            reader.fail(f"hands the request to `{cls.__name__}`", node)
        reader.prover.returned(
            cls.__init__, [Value("self", data=Instance(cls, None)), *arguments], named, reader.depth + 1
        )
    own = not files.is_frameworks(cls) and files.file_of(cls)
    return Value("object", data=Box(cls)) if own and "__getattr__" not in vars(cls) else FREE


def response(reader: Expressions, cls: Any, node: Any) -> Value:
    if issubclass(cls, RedirectResponse) or not files.is_frameworks(cls.__init__):
        return values.OWN
    status = next((one.value for one in node.keywords if one.arg == "status_code"), None)
    if status is None and len(node.args) > 1:
        status = node.args[1]
    if any(one.arg is None for one in node.keywords) or any(
        isinstance(one, ast.Starred) for one in node.args
    ):
        return values.OWN
    return values.REFUSAL if is_error(reader, status) else values.OWN


def is_error(reader: Expressions, node: Any) -> bool:
    """Whether an expression is the status of an error."""
    if node is None:
        return False
    if isinstance(node, ast.IfExp):
        return is_error(reader, node.body) and is_error(reader, node.orelse)
    value = constant(node)
    if value is None and isinstance(node, (ast.Name, ast.Attribute)):
        seen = reader.see(node)
        if seen.name == "error status":
            return True
        value = seen.data.value if seen.name == "value" else None
    if isinstance(value, http.HTTPStatus):
        value = value.value
    return type(value) is int and 400 <= value <= 599
