"""Apps with code around their routes, one below each path. What is told of them begins the path:

- `/enforced`: what is invalid is refused before it comes to the app;
- `/reads`: the same, but somebody looks at the body's bytes or at the query: nothing is cut out;
- `/reported`: it may be right after all, or be answered by something that is no error; the app decides.
"""

import asyncio
import contextlib
import functools
import hashlib
import hmac
import logging
import time
import uuid
from contextlib import asynccontextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any

import around_helpers as helpers
import fastapi
from around_helpers import Guard, current_user, envelope, fixed
from fastapi import APIRouter, Body, Depends, FastAPI, Header, HTTPException, Request, status
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer, OAuth2PasswordBearer
from pydantic import BaseModel
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Router

logger = logging.getLogger("around")
request_id: ContextVar[str] = ContextVar("request_id", default="")
root = app = FastAPI()
FIXED = b'{"name": "fixed"}'


class Item(BaseModel):
    name: str


def items(item: Item):
    return item


def below(path, *, dependencies=(), route_class=APIRoute, **options):
    """An app below a path, with one operation that wants a body with a name."""
    made = FastAPI(**options)
    made.router.route_class = route_class
    made.post("/items", dependencies=[Depends(one) for one in dependencies])(items)
    root.mount(path, made)
    return made


def http(path):
    return below(path).middleware("http")


def asgi(path, **options):
    def added(cls):
        below(path).add_middleware(cls, **options)
        return cls

    return added


def dependency(path):
    def added(function):
        below(path, dependencies=[function])
        return function

    return added


# Honest ones


@http("/enforced/timed")
async def timed(request: Request, call_next):
    start = time.perf_counter()
    response = await call_next(request)
    response.headers["X-Process-Time"] = str(time.perf_counter() - start)
    return response


@http("/enforced/request-id")
async def identified(request: Request, call_next):
    number = request.headers.get("x-request-id") or str(uuid.uuid4())
    request.state.request_id = number
    token = request_id.set(number)
    try:
        response = await call_next(request)
    finally:
        request_id.reset(token)
    response.headers["X-Request-ID"] = number
    return response


@http("/enforced/logged")
async def logged(request: Request, call_next):
    logger.info("%s %s from %s", request.method, request.url.path, request.client.host if request.client else "?")
    try:
        response = await call_next(request)
    except Exception:
        logger.exception(f"failed {request.url}")
        return JSONResponse(status_code=500, content={"detail": "Internal error"})
    logger.info(f"{request.method} {request.url.path} {response.status_code}", extra={"status": response.status_code})
    if response.status_code >= 500:
        logger.warning("server error", extra={"headers": dict(request.headers)})
    return response


@asgi("/enforced/security-headers", value="DENY")
class SecurityHeaders(BaseHTTPMiddleware):
    def __init__(self, app, value: str):
        super().__init__(app)
        self.headers = {"X-Frame-Options": value, "X-Content-Type-Options": "nosniff"}

    async def dispatch(self, request: Request, call_next) -> Response:
        response = await call_next(request)
        for name, value in self.headers.items():
            response.headers.setdefault(name, value)
        if request.url.scheme == "https":
            response.headers["Strict-Transport-Security"] = "max-age=1"
        response.set_cookie("seen", "1")
        return response


