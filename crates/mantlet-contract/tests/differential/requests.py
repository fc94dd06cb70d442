"""Writes what a real FastAPI app says to random requests: its operations first, a line each, then a line for each request.

Arguments: the seed, the number of requests. The operations are written by hand until the inspector writes them.
"""

import asyncio
import json
import random
import sys
import warnings
from typing import Annotated, List, Literal, Optional

from fastapi import Body, Cookie, FastAPI, Form, Header, Path, Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

import shapes
from types_ import Cat, Dog
from values import NUMBERS, OTHERS, TEXTS, Values, text


class Item(BaseModel):
    name: str = Field(min_length=1, max_length=10)
    price: float = Field(gt=0)
    tags: List[str] = []
    owner: Optional["Owner"] = None


class Owner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: int


class Filters(BaseModel):
    model_config = ConfigDict(extra="forbid")
    limit: int = Field(10, ge=1, le=100)
    order: Literal["up", "down"] = "up"
    tag: List[str] = []


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    limit: int = 1


class Heads(BaseModel):
    x_token: str
    x_count: List[int] = []


class Login(BaseModel):
    user: str = Field(min_length=2)
    age: Optional[int] = None
    roles: List[str] = []


Item.model_rebuild()
APP = FastAPI()
OPERATIONS = []


class Operation:
    def __init__(self, method, path, body=None):
        self.translator = shapes.Translator()
        self.made = {"id": path, "body": body or {"kind": "none"}, "inputs": []}
        self.method, self.path, self.schemas = method, path, []
        OPERATIONS.append(self)

    def input(self, location, kind, take, required=True):
        schema = TypeAdapter(kind).core_schema
        self.translator.definitions = {}
        shape = self.translator.shape(schema, {})
        self.schemas.append((location, take, schema))
        self.made["inputs"].append({"location": location, "take": take, "shape": shape, "required": required})
        return self


def field(*names, multiple=False):
    return {"kind": "field", "names": names, "multiple": multiple}


def group(*fields, optional=False):
    made = [{"names": [[own, wire]], "multiple": multiple} for own, wire, multiple in fields]
    return {"kind": "group", "fields": made, "optional": optional, "extras": True}


WHOLE = {"kind": "whole"}
JSON = {"kind": "json", "strict-content-type": True}
FORM = {"kind": "form", "files": False}

Operation("GET", "/path/{number}/{word}").input(
    "path", Annotated[int, Field(ge=0)], field("number")
).input("path", Annotated[str, Field(max_length=3)], field("word"))


@APP.get("/path/{number}/{word}")
def path(number: Annotated[int, Path(ge=0)], word: Annotated[str, Path(max_length=3)]): ...


Operation("GET", "/query").input("query", str, field("q")).input("query", int, field("n"), False).input(
    "query", List[int], field("many", multiple=True), False
).input("query", Optional[bool], field("flagAlias"), False)


@APP.get("/query")
def query(
    q: str,
    n: int = 1,
    many: Annotated[List[int], Query()] = [],
    flag: Annotated[Optional[bool], Query(alias="flagAlias")] = None,
): ...


Operation("GET", "/filters").input(
    "query", Filters, group(("limit", "limit", False), ("order", "order", False), ("tag", "tag", True))
)


@APP.get("/filters")
def filters(filters: Annotated[Filters, Query()]): ...


Operation("GET", "/loose").input("query", Optional[Loose], group(("limit", "limit", False), optional=True), False)


@APP.get("/loose")
def loose(loose: Annotated[Optional[Loose], Query()] = None): ...


Operation("GET", "/heads").input(
    "header", Heads, group(("x_token", "x-token", False), ("x_count", "x-count", True))
).input("cookie", int, field("session")).input("header", Optional[int], field("x-number"), False)


@APP.get("/heads")
def heads(
    heads: Annotated[Heads, Header()],
    session: Annotated[int, Cookie()],
    x_number: Annotated[Optional[int], Header()] = None,
): ...


HEADS = OPERATIONS.pop()
# FastAPI takes headers in front of cookies.
HEADS.made["inputs"] = [HEADS.made["inputs"][index] for index in (0, 2, 1)]
OPERATIONS.append(HEADS)

Operation("POST", "/item", JSON).input("body", Item, WHOLE)


@APP.post("/item")
def item(item: Item): ...


Operation("POST", "/maybe", JSON).input("query", int, field("n")).input("body", Optional[Item], WHOLE, False)


@APP.post("/maybe")
def maybe(n: int, item: Optional[Item] = None): ...


Operation("POST", "/two", JSON).input("body", Item, field("item")).input("body", Owner, field("owner"), False).input(
    "body", Annotated[int, Field(gt=3)], field("importance")
)


@APP.post("/two")
def two(item: Item, importance: Annotated[int, Body(gt=3)], owner: Owner = None): ...


TWO = OPERATIONS.pop()
TWO.made["inputs"] = [TWO.made["inputs"][index] for index in (0, 2, 1)]
OPERATIONS.append(TWO)

Operation("POST", "/list", JSON).input("body", List[Item], WHOLE)


@APP.post("/list")
def a_list(items: List[Item]): ...


Operation("POST", "/bytes", JSON).input("body", str, WHOLE)


