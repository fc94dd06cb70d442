"""FastAPI's own documents, and what FastAPI itself declares, as JSON lines.

Usage: fastapi_documents.py SHOP_FOLDER
"""

import datetime
import decimal
import enum
import ipaddress
import json
import sys
import uuid
import warnings
from typing import Annotated, Any, Literal, Optional, Union

from fastapi import Body, Cookie, Depends, FastAPI, File, Form, Header, Path, Query, UploadFile, params
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

warnings.simplefilter("ignore")


class Color(enum.Enum):
    red = "red"
    blue = "blue"


class Number(enum.IntEnum):
    one = 1
    two = 2


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(9, ge=0, le=9)


class Dog(BaseModel):
    kind: Literal["dog", "puppy"] = "dog"
    friend: "Dog | Cat | None" = None


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    a: int


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int = Field(alias="A")


class Everything(BaseModel):
    text: str = Field(min_length=1, max_length=5)
    pattern: str = Field(pattern=r"^\d+$")
    whole: int = Field(gt=0, lt=10, multiple_of=2)
    number: float = Field(ge=0.5)
    flag: bool
    date: datetime.date
    time: datetime.time
    datetime: datetime.datetime
    duration: datetime.timedelta
    uuid: uuid.UUID
    raw: bytes
    ipv4: ipaddress.IPv4Address
    color: Color
    size: Number
    literal: Literal["a", "b"]
    one: Literal["x"]
    maybe: Optional[int]
    default: str = "x"
    either: Union[int, str]
    pet: Cat | Dog = Field(discriminator="kind")
    untagged: Cat | Closed
    closed: Closed
    open: Open
    items: list[int] = Field(max_length=3)
    deep: list[list[str]]
    several: set[int]
    frozen: frozenset[str]
    pair: tuple[int, str]
    many: tuple[int, ...]
    table: dict[str, float]
    keyed: dict[Color, int]
    anything: Any
    plain_list: list
    plain_dict: dict
    nested: "Everything | None" = None


class Filters(BaseModel):
    limit: int = 10
    tags: list[str] = []


def user(x_token: Annotated[str, Header()], session: Annotated[str | None, Cookie()] = None) -> str:
    return x_token


def everything() -> FastAPI:
    app = FastAPI(title="Everything")

    @app.post("/everything/{item_id}")
    def one(item_id: int, body: Everything, q: str, tags: Annotated[list[str], Query()], maybe: int | None = None) -> Everything: ...

    @app.get("/files/{path:path}")
    def files(path: Annotated[str, Path()], color: Color = Color.red, who: str = Depends(user)) -> list[Cat]: ...

    @app.put("/filters")
    def filters(filters: Annotated[Filters, Query()], x_many: Annotated[list[int], Header()]) -> dict[str, int]: ...

    @app.post("/upload")
    def upload(file: UploadFile, raw: Annotated[bytes, File()], more: list[UploadFile], name: Annotated[str, Form()], ages: Annotated[list[int], Form()] = []): ...

    @app.post("/login")
    def login(name: Annotated[str, Form()], password: Annotated[str, Form(min_length=8)]): ...

    @app.patch("/several")
    def several(cat: Cat, dog: Dog, count: Annotated[int, Body()]): ...

    @app.get("/items/me")
    def me(): ...

    @app.get("/items/{item_id}")
    def item(item_id: uuid.UUID, when: datetime.date | None = None): ...

    @app.delete("/items/{item_id}")
    def delete(item_id: uuid.UUID): ...

    return app


def shown(schema, definitions):
    """A core schema in the words of show.rs."""
    kind = schema["type"]
    again = lambda inner: shown(inner, definitions)
    if kind == "definitions":
        definitions.update({inner["ref"]: inner for inner in schema["definitions"]})
        return again(schema["schema"])
    if kind == "definition-ref":
        return again(definitions[schema["schema_ref"]])
    if ref := schema.get("ref"):
        definitions.setdefault(ref, schema)
        if ref in shown.above:
            return "^"
        shown.above.append(ref)
        try:
            return bare(kind, schema, again)
        finally:
            shown.above.pop()
    return bare(kind, schema, again)


shown.above = []


def bounds(schema):
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "multiple_of": "%"}
    return "".join(f"{sign}{schema[name]:g}" for name, sign in signs.items() if schema.get(name) is not None)


