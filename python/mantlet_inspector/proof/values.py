"""The values that an expression may have in code that is read, and the uses of each that leave a
request as it is.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Value(NamedTuple):
    """What an expression may stand for."""

    name: str
    sure: bool = True  # whether it is nothing else
    data: Any = None  # what only some have: an object, a function, a class


class Box:
    """An object that is compared by what it is."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Box) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())

    def __repr__(self) -> str:
        return f"Box{self.key()}"

    def key(self) -> tuple[str, int]:
        return ("int", self.value) if type(self.value) is int else ("id", id(self.value))


FREE = Value("free")  # nothing of the request, or a copy that cannot be written
NOTHING = Value("nothing")  # `None`
REQUEST = Value("request")  # the one that came
MADE = Value("made-request")  # around the same scope; with what is received, if that is its data
SCOPE, RECEIVE, SEND = Value("scope"), Value("receive"), Value("send")
CALL_NEXT, APP = Value("call_next"), Value("app")
HEADERS, RAW_HEADERS, COOKIES, QUERY, PATH = map(
    Value, ("headers", "raw headers", "cookies", "query", "path parameters")
)
JSON = Value("json")  # of a body that FastAPI validates after
COMING, ANSWER = Value("coming"), Value("answer")  # what the app inside answers
MESSAGE = Value("message")  # of that
REFUSAL = Value("refusal")  # an answer of its own whose status is an error
OWN = Value("own answer")  # one whose status may be anything
EXCEPTION, ERROR_STATUS = Value("exception"), Value("error status")
# Further names: `object` is an object of a class of the app's own, `value` the value of a name,
# `call` a call whose result is not used yet.
THE_APP, ROUTE, ROUTES = Value("the app"), Value("route"), Value("routes")

REQUESTS = ("request", "made-request")
MAPPINGS = ("headers", "cookies", "query", "path parameters")
READ_ONLY = (*MAPPINGS, "raw headers", "json", "message")
# Values that lead nowhere: code that has them can do nothing to a request or its response.
HARMLESS = ("free", "nothing", "value", "object", "call", "exception", "error status", "own answer")

REQUEST_FREE = {"method", "client", "url", "base_url", "state", "session", "user", "auth", "url_for"}
READERS = {"get", "items", "keys", "values", "getlist", "multi_items", "copy"}
# What Starlette and FastAPI read of a scope until a request is validated.
TAKEN = {
    "app",
    "app_root_path",
    "asgi",
    "endpoint",
    "extensions",
    "headers",
    "http_version",
    "method",
    "path",
    "path_params",
    "query_string",
    "raw_path",
    "root_path",
    "route",
    "router",
    "subprotocols",
    "type",
}
APP_FREE = {
    "state",
    "title",
    "version",
    "description",
    "debug",
    "extra",
    "root_path",
    "url_path_for",
    "openapi",
    "docs_url",
    "openapi_url",
    "redoc_url",
    "summary",
}
ROUTE_FREE = {
    "endpoint",
    "path",
    "path_format",
    "name",
    "tags",
    "methods",
    "operation_id",
    "summary",
    "include_in_schema",
    "deprecated",
}
ANSWER_FREE = {
    "headers",
    "raw_headers",
    "status_code",
    "background",
    "media_type",
    "charset",
    "set_cookie",
    "delete_cookie",
}
SAID = {
    "made-request": "the request",
    "raw headers": "the headers",
    "receive": "`receive`",
    "send": "`send`",
    "call_next": "`call_next`",
    "app": "the app inside",
    "the app": "the app",
    "json": "the body",
    "coming": "what the app answers",
    "answer": "what the app answers",
    "message": "what the app answers",
    "refusal": "its own answer",
    "own answer": "its own answer",
    "self": "the middleware itself",
    "function": "a function inside",
    "routes": "the app's routes",
}


def said(value: Value) -> str:
    """What a person calls it."""
    if value.name == "method":
        base, name = value.data
        return f"`{name}` of {said(base)}"
    if value.name == "own method":
        return "a method of its own"
    return SAID.get(value.name, f"the {value.name}")


def is_private(key: str) -> bool:
    return key.startswith(("fastapi", "starlette", "_"))


def joined(one: Value, other: Value) -> Value | None:
    """What a name stands for that holds the one or the other; none if that is not known."""
    if one == other:
        return one
    if one.name == other.name and one.data == other.data:
        return one._replace(sure=False)
    for a, b in ((one, other), (other, one)):
        if a.name == "nothing":
            return b
    for a, b in ((one, other), (other, one)):
        if {a.name, b.name} == {"answer", "refusal"}:
            return ANSWER
        if {a.name, b.name} <= {"answer", "refusal", "own answer"}:
            return OWN
        if a.name in HARMLESS and b.name in HARMLESS:
            return FREE
        if a.name in HARMLESS:
            return b._replace(sure=False)
    return None


def is_harmless(value: Value) -> bool:
    return value.name in HARMLESS