@asgi("/enforced/keyed")
class Keyed(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        if request.url.path.endswith("/health"):
            return await call_next(request)
        given = request.headers.get("Authorization", "")
        if given == "Bearer wrong" or not self.is_good(given):
            return JSONResponse({"detail": "Unauthorized"}, status_code=status.HTTP_401_UNAUTHORIZED)
        try:
            request.state.user = decoded(given)
        except ValueError as error:
            return self.refused(HTTPStatus.FORBIDDEN, str(error))
        return await call_next(request)

    def is_good(self, given):
        return len(given) < 1000

    @staticmethod
    def refused(code, why):
        return JSONResponse(status_code=code, content={"detail": why}, headers={"WWW-Authenticate": "Bearer"})


def decoded(token):
    return token.upper()


@asgi("/enforced/limited", limit=1000)
class Limited(BaseHTTPMiddleware):
    def __init__(self, app, limit):
        super().__init__(app)
        self.limit, self.hits = limit, {}
        self.lock = asyncio.Lock()

    async def dispatch(self, request: Request, call_next):
        who = self.who(request)
        async with self.lock:
            self.hits[who] = self.hits.get(who, 0) + 1
        if self.hits[who] > self.limit:
            response = Response("Too many requests", 429)
            response.headers["Retry-After"] = "1"
            return response
        response = await call_next(request)
        response.headers["X-RateLimit-Remaining"] = str(self.limit - self.hits[who])
        return response

    def who(self, request: Request) -> str:
        forwarded = request.headers.get("x-forwarded-for")
        return forwarded.split(",")[0] if forwarded else request.client.host if request.client else "?"


@http("/enforced/maintained")
async def maintained(request: Request, call_next):
    if request.app.state._state.get("maintenance"):
        return PlainTextResponse("Come back later", status_code=503)
    return await call_next(request)


@http("/enforced/patient")
async def patient(request: Request, call_next):
    try:
        return await asyncio.wait_for(call_next(request), timeout=30)
    except asyncio.TimeoutError:
        return JSONResponse({"detail": "Too slow"}, status_code=status.HTTP_504_GATEWAY_TIMEOUT)


@http("/enforced/sized")
async def sized(request: Request, call_next):
    length = request.headers.get("content-length")
    if length and int(length) > 10_000_000:
        return Response(status_code=413)
    return await call_next(request)


@http("/enforced/asks-elsewhere")
async def asks_elsewhere(request: Request, call_next):
    helpers.audit(request)
    tenant = helpers.tenant_of(request)
    if tenant == "nobody":
        return helpers.refuse(404, "no such tenant")
    request.scope["tenant"] = tenant
    return await call_next(request)


@asgi("/enforced/plain-asgi", header="x-served-by")
class ServedBy:
    def __init__(self, app, header: str) -> None:
        self.app = app
        self.header = header

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        agent = headers.get("user-agent", "")
        scope.setdefault("state", {})["agent"] = agent
        code = 0

        async def wrapped(message):
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
                headers = MutableHeaders(scope=message)
                headers.append(self.header, "around")
            await send(message)

        try:
            await self.app(scope, receive, wrapped)
        finally:
            logger.info("%s %s %s", scope["method"], scope["path"], code)


@asgi("/enforced/asgi-refuses")
class Banned:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            request = Request(scope)
            for name, value in scope["headers"]:
                if name == b"x-bad":
                    response = JSONResponse({"detail": "no"}, status_code=403)
                    return await response(scope, receive, send)
            if request.method == "TRACE":
                await send({"type": "http.response.start", "status": 405, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
        await self.app(scope, receive, send)


def function_middleware(app, name="x-f"):
    async def middleware(scope, receive, send):
        async def sends(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (name.encode(), b"1")]
            await send(message)

        await app(scope, receive, sends)

    return middleware


below("/enforced/asgi-function").add_middleware(function_middleware)
below("/enforced/cors").add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"])
below("/enforced/gzip").add_middleware(GZipMiddleware)
below("/enforced/trusted-host").add_middleware(TrustedHostMiddleware, allowed_hosts=["*"])
below("/enforced/in-the-constructor", middleware=[Middleware(ServedBy, header="x-by")])


class Backend(AuthenticationBackend):
    async def authenticate(self, conn):
        if "Authorization" not in conn.headers:
            return None
        return AuthCredentials(["authenticated"]), SimpleUser(conn.headers["Authorization"])


below("/enforced/authentication").add_middleware(AuthenticationMiddleware, backend=Backend())


@dependency("/enforced/current-user")
def user_of(request: Request):
    token = request.headers.get("authorization")
    if token == "wrong":
        raise HTTPException(status_code=401, detail="wrong token")
    request.state.user = token
    return token


@dependency("/enforced/database")
async def database(request: Request):
    session = {"of": getattr(request.app.state, "pool", None)}
    try:
        yield session
    except Exception:
        session.clear()
        raise
    finally:
        session.clear()


below("/enforced/elsewhere", dependencies=[current_user, Guard("admin")])
below("/enforced/scheme", dependencies=[OAuth2PasswordBearer("token", auto_error=False)])


class Bearer(OAuth2PasswordBearer):
    async def __call__(self, request: Request):
        token = await super().__call__(request)
        if token == "wrong":
            raise HTTPException(status.HTTP_403_FORBIDDEN)
        return token


below("/enforced/own-scheme", dependencies=[Bearer("token", auto_error=False)])


class Missing(Exception):
    pass


refusing = below("/enforced/own-exception", dependencies=[lambda: None])


@refusing.exception_handler(Missing)
async def missing(request: Request, error: Missing):
    return JSONResponse(status_code=404, content={"detail": str(error)})


@refusing.exception_handler(HTTPException)
async def logged_refusal(request: Request, error: HTTPException):
    logger.info("refused")
    return JSONResponse({"error": error.detail}, status_code=error.status_code)


@asynccontextmanager
async def pooled(app: FastAPI):
    app.state.pool = await helpers.connect()
    logger.info(app.title)
    yield
    app.state.pool = None


below("/enforced/lifespan", lifespan=pooled)


# Those that look at bodies or at the query


@http("/reads/signed")
async def signed(request: Request, call_next):
    body = await request.body()
    given = request.headers.get("x-signature")
    if given is not None and not hmac.compare_digest(given, hashlib.sha256(body).hexdigest()):
        return JSONResponse({"detail": "signature"}, status_code=401)
    return await call_next(request)


@http("/reads/query")
async def queried(request: Request, call_next):
    if request.query_params.get("debug") == "no":
        return Response(status_code=400)
    return await call_next(request)


@dependency("/reads/signed-dependency")
async def verified(request: Request):
    body = await request.body()
    if request.headers.get("x-signature", "") not in ("", hashlib.sha256(body).hexdigest()):
        raise HTTPException(401)


@dependency("/reads/json-dependency")
async def looked_at(request: Request):
    data = await request.json()
    if isinstance(data, dict) and data.get("tenant") == "nobody":
        raise HTTPException(404)


# Those that change what is validated, by whatever name


@asgi("/reported/replay")
class Replay:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        message = await receive()

        async def replay():
            return {**message, "body": FIXED, "more_body": False}

        await self.app(scope, replay, send)


@asgi("/reported/next-message")
class Unwrapped:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def next_message():
            message = await receive()
            message.update(body=FIXED)
            return message

        await self.app(scope, next_message, send)


@asgi("/reported/partial")
class Partial:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, functools.partial(self.fix, receive), send)

    async def fix(self, inner):
        return {**await inner(), "body": FIXED}


@asgi("/reported/copied-scope")
class CopiedScope:
    def __init__(self, app):
        self.app = app

    async def __call__(self, connection, incoming, outgoing):
        other = dict(connection, headers=[*connection["headers"], (b"x-name", b"1")])
        await self.app(other, incoming, outgoing)


@asgi("/reported/spread-scope")
class SpreadScope:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        child = {**scope}
        child["method"] = "POST"
        await self.app(child, receive, send)


@asgi("/reported/appended")
class Appended:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        headers = scope.get("headers") or []
        headers.append((b"x-name", b"1"))
        await self.app(scope, receive, send)


@asgi("/reported/kept-request")
class Kept:
    def __init__(self, app):
        self.inside = app

    async def __call__(self, scope, receive, send):
        class Fixed(Request):
            async def body(self):
                return FIXED

        request = Fixed(scope, receive)
        await self.inside(request.scope, request.receive, send)


@asgi("/reported/other-app")
class OtherApp:
    def __init__(self, app):
        self.app = app
        self.prepare()

    def prepare(self):
        self.app = Replay(self.app)

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


@http("/reported/dunder-dict")
async def dunder(request: Request, call_next):
    request.headers.__dict__["_list"].append((b"x-name", b"1"))
    return await call_next(request)


@http("/reported/list")
async def listed(request: Request, call_next):
    request.headers._list.append((b"x-name", b"1"))
    return await call_next(request)


@http("/reported/body-set")
async def body_set(request: Request, call_next):
    await request.body()
    request._body = FIXED
    return await call_next(request)


@http("/reported/body-set-by-name")
async def body_set_by_name(request: Request, call_next):
    await request.body()
    setattr(request, "_body", FIXED)
    return await call_next(request)


@http("/reported/vars")
async def body_set_in_vars(request: Request, call_next):
    await request.body()
    vars(request)["_body"] = FIXED
    return await call_next(request)


@http("/reported/another-request")
async def another(request: Request, call_next):
    async def replay():
        return {"type": "http.request", "body": FIXED, "more_body": False}

    other = Request(request.scope, replay)
    return await call_next(other)


@http("/reported/helper-module")
async def helped(request: Request, call_next):
    await helpers.normalise(request)
    return await call_next(request)


@http("/reported/helper-function")
async def helped_by_name(request: Request, call_next):
    await fixed(request)
    return await call_next(request)


@http("/reported/helper-object")
async def helped_by_object(request: Request, call_next):
    await helpers.FIXER.fix(request)
    return await call_next(request)


@http("/reported/helper-static")
async def helped_by_static(request: Request, call_next):
    await helpers.Fixer.fix_static(request)
    return await call_next(request)


@http("/reported/helper-in-a-dict")
async def helped_by_dict(request: Request, call_next):
    for step in helpers.STEPS.values():
        await step(request)
    return await call_next(request)


class Checks(BaseHTTPMiddleware):
    def __init__(self, app):
        super().__init__(app)
        self.check = helpers.normalise

    async def check(self, request):
        return None

    async def dispatch(self, request, call_next):
        await self.check(request)
        return await call_next(request)


below("/reported/other-method").add_middleware(Checks)


@http("/reported/type-of-request")
async def typed(request: Request, call_next):
    if request.headers.get("x-for-ever"):
        type(request).wrapped_receive = helpers.FixedRequest.wrapped_receive
    return await call_next(request)


@http("/reported/hidden-in-a-list")
async def hidden(request: Request, call_next):
    held = [request]
    await helpers.fix_first(held)
    return await call_next(request)


@http("/reported/hidden-in-state")
async def hidden_in_state(request: Request, call_next):
    request.state.request = request
    await helpers.fix_state(request.state)
    return await call_next(request)


@http("/reported/renamed-call-next")
async def renamed(request: Request, go_on):
    request.scope.update(query_string=b"q=1")
    return await go_on(request)


@http("/reported/scope-alias")
async def aliased(request: Request, call_next):
    parts = request.scope
    parts["headers"] = [*parts["headers"], (b"x-name", b"1")]
    return await call_next(request)


@http("/reported/streamed")
async def streamed(request: Request, call_next):
    async for _ in request.stream():
        pass
    return await call_next(request)


@http("/reported/class-of-request")
async def classed(request: Request, call_next):
    request.__class__ = helpers.FixedRequest
    return await call_next(request)


@http("/reported/cached")
async def cached(request: Request, call_next):
    if request.headers.get("idempotency-key"):
        return JSONResponse({"name": "cached"})
    return await call_next(request)


@http("/reported/healthy")
async def healthy(request: Request, call_next):
    if request.headers.get("x-probe"):
        return PlainTextResponse("ok")
    return await call_next(request)


@http("/reported/redirected")
async def redirected(request: Request, call_next):
    await request.body()  # a client that still sends when the answer comes is another matter
    if "session" not in request.cookies:
        return RedirectResponse("/login")
    return await call_next(request)


@http("/reported/enveloped")
async def enveloped(request: Request, call_next):
    response = await call_next(request)
    if response.status_code == 422:
        return JSONResponse({"ok": False}, status_code=200)
    return response


@http("/reported/enveloped-elsewhere")
async def enveloped_elsewhere(request: Request, call_next):
    return await envelope(await call_next(request))


@http("/reported/status-set")
async def status_set(request: Request, call_next):
    response = await call_next(request)
    if response.status_code == 422:
        response.status_code = 200
    return response


@asgi("/reported/status-sent")
class StatusSent:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def softened(message):
            if message["type"] == "http.response.start" and message["status"] == 422:
                message["status"] = 200
            await send(message)

        await self.app(scope, receive, softened)


@asgi("/reported/held-back")
class HeldBack:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        failed = False

        async def held(message):
            nonlocal failed
            if message["type"] == "http.response.start" and message["status"] == 422:
                failed = True
            if not failed:
                await send(message)

        await self.app(scope, receive, held)
        if failed:
            await JSONResponse({"ok": False})(scope, receive, send)


@asgi("/reported/answers-by-asgi")
class AnswersItself:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and scope["path"].endswith("/items"):
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})
            return
        await self.app(scope, receive, send)


