"""Writes what a real FastAPI app says to random requests: its operations first, a line each, then a line for each request.

Arguments: the seed, the number of requests. The operations are the inspector's.
"""

import asyncio
import json
import random
import sys
import warnings
from typing import Annotated, List, Literal, Optional

from fastapi import Body, Cookie, FastAPI, File, Form, Header, Path, Query, UploadFile
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from shapes import Shapes, Translator
from mantlet_inspector.contract.operations import Operations
from types_ import Cat, Dog, Hero, HeroBase, NewTeam
from values import TEXTS, Values


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
    """What random requests are made from."""

    def __init__(self, method, path, kind="none"):
        self.method, self.path, self.kind, self.inputs = method, path, kind, []
        OPERATIONS.append(self)

    def input(self, location, kind, *names):
        self.inputs.append((location, names, TypeAdapter(kind).core_schema))
        return self

    def read(self):
        """What the inspector makes of it."""
        shapes = Shapes()
        route = next(route for route in APP.routes if getattr(route, "path", None) == self.path)
        made = Operations(shapes, Translator(shapes)).read(route)
        return {"operation": made, "shapes": shapes.all}


Operation("GET", "/path/{number}/{word}").input("path", int, "number").input("path", str, "word")


@APP.get("/path/{number}/{word}")
def path(number: Annotated[int, Path(ge=0)], word: Annotated[str, Path(max_length=3)]): ...


Operation("GET", "/query").input("query", str, "q", "n", "many", "flagAlias")


@APP.get("/query")
def query(
    q: str,
    n: int = 1,
    many: Annotated[List[int], Query()] = [],
    flag: Annotated[Optional[bool], Query(alias="flagAlias")] = None,
): ...


Operation("GET", "/filters").input("query", str, "limit", "order", "tag")


@APP.get("/filters")
def filters(filters: Annotated[Filters, Query()]): ...


Operation("GET", "/loose").input("query", str, "limit")


@APP.get("/loose")
def loose(loose: Annotated[Optional[Loose], Query()] = None): ...


HEADS = Operation("GET", "/heads")


@APP.get("/heads")
def heads(
    heads: Annotated[Heads, Header()],
    session: Annotated[int, Cookie()],
    x_number: Annotated[Optional[int], Header()] = None,
): ...


Operation("POST", "/item", "json").input("body", Item)


@APP.post("/item")
def item(item: Item): ...


Operation("POST", "/maybe", "json").input("query", int, "n").input("body", Optional[Item])


@APP.post("/maybe")
def maybe(n: int, item: Optional[Item] = None): ...


Operation("POST", "/two", "json").input("body", Item, "item").input("body", Owner, "owner").input(
    "body", int, "importance"
)


@APP.post("/two")
def two(item: Item, importance: Annotated[int, Body(gt=3)], owner: Owner = None): ...


Operation("POST", "/list", "json").input("body", List[Item])


@APP.post("/list")
def a_list(items: List[Item]): ...


Operation("POST", "/bytes", "json").input("body", str)


@APP.post("/bytes")
def some_text(body: Annotated[str, Body()]): ...


Operation("POST", "/pet", "json").input("body", Annotated[Cat | Dog, Field(discriminator="kind")])


@APP.post("/pet")
def pet(pet: Annotated[Cat | Dog, Body(discriminator="kind")]): ...


Operation("POST", "/form", "form").input("body", str, "user", "age", "roles")


@APP.post("/form")
def form(
    user: Annotated[str, Form()], age: Annotated[int, Form()] = 1, roles: Annotated[List[str], Form()] = []
): ...


Operation("POST", "/login", "form").input("body", str, "user", "age", "roles")


@APP.post("/login")
def login(login: Annotated[Login, Form()]): ...


Operation("POST", "/upload", "form").input("body", str, "file", "note", "n")


@APP.post("/upload")
def upload(file: UploadFile, note: Annotated[str, Form(min_length=2)], n: Annotated[Optional[int], Form()] = None): ...


