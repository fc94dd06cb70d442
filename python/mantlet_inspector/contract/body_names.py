"""Names in a body whose shape is opaque, so that an account in it can still be found."""

from __future__ import annotations

from typing import Any, get_args

MOST_NAMES = 64


def names_of_bodies(route: Any, dependants: list[Any], is_form: bool) -> dict[str, list[list[str]]]:
    """-> names in a body whose shape is opaque. An account among them can still be found."""
    fields = [field for dependant in dependants for field in dependant.body_params]
    embeds = None
    if fields:
        embeds = getattr(route, "_embed_body_fields", None) or getattr(fields[0].field_info, "embed", None)
    named = []
    for field in fields:
        at = [field.alias] if is_form or embeds or len(fields) > 1 else []
        inner = [] if is_form else names_in(annotation_of(field), at, 2)
        named += inner or ([at] if at else [])
    named = [list(path) for path in dict.fromkeys(map(tuple, named))]
    return {"named": named[:MOST_NAMES]} if named else {}


def names_in(annotation: Any, at: list[str], depth: int) -> list[list[str]]:
    """-> names of a model's fields, and of those of models in it."""
    found = []
    for one in (annotation, *get_args(annotation)):
        former = (
            {} if hasattr(one, "model_fields") else getattr(one, "__fields__", None) or {}
        )  # of Pydantic 1
        for name, field in (
            (getattr(one, "model_fields", None) or former).items() if isinstance(one, type) else ()
        ):
            alias = getattr(field, "validation_alias", None) or field.alias
            path = [*at, alias if isinstance(alias, str) else name]
            inner = field.outer_type_ if former else field.annotation
            found += (names_in(inner, path, depth - 1) if depth > 1 else []) or [path]
    return found


def annotation_of(field: Any) -> Any:
    """The type of a field, of Pydantic 1 too."""
    return getattr(field.field_info, "annotation", None) or getattr(field, "outer_type_", None)
