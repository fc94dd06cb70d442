"""A route of FastAPI's: what it accepts and promises, and the code that runs before it."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any

import pydantic
from fastapi.routing import APIRoute
from starlette.routing import Route

from mantlet_inspector.contract.dependants import dependants_of, fields_of
from mantlet_inspector.contract.draft import Draft
from mantlet_inspector.contract.matching import overrides, pattern
from mantlet_inspector.contract.router_tree import claim_answers
from mantlet_inspector.proof import known_middleware, prover
from mantlet_inspector.proof.facts import Facts
from mantlet_inspector.source import files, places
from mantlet_inspector.source.objects import closure, whole
from mantlet_inspector.source.places import name_of


def api_route(draft: Draft, route: Any, seen: Any, at: str, docs: Sequence[str]) -> list[dict[str, Any]]:
    path, own = pattern(seen)
    methods = sorted(seen.methods or ())
    found = {"kind": "http", "path": path, "methods": methods, **is_docs(path, docs)}
    found["hidden"] = not seen.include_in_schema
    where = f"{','.join(methods)} {at}{seen.path}"
    try:
        found["operation"] = read_operation(draft, route, seen, where)
    except Exception:
        draft.note(where, f"what FastAPI made of {named(route)} is not understood")
        found["operation"] = draft.operations.read_opaque(seen)
    draft.read.append((seen, f"{at}{path}", found["operation"]))
    if own:
        # What converts may refuse by an exception, before anything is validated.
        found["operation"].setdefault("refuses-first", "a convertor of the app's own")
    return draft.with_convertors(found, own, where)


def read_operation(draft: Draft, route: Any, seen: Any, where: str) -> dict[str, Any]:
    reads = False
    if not is_plain(route):
        facts = around_handler(draft, route)
        if facts is None or not facts.is_proven():
            why = facts and (facts.rewrites or facts.answers)
            why = why or "reads requests, or answers what is invalid, itself"
            draft.note(where, f"the route class `{type(route).__name__}` {why}: what it accepts is not known")
            operation = {**draft.operations.read_opaque(seen), "responses": draft.responses.read(seen)}
            claim_answers(operation)
            return operation
        reads = facts.reads is not None
    if pydantic.VERSION.startswith("1."):
        why = f"Pydantic {pydantic.VERSION} validates here, and only Pydantic 2 is known"
        what = "which routes there are is known, what they accept is left to the app"
        draft.note("app", f"{why}: {what}")
        return draft.operations.read_opaque(seen)
    dependants = dependants_of(seen)
    if any(not hasattr(one, "_type_adapter") for one in fields_of(seen, dependants)):
        draft.note(
            where, "a model of `pydantic.v1` is among what it takes or answers: only Pydantic 2 is known"
        )
        return draft.operations.read_opaque(seen)
    runs = draft.pre_validation.of(dependants, seen.body_field is not None)
    runs = runs._replace(reads=runs.reads or reads)
    operation = draft.operations.read(seen, runs.reads, draft.pre_validation.refusals.dependency)
    limit = limits_of(route, seen, draft.around)
    if limit:
        operation["refuses-first"] = limit
    if runs.why:
        draft.note(where, runs.why)
        operation["rewrites"] = True
    elif any(route is one for one in draft.late):
        draft.note(
            where, "it gets the parameters of a page when the app starts: input is reported, not refused"
        )
        operation["rewrites"] = operation["reads-request"] = True
    elif runs.reads and operation["body"]["kind"] in ("json", "form"):
        draft.note(
            where, "the handler or a dependency may look at the raw request: nothing is cut out of its body"
        )
    operation["responses"] = draft.responses.read(seen)
    if operation["body"]["kind"] == "opaque":
        draft.note(f"{where} body", "the handler or a dependency reads the raw request")
    for one in operation["inputs"]:
        for place, why in draft.shapes.opaque_places(one["shape"]):
            draft.note(f"{where} {one['location']}{of(one['take'])}{place}", why)
    return operation


def around_handler(draft: Draft, route: Any) -> Facts | None:
    """The facts of a function that a route class of the app's own puts around FastAPI's handler;
    none if the class does something else."""
    if overrides(type(route), (APIRoute, Route), "__call__", "handle", "app"):
        return None
    if any(name in vars(route) for name in ("handle", "get_route_handler")):
        return None
    made = [whole(one) for one in (route.app, *closure(route.app)) if callable(one)]
    own = [one for one in made if not files.is_frameworks(one) and not known_middleware.is_instruments(one)]
    if len(own) != 1 or not isinstance(own[0], types.FunctionType):
        return None
    inner = [
        one
        for one in closure(own[0])
        if getattr(one, "__qualname__", "") == "get_request_handler.<locals>.app"
    ]
    if len(inner) != 1 or not files.is_frameworks(inner[0]):
        return None
    facts = prover.route_handler(own[0], inner[0])
    if not facts.rewrites and (
        draft.pre_validation.answer_of(own[0]) or draft.pre_validation.may_refuse(own[0])
    ):
        facts.rewrites = "may refuse before FastAPI validates"
    return facts


def is_plain(route: Any) -> bool:
    """Whether a route works as FastAPI made it."""
    if overrides(type(route), (APIRoute, Route), "__call__", "handle", "get_route_handler", "app"):
        return False
    if any(name in vars(route) for name in ("handle", "get_route_handler")):
        return False
    # What FastAPI made of the handler, and what that calls.
    made = [route.app, *(one for one in closure(route.app) if callable(one))]
    return all(files.is_frameworks(one) or known_middleware.is_instruments(one) for one in map(whole, made))


def is_docs(path: str, docs: Sequence[str]) -> dict[str, bool]:
    return {"docs": True} if path in docs else {}


def limits_of(*holders: Any) -> str | None:
    """The app's own limits for bodies and forms, which FastAPI checks before it validates."""
    around = [*holders[:-1], *holders[-1]]
    around += [getattr(one, "router", None) for one in around]
    for name in ("max_body_size", "form_limits"):
        if any(getattr(one, name, None) for one in around):
            return f"`{name}`"
    return None


def of(take: dict[str, Any]) -> str:
    return "." + take["names"][0] if take["kind"] == "field" else ""


def named(route: Any) -> str:
    endpoint = getattr(route, "endpoint", None)
    return "it" if endpoint is None else f"`{name_of(endpoint)}` ({places.where(endpoint)})"
