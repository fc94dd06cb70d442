"""Reads what a route promises to answer: the names that the app writes, by its Pydantic models'
serialization.

A shape says which keys may stand in the JSON and nothing of the values. Where code may write
anything, a shape says at least which names are declared; where it is not clear what is written,
there is none.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from typing import Any

from fastapi.responses import JSONResponse
from starlette.responses import JSONResponse as StarletteJSONResponse

from mantlet_inspector.contract.schemas.functions import function_of, is_pydantics
from mantlet_inspector.contract.schemas.known import Schema
from mantlet_inspector.contract.shapes import Shape, Shapes
from mantlet_inspector.source.places import name_of

SCALARS = (
    *("none", "bool", "int", "float", "decimal", "str", "bytes"),
    *("date", "time", "datetime", "timedelta", "literal", "enum", "uuid"),
)
PLAIN = (JSONResponse, StarletteJSONResponse)
FASTER = ("ORJSONResponse", "UJSONResponse")
CLASSES = ("1XX", "2XX", "3XX", "4XX", "5XX")


class Responses:
    """Reads what a route promises to answer."""

    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes
        self.anything = shapes.add({"type": "any"})
        self._known = {}

    def read(self, route: Any) -> list[dict[str, Any]]:
        """-> the promised responses of a route."""
        response_class = getattr(route.response_class, "value", route.response_class)
        status = route.status_code or usual_status(response_class)
        writes = writes_json(response_class)
        field = route.response_field if writes or is_json(response_class) else None
        found = [self.response(status, field, route)]
        if not writes:
            found[0]["claimed"] = True
        for status, field in declared(route):
            if status != found[0]["status"]:
                found.append({**self.response(status, field, None), "claimed": True})
        return found

    def response(self, status: Any, field: Any, route: Any) -> dict[str, Any]:
        found = {"class": int(status[0])} if isinstance(status, str) else {"status": status}
        if field is not None:
            by_alias = getattr(route, "response_model_by_alias", True)
            shape = self.written(field._type_adapter.core_schema, by_alias)
            if route is not None:
                shape = self.without(shape, route.response_model_include, route.response_model_exclude)
            if shape != self.anything:
                found["shape"] = shape
        return found

    def written(self, schema: Schema, by_alias: bool) -> int:
        try:
            return self._written(schema, by_alias, {})
        except Exception:  # internals of a version that is not known
            return self.anything

    def without(self, index: int, include: Any, exclude: Any) -> int:
        """`response_model_include` and `…_exclude` as far as they name whole fields of the model
        itself."""
        shape = self.shapes.all[index]
        if shape["type"] != "object" or not (include or exclude):
            return index
        excluded = exclude if isinstance(exclude, (set, list, tuple)) else ()
        if isinstance(exclude, dict):
            excluded = [name for name, part in exclude.items() if part is True or part is Ellipsis]
        kept = [field for field in shape["fields"] if field["name"] not in excluded]
        if include:
            kept = [field for field in kept if field["name"] in include]
        return self.shapes.add({**shape, "fields": kept})

    def _written(self, schema: Schema, by_alias: bool, definitions: dict[str, Schema]) -> int:
        kind = schema["type"]
        if kind == "definitions":
            definitions = {**definitions, **{one["ref"]: one for one in schema["definitions"]}}
            return self._written(schema["schema"], by_alias, definitions)
        if kind == "definition-ref" and not schema.get("serialization"):
            schema = definitions[schema["schema_ref"]]
            kind = schema["type"]
        if kind == "json-or-python" and is_sequence(schema):
            items = self._written(schema["json_schema"]["items_schema"], by_alias, definitions)
            return self.around(items, {"type": "list", "items": items})
        if schema.get(
            "serialization"
        ):  # code, unless it only turns a value into a text: either way no keys are known
            return self.declared(schema, by_alias, definitions)
        if kind in ("model", "dataclass", "typed-dict") and schema.get("ref"):
            return self._object(schema, by_alias, definitions)
        if kind in ("list", "set", "frozenset", "deque"):
            items = schema.get("items_schema")
            items = self.anything if items is None else self._written(items, by_alias, definitions)
            return self.around(items, {"type": "list", "items": items})
        if kind == "tuple":
            items = [self._written(item, by_alias, definitions) for item in schema["items_schema"]]
            shape = {"type": "tuple", "items": items, "variadic": schema.get("variadic_item_index")}
            return self.shapes.add(shape) if any(item != self.anything for item in items) else self.anything
        if kind == "dict":
            values = schema.get("values_schema")
            if values is None or values["type"] == "any":
                return self.anything
            values = self._written(values, by_alias, definitions)
            return self.shapes.add({"type": "dict", "keys": self.anything, "values": values})
        if kind == "nullable":
            inner = self._written(schema["schema"], by_alias, definitions)
            return self.around(inner, {"type": "nullable", "inner": inner})
        if kind == "default":
            return self._written(schema["schema"], by_alias, definitions)
        if kind in ("union", "tagged-union"):
            return self._union(schema, by_alias, definitions)
        if kind == "function-before" or (kind == "function-after" and is_own_validator(schema)):
            return self._written(schema["schema"], by_alias, definitions)
        if kind == "lax-or-strict":
            return self._written(schema["lax_schema"], by_alias, definitions)
        return self.anything

    def around(self, inner: Any, shape: Shape) -> int:
        """A shape around another says something only if that one does."""
        return self.anything if inner == self.anything else self.shapes.add(shape)

    def _union(self, schema: Schema, by_alias: bool, definitions: dict[str, Schema]) -> int:
        choices = schema["choices"].values() if isinstance(schema["choices"], dict) else schema["choices"]
        choices = [choice[0] if isinstance(choice, tuple) else choice for choice in choices]
        written = [(choice, self._written(choice, by_alias, definitions)) for choice in choices]
        if any(choice["type"] == "enum" and not is_scalar(choice) for choice in choices):
            return self.anything
        # A scalar beside an object has no keys. Anything else that is unclear makes the whole
        # unclear.
        if any(index == self.anything and choice["type"] not in SCALARS for choice, index in written):
            return self.anything
        indices = list(dict.fromkeys(index for _, index in written if index != self.anything))
        if len(indices) < 2:
            return indices[0] if indices else self.anything
        return self.shapes.add(
            {"type": "union", "choices": indices, "labels": [str(index) for index in indices]}
        )

    def _object(self, schema: Schema, by_alias: bool, definitions: dict[str, Schema]) -> int:
        key = (schema["ref"], by_alias)
        if key in self._known:
            return self._known[key]
        config = schema.get("config") or {}
        index = self._known[key] = self.shapes.reserve()
        try:
            shape = self._shape(schema, config, by_alias, definitions)
            if config.get("polymorphic_serialization"):
                shape = open_to_more(shape)
        except Exception:
            shape = {"type": "any"}
        self.shapes.fill(index, shape)
        return index

    def declared(self, schema: Schema, by_alias: bool, definitions: dict[str, Schema]) -> int:
        """A model that code writes: anything may stand in it, under the names of its fields too."""
        if schema["type"] not in ("model", "dataclass", "typed-dict") or not schema.get("ref"):
            return self.anything
        key = (schema["ref"], by_alias, "declared")
        if key not in self._known:
            self._known[key] = self.shapes.reserve()
            plain = {name: value for name, value in schema.items() if name != "serialization"}
            try:
                shape = open_to_more(self._shape(plain, schema.get("config") or {}, by_alias, definitions))
            except Exception:
                shape = {"type": "any"}
            self.shapes.fill(self._known[key], shape)
        return self._known[key]

    def _shape(self, schema: Schema, config: Schema, by_alias: bool, definitions: dict[str, Schema]) -> Shape:
        cls, inner = schema.get("cls"), schema
        if schema["type"] != "typed-dict":
            inner = schema["schema"]
        while inner["type"] in ("definitions", "function-before", "function-after"):
            if inner.get("serialization"):
                return {"type": "any"}
            if inner["type"] == "definitions":
                definitions = {**definitions, **{one["ref"]: one for one in inner["definitions"]}}
            inner = inner["schema"]
        if schema.get("root_model"):
            root = self._written(inner, by_alias, definitions)
            return {"type": "with-default", "inner": root}
        if inner["type"] not in ("model-fields", "dataclass-args", "typed-dict") or inner.get(
            "serialization"
        ):
            return {"type": "any"}
        fields = inner["fields"]
        pairs = fields.items() if isinstance(fields, dict) else [(field["name"], field) for field in fields]
        written = [
            self._field(name, field, field["schema"], by_alias, definitions)
            for name, field in pairs
            if not field.get("serialization_exclude")
        ]
        for field in inner.get("computed_fields") or ():
            computed = {"serialization_alias": field.get("alias")}
            name, returned = field["property_name"], field.get("return_schema") or {"type": "any"}
            written.append(self._field(name, computed, returned, by_alias, definitions))
        extra = inner.get("extra_behavior") or config.get("extra_fields_behavior")
        return {
            "type": "object",
            "name": getattr(cls, "__name__", "object"),
            "kind": schema["type"],
            "fields": written,
            "extra": "allow" if extra == "allow" else "ignore",
        }

    def _field(
        self, name: str, field: Any, schema: Schema, by_alias: bool, definitions: dict[str, Schema]
    ) -> dict[str, Any]:
        alias = field.get("serialization_alias") if by_alias else None
        shape = self._written(schema, by_alias, definitions)
        return {"name": name, "lookup": [[alias or name]], "shape": shape, "required": False}


def is_sequence(schema: Schema) -> bool:
    """`Sequence[…]`, which Pydantic writes as a list."""
    function = schema.get("serialization", {}).get("function")
    inner = schema["json_schema"]
    return (
        is_pydantics(function)
        and name_of(function) == "serialize_sequence_via_list"
        and "items_schema" in inner
    )


def open_to_more(shape: Shape) -> Shape:
    """The same names, and any others."""
    return {**shape, "extra": "allow"} if shape["type"] == "object" else shape


def is_scalar(enumeration: Schema) -> bool:
    return all(not isinstance(member.value, (dict, list, tuple)) for member in enumeration["members"])


def declared(route: Any) -> Iterator[tuple[int | str | None, Any]]:
    """The entries of `responses=` -> (a status, a class such as `5XX`, or none for `default`; the
    model's field, or none)."""
    for status in route.responses or {}:
        field = route.response_fields.get(status)
        if str(status).isdigit():
            yield int(status), field
        elif str(status).upper() in CLASSES:
            yield str(status).upper(), field
        elif str(status).lower() == "default":
            yield None, field


@functools.cache
def usual_status(response_class: Any) -> int:
    """The status of a response class that is told none."""
    parameter = inspect.signature(response_class.__init__).parameters.get("status_code")
    return parameter.default if parameter is not None and isinstance(parameter.default, int) else 200


def writes_json(response_class: Any) -> bool:
    """Whether it writes its content as it is. A class of the app's own may add something."""
    if response_class in PLAIN:
        return True
    return response_class.__module__.startswith("fastapi.") and response_class.__name__ in FASTER


def is_json(response_class: Any) -> bool:
    """Whether it is a class of the app's own for JSON. It may add something to the content."""
    return issubclass(response_class, StarletteJSONResponse) or "json" in str(response_class.media_type)


def is_own_validator(schema: Schema) -> bool:
    """Whether it is a model's own `model_validator(mode="after")`, which returns the model; another
    function may return anything."""
    inner = schema["schema"]
    function = name_of(function_of(schema))
    return inner["type"] == "model" and any(
        function == f"{cls.__qualname__}.{function.rpartition('.')[2]}" for cls in inner["cls"].__mro__
    )
