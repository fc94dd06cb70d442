"""Lists, sets, tuples and dictionaries."""

from __future__ import annotations

from mantlet_inspector.contract.schemas.known import Schema
from mantlet_inspector.contract.schemas.scalars import lengths
from mantlet_inspector.contract.schemas.translator import Context, Made, translates


@translates("list")
def sequence(schema: Schema, context: Context, kind: str = "list") -> Made:
    items = schema.get("items_schema")
    return {
        "type": kind,
        "items": None if items is None else context.translate(items),
        **lengths(schema),
        "strict": context.is_strict(schema),
        "fail_fast": schema.get("fail_fast"),
    }


@translates("set")
def set_of(schema: Schema, context: Context) -> Made:
    return sequence(schema, context, "set")


@translates("frozenset")
def frozen_set_of(schema: Schema, context: Context) -> Made:
    return sequence(schema, context, "frozen-set")


@translates("tuple")
def tuple_of(schema: Schema, context: Context) -> Made:
    return {
        "type": "tuple",
        "items": [context.translate(item) for item in schema["items_schema"]],
        "variadic": schema.get("variadic_item_index"),
        **lengths(schema),
        "strict": context.is_strict(schema),
        "fail_fast": schema.get("fail_fast"),
    }


@translates("dict")
def dictionary(schema: Schema, context: Context) -> Made:
    keys, values = (schema.get(part) or {"type": "any"} for part in ("keys_schema", "values_schema"))
    return {
        "type": "dict",
        "keys": context.translate(keys),
        "values": context.translate(values),
        **lengths(schema),
        "strict": context.is_strict(schema),
        "fail_fast": schema.get("fail_fast"),
    }