class CountingCors(CORSMiddleware):
    async def simple_response(self, scope, receive, send, request_headers):
        await Replay(self.app)(scope, receive, send)


below("/reported/subclass-of-known").add_middleware(CountingCors, allow_origins=["*"])


class Waved(BaseHTTPMiddleware):
    def __init__(self, app):
        super().__init__(app, dispatch=self.other)

    async def dispatch(self, request, call_next):
        return await call_next(request)

    async def other(self, request, call_next):
        await request.body()
        request.scope["headers"] = [(b"content-type", b"application/json")]
        return JSONResponse({"name": "waved"})


below("/reported/other-dispatch").add_middleware(Waved)


class BadBackend(AuthenticationBackend):
    async def authenticate(self, conn: HTTPConnection):
        conn.scope["headers"].append((b"x-name", b"1"))


below("/reported/authentication").add_middleware(AuthenticationMiddleware, backend=BadBackend())
below("/reported/compiled").add_middleware(eval("lambda app: (lambda scope, receive, send: app(scope, receive, send))"))


def decorated(function):
    async def around(request, call_next):
        await helpers.normalise(request)
        return await function(request, call_next)

    return functools.wraps(function)(around)


below("/reported/decorated").middleware("http")(decorated(timed))


# Around routers and mounts


def inner():
    router = APIRouter()
    router.post("/items")(items)
    return router


