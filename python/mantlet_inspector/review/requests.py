"""What is read of requests and set in answers."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from mantlet_inspector.review import known
from mantlet_inspector.review.values import Sent, Value, any_of_client
from mantlet_inspector.source.objects import is_class
from mantlet_inspector.source.stored import class_name

if TYPE_CHECKING:
    from mantlet_inspector.review.frame import Frame
from mantlet_inspector.review.called import Call


def body_read(frame: Frame, call: Call) -> Value | None:
    """`await request.body()`, `await file.read()`"""
    receiver = call.receiver
    if receiver is None or receiver.cls is None or not is_class(receiver.cls):
        return None
    name = class_name(receiver.cls)
    if name == "Request" and call.name in ("body", "json", "form"):
        sent = frozenset([Sent("the body", "body")])
        if call.name == "body":
            return Value(sent=sent, from_sent=sent)
        return any_of_client(Sent("the body", "body"))
    if name == "UploadFile" and call.name == "read":
        return Value(sent=receiver.from_sent, from_sent=receiver.from_sent)
    return None


def cookie(frame: Frame, call: Call) -> Value | None:
    if call.receiver is None or call.name != "set_cookie":
        return None
    name = call.argument(0, "key")
    cookie: dict[str, Any] = {}
    if name is not None and type(name.live) is str:
        cookie["name"] = name.live
    known_options = not call.spread and len(call.args) <= 2
    for option, key in (("secure", "secure"), ("httponly", "http-only")):
        given = call.named.get(option)
        if given is None and known_options:
            cookie[key] = False
        elif given is not None and type(given.live) is bool:
            cookie[key] = given.live
    same_site = call.named.get("samesite")
    if same_site is None and known_options:
        cookie["same-site"] = "lax"
    elif same_site is not None and type(same_site.live) is str:
        cookie["same-site"] = same_site.live.lower()
    frame.effects.cookies[frame.shown, str(cookie.get("name")), call.node.lineno] = cookie
    return Value()


def request_read(frame: Frame, call: Call) -> Value | None:
    """`request.cookies.get("session")`"""
    found, name = known.attribute_in(call.node)
    if isinstance(found, ast.Attribute) and found.attr == "cookies":
        frame.effects.cookies_read.add(name)
    if call.receiver is not None and call.receiver.verb == "headers" and call.name == "get":
        return known.header(frame, call.args[0].live if call.args else None)
    return None
