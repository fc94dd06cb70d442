"""Walks an app's routers in the order in which Starlette and FastAPI try their routes."""

from __future__ import annotations

import re

import pydantic
from fastapi import APIRouter, FastAPI
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette import convertors
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute

from .answers import Answers
from .bytecode import package
from .later import adds_routes
from .operations import Operations
from .passes import passes_on
from .rewrites import handed_on, may_rewrite
from .schemas import Shapes, Translator, name_of

try:
    from starlette._utils import get_route_path
except ImportError:
    get_route_path = None

# They answer by themselves only what would be refused anyway, or what is asked of themselves.
HARMLESS = {
    *(f"starlette.middleware.{name}" for name in (
        "authentication.AuthenticationMiddleware",
        "cors.CORSMiddleware",
        "errors.ServerErrorMiddleware",
        "exceptions.ExceptionMiddleware",
        "gzip.GZipMiddleware",
        "httpsredirect.HTTPSRedirectMiddleware",
        "sessions.SessionMiddleware",
        "trustedhost.TrustedHostMiddleware",
    )),
    "fastapi.middleware.asyncexitstack.AsyncExitStackMiddleware",
    "uvicorn.middleware.proxy_headers.ProxyHeadersMiddleware",
    "asgi_correlation_id.middleware.CorrelationIdMiddleware",
}
ROUTES = (APIRoute, APIWebSocketRoute, Route, WebSocketRoute, Mount)
BODY_LIMIT = ("RequestBodyLimitMiddleware", "wrap_app_with_body_limit", "AppBodyLimitMiddleware")

CONVERTORS = {
    convertors.StringConvertor: "str",
    convertors.PathConvertor: "path",
    convertors.IntegerConvertor: "int",
    convertors.FloatConvertor: "float",
    convertors.UUIDConvertor: "uuid",
}
PARAMETER = re.compile(r"{([a-zA-Z_][a-zA-Z0-9_]*)(:[a-zA-Z_][a-zA-Z0-9_]*)?}")