outer = FastAPI()
outer.router.routes.append(Mount("/mounted", app=inner(), middleware=[Middleware(Replay)]))
outer.router.routes.append(Mount("/sub", app=below("/reported/unused", dependencies=[helpers.rewrite_path]), middleware=[Middleware(Replay)]))
root.mount("/reported/in-a-mount", outer)
stacked = Router(routes=inner().routes, middleware=[Middleware(Replay)])
root.mount("/reported/in-a-router", stacked)
honest = Router(routes=inner().routes, middleware=[Middleware(ServedBy, header="x-by")])
root.mount("/enforced/in-a-router", honest)
honest_mount = FastAPI()
honest_mount.router.routes.append(Mount("/mounted", app=inner(), middleware=[Middleware(ServedBy, header="x-by")]))
root.mount("/enforced/in-a-mount", honest_mount)


# Dependencies


@dependency("/reported/path-rewritten")
def path_rewritten(request: Request):
    request.path_params["number"] = "1"


@dependency("/reported/query-rewritten")
def query_rewritten(request: Request):
    request._query_params = {"page": "1"}


@dependency("/reported/header-rewritten")
def header_rewritten(request: Request):
    request.headers._list.append((b"x-name", b"1"))


@dependency("/reported/connection-rewritten")
def connection_rewritten(connection: HTTPConnection):
    connection.scope["path_params"].update(number="1")


