"""Schemas that stand around others: defaults, unions, validators."""

from __future__ import annotations

from typing import Any

from mantlet_inspector.contract.schemas.functions import function_of, is_pydantics, is_transparent
from mantlet_inspector.contract.schemas.known import Schema, Unknown
from mantlet_inspector.contract.schemas.scalars import json_value
from mantlet_inspector.contract.schemas.translator import Context, Made, translates
from mantlet_inspector.source.places import name_of

ONLY_ERRORS = [({"type": "str"}, "string_type"), ({"type": "bytes"}, "bytes_type")]
IP_KINDS = ("address", "interface", "network")
IP_FUNCTIONS = {f"ip_v{v}_{kind}_validator": f"ipv{v}-{kind}" for v in (4, 6) for kind in IP_KINDS}
IP_FUNCTIONS.update({f"IPvAny{kind.title()}._validate": f"ip-{kind}" for kind in IP_KINDS})


@translates("nullable")
def nullable(schema: Schema, context: Context) -> Made:
    return {"type": "nullable", "inner": context.translate(schema["schema"])}


@translates("default")
def default(schema: Schema, context: Context) -> Made:
    if schema.get("on_error", "raise") != "raise":
        raise Unknown("what is wrong is replaced by a default")
    return {"type": "with-default", "inner": context.translate(schema["schema"])}


@translates("union")
def union(schema: Schema, context: Context) -> Made:
    if schema.get("strict"):  # of older versions
        context = context.within({**context.config, "strict": True})
    choices = [choice if isinstance(choice, tuple) else (choice, None) for choice in schema["choices"]]
    custom = schema.get("custom_error_type")
    if custom:  # the error does not name the choices, and JSON is never an instance of a class
        choices = [pair for pair in choices if not only_instances(pair[0])]
    if len(choices) == 1:
        inner = context.translate(choices[0][0])
    else:
        inner = context.shapes.add(
            {
                "type": "union",
                "choices": [context.translate(choice) for choice, _ in choices],
                "labels": [label or label_of(choice, context) for choice, label in choices],
                "left_to_right": schema.get("mode") == "left_to_right",
            }
        )
    return with_custom_error(schema, context, inner)


@translates("tagged-union")
def tagged_union(schema: Schema, context: Context) -> Made:
    discriminator = schema["discriminator"]
    if callable(discriminator):
        if is_pydantics(discriminator) and name_of(discriminator) == "_get_type_name":
            return {"type": "any"}  # `JsonValue`: any value in a request is one
        raise Unknown(f"a function (`{name_of(discriminator)}`) chooses")
    paths = [discriminator] if isinstance(discriminator, str) else discriminator
    paths = [path if isinstance(path, list) else [path] for path in paths]
    if any(len(path) != 1 or not isinstance(path[0], str) for path in paths):
        raise Unknown("a nested field chooses")
    shown_as = " | ".join(f"'{path[0]}'" for path in paths)
    shape = {
        "type": "tagged-union",
        "discriminator": [path[0] for path in paths],
        "shown_as": shown_as,
        "choices": [
            [json_value(tag, "tag"), context.translate(choice)] for tag, choice in schema["choices"].items()
        ],
    }
    return with_custom_error(schema, context, context.shapes.add(shape))


@translates("chain")
def chain(schema: Schema, context: Context) -> Made:
    first, *rest = schema["steps"]
    if rest and first["type"] == "is-instance" and is_sequence_function(rest[0]):
        return context.translate(rest[0]["schema"])
    if rest and first["type"] == "any":
        first, *rest = rest
    inner = context.translate(first)
    for step in rest:
        inner = context.shapes.add({"type": "then", "inner": inner, "why": f"then `{step['type']}`"})
    return inner


@translates("lax-or-strict")
def lax_or_strict(schema: Schema, context: Context) -> Made:
    which = "strict_schema" if context.is_strict(schema) else "lax_schema"
    return context.translate(schema[which])


@translates("json-or-python")
def json_or_python(schema: Schema, context: Context) -> Made:
    return context.translate(schema["python_schema"])


@translates("custom-error")
def custom_error(schema: Schema, context: Context) -> Made:
    return with_custom_error(schema, context, context.translate(schema["schema"]))


@translates("function-after")
def function_after(schema: Schema, context: Context) -> Made:
    function = function_of(schema)
    inner = context.translate(schema["schema"])
    if is_transparent(function):
        return inner
    return {"type": "then", "inner": inner, "why": f"`{name_of(function)}` runs after"}


@translates("function-before")
def function_before(schema: Schema, context: Context) -> Made:
    raise Unknown(f"a validator (`{name_of(function_of(schema))}`) runs before")


@translates("function-wrap")
def function_wrap(schema: Schema, context: Context) -> Made:
    function = function_of(schema)
    if is_transparent(function):
        return context.translate(schema["schema"])
    raise Unknown(f"a validator (`{name_of(function)}`) wraps it")


@translates("function-plain")
def function_plain(schema: Schema, context: Context) -> Made:
    function = function_of(schema)
    name = name_of(function)
    if is_pydantics(function) and name in IP_FUNCTIONS:
        return {"type": "ip", "of": IP_FUNCTIONS[name]}
    owner = getattr(function, "__self__", None)
    if name == "UploadFile._validate" and (getattr(owner, "__module__", "")).startswith(
        ("fastapi.", "starlette.")
    ):
        return {"type": "upload-file"}
    raise Unknown(f"a function (`{name}`) decides")


@translates("is-instance")
def is_instance(schema: Schema, context: Context) -> Made:
    raise Unknown(f"it must be an instance of `{getattr(schema['cls'], '__name__', schema['cls'])}`")


def with_custom_error(schema: Schema, context: Context, inner: int) -> Made:
    error_type = schema.get("custom_error_type")
    if not error_type:
        return inner
    if (context.shapes.all[inner], error_type) in ONLY_ERRORS:  # it has no other error anyway
        return inner
    return {
        "type": "custom-error",
        "inner": inner,
        "error_type": error_type,
        "message": error_message(schema),
    }


def label_of(schema: Schema, context: Context) -> str:
    """How Pydantic names a choice in an error's `loc`."""
    from pydantic_core import SchemaValidator

    translator, key = context.translator, id(schema)
    if key not in translator.labels:
        translator.kept.append(schema)
        config: Any = {name: value for name, value in context.config.items() if name != "title"}
        definitions = [one for one, _ in context.definitions.values()]
        whole: Any = {"type": "definitions", "schema": schema, "definitions": definitions}
        translator.labels[key] = str(SchemaValidator(whole, config).title)
    return translator.labels[key]


def is_sequence_function(schema: Schema) -> bool:
    function = function_of(schema)
    return (
        schema["type"] == "function-wrap"
        and name_of(function) == "sequence_validator"
        and is_pydantics(function)
    )


def only_instances(schema: Schema) -> bool:
    while schema["type"] == "json-or-python":
        schema = schema["python_schema"]
    plain = (str, int, float, bool, bytes, list, dict, type(None))
    return (
        schema["type"] == "is-instance"
        and isinstance(schema["cls"], type)
        and not any(issubclass(one, schema["cls"]) for one in plain)
    )


def error_message(schema: Schema) -> str | None:
    """The message of a custom error, or nothing if only the app can make it."""
    from pydantic_core import PydanticCustomError, PydanticKnownError

    context = schema.get("custom_error_context") or {}
    try:
        if schema.get("custom_error_message"):
            error = PydanticCustomError(schema["custom_error_type"], schema["custom_error_message"], context)
        else:
            error = PydanticKnownError(schema["custom_error_type"], context or None)
        return error.message()
    except Exception:
        return None