class Walk:
    strips_root_path = get_route_path is not None  # older versions of Starlette match the whole path

    def __init__(self):
        self.shapes = Shapes()
        self.noted = {}
        self.inside = []  # apps and routers that are being read
        self.operations = Operations(self.shapes, Translator(self.shapes))
        self.answers = Answers(self.shapes)

    def note(self, at, why):
        self.noted[at, why] = {"at": at, "why": why}

    def unwrap(self, app):
        """An ASGI app around the FastAPI one -> (whether there was one, the app in it)."""
        wrapped = []
        while not isinstance(app, Starlette) and len(wrapped) < 10:
            inner = [one for one in getattr(app, "__dict__", {}).values() if is_asgi(one)]
            inner = [one for one in inner if not any(one is seen for seen in wrapped)]
            inner = [one for one in inner if isinstance(one, Starlette)] or inner
            wrapped.append(app)
            if not inner:
                return True, None
            self.note("app", f"`{type(app).__name__}` stands around it: what it answers by itself is not known")
            app = inner[0]
        return bool(wrapped), app if isinstance(app, Starlette) else None

    # Apps and routers

    def app(self, app, at):
        router = self.router(app.router, at, docs_of(app))
        where = at or "app"
        unsure = []
        if overrides(type(app), (FastAPI, Starlette), "__call__", "build_middleware_stack"):
            unsure.append(f"`{type(app).__name__}` decides itself what reaches its routes")
        elif package(vars(app).get("build_middleware_stack", FastAPI)) not in ("fastapi", "opentelemetry"):
            unsure.append("its middleware is built by code that is not FastAPI's")
        if unsure:
            set_rewrites(router)
        unsure += [f"the middleware `{name}` may answer by itself" for name in unknown_middleware(app.user_middleware)]
        for key in (404, 405, HTTPException):
            handler = app.exception_handlers.get(key)
            if handler is not None and handler is not http_exception_handler:
                unsure.append(f"`{name_of(handler)}` answers for unknown paths")
        later = adds_routes(app.router)
        if later:
            unsure.append(f"`{later}` may add routes when the app starts")
        for why in unsure:
            self.note(where, f"{why}: unknown paths are left to the app")
            router["complete"] = False
        for one in app.user_middleware:
            if qualified(one) not in HARMLESS and may_rewrite(one):
                why = f"the middleware `{middleware_name(one)}` may change requests: what seems wrong may be right"
                self.note(where, why)
                set_rewrites(router)
        handler = app.exception_handlers.get(RequestValidationError)
        if handler not in (None, request_validation_exception_handler):
            self.note(where, f"`{name_of(handler)}` answers what does not validate")
            router["answers-invalid"] = True
        return router

    def router(self, router, at, docs=()):
        routes = []
        for route in router.routes:
            routes += self.routes(route, None, at, docs)
        for route in low_priority(router):
            routes += self.frontend(route)
        complete = True
        if getattr(router.default, "__func__", None) not in (Router.not_found, APIRouter.not_found):
            self.note(at or "app", f"`{name_of(router.default)}` answers unknown paths: they are left to the app")
            complete = False
        own = overrides(type(router), (APIRouter, Router), "__call__", "app", "handle", "matches")
        stack = getattr(router, "middleware_stack", None)
        around = stack is not None and stack != router.app and type(stack).__name__ not in BODY_LIMIT
        if own or around:
            name = type(router if own else stack).__name__
            self.note(at or "app", f"`{name}` decides itself what it answers: unknown paths are left to the app")
            complete = False
        if own:
            routes.insert(0, {"kind": "opaque", "why": f"the router `{type(router).__name__}` decides itself"})
        return {"routes": routes, "redirect-slashes": bool(router.redirect_slashes), "complete": complete}

    # Routes

    def routes(self, route, context, at, docs):
        """One entry of a router -> routes of the contract. The context is how an included one appears."""
        try:
            return self.read(route, context, at, docs)
        except Exception as error:
            path = getattr(context or route, "path", None) or type(route).__name__
            self.note(f"{at}{path}", f"it cannot be read ({type(error).__name__}: {error})")
            return [{"kind": "opaque", "why": f"a route that cannot be read (`{path}`)"}]

    def read(self, route, context, at, docs):
        if hasattr(route, "effective_candidates"):  # a router that was included
            if overrides(type(route.original_router), (APIRouter, Router), "app", "handle", "matches"):
                why = f"the router `{type(route.original_router).__name__}` decides itself"
                return [self.opaque(f"{at}{route.include_context.prefix}", why)]
            found = []
            for candidate in route.effective_candidates():
                original = getattr(candidate, "original_route", None)
                found += self.routes(candidate if original is None else original, candidate, at, docs)
            return found
        seen = context if isinstance(route, APIRoute) and context is not None else route
        if context is not None and seen is route and hasattr(context, "starlette_route"):
            seen = context.starlette_route or route
        if isinstance(route, ROUTES) and overrides(type(route), ROUTES, "matches"):
            return [self.opaque(f"{at}{route.path}", f"the route class `{type(route).__name__}` decides itself")]
        if isinstance(route, APIRoute):
            return [self.api_route(route, seen, at, docs)]
        if isinstance(route, Route):
            path, known = pattern(seen)
            methods = sorted(seen.methods or ()) if known else []
            return [{"kind": "http", "path": path, "methods": methods, "hidden": True, **is_docs(path, docs)}]
        if isinstance(route, WebSocketRoute):
            return [{"kind": "web-socket", "path": pattern(seen)[0]}]
        if isinstance(route, Mount):
            return [self.mount(seen, at)]
        if isinstance(route, Host):
            return [self.opaque(f"{at}{route.host}", f"a router for the host `{route.host}`")]
        return [self.opaque(f"{at}{getattr(route, 'path', '')}", f"a route of the class `{type(route).__name__}`")]

    def opaque(self, at, why):
        self.note(at, why)
        return {"kind": "opaque", "why": why}

    def api_route(self, route, seen, at, docs):
        path, known = pattern(seen)
        methods = sorted(seen.methods or ())
        found = {"kind": "http", "path": path, "methods": methods if known else [], **is_docs(path, docs)}
        found["hidden"] = not seen.include_in_schema
        where = f"{','.join(methods)} {at}{seen.path}"
        if not known:
            self.note(where, "a convertor of the app's own: which paths it takes is left to the app")
            return found
        try:
            found["operation"] = self.operation(route, seen, where)
        except Exception as error:
            self.note(where, f"it cannot be read ({type(error).__name__}: {error})")
            found["operation"] = self.operations.read_opaque(seen)
        return found

    def operation(self, route, seen, where):
        own = (APIRoute, Route)
        unknown = overrides(type(route), own, "__call__") or "app" in changed(route)
        if not unknown and overrides(type(route), own, "handle", "get_route_handler"):
            on, hides = handed_on(type(route))
            unknown = hides or not on
        if unknown:
            self.note(where, f"the route class `{type(route).__name__}` reads requests, or answers what is invalid, itself")
            return self.operations.read_opaque(seen)
        if pydantic.VERSION.startswith("1."):
            self.note(where, f"Pydantic {pydantic.VERSION} validates it: only Pydantic 2 is known")
            return self.operations.read_opaque(seen)
        operation = self.operations.read(seen)
        operation["responses"] = self.answers.read(seen)
        if operation["body"]["kind"] == "opaque":
            self.note(f"{where} body", "the handler or a dependency reads the raw request")
        for one in operation["inputs"]:
            for place, why in self.shapes.opaque_places(one["shape"], set()):
                self.note(f"{where} {one['location']}{of(one['take'])}{place}", why)
        return operation

    def mount(self, mount, at):
        path, known = pattern(mount)
        found = {"kind": "mount", "path": path}
        app = getattr(mount, "_base_app", mount.app)
        inside = f"{at}{mount.path}"
        if not known:
            self.note(inside, "a convertor of the app's own: which paths it takes is left to the app")
        elif any(app is one for one in self.inside):  # routers are equal if their routes are
            self.note(inside, "it is mounted in itself")
        elif isinstance(app, Starlette) and not getattr(app, "root_path", ""):
            found["router"] = self.within(app, self.app, inside)
        elif isinstance(app, Router):
            found["router"] = self.within(app, self.router, inside)
        else:
            kind = app if callable(app) and hasattr(app, "__qualname__") else type(app)
            self.note(inside, f"`{name_of(kind)}` is mounted here: its paths are its own business")
        if app is not mount.app and "router" in found and type(mount.app).__name__ not in BODY_LIMIT:
            self.note(inside, f"the middleware `{type(mount.app).__name__}` may answer by itself")
            found["router"]["complete"] = False
        return found

    def within(self, app, read, at):
        self.inside.append(app)
        try:
            return read(app, at)
        finally:
            self.inside.pop()

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