@dependency("/reported/json-rewritten")
async def json_rewritten(request: Request):
    data = await request.json()
    data["name"] = "fixed"


@dependency("/reported/json-rewritten-elsewhere")
async def json_rewritten_elsewhere(request: Request):
    helpers.rename(await request.json())


@dependency("/reported/json-rewritten-by-name")
async def json_rewritten_by_name(request: Request):
    (await request.json()).setdefault("name", "fixed")


@dependency("/reported/handed-out")
def handed_out(request: Request):
    return request


class Service:
    def __init__(self, request: Request):
        self.request = request
        self.request.scope["path_params"] = {"number": "1"}


below("/reported/kept", dependencies=[Service])
below("/reported/called", dependencies=[helpers.Rewriter()])


@dependency("/reported/redirects")
def redirects(request: Request):
    if "session" not in request.cookies:
        raise HTTPException(status_code=303, headers={"Location": "/login"})


def made_with(check, error=None):
    def made():
        if error is not None:
            raise error
        check()

    return made


below("/reported/made-with-a-check", dependencies=[made_with(redirects_to_login := lambda: helpers.Sessions().ensure())])
below("/reported/made-with-an-error", dependencies=[made_with(None, HTTPException(302, headers={"Location": "/"}))])


@dependency("/reported/redirects-elsewhere")
def redirects_elsewhere():
    helpers.Sessions().ensure()


class LoginNeeded(Exception):
    pass


def session_needed():
    raise LoginNeeded


login = below("/reported/own-exception", dependencies=[session_needed])


@login.exception_handler(LoginNeeded)
async def to_login(request: Request, error: LoginNeeded):
    return RedirectResponse("/login", status_code=302)


soft = below("/reported/soft-handler", dependencies=[user_of])


@soft.exception_handler(HTTPException)
async def softened(request: Request, error: HTTPException):
    return JSONResponse({"ok": False, "error": error.detail})


@dependency("/reported/catches-all")
def catches_all():
    try:
        yield
    except Exception as error:
        raise HTTPException(500) from error


@dependency("/reported/catches-bare")
def catches_bare():
    try:
        yield
    except:  # noqa: E722
        raise HTTPException(400)


@dependency("/reported/catches-base")
async def catches_base():
    try:
        yield
    except BaseException:
        raise HTTPException(400)


CAUGHT = (ValueError, fastapi.exceptions.RequestValidationError)


@dependency("/reported/catches-tuple")
def catches_tuple():
    try:
        yield
    except CAUGHT:
        raise HTTPException(400)


@dependency("/reported/catches-by-module")
def catches_by_module():
    try:
        yield
    except fastapi.exceptions.RequestValidationError:
        raise HTTPException(400)


words = below("/reported/own-words")


@words.exception_handler(fastapi.exceptions.RequestValidationError)
async def in_own_words(request, error):
    return JSONResponse({"ok": False}, status_code=200)


# Route classes


class ReplayedRoute(APIRoute):
    def get_route_handler(self):
        handler = super().get_route_handler()

        async def read(request: Request):
            async def replay():
                return {"type": "http.request", "body": FIXED, "more_body": False}

            return await handler(Request(request.scope, replay))

        return read


below("/reported/route-class", route_class=ReplayedRoute)


class MeasuredRoute(APIRoute):
    def get_route_handler(self):
        measured_handler = super().get_route_handler()

        async def measured(request: Request):
            async with contextlib.AsyncExitStack() as stack:
                request.scope["my_stack"] = stack
                answer = await measured_handler(request)
            answer.headers["X-Measured"] = request.method
            return answer

        return measured


below("/enforced/route-class", route_class=MeasuredRoute)