def lengths(schema):
    least, most = schema.get("min_length"), schema.get("max_length")
    return "" if least is None and most is None else f"#{least or ''}..{'' if most is None else most}"


def bare(kind, schema, again):
    compact = lambda value: json.dumps(value, separators=(",", ":"))
    if kind in ("int", "float"):
        return kind + bounds(schema)
    if kind == "str":
        return "str" + lengths(schema)
    if kind in ("bool", "date", "time", "datetime", "timedelta", "uuid", "any", "bytes"):
        return kind
    if kind == "literal":
        return "literal" + compact(schema["expected"])
    if kind == "enum":
        return "enum" + compact([member.value for member in schema["members"]])
    if kind == "nullable":
        return "?" + again(schema["schema"])
    if kind == "default":
        return again(schema["schema"])
    if kind in ("list", "set", "frozenset"):
        items = again(schema["items_schema"]) if "items_schema" in schema else "any"
        return f"{'set' if 'set' in kind else ''}[{items}{lengths(schema)}]"
    if kind == "tuple":
        items = ", ".join(map(again, schema["items_schema"]))
        # A tuple without an end is a list to a document.
        return f"[{items}]" if schema.get("variadic_item_index") == 0 else f"({items})"
    if kind == "dict":
        keys = again(schema["keys_schema"]) if "keys_schema" in schema else "str"
        return f"dict[{keys}: {again(schema['values_schema']) if 'values_schema' in schema else 'any'}]"
    if kind == "union":
        return "(" + " | ".join(again(choice[0] if isinstance(choice, tuple) else choice) for choice in schema["choices"]) + ")"
    if kind == "tagged-union":
        choices = " | ".join(f"{compact(tag)} => {again(choice)}" for tag, choice in schema["choices"].items())
        return f"{schema['discriminator']}({choices})"
    if kind == "model":
        fields = []
        for name, field in schema["schema"]["fields"].items():
            required = field["schema"]["type"] != "default"
            alias = field.get("validation_alias", name)
            fields.append(f"{alias}{'!' if required else ''}: {again(field['schema'])}")
        # What a document does not forbid it allows.
        if schema["config"].get("extra_fields_behavior") != "forbid":
            fields.append("+any")
        return "{" + ", ".join(fields) + "}"
    if kind == "lax-or-strict" and "ipv4" in str(schema).lower():
        return "ipv4-address"
    return f"unknown({kind})"


def declared(route):
    """What FastAPI takes out of a request, without what it takes for files and forms."""
    inputs = []
    for location in ("path", "query", "header", "cookie"):
        for field in fields(route.dependant, f"{location}_params"):
            info = field.field_info
            if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
                # A model of parameters stands in a document as its fields.
                for name, inner in info.annotation.model_fields.items():
                    core = TypeAdapter(Annotated[inner.annotation, inner]).core_schema
                    inputs.append(one(location, name, inner.is_required(), core))
            else:
                core = TypeAdapter(Annotated[info.annotation, info]).core_schema
                inputs.append(one(location, field.alias, info.is_required(), core))
    body = route.body_field
    kind = "opaque"
    if body is not None:
        info = body.field_info
        kind = "files" if isinstance(info, params.File) else "form" if isinstance(info, params.Form) else "json"
        if kind == "json":
            core = TypeAdapter(info.annotation).core_schema
            inputs.append(f"body{'!' if info.is_required() else ''} {shown(core, {})}")
    return {"path": route.path_format, "methods": sorted(route.methods), "inputs": inputs, "body": kind}


def fields(dependant, kind):
    yield from getattr(dependant, kind)
    for inner in dependant.dependencies:
        yield from fields(inner, kind)


def one(location, name, required, core):
    text = shown(core, {})
    many = "*" if text.lstrip("?").startswith("[") else ""
    return f"{location} {name}{many}{'!' if required else ''} {text}"


def main():
    sys.path.insert(0, sys.argv[1])
    import main as shop

    for app in (everything(), shop.app):
        app.openapi()
        routes = [declared(route) for route in walked(app.routes) if isinstance(route, APIRoute) and route.include_in_schema]
        print(json.dumps({"document": json.dumps(app.openapi()), "routes": routes}))


def walked(routes):
    """Also the routes of routers that were included without a prefix."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        yield from walked(inner.routes) if inner else [route]


main()
