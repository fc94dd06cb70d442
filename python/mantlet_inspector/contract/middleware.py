"""Middleware around a router: what it may do to requests and responses holds for all below."""

from __future__ import annotations

import inspect
from typing import Any

from starlette.applications import Starlette
from starlette.middleware.errors import ServerErrorMiddleware

from mantlet_inspector.contract.draft import Draft
from mantlet_inspector.contract.router_tree import (
    RouterTree,
    claim,
    routes_in,
    set_below,
    set_reads,
    set_refuses,
    set_rewrites,
    set_written,
)
from mantlet_inspector.proof import known_middleware, prover
from mantlet_inspector.proof.facts import shown_code
from mantlet_inspector.proof.known_middleware import Odd
from mantlet_inspector.proof.wrappers import middleware_wraps
from mantlet_inspector.source import places
from mantlet_inspector.source.places import name_of, named_at


def passes(
    draft: Draft, cls: Any, options: dict[str, Any], instance: Any, router: RouterTree, at: str, odd: Odd = ()
) -> None:
    """A middleware around a router, and what becomes of exceptions that it raises."""
    facts = prover.middleware(cls, options, instance)
    code = shown_code(cls, options)
    name = f"the middleware `{name_of(options.get('dispatch') or cls)}` ({places.where(code)})"
    if not facts.rewrites and not known_middleware.is_known(cls, options):
        draft.pre_validation.odd, outer = odd, draft.pre_validation.odd
        facts.rewrites = draft.pre_validation.may_answer(code)
        draft.pre_validation.odd = outer
    if facts.rewrites:
        draft.note(at, f"{name} {facts.rewrites}: input is reported, not refused")
        set_rewrites(router)
    if facts.answers:
        draft.note(at, f"{name} {facts.answers}: its own words stand for what does not validate")
        set_below(router, "answers-invalid", True)
        set_below(router, "complete", False)
    if facts.rewrites or facts.answers or middleware_wraps(cls, options):
        if not facts.rewrites and not facts.answers:
            draft.note(at, f"{name} may change answers: what models say of them is a claim")
        claim(router)
    if facts.reads:
        draft.note(at, f"{name} {facts.reads}: nothing is cut out of bodies")
        set_reads(router)
    if facts.preflights:
        set_below(router, "complete", False)
        for route in routes_in(router):
            if not route["methods"] or "OPTIONS" in route["methods"]:
                route["operation"]["rewrites"] = True
    if known_middleware.may_refuse(cls, options):
        set_refuses(router, f"the middleware `{name_of(cls)}`")
    elif not known_middleware.is_known(cls, options):
        place = draft.pre_validation.refusals.middleware(cls, options)
        if place:
            set_refuses(router, "the middleware " + named_at(name_of(options.get("dispatch") or cls), place))
    header = known_middleware.header_written(cls, options)
    if header:
        set_written(router, header.lower())


def chain(draft: Draft, outer: Any, inner: Any, router: RouterTree, at: str) -> None:
    """Middleware that is made already, one in another."""
    seen = 0
    while outer != inner:
        seen += 1
        if isinstance(outer, Starlette) or seen > 20 or not hasattr(outer, "__dict__"):
            draft.note(at, f"`{name_of(type(outer))}` stands around it: input is reported, not refused")
            set_rewrites(router)
            claim(router)
            return
        passes(draft, type(outer), vars(outer), outer, router, at, draft.pre_validation.odd)
        following = vars(outer).get("app", vars(outer).get("_app"))
        outer = following if following is not None else object()


def options_of(middleware: Any) -> dict[str, Any]:
    """What a middleware is made with, by names."""
    options = dict(getattr(middleware, "kwargs", getattr(middleware, "options", {})))
    given = getattr(middleware, "args", ())
    if given:
        function = middleware.cls.__init__ if isinstance(middleware.cls, type) else middleware.cls
        names = list(inspect.signature(function).parameters)[2 if isinstance(middleware.cls, type) else 1 :]
        options.update(zip(names, given))
    return options


def builds_its_own(app: Any) -> bool:
    """Whether FastAPI builds the middleware."""
    builds = vars(app).get("build_middleware_stack")
    if (
        builds is None and "build_middleware_stack" not in Starlette.__call__.__code__.co_names
    ):  # older versions build it at once
        return type(app.middleware_stack) is ServerErrorMiddleware
    if builds is None:
        return app.middleware_stack is None
    function = getattr(builds, "__func__", builds)
    hooks = [
        cell.cell_contents
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ())
        if name.endswith("_hook")
    ]
    return known_middleware.is_instruments(function) and not any(hooks)