class BarredRoute(APIRoute):
    def get_route_handler(self):
        barred_handler = super().get_route_handler()

        async def barred(request: Request):
            if "x-key" not in request.headers:
                raise HTTPException(401)
            return await barred_handler(request)

        return barred


# What it refuses comes before what does not validate.
below("/reported/route-class-that-refuses", route_class=BarredRoute)


class ForgivingRoute(APIRoute):
    def get_route_handler(self):
        forgiving_handler = super().get_route_handler()

        async def forgiving(request: Request):
            with contextlib.suppress(Exception):
                answer = await forgiving_handler(request)
            return answer

        return forgiving


below("/reported/route-class-that-forgives", route_class=ForgivingRoute)


class SignedRoute(APIRoute):
    async def handle(self, scope, receive, send):
        logger.info(scope["headers"])
        await super().handle(scope, receive, send)


below("/reported/route-handle", route_class=SignedRoute)
patched_route = below("/reported/route-attribute")
patched_route.router.routes[-1].handle = Replay(patched_route.router.routes[-1].app)
wrapped_route = below("/reported/route-wrapped")
wrapped_route.router.routes[-1].app = Replay(wrapped_route.router.routes[-1].app)


# Start-up


@asynccontextmanager
async def overriding(app):
    app.dependency_overrides[user_of] = lambda: None
    yield


below("/reported/overrides", lifespan=overriding)


@asynccontextmanager
async def inserting(app):
    app.router.routes.insert(0, Mount("/items", app=inner()))
    yield


below("/reported/inserts", lifespan=inserting)


@asynccontextmanager
async def handing(app):
    helpers.Plugin().install(app)
    yield


below("/reported/handed-to-plugin", lifespan=handing)


@asynccontextmanager
async def elsewhere(_):
    helpers.Plugin().start()
    yield


below("/reported/overrides-elsewhere", lifespan=elsewhere)


# More of each


@http("/enforced/own-preflight")
async def preflighted(request: Request, call_next):
    if request.method == "OPTIONS":
        return Response(headers={"Access-Control-Allow-Origin": "*"})
    response = await call_next(request)
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


@http("/enforced/tries")
async def tries(request: Request, call_next):
    try:
        tenant = helpers.tenant_of(request)
        if tenant is None:
            raise HTTPException(status_code=400, detail="no tenant")
        return await call_next(request)
    except HTTPException as error:
        return JSONResponse({"detail": error.detail}, status_code=error.status_code)
    except (ValueError, KeyError) as error:
        logger.warning("bad request", exc_info=error)
        return JSONResponse({"detail": str(error)}, status_code=400)


class Tracker:
    def __init__(self):
        self.seen = {}

    def note(self, method: str, path: str):
        self.seen[path] = method

    def key_of(self, request: Request) -> str:
        return request.headers.get("x-key") or request.cookies.get("key", "")


tracker = Tracker()


@http("/enforced/tracked")
async def tracked(request: Request, call_next):
    tracker.note(request.method, request.url.path)
    key = tracker.key_of(request)
    with helpers.span(request.method, path=request.url.path, route=getattr(request.scope.get("route"), "path", None)):
        response = await call_next(request)
    if key and request.method in ("GET", "HEAD") and response.status_code == 200:
        response.headers["Cache-Control"] = "private"
    logger.info({"method": request.method, "path": request.url.path, "agent": request.headers["host"], "query": None})
    return response


class Language:
    def __init__(self, app, default="en"):
        self.app, self.default = app, default

    async def __call__(self, scope, receive, send):
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        headers = dict(scope["headers"])
        accepted = headers.get(b"accept-language", b"").decode("latin-1")
        scope["state"]["language"] = accepted[:2] or self.default
        return await self.app(scope, receive, send)


below("/enforced/language").add_middleware(Language)


@dependency("/enforced/session")
async def session_of(request: Request):
    pool = request.app.state._state.get("pool") if hasattr(request.app.state, "_state") else None
    async with helpers.opened(pool) as session:
        yield session


@asgi("/reported/one-of-two")
class OneOfTwo:
    def __init__(self, app):
        self.app = app
        self.other = Replay(app) if app is None else None

    async def __call__(self, scope, receive, send):
        await (self.app if self.other is None else self.other)(scope, receive, send)


@asgi("/reported/property")
class Property:
    def __init__(self, app):
        self.inside = app

    @property
    def inside(self):
        return Replay(self.inner)

    @inside.setter
    def inside(self, app):
        self.inner = app

    async def __call__(self, scope, receive, send):
        await self.inside(scope, receive, send)


@http("/reported/own-status")
async def own_status(request: Request, call_next):
    try:
        return await call_next(await helpers.checked(request))
    except helpers.Shown as shown:
        return JSONResponse({"shown": True}, status_code=shown.status_code)


