"""Classes that describe values: Pydantic's models, SQLModel's, dataclasses."""

from __future__ import annotations

import dataclasses
import sys
import types
import typing
from collections.abc import Sequence as AbstractSequence
from typing import Annotated, Any, NamedTuple

from fastapi.dependencies import utils

from mantlet_inspector.source.objects import is_class
from mantlet_inspector.source.stored import bases_of, class_name, names_of

LISTS = (list, set, frozenset, tuple, AbstractSequence)
UNIONS = (typing.Union, getattr(types, "UnionType", typing.Union))


class Field(NamedTuple):
    name: str
    annotation: Any
    read_as: tuple[str, ...]  # attributes of an object that it takes its value from
    alias: str  # as it is written


known: dict[int, tuple[Any, dict[str, Field]]] = {}  # by the ids of classes, which may compare as they like


def fields_of(cls: Any) -> dict[str, Field]:
    """-> what a class has, none if it is of no kind that is known"""
    if not is_class(cls):
        return {}
    if id(cls) not in known:
        known[id(cls)] = (cls, read_fields(cls))
    return known[id(cls)][1]


def read_fields(cls: Any) -> dict[str, Field]:
    if is_model(cls):
        return {name: field_of(name, info) for name, info in dict(known_fields(cls)).items()}
    if "__dataclass_fields__" in names_of(cls):
        return {one.name: Field(one.name, one.type, (one.name,), one.name) for one in dataclasses.fields(cls)}
    return {}


def known_fields(cls: Any) -> dict[str, Any]:
    own = names_of(cls)
    fields = own.get("__pydantic_fields__", own.get("model_fields"))
    return fields if isinstance(fields, dict) else {}


def field_of(name: str, info: Any) -> Field:
    taken = getattr(info, "validation_alias", None) or getattr(info, "alias", None)
    choices = getattr(taken, "choices", [taken])
    read_as = tuple(one for one in choices if isinstance(one, str))
    alias = getattr(info, "serialization_alias", None)
    # A field with an alias is still read by its own name, where the model allows both.
    return Field(name, getattr(info, "annotation", None), (*read_as, name), alias or name)


def is_model(cls: Any) -> bool:
    return is_class(cls) and any(
        class_name(base) == "BaseModel" and base.__module__ == "pydantic.main" for base in bases_of(cls)
    )


def unwrapped(annotation: Any) -> Any:
    """Without `Annotated` and `None`; as it is if several are left."""
    for _ in range(8):
        origin = typing.get_origin(annotation)
        if origin is Annotated:
            annotation = typing.get_args(annotation)[0]
        elif origin in UNIONS:
            left = [one for one in typing.get_args(annotation) if one is not type(None)]
            if len(left) != 1:
                return annotation
            annotation = left[0]
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation
    return annotation


def item_of(annotation: Any) -> Any:
    """-> what the items of a list are; none if it is not a list"""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin not in LISTS or not args:
        return None
    if origin is tuple and args[1:] != (Ellipsis,):
        return None
    return unwrapped(args[0])


def evaluated(annotation: Any, function: Any) -> Any:
    """An annotation that is still a text, as the module of the function reads it."""
    if not isinstance(annotation, str):
        return annotation
    try:
        found = utils.get_typed_annotation(annotation, getattr(function, "__globals__", {}))
    except Exception:
        return None
    return None if isinstance(found, (str, typing.ForwardRef)) else found


def is_of_library(cls: Any) -> bool:
    """Whether it is a base that models of different apps have."""
    top = str(cls.__module__).partition(".")[0]
    return cls is object or top in {"pydantic", "sqlmodel", "sqlalchemy", "typing", "abc"} or is_builtin(cls)


def is_builtin(cls: Any) -> bool:
    return getattr(sys.modules.get(cls.__module__), "__file__", None) is None
