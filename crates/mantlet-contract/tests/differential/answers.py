"""Writes what a real FastAPI app answers by random response models: a line for each model, with its shapes, what the inspector makes
of its responses, and answers as they were sent.

Arguments: the seed, the number of answers.
"""

import asyncio
import json
import pathlib
import random
import sys
import warnings
from dataclasses import make_dataclass
from typing import Annotated, Any, Dict, List, Optional, Sequence, Tuple, Union

from fastapi import FastAPI
from pydantic import (
    BaseModel, ConfigDict, Field, RootModel, SerializeAsAny, TypeAdapter, computed_field, create_model, field_serializer,
    model_serializer, model_validator,
)
from typing_extensions import TypedDict

import types_
from values import Values

sys.dont_write_bytecode = True  # or Cargo takes the package for changed
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[4] / "python"))

from mantlet_inspector.contract.responses import Responses  # noqa: E402
from mantlet_inspector.contract.shapes import Shapes  # noqa: E402

EACH = 12
COUNT = 0


class Computes(BaseModel):
    @computed_field(alias="computedAlias")
    @property
    def computed(self) -> Dict[str, int]:
        return {"anything": 1}

    @computed_field
    @property
    def nested(self) -> Optional[types_.Tree]:
        return types_.Tree(name="a", children=[types_.Tree(name="b")])


class WritesItself(BaseModel):
    @model_serializer
    def write(self) -> Dict[str, Any]:
        return {"written": {"by": "code"}}


class WritesAround(BaseModel):
    @model_serializer(mode="wrap")
    def write(self, handler) -> Dict[str, Any]:
        return {**handler(self), "more": 1}


class WritesFields(BaseModel):
    @field_serializer("*", check_fields=False)
    def write(self, value) -> Any:
        return {"by": {"code": 1}}


class Checks(BaseModel):
    @model_validator(mode="after")
    def check(self):
        return self

    @model_validator(mode="before")
    @classmethod
    def look(cls, value):
        return value


BASES = [BaseModel, BaseModel, BaseModel, Computes, WritesItself, WritesAround, WritesFields, Checks]


def a_type(r, depth=0):
    """A type with models in it: only they say anything of keys."""
    if depth > 3 or r.random() < 0.15:
        return types_.a_type(r, depth)
    inner = lambda: a_type(r, depth + 1)
    kind = r.randint(0, 14)
    if kind == 0:
        return r.choice([List, List, Sequence])[inner()]
    if kind == 1:
        return Tuple[inner(), inner()]
    if kind == 2:
        return Dict[str, inner()]
    if kind == 3:
        return Optional[inner()]
    if kind in (4, 5):
        return Union[tuple(inner() for _ in range(r.randint(2, 3)))]
    if kind == 6:
        return Annotated[Union[types_.Cat, types_.Dog], Field(discriminator="kind")]
    if kind == 7:
        return SerializeAsAny[inner()]
    if kind == 8:
        return r.choice([types_.Tree, types_.Point, types_.Closed, types_.Movie, types_.Numbers, types_.Hero, types_.NewTeam])
    if kind == 9:
        return RootModel[inner()]
    if kind == 10:
        return TypedDict(named("Dict"), {"a": inner(), "b": int}, total=False)
    if kind == 11:
        return make_dataclass(named("Data"), [("a", inner()), ("b", int)])
    return a_model(r, depth)


def named(kind):
    global COUNT
    COUNT += 1
    return f"{kind}{COUNT}"


def a_model(r, depth):
    config = {"protected_namespaces": ()}
    if r.random() < 0.4:
        config["extra"] = r.choice(["ignore", "forbid", "allow"])
    if r.random() < 0.2:
        config["alias_generator"] = r.choice([str.upper, lambda name: f"{name}-generated"])
    for setting in ("serialize_by_alias", "populate_by_name", "use_enum_values", "validate_assignment"):
        if r.random() < 0.15:
            config[setting] = True
    fields = {}
    for name in r.sample(["a", "b", "c", "d_e", "x1"], r.randint(1, 4)):
        options = {}
        if r.random() < 0.3:
            options[r.choice(["alias", "serialization_alias", "validation_alias"])] = name + "Alias"
        if r.random() < 0.1:
            options["exclude"] = True
        if r.random() < 0.3:
            options["default"] = None
        fields[name] = (a_type(r, depth + 1), Field(**options))
    base = r.choice(BASES)
    made = create_model(named("Model"), __base__=type(named("Base"), (base,), {"model_config": ConfigDict(**config)}), **fields)
    if r.random() < 0.2:
        made = create_model(named("Child"), __base__=made, child=(Optional[int], 1))
    return made


def route(r, kind):
    """An app with one route, and what it will return."""
    app, returned = FastAPI(), []
    options = {}
    for option in ("response_model_exclude_unset", "response_model_exclude_none", "response_model_exclude_defaults"):
        if r.random() < 0.1:
            options[option] = True
    if r.random() < 0.2:
        options["response_model_by_alias"] = False
    if r.random() < 0.15:
        names = set(r.sample(["a", "b", "c", "d_e"], 2))
        options[r.choice(["response_model_include", "response_model_exclude"])] = names
    status = r.choice([None, 200, 201])

    @app.get("/", response_model=kind, status_code=status, **options)
    async def answers():
        return returned[0]

    return app, returned


async def ask(app):
    head, sent = {}, b""

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        nonlocal sent
        head.update(message)
        sent += message.get("body", b"")

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http", "path": "/",
        "raw_path": b"/", "query_string": b"", "root_path": "", "headers": [], "client": ("::1", 1), "server": ("::1", 80),
    }
    await app(scope, receive, send)
    return head["status"], sent.decode()


def more_of(value):
    """The same with a field that no model has, in the first object of it."""
    if isinstance(value, dict) and value:
        return {**value, "no model has this": 1}
    if isinstance(value, list) and value:
        return [more_of(value[0]), *value[1:]]
    return value


def main():
    warnings.simplefilter("ignore")
    r = random.Random(int(sys.argv[1]))
    loop = asyncio.new_event_loop()
    count = int(sys.argv[2])
    while count > 0:
        try:
            kind = a_type(r)
            adapter = TypeAdapter(kind)
            app, returned = route(r, kind)
            larger = None
            if isinstance(kind, type) and issubclass(kind, BaseModel) and not issubclass(kind, RootModel):
                larger = create_model(named("InDB"), __base__=kind, only_in_db=(str, "x"))
        except Exception:  # not every random type is one
            continue
        shapes = Shapes()
        responses = Responses(shapes).read(app.routes[-1])
        values, answers = Values(r, {}), []
        values.calm = True
        for _ in range(EACH):
            try:
                value = json.loads(values.value(adapter.core_schema))
                if r.random() < 0.6:
                    value = adapter.validate_python(value)
                elif larger is not None and r.random() < 0.6:
                    value = larger.model_validate({**value, "only_in_db": "secret"})
                returned[:] = [value]
                status, body = loop.run_until_complete(ask(app))
            except Exception:  # FastAPI raises for what does not fit its model
                continue
            answers.append([status, body, json.dumps(more_of(json.loads(body)))])
        count -= len(answers)
        if answers:
            line = {"name": str(kind), "shapes": shapes.all, "responses": responses, "answers": answers}
            print(json.dumps(line))


main()