@http("/reported/status-of-own-error")
async def status_of_own_error(request: Request, call_next):
    await request.body()
    try:
        helpers.show()
        return await call_next(request)
    except helpers.Shown as shown:
        return JSONResponse({"shown": True}, status_code=shown.status_code)


@dependency("/reported/any-body-rewritten")
def any_body_rewritten(item: Any = Body(None)):
    item["name"] = "fixed"


@dependency("/reported/redirects-by-alias")
def redirects_by_alias():
    from fastapi import HTTPException as Elsewhere

    raise Elsewhere(302, headers={"Location": "/"})


below("/reported/redirects-by-partial", dependencies=[functools.partial(made_with(helpers.Sessions().ensure))])


class Answered(Exception):
    pass


raising = below("/reported/raises-what-is-answered")


@raising.middleware("http")
async def raises(request: Request, call_next):
    await request.body()
    if not request.headers.get("x-calm"):
        raise Answered
    return await call_next(request)


@raising.exception_handler(Exception)
async def answered(request: Request, error: Exception):
    return JSONResponse({"ok": False}, status_code=200)


class Positional(BaseHTTPMiddleware):
    def __init__(self, app, check):
        super().__init__(app)
        self.check = check

    async def dispatch(self, request, call_next):
        await self.check(request)
        return await call_next(request)


below("/reported/check-given").add_middleware(Positional, check=helpers.normalise)
below("/reported/dispatch-given").add_middleware(BaseHTTPMiddleware, dispatch=helpers.FIXER.dispatch)


@http("/reported/reset-by-with")
async def reset_by_with(request: Request, call_next):
    with helpers.replaced(request.url.path) as request:
        return await call_next(request)


@http("/reported/own-refusal-softened")
async def own_refusal_softened(request: Request, call_next):
    await request.body()
    refusal = JSONResponse({"ok": True}, status_code=400)
    refusal.status_code = 200
    return refusal


@http("/reported/looped")
async def looped(request: Request, call_next):
    before = None
    for _ in range(2):
        if before is not None:
            await helpers.fix_first(before)
        before = [request]
    return await call_next(request)


@http("/reported/nested")
async def nested(request: Request, call_next):
    async def fix():
        await request.body()
        request._body = FIXED

    await fix()
    return await call_next(request)


@http("/reported/given-away")
async def given_away(request: Request, call_next):
    await asyncio.create_task(helpers.normalise(request))
    return await call_next(request)


@http("/reported/in-a-comprehension")
async def comprehended(request: Request, call_next):
    [await step(one) for step in [helpers.normalise] for one in [request]]
    return await call_next(request)


@http("/reported/by-keyword")
async def by_keyword(request: Request, call_next):
    await helpers.normalise(**{"request": request})
    return await call_next(request)


@http("/reported/matched")
async def matched(request: Request, call_next):
    (renamed, _) = (request, 1)
    await renamed.body()
    renamed._body = FIXED
    return await call_next(renamed)


@http("/reported/setitem")
async def set_item(request: Request, call_next):
    request.scope.__setitem__("headers", [(b"content-type", b"application/json"), (b"x-name", b"1")])
    return await call_next(request)


@http("/reported/query-changed")
async def query_changed(request: Request, call_next):
    request.scope["query_string"] = b"page=1"
    return await call_next(request)


@http("/reported/mutable-headers")
async def mutable_headers(request: Request, call_next):
    MutableHeaders(scope=request.scope)["x-name"] = "1"
    return await call_next(request)


@http("/reported/mutable-copy")
async def mutable_raw(request: Request, call_next):
    MutableHeaders(raw=request.scope["headers"]).append("x-name", "1")
    return await call_next(request)


@http("/reported/url-rewritten")
async def url_rewritten(request: Request, call_next):
    request.scope["path"] = request.url.path.lower()
    return await call_next(request)


@asgi("/enforced/upload-size", most=1_000_000)
class UploadSize(BaseHTTPMiddleware):
    def __init__(self, app, most: int) -> None:
        super().__init__(app)
        self.most = most

    async def dispatch(self, request, call_next):
        if request.method == "POST":
            if "content-length" not in request.headers:
                return Response(status_code=status.HTTP_411_LENGTH_REQUIRED)
            if int(request.headers["content-length"]) > self.most:
                return Response(status_code=status.HTTP_413_REQUEST_ENTITY_TOO_LARGE)
        return await call_next(request)


