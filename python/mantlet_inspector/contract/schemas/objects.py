"""Models, dataclasses and typed dictionaries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mantlet_inspector.contract.schemas.functions import function_of
from mantlet_inspector.contract.schemas.known import (
    FIELD,
    Schema,
    Unknown,
    config_must_be_known,
    must_be_known,
)
from mantlet_inspector.contract.schemas.translator import Context, Made, translates
from mantlet_inspector.contract.shapes import Shape
from mantlet_inspector.proof import known_packages
from mantlet_inspector.source.places import name_of


@translates("model")
def model(schema: Schema, context: Context) -> Made:
    cls = schema["cls"]
    context = context.within(schema.get("config") or {})
    made = known_packages.how_made(cls) if schema.get("custom_init") else "validated"
    if made is None:
        raise Unknown(f"`{cls.__qualname__}.__init__` decides")
    if made == "table":
        return table(cls, context)
    runs: list[str] = []
    if schema.get("root_model"):
        root = context.translate(schema["schema"])
        shape = {"type": "object", "name": cls.__name__, "kind": "model", "fields": [], "extra": "ignore"}
        shape["root"] = root
    else:
        inner, context, runs = unwrapped(schema["schema"], context)
        if inner["type"] != "model-fields":
            raise Unknown(f"the fields of `{cls.__qualname__}` are of the type `{inner['type']}`")
        shape = fields_of(schema, inner, inner["fields"].items(), context)
        shape["kind"] = "model"
        shape["name"] = inner.get("model_name") or cls.__name__
    post_init = schema.get("post_init")
    if post_init and name_of(getattr(cls, post_init)) != "init_private_attributes":
        runs.append(f"`{name_of(getattr(cls, post_init))}` runs")
    return then(shape, runs, context)


def table(cls: Any, context: Context) -> Shape:
    """Of SQLModel: nothing is validated but that an object comes."""
    anything = context.shapes.add({"type": "any"})
    shape = {
        "type": "object",
        "name": cls.__name__,
        "kind": "model",
        "fields": [
            {"name": name, "lookup": paths, "shape": anything, "required": False}
            for name, paths in known_packages.table_fields(cls)
        ],
        "extra": "allow" if context.config.get("extra_fields_behavior") == "allow" else "ignore",
    }
    return then(shape, [f"`{cls.__qualname__}` is a table, which SQLModel does not validate"], context)


@translates("dataclass")
def dataclass(schema: Schema, context: Context) -> Made:
    context = context.within(schema.get("config") or {})
    cls = schema["cls"]
    inner, context, runs = unwrapped(schema["schema"], context)
    if inner["type"] != "dataclass-args":
        raise Unknown(f"the fields of `{cls.__qualname__}` are of the type `{inner['type']}`")
    if any(field.get("init") is False for field in inner["fields"]):
        raise Unknown(f"`{cls.__qualname__}` has fields that nobody may set")
    fields = [(field["name"], field) for field in inner["fields"]]
    shape = fields_of(schema, inner, fields, context)
    shape["kind"] = "dataclass"
    shape["name"] = inner.get("dataclass_name") or cls.__name__
    shape["strict"] = context.is_strict(schema)  # then only instances pass; strict models take dictionaries
    if schema.get("post_init"):
        runs.append(f"`{cls.__qualname__}.__post_init__` runs")
    return then(shape, runs, context)


@translates("typed-dict")
def typed_dict(schema: Schema, context: Context) -> Made:
    context = context.within(schema.get("config") or {})
    shape = fields_of(schema, schema, schema["fields"].items(), context)
    shape["kind"] = "typed-dict"
    shape["name"] = schema.get("cls_name") or getattr(schema.get("cls"), "__name__", "TypedDict")
    return shape


def then(shape: Shape, runs: list[str], context: Context) -> Shape:
    """A shape, and code that runs after it."""
    for why in runs:
        shape = {"type": "then", "inner": context.shapes.add(shape), "why": why}
    return shape


def unwrapped(schema: Schema, context: Context) -> tuple[Schema, Context, list[str]]:
    """The fields below validators that run after them -> (the fields, their context, what runs)."""
    runs: list[str] = []
    while True:
        if schema["type"] == "definitions":
            context = context.defining(schema)
        elif schema["type"] == "function-after":
            runs.insert(0, f"`{name_of(function_of(schema))}` runs after")
        elif schema["type"] in ("function-before", "function-wrap", "function-plain"):
            raise Unknown(f"a validator (`{name_of(function_of(schema))}`) decides")
        else:
            return schema, context, runs
        schema = schema["schema"]


def fields_of(schema: Schema, inner: Schema, fields: Iterable[tuple[str, Schema]], context: Context) -> Shape:
    """What all that have fields have in common; `kind` and `name` are the caller's to say."""
    config = context.config
    must_be_known(inner)
    config_must_be_known(config)
    by_alias = config.get("validate_by_alias", True)
    by_name = config.get("validate_by_name") or config.get("populate_by_name")
    by_name = bool(by_name or inner.get("populate_by_name"))
    extra = inner.get("extra_behavior") or schema.get("extra_behavior")
    extra = extra or config.get("extra_fields_behavior") or "ignore"
    extras, extra_keys = inner.get("extras_schema"), inner.get("extras_keys_schema")
    total = True
    if inner["type"] == "typed-dict":
        total = schema.get("total", config.get("typed_dict_total", True))
    return {
        "type": "object",
        "name": None,
        "kind": None,
        "fields": [field_of(name, field, context, by_alias, by_name, total) for name, field in fields],
        "extra": extra,
        "extras": None if extras is None else context.translate(extras),
        "extra_keys": None if extra_keys is None else context.translate(extra_keys),
        "loc_by_alias": config.get("loc_by_alias", inner.get("loc_by_alias", True)),
    }


def field_of(name: str, field: Schema, context: Context, by_alias: bool, by_name: bool, total: bool) -> Shape:
    alias = field.get("validation_alias")
    paths = [[name]]
    if alias is not None and by_alias:
        paths = alias if isinstance(alias, list) and isinstance(alias[0], list) else [alias]
        paths = [path if isinstance(path, list) else [path] for path in paths]
        if by_name and [name] not in paths:
            paths = [*paths, [name]]
    must_be_known(field, *FIELD)
    schema = field["schema"]
    required, opaque_default = True, False
    if schema["type"] == "default" and not schema.get("ref"):
        required = False
        opaque_default = "default_factory" in schema or bool(context.setting(schema, "validate_default"))
        if schema.get("on_error", "raise") == "raise":
            schema = schema["schema"]
    if field.get("required") is not None or field["type"] == "typed-dict-field":
        required = field.get("required", total)
    shape = context.translate(schema)
    found = {"name": name, "lookup": paths, "shape": shape, "required": required}
    return {**found, "default-is-opaque": True} if opaque_default else found