@APP.post("/bytes")
def some_text(body: Annotated[str, Body()]): ...


Operation("POST", "/pet", JSON).input("body", Annotated[Cat | Dog, Field(discriminator="kind")], WHOLE)


@APP.post("/pet")
def pet(pet: Annotated[Cat | Dog, Body(discriminator="kind")]): ...


Operation("POST", "/form", FORM).input("body", str, field("user")).input("body", int, field("age"), False).input(
    "body", List[str], field("roles", multiple=True), False
)


@APP.post("/form")
def form(
    user: Annotated[str, Form()], age: Annotated[int, Form()] = 1, roles: Annotated[List[str], Form()] = []
): ...


Operation("POST", "/login", FORM).input(
    "body", Login, group(("user", "user", False), ("age", "age", False), ("roles", "roles", True))
)


@APP.post("/login")
def login(login: Annotated[Login, Form()]): ...


class Requests:
    def __init__(self, r):
        self.r = r

    def encoded(self, names):
        from urllib.parse import quote, quote_plus

        pairs = []
        for _ in range(self.r.randint(0, 5)):
            name = self.r.choice([*names, *names, *names, "other", "limit", ""])
            value = self.r.choice([*TEXTS, "up", "down", "5", "50", "ada", "1", "2"])
            chance = self.r.random()
            value = quote_plus(value) if chance < 0.5 else quote(value) if chance < 0.9 else "%zz%C3+%e9"
            pairs.append(name if self.r.random() < 0.05 else f"{name}={value}")
        return self.r.choice(["&", "&", "&", "&&"]).join(pairs)

    def header(self, names):
        return "".join(c for c in self.r.choice([*TEXTS, "1", "2"]) if 32 <= ord(c) < 127).strip()

    def json(self, operation):
        made = Values(self.r, {})
        inputs = [(take, schema) for location, take, schema in operation.schemas if location == "body"]
        if inputs[0][0]["kind"] == "whole":
            value = made.start(inputs[0][1])
        else:
            members = [(take["names"][0], made.start(schema)) for take, schema in inputs if self.r.random() < 0.9]
            value = made.members(members)
        chance = self.r.random()
        if chance < 0.05:
            value = made.junk()
        elif chance < 0.2 and value:
            at = self.r.randrange(len(value))
            value = value[:at] + self.r.choice(["", ",", "}", "]", "\"", "\\", "\\u12", "x", "\n", "é", "1", "NaN"]) + value[at + 1 :]
        return value.encode("utf-8", "surrogatepass")

    def request(self, operation):
        request = {"path": [], "query": "", "headers": [], "body": ""}
        url = operation.path
        for location, take, _ in operation.schemas:
            if location == "path":
                value = self.r.choice([one for one in TEXTS if one and one.isascii() and one.isalnum()] + ["1", "22"])
                request["path"].append([take["names"][0], value])
                url = url.replace("{" + take["names"][0] + "}", value)
        names = [
            wire
            for location, take, _ in operation.schemas
            if location == "query" or operation.made["body"]["kind"] == "form"
            for wire in (take.get("names") or [one["names"][0][1] for one in take.get("fields", [])])
        ]
        body = b""
        kind = operation.made["body"]["kind"]
        if kind == "form":
            body = self.encoded(names).encode()
            request["headers"].append(["content-type", "application/x-www-form-urlencoded"])
        else:
            request["query"] = self.encoded(names)
        if kind == "json" and self.r.random() < 0.95:
            body = self.json(operation)
            content_type = self.r.choice(["application/json"] * 12 + ["application/x+json; a=b", "text/plain", "Application/JSON", None])
            if content_type:
                request["headers"].append(["content-type", content_type])
        if operation is HEADS:
            for name in ("x-token", "x-count", "x-count", "x-number", "x_token", "session"):
                if self.r.random() < 0.7:
                    request["headers"].append([name, self.header(name)])
            if self.r.random() < 0.8:
                request["headers"].append(["cookie", self.r.choice(["session=5", "session=a; session=7", 'session="8"', "a=1", "session", "session="])])
        request["body"] = body.hex()
        return url, body, request


async def answer(method, url, request, body):
    status, sent = None, b""

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        nonlocal status, sent
        status = message.get("status", status)
        sent += message.get("body", b"")

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": url, "raw_path": url.encode(), "query_string": request["query"].encode(), "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in request["headers"]],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }
    try:
        await APP(scope, receive, send)
    except Exception:
        return 500, None
    return status, json.loads(sent) if sent else None


def main():
    warnings.simplefilter("ignore")
    r = random.Random(int(sys.argv[1]))
    made = Requests(r)
    for operation in OPERATIONS:
        print(json.dumps({"operation": operation.made, "shapes": operation.translator.shapes}))
    loop = asyncio.new_event_loop()
    for _ in range(int(sys.argv[2])):
        index = r.randrange(len(OPERATIONS))
        operation = OPERATIONS[index]
        url, body, request = made.request(operation)
        status, said = loop.run_until_complete(answer(operation.method, url, request, body))
        errors = None
        if status == 422:
            errors = [[e["type"], e["loc"], e["msg"], e.get("ctx")] for e in said["detail"]]
        print(json.dumps({"index": index, "request": request, "status": status, "errors": errors}))


main()
