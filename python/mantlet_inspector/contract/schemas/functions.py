"""Functions in core schemas: which of them are Pydantic's own."""

from __future__ import annotations

from typing import Any

from mantlet_inspector.contract.schemas.known import Schema
from mantlet_inspector.source.objects import whole
from mantlet_inspector.source.places import name_of

INTERNAL = ("pydantic._internal.", "pydantic.types", "pydantic.networks")
# Functions of Pydantic's own that accept exactly what the schema inside them accepts from a
# request.
TRANSPARENT = {
    "_BaseUrl.__get_pydantic_core_schema__.<locals>.wrap_val",
    "_BaseMultiHostUrl.__get_pydantic_core_schema__.<locals>.wrap_val",
    "Secret.__get_pydantic_core_schema__.<locals>.validate_secret_value",
    "defaultdict_validator",
    "GenerateSchema._path_schema.<locals>.path_validator",
    "SecretStr",
    "SecretBytes",
}


def is_pydantics(function: Any) -> bool:
    return (getattr(whole(function), "__module__", None) or "").startswith(INTERNAL)


def is_transparent(function: Any) -> bool:
    return is_pydantics(function) and name_of(function) in TRANSPARENT


def function_of(schema: Schema) -> Any:
    function = schema.get("function")
    return function.get("function") if isinstance(function, dict) else function
