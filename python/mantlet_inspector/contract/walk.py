"""Walks an app's routers in the order in which Starlette and FastAPI try their routes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Callable

from fastapi import APIRouter, FastAPI
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute

from mantlet_inspector.contract.draft import Draft
from mantlet_inspector.contract.http_route import api_route, is_docs, named
from mantlet_inspector.contract.included import shared_dependencies
from mantlet_inspector.contract.matching import CONVERTORS, ROUTES, decides, narrows, overrides, pattern
from mantlet_inspector.contract.middleware import builds_its_own, chain, options_of, passes
from mantlet_inspector.contract.router_tree import RouterTree, claim, set_below, set_refuses, set_rewrites
from mantlet_inspector.proof import known_middleware, monkeypatches, prover
from mantlet_inspector.proof.known_middleware import Odd
from mantlet_inspector.proof.startup import changes_app, late_pages
from mantlet_inspector.proof.wrappers import answers_errors_well, errors_answered
from mantlet_inspector.source import files, memory, places
from mantlet_inspector.source.places import name_of

try:
    from starlette._utils import get_route_path
except ImportError:
    get_route_path = None
try:
    from starlette._exception_handler import wrap_app_handling_exceptions as get_wrapper
except ImportError:
    get_wrapper = None
try:
    from fastapi.exceptions import ValidationException
except ImportError:
    ValidationException = RequestValidationError

OWN_ERRORS = (RequestValidationError, ValidationException)
OWN_CONVERTOR = "a convertor of the app's own, whose paths are left to the app"


class Walk:
    """Goes through an app's routers, and those below them, once."""

    strips_root_path = get_route_path is not None  # older versions of Starlette match the whole path

    def __init__(self, is_served: bool = True) -> None:
        self.draft = Draft()
        self.is_served = is_served  # by this process
        self.dependencies: dict[Any, Any] = {}  # what FastAPI found of them

    def unwrap(self, app: Any) -> tuple[list[Any], Any]:
        """An ASGI app around the FastAPI one -> (what stands around it, the app in it)."""
        wrapped = []
        while not isinstance(app, Starlette) and len(wrapped) < 10:
            inner = [one for one in getattr(app, "__dict__", {}).values() if is_asgi(one)]
            inner = [one for one in inner if not any(one is seen for seen in wrapped)]
            inner = [one for one in inner if isinstance(one, Starlette)] or inner
            wrapped.append(app)
            if not inner:
                return wrapped, None
            app = inner[0]
        return wrapped, app if isinstance(app, Starlette) else None

    def contract(self, app: Any) -> tuple[RouterTree | None, Any]:
        """-> the router of an app that may stand in others, and the app itself; none if there is
        none."""
        around, found = self.unwrap(app)
        if found is None:
            return None, None
        try:
            router = self.within(found, self.app, "")
        except BaseException:
            self.draft.leave()
            raise
        if self.draft.starts:
            self.draft.leave()
        for one in around:
            passes(self.draft, type(one), vars(one), one, router, "app")
        if memory.current.is_late:
            why = "not all code was read in time"
            what = "what was not is taken for code that may do anything, and input is reported there"
            self.draft.note("app", f"{why}: {what}: {memory.current.said()}")
        changed = monkeypatches.replaced()
        if changed:
            what = "nothing is known of what is validated, input is reported, not refused"
            self.draft.note("app", f"`{changed}` was replaced: {what}")
            set_rewrites(router)
        return router, found

    # Apps and routers

    def app(self, app: Any, at: str) -> RouterTree:
        where = at or "app"
        draft = self.draft
        draft.late += late_pages(app.router)
        draft.starts += draft.late
        odd = self.odd_handlers(app, where)
        outer, draft.pre_validation.odd = draft.pre_validation.odd, odd
        refusals = draft.pre_validation.refusals
        handled = refusals.handled
        refusals.handled = [*handled, *refusals.handlers_of(app)]
        try:
            router = self.router(app.router, at, docs_of(app))
        finally:
            draft.pre_validation.odd, refusals.handled = outer, handled
        self.app_middleware(app, router, where, odd)
        self.app_changes(app, router, where)
        self.app_handlers(app, router, where)
        return router

    def app_middleware(self, app: Any, router: RouterTree, where: str, odd: Odd) -> None:
        for one in app.user_middleware:
            if not files.is_frameworks(type(one)):
                why = f"`{type(one).__name__}` makes a middleware in a way of its own"
                self.draft.note(where, f"{why}: input is reported, not refused")
                set_rewrites(router)
                continue
            tells = known_middleware.slowapi_asks(one.cls, app, odd)
            if tells is None or not prover.leaves_alone(tells):
                passes(self.draft, one.cls, options_of(one), None, router, where, odd)
            else:
                set_refuses(router, f"the middleware `{name_of(one.cls)}`")

    def app_changes(self, app: Any, router: RouterTree, where: str) -> None:
        """Code that may answer beside the routes, and code that may change the app before a request
        comes."""
        unsure, changes = [], []
        if overrides(type(app), (FastAPI, Starlette), "__call__", "build_middleware_stack"):
            changes.append(f"`{type(app).__name__}` decides itself what reaches its routes")
        elif any(name in vars(app) for name in ("__call__", "router_class")) or not builds_its_own(app):
            changes.append("its middleware is built by code that is not FastAPI's")
        for key in (404, 405, HTTPException):
            handler = app.exception_handlers.get(key)
            if handler is not None and handler is not http_exception_handler:
                unsure.append(f"`{name_of(handler)}` answers for unknown paths")
        later, anything = changes_app(app.router, self.draft.pre_validation)
        if later:
            self.draft.starts.append(later)
        if later and anything:
            changes.append(f"`{later}` may change the app when it starts")
        elif later:
            unsure.append(f"`{later}` may add routes when the app starts")
        for why in unsure:
            self.draft.note(where, f"{why}: unknown paths are left to the app")
            router["complete"] = False
        for why in changes:
            self.draft.note(
                where, f"{why}: unknown paths are left to the app, and input is reported, not refused"
            )
            set_rewrites(router)

    def app_handlers(self, app: Any, router: RouterTree, where: str) -> None:
        """What the handlers of exceptions answer with."""
        own = [app.exception_handlers[key] for key in OWN_ERRORS if key in app.exception_handlers]
        handler = own[0] if own else None
        is_own = handler is not None or isinstance(app, FastAPI)
        if handler is not request_validation_exception_handler and is_own:
            answers = f"`{name_of(handler) if handler else 'nothing'}` answers what does not validate"
            self.draft.note(where, answers)
            set_below(router, "answers-invalid", True)
        # What FastAPI's own 422 raises where JSON cannot repeat the input, such as `NaN`.
        # Mounted apps have answered before it comes here; and before Starlette 0.28 nothing answers
        # what a handler raises.
        failing = self.draft.pre_validation.refusals.handlers_of(app)
        if get_wrapper is not None and any(issubclass(ValueError, one) for one in failing):
            router["answers-unsayable"] = True
        answered = errors_answered(app)
        if answered:
            router["handles"] = answered
        wrong = answers_errors_well(app)
        if wrong:
            why = f"the error handler `{wrong}` may change answers"
            self.draft.note(where, f"{why}: what models say of them is a claim")
            claim(router)

    def odd_handlers(self, app: Any, where: str) -> list[tuple[Any, str]]:
        """Handlers of exceptions whose response need not be an error -> [(exception, name of the
        handler)]."""
        found = []
        for key, handler in app.exception_handlers.items():
            if key in OWN_ERRORS or files.is_frameworks(handler) or prover.answers_errors(handler, key):
                continue
            place = places.where(handler)
            self.draft.note(
                where,
                f"`{name_of(handler)}` ({place}) may answer an exception with something that is no error",
            )
            found.append((key, name_of(handler)))
        return found

    def router(self, router: Any, at: str, docs: Sequence[str] = ()) -> RouterTree:
        routes = []
        for route in router.routes:
            if hasattr(route, "effective_candidates"):
                self.draft.note_kept(route)
        for route in router.routes:
            routes += self.routes(route, None, at, docs)
        for route in low_priority(router):
            routes += self.frontend(route)
        complete = True
        if getattr(router.default, "__func__", None) not in (Router.not_found, APIRouter.not_found):
            self.draft.note(
                at or "app", f"`{name_of(router.default)}` answers unknown paths: they are left to the app"
            )
            complete = False
        own = overrides(type(router), (APIRouter, Router), "__call__", "app", "handle", "matches")
        own = own or any(name in vars(router) for name in ("app", "handle", "matches", "__call__"))
        if own:
            name = type(router).__name__
            self.draft.note(
                at or "app", f"`{name}` decides itself what it answers: unknown paths are left to the app"
            )
            complete = False
            routes.insert(
                0,
                {
                    "kind": "opaque",
                    "why": f"the router `{name}` ({places.where_class(type(router))}), which decides itself",
                },
            )
        found = {"routes": routes, "redirect-slashes": bool(router.redirect_slashes), "complete": complete}
        if own:
            set_rewrites(found)
            claim(found)
        if hasattr(router, "middleware_stack"):
            chain(self.draft, router.middleware_stack, router.app, found, at or "app")
        return found

    # Routes

    def routes(self, route: Any, context: Any, at: str, docs: Sequence[str]) -> list[dict[str, Any]]:
        """One entry of a router -> routes of the contract. The context says how an included route
        appears."""
        try:
            return self.read(route, context, at, docs)
        except Exception:  # most likely a version that is not known
            path = getattr(context or route, "path", None) or type(route).__name__
            self.draft.note(f"{at}{path}", f"what FastAPI made of {named(route)} is not understood")
            return [{"kind": "opaque", "why": f"a route that cannot be read (`{path}`)"}]

    def read(self, route: Any, context: Any, at: str, docs: Sequence[str]) -> list[dict[str, Any]]:
        if hasattr(route, "effective_candidates"):  # a router that was included
            found = []
            router = route.original_router
            if overrides(type(router), (APIRouter, Router), "app", "handle", "matches"):
                place = places.where_class(type(router))
                own = f"the router `{type(router).__name__}` ({place}), which decides itself"
                found.append(self.draft.opaque(f"{at}{route.include_context.prefix}", own))
            outer, self.draft.around = (
                self.draft.around,
                [*self.draft.around, route.original_router, route.include_context],
            )
            self.draft.note_kept(route)
            for candidate in self.candidates(route):
                original = getattr(candidate, "original_route", None)
                found += self.routes(candidate if original is None else original, candidate, at, docs)
            self.draft.around = outer
            return found
        seen = context if isinstance(route, APIRoute) and context is not None else route
        if context is not None and seen is route and hasattr(context, "starlette_route"):
            seen = context.starlette_route or route
        if isinstance(route, (*ROUTES, Host)) and decides(route, seen):
            return [self.own_match(route, seen, at), *self.known(route, seen, at, docs)]
        return self.known(route, seen, at, docs)

    def candidates(self, included: Any) -> list[Any]:
        """The routes of a router that was included. FastAPI makes them when it is asked to."""
        if self.is_served:
            return included.effective_candidates()
        with shared_dependencies(self.dependencies):
            return included.effective_candidates()

    def known(self, route: Any, seen: Any, at: str, docs: Sequence[str]) -> list[dict[str, Any]]:
        """A route of a class that is known, as it is if it takes a request at all."""
        if isinstance(route, APIRoute):
            return api_route(self.draft, route, seen, at, docs)
        if isinstance(route, Route):
            path, own = pattern(seen)
            found = {
                "kind": "http",
                "path": path,
                "methods": sorted(seen.methods or ()),
                "hidden": True,
                **is_docs(path, docs),
            }
            return self.draft.with_convertors(found, own, f"{at}{seen.path}")
        if isinstance(route, WebSocketRoute):
            path, own = pattern(seen)
            return (
                [self.draft.unsure(f"{at}{seen.path}", OWN_CONVERTOR, path)]
                if own
                else [{"kind": "web-socket", "path": path}]
            )
        if isinstance(route, Mount):
            return [self.mount(seen, at)]
        if isinstance(route, Host):
            return [self.host(seen, at)]
        cls = type(route)
        why = f"a route of the class `{cls.__name__}` ({places.where_class(cls)}), which is not Starlette's"
        return [self.draft.opaque(f"{at}{getattr(route, 'path', '')}", why)]

    def own_match(self, route: Any, seen: Any, at: str) -> dict[str, Any]:
        """A route whose own `matches` decides: it may take any request, or those for its path."""
        cls = type(route)
        why = f"the route class `{cls.__name__}` ({places.where_class(cls)}), whose `matches` decides itself"
        if isinstance(route, Host) or not narrows(cls) or "matches" in vars(route):
            return self.draft.opaque(f"{at}{getattr(route, 'path', '')}", why)
        path, own = pattern(seen)
        methods = [] if own or isinstance(route, Mount) else sorted(getattr(seen, "methods", None) or ())
        return self.draft.unsure(
            f"{at}{seen.path}", why, f"{path}/{{path:path}}" if isinstance(route, Mount) else path, methods
        )

    def host(self, route: Any, at: str) -> dict[str, Any]:
        """A router for a host, whose paths are as they are without it."""
        is_folded = route.host_regex.flags & re.IGNORECASE
        found = {"kind": "host", "host": route.host.lower() if is_folded else route.host}
        inside = f"{route.host}{at}"
        if any(type(one) not in CONVERTORS for one in route.param_convertors.values()):
            return self.draft.opaque(
                inside, f"a router for the host `{route.host}`, which has a convertor of the app's own"
            )
        self.router_of(found, route.app, inside, "answers for this host")
        return found

    def mount(self, mount: Any, at: str) -> dict[str, Any]:
        path, own = pattern(mount)
        found: dict[str, Any] = {"kind": "mount", "path": path}
        app = getattr(mount, "_base_app", mount.app)
        inside = f"{at}{mount.path}"
        if own:
            return self.draft.unsure(inside, OWN_CONVERTOR, f"{path}/{{path:path}}")
        self.router_of(found, app, inside, "is mounted here")
        if "router" in found:
            chain(self.draft, mount.app, app, found["router"], inside)
        return found

    def router_of(self, found: dict[str, Any], app: Any, inside: str, what: str) -> None:
        """Adds the router of an app below a mount or for a host, if it is one that is known; `what`
        says how the app stands there."""
        if any(app is one for one in self.draft.inside):  # routers are equal if their routes are
            self.draft.note(inside, "it is mounted in itself")
        elif isinstance(app, Starlette) and not getattr(app, "root_path", ""):
            found["router"] = self.within(app, self.app, inside)
        elif isinstance(app, Router):
            found["router"] = self.within(app, self.router, inside)
        else:
            kind = app if callable(app) and hasattr(app, "__qualname__") else type(app)
            self.draft.note(inside, f"`{name_of(kind)}` {what}: its paths are its own business")

    def within(self, app: Any, read: Callable[[Any, str], RouterTree], at: str) -> RouterTree:
        self.draft.inside.append(app)
        outer, self.draft.around = self.draft.around, [*self.draft.around, app]
        try:
            return read(app, at)
        finally:
            self.draft.inside.pop()
            self.draft.around = outer

    def frontend(self, route: Any) -> list[dict[str, Any]]:
        """Files for a browser: tried last, also after redirects; they answer below a path."""
        prefix = getattr(route, "frontend_prefix", "")
        group = getattr(route, "original_route", route)
        found = []
        for one in getattr(group, "routes", None) or ():
            path = (prefix + one.path).rstrip("/")
            self.draft.note(path or "/", "files for a browser: its paths are its own business")
            # A mount takes every method, so that nothing is refused that FastAPI would redirect
            # first.
            found.append({"kind": "mount", "path": path})
            if path:
                found.append({"kind": "http", "path": path, "methods": [], "hidden": True})
        return found or [
            self.draft.opaque("app", f"a route of the class `{type(group).__name__}` is tried last")
        ]


def is_asgi(thing: Any) -> bool:
    return callable(thing) and not isinstance(thing, type) and hasattr(thing, "__dict__")


def docs_of(app: Any) -> list[str]:
    names = ("openapi_url", "docs_url", "redoc_url", "swagger_ui_oauth2_redirect_url")
    return [url for url in (getattr(app, name, None) for name in names) if url]


def low_priority(router: Any) -> list[Any]:
    iterate = getattr(router, "_iter_low_priority_routes", None)
    return list(iterate()) if iterate else []