Operation("POST", "/uploads", "form").input("body", str, "files", "tags")


@APP.post("/uploads")
def uploads(files: List[UploadFile], tags: Annotated[List[int], Form()], more: Annotated[List[UploadFile], File()] = []): ...


Operation("POST", "/content", "form").input("body", str, "content", "contents", "n")


@APP.post("/content")
def content(
    content: Annotated[bytes, File(max_length=5)],
    contents: Annotated[List[bytes], File()],
    n: Annotated[int, Form(ge=1)],
    maybe: Annotated[Optional[UploadFile], File()] = None,
): ...


Operation("POST", "/one", "form").input("body", str, "content", "n")


@APP.post("/one")
def one(content: Annotated[bytes, File(min_length=1, max_length=5)], n: Annotated[Optional[bytes], File(max_length=3)] = None): ...


class Profile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    user: str = Field(min_length=2)
    age: int
    picture: Optional[UploadFile] = None


Operation("POST", "/profile", "form").input("body", str, "user", "age", "picture")


@APP.post("/profile")
def profile(profile: Annotated[Profile, Form()]): ...


# Of SQLModel: validated, a table, in the query and in a form.
Operation("POST", "/team", "json").input("body", NewTeam)


@APP.post("/team")
def team(team: NewTeam): ...


Operation("POST", "/hero", "json").input("body", Hero)


@APP.post("/hero")
def hero(hero: Hero): ...


Operation("GET", "/heroes").input("query", str, "name", "age", "team_id", "secretName")


@APP.get("/heroes")
def heroes(hero: Annotated[HeroBase, Query()]): ...


Operation("POST", "/hero-form", "form").input("body", str, "name", "age", "team_id", "secretName")


@APP.post("/hero-form")
def hero_form(hero: Annotated[HeroBase, Form()]): ...


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

    def multipart(self, names):
        boundary = "----------------------------boundary"
        body = b""
        for _ in range(self.r.randint(0, 5)):
            name = self.r.choice([*names, *names, *names, "other", "maybe", ""])
            value = self.r.choice([*TEXTS, "up", "5", "50", "ada", "1", "2"]).encode("utf-8", "surrogatepass")
            file = name in ("file", "files", "content", "contents", "picture", "maybe")
            file = self.r.random() < (0.8 if file else 0.1)
            filename = self.r.choice(['; filename="a.txt"', '; filename=""', '; filename="größe"']) if file else ""
            kind = "Content-Type: text/plain\r\n" if file else ""
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n{kind}\r\n'
            body += head.encode() + value + b"\r\n"
        return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()

    def header(self, names):
        return "".join(c for c in self.r.choice([*TEXTS, "1", "2"]) if 32 <= ord(c) < 127).strip()

    def json(self, operation):
        made = Values(self.r, {})
        inputs = [(names, schema) for location, names, schema in operation.inputs if location == "body"]
        if not inputs[0][0]:
            value = made.start(inputs[0][1])
        else:
            members = [(names[0], made.start(schema)) for names, schema in inputs if self.r.random() < 0.9]
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
        for location, names, _ in operation.inputs:
            if location == "path":
                value = self.r.choice([one for one in TEXTS if one and one.isascii() and one.isalnum()] + ["1", "22"])
                request["path"].append([names[0], value])
                url = url.replace("{" + names[0] + "}", value)
        wanted = "body" if operation.kind == "form" else "query"
        names = [name for location, names, _ in operation.inputs if location == wanted for name in names]
        body = b""
        if operation.kind == "form" and self.r.random() < 0.6:
            content_type, body = self.multipart(names)
            request["headers"].append(["content-type", content_type])
        elif operation.kind == "form":
            body = self.encoded(names).encode()
            request["headers"].append(["content-type", "application/x-www-form-urlencoded"])
        else:
            request["query"] = self.encoded(names)
        if operation.kind == "json" and self.r.random() < 0.95:
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
        print(json.dumps(operation.read()))
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