@asgi("/enforced/measured")
class Measured(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        path = self.template_of(request)
        try:
            response = await call_next(request)
        except BaseException as error:
            logger.error(path)
            raise error from None
        else:
            code = response.status_code
        finally:
            tracker.note(request.method, path)
        logger.info("%s %s", path, code)
        return response

    @staticmethod
    def template_of(request):
        for route in request.app.routes:
            match, _ = route.matches(request.scope)
            if match.value == 2:
                return route.path
        return request.url.path


@http("/enforced/answer-in-finally")
async def in_finally(request: Request, call_next):
    response = Response(status_code=500)
    try:
        request.state.session = object()
        response = await call_next(request)
    except Exception:
        logger.exception("uncaught")
        raise
    finally:
        response.headers["X-Time"] = str(time.perf_counter_ns())
        return response


@asgi("/enforced/plain-function-sends")
class PlainSend:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        def sends(message):
            if message["type"] == "http.response.start":
                message.setdefault("headers", []).append((b"x-plain", b"1"))
            return send(message)

        await self.app(scope, receive, sends)


@http("/enforced/scheme")
async def schemed(request: Request, call_next):
    if request.headers.get("x-forwarded-proto") == "https":
        request.scope["scheme"] = "https"
    return await call_next(request)


class AppError(Exception):
    status_code = 400


class Gone(AppError):
    status_code = 410


def gone():
    if helpers.SIZE > 5:
        raise Gone("gone")


told = below("/enforced/own-errors", dependencies=[gone])


@told.exception_handler(AppError)
async def app_error(request: Request, error: AppError):
    return JSONResponse(status_code=error.status_code, content={"detail": str(error)})


@told.exception_handler(Exception)
async def any_error(request, error):
    logger.exception("uncaught")
    return JSONResponse({"detail": str(error), "path": request.url.path}, status_code=500)


@http("/reported/waits")
async def waits(request: Request, call_next):
    if "x-waits" in request.headers and await request.is_disconnected():
        return Response(status_code=499)
    return await call_next(request)


@http("/reported/routes-changed")
async def routes_changed(request: Request, call_next):
    request.app.router.routes.clear()
    return await call_next(request)


@dependency("/enforced/cached")
@functools.lru_cache
def settings():
    return {"debug": False}


@dependency("/enforced/imports-late")
def imports_late():
    from json import dumps

    from around_helpers import fixed as same
    from fastapi.encoders import jsonable_encoder

    logger.setLevel(getattr(logging, "INFO", None))
    return dumps(jsonable_encoder({"one": str(same)}))


@dependency("/enforced/compiled-packages")
def compiled_packages():
    import sqlite3

    from pydantic_core import to_json

    connection = sqlite3.connect(":memory:")
    try:
        yield to_json({})
    finally:
        connection.close()


class DetailedError(HTTPException):
    STATUS = 500

    def __init__(self, **more):
        super().__init__(status_code=self.STATUS, detail="no", **more)


class Forbidden(DetailedError):
    STATUS = status.HTTP_403_FORBIDDEN


@dependency("/enforced/status-of-the-class")
def forbids():
    if helpers.SIZE > 5:
        raise Forbidden()


class Bearer(HTTPBearer):
    def __init__(self, auto_error=False):
        super(Bearer, self).__init__(auto_error=auto_error)

    async def __call__(self, request: Request):
        credentials = await super(Bearer, self).__call__(request)
        if credentials and credentials.scheme != "Bearer":
            raise HTTPException(403)
        return credentials


dependency("/enforced/bearer")(Bearer())


class Told(HTTPException):
    def __init__(self, status_code):
        super().__init__(status_code=status_code)


@dependency("/reported/status-handed-over")
def status_handed_over():
    raise Told(303)


@dependency("/enforced/status-chosen")
def status_chosen(x_user: str = Header("")):
    code = status.HTTP_401_UNAUTHORIZED
    if x_user:
        code = 403
    if helpers.SIZE > 5:
        raise HTTPException(status_code=code)


@dependency("/reported/status-chosen-well")
def status_chosen_well(x_user: str = Header("")):
    code = 401
    if not x_user:
        code = 303
    raise HTTPException(code)


@dependency("/reported/status-of-an-argument")
def status_of_an_argument(code: int = 303):
    if code == 401:
        code = 401
    raise HTTPException(status_code=code)


@dependency("/reported/status-of-a-loop")
def status_of_a_loop():
    code = 401
    for code in (303,):
        raise HTTPException(status_code=code)


def generated(function):
    """As `makefun` makes functions, with a signature that `fastapi-users` gives them."""
    made = {"_func_impl_": function}
    exec(compile("async def made(q: str = ''):\n    return await _func_impl_(q=q)\n", "<makefun-gen-0>", "exec"), made)
    return made["made"]


async def refuses(q):
    if helpers.SIZE > 5:
        raise HTTPException(403)


async def leads_away(q):
    raise HTTPException(303)


dependency("/enforced/generated")(generated(refuses))
dependency("/reported/generated")(generated(leads_away))
