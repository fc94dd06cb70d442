"""Reads what one FastAPI route validates, in the order in which FastAPI does it.

FastAPI has analysed the handler and its dependencies into `Dependant`s; they are read here, never
the signatures. How values are taken out of a request differs between versions of FastAPI: its own
functions are asked where they exist, and what an older version does its own way is opaque.
"""

from __future__ import annotations

import inspect
from typing import Any, get_args

from fastapi import params
from fastapi.dependencies import utils
from fastapi.security.base import SecurityBase
from pydantic import BaseModel

from mantlet_inspector.contract.body_names import names_of_bodies
from mantlet_inspector.contract.dependants import PARAMETERS, flattened, spans_of
from mantlet_inspector.contract.guards import Refuses, guards, validators
from mantlet_inspector.contract.schemas import Translator
from mantlet_inspector.contract.security import scopes_of, security_scheme, status_if_missing
from mantlet_inspector.contract.shapes import Shapes

FORMER = "this version of FastAPI takes it out of the request in a way of its own"

get_param_aliases: Any = getattr(utils, "_get_param_aliases", None)
get_param_model: Any = getattr(utils, "_get_param_model", None)
get_form_models: Any = getattr(utils, "_get_form_models", None)
should_embed_body_fields: Any = getattr(utils, "_should_embed_body_fields", None)
is_json_field: Any = getattr(utils, "_is_json_field", lambda field: False)
get_cached_model_fields: Any = getattr(utils, "get_cached_model_fields", None)
# Before FastAPI told them apart, `null` was a body that is missing.
NULL_IS_MISSING = inspect.signature(utils.solve_dependencies).parameters["body"].default is None

field_annotation_is_sequence: Any
try:
    from fastapi._compat.shared import field_annotation_is_sequence
except ImportError:
    try:  # it was one file
        from fastapi._compat import field_annotation_is_sequence
    except ImportError:
        # Before FastAPI 0.100, which knows Pydantic 1 only: what its operations accept is not read.
        field_annotation_is_sequence = None


