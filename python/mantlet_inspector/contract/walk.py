"""Walks an app's routers in the order in which Starlette and FastAPI try their routes."""

from __future__ import annotations

import inspect
import re
import types

import pydantic
from fastapi import APIRouter, FastAPI
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute

from mantlet_inspector.contract.dependants import dependants_of, fields_of
from mantlet_inspector.contract.matching import CONVERTORS, ROUTES, decides, narrows, overrides, pattern
from mantlet_inspector.contract.operations import Operations
from mantlet_inspector.contract.responses import Answers
from mantlet_inspector.contract.router_tree import (
    claim,
    claim_answers,
    routes_in,
    set_below,
    set_reads,
    set_refuses,
    set_rewrites,
    set_written,
)
from mantlet_inspector.contract.schemas import Translator
from mantlet_inspector.contract.shapes import Shapes
from mantlet_inspector.proof import known_middleware as known
from mantlet_inspector.proof import monkeypatches as patched
from mantlet_inspector.proof import prover as proof
from mantlet_inspector.proof.facts import code_of
from mantlet_inspector.proof.pre_validation import Before
from mantlet_inspector.proof.startup import changes_app, late_pages
from mantlet_inspector.proof.wrappers import answers_errors_well, errors_answered, middleware_wraps
from mantlet_inspector.source import files, memory, places
from mantlet_inspector.source.objects import closure, whole
from mantlet_inspector.source.places import name_of, named_at

try:
    from starlette._utils import get_route_path
except ImportError:
    get_route_path = None
try:
    from fastapi.exceptions import ValidationException
except ImportError:
    ValidationException = RequestValidationError

OWN_ERRORS = (RequestValidationError, ValidationException)
OWN_CONVERTOR = "a convertor of the app's own, whose paths are left to the app"


