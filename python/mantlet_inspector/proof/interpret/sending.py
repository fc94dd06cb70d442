"""Reads how the app inside is called, and what is sent in its place."""

from __future__ import annotations

import ast
from typing import Any

from mantlet_inspector.proof import values
from mantlet_inspector.proof.facts import Unproven
from mantlet_inspector.proof.interpret.expressions import Expressions
from mantlet_inspector.proof.interpret.making import is_error
from mantlet_inspector.proof.values import FREE, Value, is_harmless
from mantlet_inspector.source.trees import constant


def call_app(reader: Expressions, arguments: list[Value], named: dict[str, Value], node: Any) -> None:
    given: dict[str, Value] = {**dict(zip(("scope", "receive", "send"), arguments)), **named}
    for name in ("scope", "receive"):
        came = given.get(name)
        if came is None or came.name != name or not came.sure:
            reader.fail(f"hands on another {name} than came", node)
    send = given.get("send")
    if send is None or len(given) != 3:
        reader.fail("calls the app in a way that is not understood", node)
    if send.name == "send" and send.sure:
        return
    try:
        wrapper(reader, send, node)
    except Unproven as why:
        reader.prover.facts.answers = reader.prover.facts.answers or f"may change what the app answers: {why}"


def wrapper(reader: Expressions, send: Value, node: Any) -> None:
    """A function that stands in the place of `send`."""
    if send.name == "function":
        inner, outer = send.data
        came = reader.inner(outer).run(inner, [values.MESSAGE], {})
        senders, where = set(), outer
        while where is not None:
            senders |= {name for name, one in where.names.items() if one.name == "send" and one.sure}
            where = where.outer
        if isinstance(inner, ast.Lambda) or not always_sends(inner.body, senders):
            raise Unproven("it may keep a part of it back")
    else:
        raise Unproven("it is sent through code that is not understood")
    if not is_harmless(came):
        raise Unproven("it is sent through code that is not understood")


def call_send(reader: Expressions, every: list[Value], node: Any) -> Value:
    if len(every) == 1 and every[0].name == "message" and every[0].sure:
        return FREE
    message = node.args[0] if len(node.args) == 1 and isinstance(node.args[0], ast.Dict) else None
    parts = {}
    for key, value in zip(message.keys, message.values) if message is not None else ():
        parts[constant(key) if key is not None else None] = value
    kind_of_message = constant(parts.get("type"))
    if is_inside_wrapper(reader):
        reader.answers("sends something of its own", node)
    elif kind_of_message == "http.response.start" and is_error(reader, parts.get("status")):
        pass
    elif kind_of_message != "http.response.body" or None in parts:
        reader.fail("answers by itself, with something that need not be an error", node)
    return FREE


def is_inside_wrapper(reader: Expressions) -> bool:
    where = reader
    while where is not None:
        if any(one.name == "message" for one in where.names.values()):
            return True
        where = where.outer
    return False


def always_sends(block: list[ast.stmt], senders: set[str]) -> bool:
    """Whether a block sends on every way through it."""
    for one in block:
        if isinstance(one, (ast.Expr, ast.Return)):
            call = one.value if isinstance(one, ast.Return) else None
            if isinstance(one.value, ast.Await):
                call = one.value.value
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in senders:
                return True
        if isinstance(one, (ast.With, ast.AsyncWith)) and always_sends(one.body, senders):
            return True
        if isinstance(one, ast.Try) and (
            always_sends(one.body, senders) or always_sends(one.finalbody, senders)
        ):
            return True
        if isinstance(one, ast.If):
            ways = always_sends(one.body, senders), always_sends(one.orelse, senders)
            if all(ways):
                return True
            ends = (
                any(isinstance(each, (ast.Return, ast.Raise)) for each in ast.walk(way))
                for way in one.body + one.orelse
            )
            if any(ends) and not ways[0]:
                return False
        elif isinstance(one, (ast.Return, ast.Raise)):
            return False
    return False