class Operations:
    """Reads what an operation accepts."""

    def __init__(self, shapes: Shapes, translator: Translator) -> None:
        self.shapes = shapes
        self.translator = translator
        # The functions that take credentials, in the order in which they were met.
        self.authenticators: list[Any] = []

    def read(
        self, route: Any, reads_request: bool = False, refuses: Refuses = lambda call: None
    ) -> dict[str, Any]:
        """-> what an operation accepts. The caller says whether it reads more than it declares and
        where a dependency refuses, and adds the responses."""
        spans = spans_of(route)
        dependants = [dependant for dependant, _ in spans]
        is_form = route.body_field is not None and isinstance(route.body_field.field_info, params.Form)
        inputs, counts = [], [0]
        for dependant in dependants:
            for location, name in PARAMETERS.items():
                fields = getattr(dependant, name)
                inputs += [self.parameter(field, location, fields) for field in fields]
            inputs += self.body(dependant.body_params, getattr(route, "_embed_body_fields", None), is_form)
            counts.append(len(inputs))
        return {
            **self.named(route),
            "body": self.body_kind(route, reads_request, is_form, inputs, dependants),
            "inputs": inputs,
            "guards": [*validators(dependants, refuses), *guards(spans, counts, refuses)],
            "reads-request": reads_request,
            "security": self.security(dependants),
            **self.authenticated(dependants),
            **(names_of_bodies(route, dependants, is_form) if any(map(self.hides_names, inputs)) else {}),
        }

    def read_opaque(self, route: Any) -> dict[str, Any]:
        """The same for a route whose own class decides how a request is read."""
        dependants = [dependant for dependant, _ in flattened(route.dependant, {})]
        is_form = route.body_field is not None and isinstance(route.body_field.field_info, params.Form)
        return {
            **self.named(route),
            "body": {"kind": "opaque"},
            "inputs": [],
            "reads-request": True,
            "security": self.security(dependants),
            **self.authenticated(dependants),
            **names_of_bodies(route, dependants, is_form),
        }

    def hides_names(self, taken: dict[str, Any]) -> bool:
        """Whether a body has names that its shape does not tell."""
        if taken["location"] != "body":
            return False
        shape = self.shapes.all[taken["shape"]]
        for _ in range(8):
            if shape["type"] not in ("nullable", "with-default", "then", "custom-error"):
                break
            shape = self.shapes.all[shape["inner"]]
        return shape["type"] == "opaque" or (taken["take"]["kind"] == "group" and not taken["take"]["fields"])

    def named(self, route: Any) -> dict[str, Any]:
        named = {"id": route.unique_id, "tags": [str(getattr(tag, "value", tag)) for tag in route.tags or []]}
        return {**named, "deprecated": True} if route.deprecated else named

    def body_kind(
        self,
        route: Any,
        reads_request: bool,
        is_form: bool,
        inputs: list[dict[str, Any]],
        dependants: list[Any],
    ) -> dict[str, Any]:
        if route.body_field is None:
            return {"kind": "opaque" if reads_request else "none"}
        if is_form:
            return {
                "kind": "form",
                "files": any(self.has_files(one) for one in inputs) or takes_files(dependants),
            }
        strict = getattr(
            route, "strict_content_type", False
        )  # older versions read JSON without a Content-Type
        return {"kind": "json", "strict-content-type": bool(getattr(strict, "value", strict))}

    def has_files(self, taken: dict[str, Any]) -> bool:
        if taken["location"] != "body":
            return False
        if taken["take"].get("file"):
            return True
        seen, open_shapes = set(), [taken["shape"]]
        while open_shapes:
            index = open_shapes.pop()
            if index in seen:
                continue
            seen.add(index)
            shape = self.shapes.all[index]
            if shape["type"] == "upload-file":
                return True
            open_shapes += self.shapes.parts(shape)
        return False

    # Parameters

    def parameter(self, field: Any, location: str, fields: list[Any]) -> dict[str, Any]:
        former = None in (get_param_model, get_param_aliases)
        if former and len(fields) == 1 and is_model(field.field_info.annotation):
            return self.opaque_group(field, location)
        model = None if former else get_param_model(field)
        if model is not None:
            return self.taken(field, location, self.group(field, location, model))
        # Path parameters and cookies come in a plain dictionary, which has one value for a name.
        multiple = location in ("query", "header") and is_sequence(field)
        return self.taken(field, location, {"kind": "field", "names": names(field), "multiple": multiple})

    def group(self, field: Any, location: str, model: Any) -> dict[str, Any]:
        fields = []
        convert = getattr(field.field_info, "convert_underscores", True)
        for one in get_cached_model_fields(model):
            underscores = location == "header" and getattr(one.field_info, "convert_underscores", convert)
            pairs = [list(pair) for pair in get_param_aliases(one, convert_underscores=underscores)]
            multiple = location in ("query", "header") and is_sequence(one)
            fields.append({"names": pairs, "multiple": multiple})
        return {
            "kind": "group",
            "fields": fields,
            "optional": field.field_info.annotation is not model,
            "extras": True,
        }

    # The body

    def body(self, fields: list[Any], embed: bool | None, is_form: bool) -> list[dict[str, Any]]:
        if not fields:
            return []
        if should_embed_body_fields is None:
            if len(fields) > 1 or is_form or getattr(fields[0].field_info, "embed", None):
                return [self.opaque_group(field, "body") for field in fields]
            return [self.taken(fields[0], "body", {"kind": "whole"})]
        if (
            is_form
            and get_form_models is None
            and any(is_model(field.field_info.annotation) for field in fields)
        ):
            return [self.opaque_group(field, "body") for field in fields]
        models = get_form_models or (lambda field: [])
        if len(fields) == 1 and not embed and not should_embed_body_fields(fields) and not models(fields[0]):
            return [self.taken(fields[0], "body", {"kind": "whole"})]
        return [self.body_field(field, models(field) if is_form else [], is_form) for field in fields]

    def body_field(self, field: Any, models: list[Any], is_form: bool) -> dict[str, Any]:
        if models:
            fields = [
                {
                    "names": [[alias, alias] for alias, _ in get_param_aliases(one)],
                    "multiple": is_sequence(one),
                    **({"file": True} if isinstance(one.field_info, params.File) else {}),
                }
                # Several models each take their own fields, in code around them.
                for one in (get_cached_model_fields(models[0]) if len(models) == 1 else [])
            ]
            optional = type(None) in get_args(field.field_info.annotation)
            return self.taken(
                field, "body", {"kind": "group", "fields": fields, "optional": optional, "extras": True}
            )
        take = {"kind": "field", "names": names(field), "multiple": is_form and is_sequence(field)}
        if isinstance(field.field_info, params.File):
            take["file"] = True
        return self.taken(field, "body", take)

    # Both

    def taken(self, field: Any, location: str, take: dict[str, Any]) -> dict[str, Any]:
        shape = self.shapes.without_default(self.translator.translate(field._type_adapter.core_schema))
        required = bool(field.field_info.is_required())
        if location == "body" and NULL_IS_MISSING and not required:
            shape = self.shapes.add({"type": "nullable", "inner": shape})
        found = {"location": location, "take": take, "shape": shape, "required": required}
        if field.field_info.validate_default:
            found["validate-default"] = True
        return found

    def opaque_group(self, field: Any, location: str) -> dict[str, Any]:
        take = {"kind": "group", "fields": [], "optional": True, "extras": True}
        shape = self.shapes.opaque(FORMER)
        return {"location": location, "take": take, "shape": shape, "required": False}

    # Security

    def security(self, dependants: list[Any]) -> list[list[dict[str, Any]]]:
        """All of them must be met: FastAPI runs every dependency."""
        found = []
        for dependant in dependants:
            scheme = inspect.unwrap(dependant.call) if callable(dependant.call) else dependant.call
            if isinstance(scheme, SecurityBase):
                requirement = {
                    "name": str(getattr(scheme, "scheme_name", type(scheme).__name__)),
                    "scheme": security_scheme(scheme) or {"kind": "other"},
                    "scopes": scopes_of(dependant),
                    "auto-error": bool(getattr(scheme, "auto_error", True)),
                }
                # What wraps a scheme is called in its place.
                status = status_if_missing(scheme) if scheme is dependant.call else None
                if status is not None:
                    requirement["missing"] = status
                if requirement not in found:
                    found.append(requirement)
        return [found] if found else []

    def authenticated(self, dependants: list[Any]) -> dict[str, Any]:
        """The numbers of the functions that take credentials from schemes. Operations with the same
        ones treat a credential alike."""
        numbers = []
        for dependant in dependants:
            takes = (isinstance(sub.call, SecurityBase) for sub in dependant.dependencies)
            if not any(takes):
                continue
            known = (at for at, call in enumerate(self.authenticators) if call is dependant.call)
            number = next(known, len(self.authenticators))
            if number == len(self.authenticators):
                self.authenticators.append(dependant.call)
            if number not in numbers:
                numbers.append(number)
        return {"authenticators": numbers} if numbers else {}


def takes_files(dependants: list[Any]) -> bool:
    fields = [field for dependant in dependants for field in dependant.body_params]
    return any(isinstance(field.field_info, params.File) for field in fields)


def is_model(annotation: Any) -> bool:
    candidates = [annotation, *get_args(annotation)]
    return any(isinstance(one, type) and issubclass(one, BaseModel) for one in candidates)


def is_sequence(field: Any) -> bool:
    return not is_json_field(field) and field_annotation_is_sequence(field.field_info.annotation)


def names(field: Any) -> list[str]:
    if get_param_aliases is None:
        return [field.alias]
    return [name for _, name in get_param_aliases(field)]