class Walk:
    strips_root_path = get_route_path is not None  # older versions of Starlette match the whole path

    def __init__(self):
        self.shapes = Shapes()
        self.noted = {}
        self.inside = []  # apps and routers that are being read
        self.around = []  # those and the ways in which they are included, whose limits hold for a route
        self.starts = []  # code that may change the app when it starts
        self.late = []  # routes that take more when the app has started
        self.kept = {}  # what FastAPI has worked out of included routers, before it is asked to
        self.before = Before()
        self.operations = Operations(self.shapes, Translator(self.shapes))
        self.answers = Answers(self.shapes)

    def note(self, at, why):
        self.noted[at, why] = {"at": at, "why": why}

    def unwrap(self, app):
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

    def contract(self, app):
        """-> the router of an app that may stand in others, and the app itself; none if there is none."""
        around, found = self.unwrap(app)
        if found is None:
            return None, None
        try:
            router = self.within(found, self.app, "")
        except BaseException:
            self.leave()
            raise
        if self.starts:
            self.leave()
        for one in around:
            self.passes(type(one), vars(one), one, router, "app")
        if memory.current.is_late:
            why = "not all code was read in time: what was not is taken for code that may do anything, and input is reported there"
            self.note("app", f"{why}: {memory.current.said()}")
        changed = patched.replaced()
        if changed:
            self.note(
                "app",
                f"`{changed}` was replaced: nothing is known of what is validated, input is reported, not refused",
            )
            set_rewrites(router)
        return router, found

    def passes(self, cls, options, instance, router, at, odd=()):
        """A middleware around a router, and what becomes of exceptions that it raises."""
        facts = proof.middleware(cls, options, instance)
        code = code_of(cls, options)
        name = f"the middleware `{name_of(options.get('dispatch') or cls)}` ({places.where(code)})"
        if not facts.rewrites and not known.is_known(cls, options):
            self.before.odd, outer = odd, self.before.odd
            facts.rewrites = self.before.may_answer(code)
            self.before.odd = outer
        if facts.rewrites:
            self.note(at, f"{name} {facts.rewrites}: input is reported, not refused")
            set_rewrites(router)
        if facts.answers:
            self.note(at, f"{name} {facts.answers}: its own words stand for what does not validate")
            set_below(router, "answers-invalid", True)
            set_below(router, "complete", False)
        if facts.rewrites or facts.answers or middleware_wraps(cls, options):
            if not facts.rewrites and not facts.answers:
                self.note(at, f"{name} may change answers: what models say of them is a claim")
            claim(router)
        if facts.reads:
            self.note(at, f"{name} {facts.reads}: nothing is cut out of bodies")
            set_reads(router)
        if facts.preflights:
            set_below(router, "complete", False)
            for route in routes_in(router):
                if not route["methods"] or "OPTIONS" in route["methods"]:
                    route["operation"]["rewrites"] = True
        if known.may_refuse(cls, options):
            set_refuses(router, f"the middleware `{name_of(cls)}`")
        elif not known.is_known(cls, options):
            place = self.before.refusals.middleware(cls, options)
            if place:
                set_refuses(
                    router, "the middleware " + named_at(name_of(options.get("dispatch") or cls), place)
                )
        header = known.header_written(cls, options)
        if header:
            set_written(router, header.lower())

    # What FastAPI works out of a router that was included, it keeps, and the first request is the quicker for it. But code that changes
    # routes when the app starts would change them in vain.

    def note_kept(self, route):
        names = [name for name in vars(route) if name.startswith("_effective") and not name.endswith("lock")]
        self.kept.setdefault(id(route), (route, {name: vars(route)[name] for name in names}))

    def leave(self):
        """Leaves the app as it was found."""
        for route, kept in self.kept.values():
            vars(route).update(kept)

    # Apps and routers

    def app(self, app, at):
        where = at or "app"
        self.late += late_pages(app.router)
        self.starts += self.late
        odd = self.odd_handlers(app, where)
        outer, self.before.odd = self.before.odd, odd
        handled, refusals = self.before.refusals.handled, self.before.refusals
        refusals.handled = [*handled, *refusals.handlers_of(app)]
        try:
            router = self.router(app.router, at, docs_of(app))
        finally:
            self.before.odd, refusals.handled = outer, handled
        for one in app.user_middleware:
            if not files.is_frameworks(type(one)):
                self.note(
                    where,
                    f"`{type(one).__name__}` makes a middleware in a way of its own: input is reported, not refused",
                )
                set_rewrites(router)
                continue
            tells = known.slowapi_asks(one.cls, app, odd)
            if tells is None or not proof.leaves_alone(tells):
                self.passes(one.cls, options_of(one), None, router, where, odd)
            else:
                set_refuses(router, f"the middleware `{name_of(one.cls)}`")
        unsure, changes = [], []
        if overrides(type(app), (FastAPI, Starlette), "__call__", "build_middleware_stack"):
            changes.append(f"`{type(app).__name__}` decides itself what reaches its routes")
        elif any(name in vars(app) for name in ("__call__", "router_class")) or not builds_its_own(app):
            changes.append("its middleware is built by code that is not FastAPI's")
        for key in (404, 405, HTTPException):
            handler = app.exception_handlers.get(key)
            if handler is not None and handler is not http_exception_handler:
                unsure.append(f"`{name_of(handler)}` answers for unknown paths")
        later, anything = changes_app(app.router, self.before)
        if later:
            self.starts.append(later)
            more = changes if anything else unsure
            more.append(
                f"`{later}` may change the app when it starts"
                if anything
                else f"`{later}` may add routes when the app starts"
            )
        for why in unsure:
            self.note(where, f"{why}: unknown paths are left to the app")
            router["complete"] = False
        for why in changes:
            self.note(where, f"{why}: unknown paths are left to the app, and input is reported, not refused")
            set_rewrites(router)
        handler = next(
            (app.exception_handlers[key] for key in OWN_ERRORS if key in app.exception_handlers), None
        )
        if handler is not request_validation_exception_handler and (
            handler is not None or isinstance(app, FastAPI)
        ):
            self.note(where, f"`{name_of(handler) if handler else 'nothing'}` answers what does not validate")
            set_below(router, "answers-invalid", True)
        answered = errors_answered(app)
        if answered:
            router["handles"] = answered
        handler = answers_errors_well(app)
        if handler:
            self.note(
                where, f"the error handler `{handler}` may change answers: what models say of them is a claim"
            )
            claim(router)
        return router

    def odd_handlers(self, app, where):
        """Handlers of exceptions that may answer with something that is no error -> [(exception, its name)]."""
        found = []
        for key, handler in app.exception_handlers.items():
            if key in OWN_ERRORS or files.is_frameworks(handler) or proof.answers_errors(handler, key):
                continue
            place = places.where(handler)
            self.note(
                where,
                f"`{name_of(handler)}` ({place}) may answer an exception with something that is no error",
            )
            found.append((key, name_of(handler)))
        return found

    def router(self, router, at, docs=()):
        routes = []
        for route in router.routes:
            if hasattr(route, "effective_candidates"):
                self.note_kept(route)
        for route in router.routes:
            routes += self.routes(route, None, at, docs)
        for route in low_priority(router):
            routes += self.frontend(route)
        complete = True
        if getattr(router.default, "__func__", None) not in (Router.not_found, APIRouter.not_found):
            self.note(
                at or "app", f"`{name_of(router.default)}` answers unknown paths: they are left to the app"
            )
            complete = False
        own = overrides(type(router), (APIRouter, Router), "__call__", "app", "handle", "matches")
        own = own or any(name in vars(router) for name in ("app", "handle", "matches", "__call__"))
        if own:
            name = type(router).__name__
            self.note(
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
            self.chain(router.middleware_stack, router.app, found, at or "app")
        return found

    def chain(self, outer, inner, router, at):
        """Middleware that is made already, one in another."""
        seen = 0
        while outer != inner:
            seen += 1
            if isinstance(outer, Starlette) or seen > 20 or not hasattr(outer, "__dict__"):
                self.note(at, f"`{name_of(type(outer))}` stands around it: input is reported, not refused")
                set_rewrites(router)
                claim(router)
                return
            self.passes(type(outer), vars(outer), outer, router, at, self.before.odd)
            following = vars(outer).get("app", vars(outer).get("_app"))
            outer = following if following is not None else object()

    # Routes

    def routes(self, route, context, at, docs):
        """One entry of a router -> routes of the contract. The context is how an included one appears."""
        try:
            return self.read(route, context, at, docs)
        except Exception:  # most likely a version that is not known
            path = getattr(context or route, "path", None) or type(route).__name__
            self.note(f"{at}{path}", f"what FastAPI made of {named(route)} is not understood")
            return [{"kind": "opaque", "why": f"a route that cannot be read (`{path}`)"}]

    def read(self, route, context, at, docs):
        if hasattr(route, "effective_candidates"):  # a router that was included
            found = []
            router = route.original_router
            if overrides(type(router), (APIRouter, Router), "app", "handle", "matches"):
                own = f"the router `{type(router).__name__}` ({places.where_class(type(router))}), which decides itself"
                found.append(self.opaque(f"{at}{route.include_context.prefix}", own))
            outer, self.around = self.around, [*self.around, route.original_router, route.include_context]
            self.note_kept(route)
            for candidate in route.effective_candidates():
                original = getattr(candidate, "original_route", None)
                found += self.routes(candidate if original is None else original, candidate, at, docs)
            self.around = outer
            return found
        seen = context if isinstance(route, APIRoute) and context is not None else route
        if context is not None and seen is route and hasattr(context, "starlette_route"):
            seen = context.starlette_route or route
        if isinstance(route, (*ROUTES, Host)) and decides(route, seen):
            return [self.own_match(route, seen, at), *self.known(route, seen, at, docs)]
        return self.known(route, seen, at, docs)

    def known(self, route, seen, at, docs):
        """A route of a class that is known, as it is if it takes a request at all."""
        if isinstance(route, APIRoute):
            return self.api_route(route, seen, at, docs)
        if isinstance(route, Route):
            path, own = pattern(seen)
            found = {
                "kind": "http",
                "path": path,
                "methods": sorted(seen.methods or ()),
                "hidden": True,
                **is_docs(path, docs),
            }
            return self.with_convertors(found, own, f"{at}{seen.path}")
        if isinstance(route, WebSocketRoute):
            path, own = pattern(seen)
            return (
                [self.unsure(f"{at}{seen.path}", OWN_CONVERTOR, path)]
                if own
                else [{"kind": "web-socket", "path": path}]
            )
        if isinstance(route, Mount):
            return [self.mount(seen, at)]
        if isinstance(route, Host):
            return [self.host(seen, at)]
        why = f"a route of the class `{type(route).__name__}` ({places.where_class(type(route))}), which is not Starlette's"
        return [self.opaque(f"{at}{getattr(route, 'path', '')}", why)]

    def own_match(self, route, seen, at):
        """What a route takes whose own `matches` decides: anything, or no more than one of its path would."""
        cls = type(route)
        why = f"the route class `{cls.__name__}` ({places.where_class(cls)}), whose `matches` decides itself"
        if isinstance(route, Host) or not narrows(cls) or "matches" in vars(route):
            return self.opaque(f"{at}{getattr(route, 'path', '')}", why)
        path, own = pattern(seen)
        methods = [] if own or isinstance(route, Mount) else sorted(getattr(seen, "methods", None) or ())
        return self.unsure(
            f"{at}{seen.path}", why, f"{path}/{{path:path}}" if isinstance(route, Mount) else path, methods
        )

    def opaque(self, at, why):
        self.note(at, f"{why}: it may answer in place of what follows, whose input is reported, not refused")
        return {"kind": "opaque", "why": why}

    def unsure(self, at, why, path, methods=()):
        """What may answer for one path only."""
        self.note(at, f"{why}: another route may answer there, so input is reported, not refused")
        return {"kind": "opaque", "why": why, "path": path, "methods": list(methods)}

    def with_convertors(self, found, own, at):
        """A route with convertors of the app's own, by the patterns of those."""
        if own:
            self.note(
                at,
                f"a convertor of the app's own ({', '.join(f'`{regex}`' for regex in own.values())}): what it makes of a path is left to the app",
            )
            found["convertors"] = own
        return [found]

    def host(self, route, at):
        """A router for a host, whose paths are as they are without it."""
        is_folded = route.host_regex.flags & re.IGNORECASE
        found = {"kind": "host", "host": route.host.lower() if is_folded else route.host}
        inside = f"{route.host}{at}"
        if any(type(one) not in CONVERTORS for one in route.param_convertors.values()):
            return self.opaque(
                inside, f"a router for the host `{route.host}`, which has a convertor of the app's own"
            )
        self.router_of(found, route.app, inside, "answers for this host")
        return found

    def api_route(self, route, seen, at, docs):
        path, own = pattern(seen)
        methods = sorted(seen.methods or ())
        found = {"kind": "http", "path": path, "methods": methods, **is_docs(path, docs)}
        found["hidden"] = not seen.include_in_schema
        where = f"{','.join(methods)} {at}{seen.path}"
        try:
            found["operation"] = self.operation(route, seen, where)
        except Exception:
            self.note(where, f"what FastAPI made of {named(route)} is not understood")
            found["operation"] = self.operations.read_opaque(seen)
        if own:
            # What converts may refuse by an exception, before anything is validated.
            found["operation"].setdefault("refuses-first", "a convertor of the app's own")
        return self.with_convertors(found, own, where)

    def operation(self, route, seen, where):
        reads = False
        if not is_plain(route):
            facts = self.around_handler(route)
            if facts is None or not facts.is_proven():
                why = (
                    facts and (facts.rewrites or facts.answers)
                ) or "reads requests, or answers what is invalid, itself"
                self.note(
                    where, f"the route class `{type(route).__name__}` {why}: what it accepts is not known"
                )
                operation = {**self.operations.read_opaque(seen), "responses": self.answers.read(seen)}
                claim_answers(operation)
                return operation
            reads = facts.reads is not None
        if pydantic.VERSION.startswith("1."):
            why = f"Pydantic {pydantic.VERSION} validates here, and only Pydantic 2 is known: which routes there are is known, what they accept is left to the app"
            self.note("app", why)
            return self.operations.read_opaque(seen)
        if any(not hasattr(one, "_type_adapter") for one in fields_of(seen)):
            self.note(
                where, "a model of `pydantic.v1` is among what it takes or answers: only Pydantic 2 is known"
            )
            return self.operations.read_opaque(seen)
        runs = self.before.of(dependants_of(seen), seen.body_field is not None)
        runs = runs._replace(reads=runs.reads or reads)
        operation = self.operations.read(seen, runs.reads, self.before.refusals.dependency)
        limit = limits_of(route, seen, self.around)
        if limit:
            operation["refuses-first"] = limit
        if runs.why:
            self.note(where, runs.why)
            operation["rewrites"] = True
        elif any(route is one for one in self.late):
            self.note(
                where, "it gets the parameters of a page when the app starts: input is reported, not refused"
            )
            operation["rewrites"] = operation["reads-request"] = True
        elif runs.reads and operation["body"]["kind"] in ("json", "form"):
            self.note(
                where,
                "the handler or a dependency may look at the raw request: nothing is cut out of its body",
            )
        operation["responses"] = self.answers.read(seen)
        if operation["body"]["kind"] == "opaque":
            self.note(f"{where} body", "the handler or a dependency reads the raw request")
        for one in operation["inputs"]:
            for place, why in self.shapes.opaque_places(one["shape"], set()):
                self.note(f"{where} {one['location']}{of(one['take'])}{place}", why)
        return operation

    def around_handler(self, route):
        """What is known of the function that a route class of the app's own puts around FastAPI's handler; none if it does something else."""
        if overrides(type(route), (APIRoute, Route), "__call__", "handle", "app"):
            return None
        if any(name in vars(route) for name in ("handle", "get_route_handler")):
            return None
        made = [whole(one) for one in (route.app, *closure(route.app)) if callable(one)]
        own = [one for one in made if not files.is_frameworks(one) and not is_instruments(one)]
        if len(own) != 1 or not isinstance(own[0], types.FunctionType):
            return None
        inner = [
            one
            for one in closure(own[0])
            if getattr(one, "__qualname__", "") == "get_request_handler.<locals>.app"
        ]
        if len(inner) != 1 or not files.is_frameworks(inner[0]):
            return None
        facts = proof.route_handler(own[0], inner[0])
        if not facts.rewrites and (self.before.answer_of(own[0]) or self.before.may_refuse(own[0])):
            facts.rewrites = "may refuse before FastAPI validates"
        return facts

    def mount(self, mount, at):
        path, own = pattern(mount)
        found = {"kind": "mount", "path": path}
        app = getattr(mount, "_base_app", mount.app)
        inside = f"{at}{mount.path}"
        if own:
            return self.unsure(inside, OWN_CONVERTOR, f"{path}/{{path:path}}")
        self.router_of(found, app, inside, "is mounted here")
        if "router" in found:
            self.chain(mount.app, app, found["router"], inside)
        return found

    def router_of(self, found, app, inside, what):
        """Adds the router of what answers below a mount or for a host, if it is one that is known; `what` it does there."""
        if any(app is one for one in self.inside):  # routers are equal if their routes are
            self.note(inside, "it is mounted in itself")
        elif isinstance(app, Starlette) and not getattr(app, "root_path", ""):
            found["router"] = self.within(app, self.app, inside)
        elif isinstance(app, Router):
            found["router"] = self.within(app, self.router, inside)
        else:
            kind = app if callable(app) and hasattr(app, "__qualname__") else type(app)
            self.note(inside, f"`{name_of(kind)}` {what}: its paths are its own business")

    def within(self, app, read, at):
        self.inside.append(app)
        outer, self.around = self.around, [*self.around, app]
        try:
            return read(app, at)
        finally:
            self.inside.pop()
            self.around = outer

    def frontend(self, route):
        """Files for a browser. They are tried last, also after redirects, and answer below a path."""
        prefix = getattr(route, "frontend_prefix", "")
        group = getattr(route, "original_route", route)
        found = []
        for one in getattr(group, "routes", None) or ():
            path = (prefix + one.path).rstrip("/")
            self.note(path or "/", "files for a browser: its paths are its own business")
            # A mount takes every method, so that nothing is refused that FastAPI would redirect first.
            found.append({"kind": "mount", "path": path})
            if path:
                found.append({"kind": "http", "path": path, "methods": [], "hidden": True})
        return found or [self.opaque("app", f"a route of the class `{type(group).__name__}` is tried last")]


def is_asgi(thing):
    return callable(thing) and not isinstance(thing, type) and hasattr(thing, "__dict__")


def named(route):
    endpoint = getattr(route, "endpoint", None)
    return "it" if endpoint is None else f"`{name_of(endpoint)}` ({places.where(endpoint)})"


def is_plain(route):
    """Whether a route works as FastAPI made it."""
    if overrides(type(route), (APIRoute, Route), "__call__", "handle", "get_route_handler", "app"):
        return False
    if any(name in vars(route) for name in ("handle", "get_route_handler")):
        return False
    # What FastAPI made of the handler, and what that calls.
    made = [route.app, *(one for one in closure(route.app) if callable(one))]
    return all(files.is_frameworks(one) or is_instruments(one) for one in map(whole, made))


def is_instruments(function):
    return files.package_of(files.file_of(function)) in known.INSTRUMENTS


def builds_its_own(app):
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
    return is_instruments(function) and not any(hooks)


def limits_of(*places):
    """What the app says of the size of bodies and forms: FastAPI refuses what is larger before it validates."""
    around = [*places[:-1], *places[-1]]
    for name in ("max_body_size", "form_limits"):
        if any(
            getattr(one, name, None) for one in [*around, *(getattr(one, "router", None) for one in around)]
        ):
            return f"`{name}`"
    return None


def options_of(middleware):
    """What a middleware is made with, by names."""
    options = dict(getattr(middleware, "kwargs", getattr(middleware, "options", {})))
    given = getattr(middleware, "args", ())
    if given:
        function = middleware.cls.__init__ if isinstance(middleware.cls, type) else middleware.cls
        names = list(inspect.signature(function).parameters)[2 if isinstance(middleware.cls, type) else 1 :]
        options.update(zip(names, given))
    return options


def docs_of(app):
    names = ("openapi_url", "docs_url", "redoc_url", "swagger_ui_oauth2_redirect_url")
    return [url for url in (getattr(app, name, None) for name in names) if url]


def is_docs(path, docs):
    return {"docs": True} if path in docs else {}


def low_priority(router):
    iterate = getattr(router, "_iter_low_priority_routes", None)
    return list(iterate()) if iterate else ()


def of(take):
    return "." + take["names"][0] if take["kind"] == "field" else ""