def overrides(cls, bases, *methods):
    """Whether a class of the app's own replaces one of the methods."""
    for method in methods:
        own = getattr(cls, method, None)
        if own is not None and own not in [getattr(base, method, None) for base in bases]:
            return True
    return False


def changed(route):
    """Attributes that somebody replaced after the route was made."""
    code = getattr(route.app, "__code__", None) or getattr(type(route.app).__call__, "__code__", None)
    file = (code and code.co_filename) or ""
    return () if "fastapi" in file or "starlette" in file else ("app",)


def unknown_middleware(middleware):
    return [middleware_name(one) for one in middleware if qualified(one) not in HARMLESS and not passes_on(one)]


def qualified(middleware):
    return f"{getattr(middleware.cls, '__module__', '')}.{getattr(middleware.cls, '__qualname__', '')}"


def middleware_name(middleware):
    options = getattr(middleware, "kwargs", getattr(middleware, "options", {}))
    return name_of(options.get("dispatch") or middleware.cls)


def set_rewrites(router):
    """For a router and everything below it. Another path may become one of these."""
    router["rewrites"], router["complete"] = True, False
    for route in router["routes"]:
        if route.get("router"):
            set_rewrites(route["router"])


def docs_of(app):
    names = ("openapi_url", "docs_url", "redoc_url", "swagger_ui_oauth2_redirect_url")
    return [url for url in (getattr(app, name, None) for name in names) if url]


def is_docs(path, docs):
    return {"docs": True} if path in docs else {}


def low_priority(router):
    iterate = getattr(router, "_iter_low_priority_routes", None)
    return list(iterate()) if iterate else ()


def pattern(route):
    """-> (the path, whether its convertors are Starlette's own); others become `path`, which takes whatever they do."""
    own = [name for name, convertor in route.param_convertors.items() if type(convertor) not in CONVERTORS]
    if not own:
        return route.path, True
    return PARAMETER.sub(lambda match: f"{{{match[1]}:path}}" if match[1] in own else match[0], route.path), False


def of(take):
    return "." + take["names"][0] if take["kind"] == "field" else ""
