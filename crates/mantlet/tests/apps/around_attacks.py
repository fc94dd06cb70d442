"""Ways to hide from whoever reads code that a request is changed, or answered: none is proven. They are only read, never run."""

import functools
import importlib
import pathlib
import py_compile
import sys
import tempfile

import around_helpers as helpers
import fastapi
from fastapi import Body, Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel
from starlette.middleware.base import BaseHTTPMiddleware

FIXED = b'{"name":"x"}'


class Item(BaseModel):
    name: str


root = app = FastAPI()


def below(name, deps=(), **kw):
    a = FastAPI(**kw)

    @a.post("/items", dependencies=[Depends(d) for d in deps])
    def items(item: Item): ...

    root.mount("/reported/" + name, a)
    return a


def http(function):
    below(function.__name__).middleware("http")(function)
    return function


def asgi(cls):
    below(cls.__name__).add_middleware(cls)
    return cls


def dependency(function):
    below(function.__name__, deps=[function])
    return function


@http
async def default_arg(request: Request, call_next, fix=helpers.normalise):
    await fix(request)
    return await call_next(request)


@http
async def closure_list(request: Request, call_next):
    def get():
        return request

    await helpers.normalise(get())
    return await call_next(request)


@http
async def closure_escape(request: Request, call_next):
    def get():
        return request

    await helpers.call_with(get)
    return await call_next(request)


@http
async def lambda_escape(request: Request, call_next):
    await helpers.call_with(lambda: request)
    return await call_next(request)


@http
async def walrus(request: Request, call_next):
    (r := request).scope["headers"] = []
    return await call_next(r)


@http
async def star_target(request: Request, call_next):
    _, *b = [1, request]
    await helpers.normalise(b[0])
    return await call_next(request)


@http
async def exc_arg(request: Request, call_next):
    try:
        raise ValueError(request)
    except ValueError as e:
        await helpers.normalise(e.args[0])
    return await call_next(request)


@http
async def attr_method(request: Request, call_next):
    f = request.headers.__class__.__init__
    f(request.headers, raw=[])
    return await call_next(request)


@http
async def bound_method(request: Request, call_next):
    b = request.scope.update
    b({"query_string": b"x"})
    return await call_next(request)


@http
async def sup_state(request: Request, call_next):
    request.state._state["r"] = request
    return await call_next(request)


@http
async def coroutine_kept(request: Request, call_next):
    c = call_next
    r = await c(Request(dict(request.scope)))
    return r


@http
async def two_returns(request: Request, call_next):
    response = await call_next(request)
    if "x" in request.headers:
        return response
    return Response("x")


@http
async def streaming(request: Request, call_next):
    response = await call_next(request)
    return StreamingResponse(response.body_iterator, status_code=200)


@http
async def body_it(request: Request, call_next):
    response = await call_next(request)
    response.body_iterator = helpers.it()
    return response


@http
async def init_answer(request: Request, call_next):
    response = await call_next(request)
    response.__init__("x", 200)
    return response


@http
async def match_case(request: Request, call_next):
    if request:
        request.scope.pop("headers")
    return await call_next(request)


@http
async def del_header(request: Request, call_next):
    del request.scope["headers"][0]
    return await call_next(request)


@http
async def aug(request: Request, call_next):
    h = request.scope["headers"]
    h += [(b"x", b"1")]
    return await call_next(request)


@http
async def aug2(request: Request, call_next):
    request.scope["headers"] += [(b"x", b"1")]
    return await call_next(request)


@http
async def walked(request: Request, call_next):
    for d in [request.scope]:
        d["path"] = "/x"
    return await call_next(request)


@http
async def kwargs_name(request: Request, call_next):
    helpers.fix_kw(r=request)
    return await call_next(request)


@http
async def slice_assign(request: Request, call_next):
    request.scope["headers"][:] = []
    return await call_next(request)


@http
async def path_params(request: Request, call_next):
    request.path_params["x"] = "1"
    return await call_next(request)


@http
async def cookie_set(request: Request, call_next):
    request.cookies["x"] = "1"
    return await call_next(request)


@http
async def in_async_with(request: Request, call_next):
    async with helpers.opened(request) as r:
        await helpers.normalise(r)
    return await call_next(request)


@http
async def getter(request: Request, call_next):
    getattr(request, "sco" + "pe")["headers"] = []
    return await call_next(request)


@http
async def getter2(request: Request, call_next):
    getattr(getattr(request, "headers"), "_list").append((b"a", b"b"))
    return await call_next(request)


@http
async def returns_refusal_changed(request: Request, call_next):
    r = JSONResponse({}, status_code=400)
    helpers.soften(r)
    return r


@http
async def ternary(request: Request, call_next):
    r = request if request.method == "GET" else Request({**request.scope})
    return await call_next(r)


@asgi
class RecvAttr:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        self.receive = receive
        await self.app(scope, self.wrapped, send)

    async def wrapped(self):
        await self.receive()
        return {"type": "http.request", "body": FIXED}


@asgi
class Swap:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        receive, send = send, receive
        await self.app(scope, send, receive)


@asgi
class ScopeRe:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        scope = scope | {"path": "/x"}
        await self.app(scope, receive, send)


@asgi
class Kw:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(send=send, receive=lambda: receive(), scope=scope)


@asgi
class Sub(RecvAttr):
    async def __call__(self, scope, receive, send):
        await super().__call__(scope, receive, send)


@asgi
class Lateapp:
    def __init__(self, app):
        self.app = app
        self.wrap()

    def wrap(self):
        setattr(self, "app", Swap(self.app))

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


@asgi
class ViaOther:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await Swap(self.app)(scope, receive, send)


@asgi
class GetAttr:
    def __init__(self, app):
        self._x = app

    def __getattr__(self, n):
        return Swap(self._x)

    async def __call__(self, scope, receive, send):
        await self.inner(scope, receive, send)


@asgi
class ReqObj:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        r = Request(scope, receive)
        await r.body()
        await self.app(scope, receive, send)


@asgi
class MsgKept:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        kept = []

        async def s(m):
            kept.append(m)

        await self.app(scope, receive, s)
        for m in kept:
            await send(m)


@asgi
class BodySent:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def s(m):
            if m["type"] == "http.response.body":
                await send({"type": "http.response.body", "body": b"ok"})
                return
            await send(m)

        await self.app(scope, receive, s)


@asgi
class CallTwo(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        return await self.go(call_next, request)

    async def go(self, nxt, r):
        r.scope["method"] = "GET"
        return await nxt(r)


class Deco:
    def __init__(self, f):
        self.f = f

    async def __call__(self, request, call_next):
        await helpers.normalise(request)
        return await self.f(request, call_next)


@http
@functools.wraps(http)
async def wrapped_odd(*args, **kwargs):
    return await helpers.fix_first(args)


async def plain(request, call_next):
    return await call_next(request)


below("decoobj").middleware("http")(Deco(plain))


@dependency
def d_state(request: Request):
    request.state.r = request


@dependency
def d_yield(request: Request):
    yield request


@dependency
def d_lambda(request: Request):
    return lambda: request


@dependency
def d_dict(request: Request):
    return {"h": request.headers}


@dependency
def d_cookies(request: Request):
    request.cookies.setdefault("a", "b")


@dependency
def d_scope(request: Request):
    return request.scope


@dependency
def d_qs(request: Request):
    request.scope["query_string"] = b"a=1"


@dependency
async def d_form(request: Request):
    await request.form()


@dependency
def d_body_nested(data: dict = Body(None)):
    data["inner"]["x"] = 1


class Base:
    def __call__(self, request: Request):
        self.fix(request)

    def fix(self, r):
        pass


class Derived(Base):
    def fix(self, r):
        r.scope["path_params"] = {}


below("derived", deps=[Derived()])
inst = Base()
inst.fix = lambda r: r.scope.update(a=1)
below("instattr", deps=[inst])


def wrapdep(f):
    @functools.wraps(f)
    def w(request: Request):
        request.scope["path_params"] = {"x": 1}
        return f(request)

    return w


@dependency
@wrapdep
def d_wrapped(request: Request):
    return None


@dependency
def d_raise_var():
    code = 302
    raise HTTPException(code)


@dependency
def d_raise_cls():
    E = HTTPException
    raise E(302)


class R(HTTPException):
    def __init__(self):
        super().__init__(status_code=307)


@dependency
def d_raise_sub():
    raise R()


class R2(HTTPException):
    def __init__(self):
        self.status_code = 303
        self.detail = ""
        self.headers = {}


@dependency
def d_raise_sub2():
    raise R2()


@dependency
def d_raise_set():
    e = HTTPException(400)
    e.status_code = 303
    raise e


@dependency
def d_raise_method():
    helpers.FIXER.go_away()


def written(folder, name, text):
    path = pathlib.Path(folder, name + ".py")
    path.write_text(text)
    return path


FOLDER = tempfile.TemporaryDirectory()
RAISES = """
from fastapi import HTTPException

def dep():
    raise HTTPException(303)

class Guard:
    def check_it(self):
        raise HTTPException(303)
"""
sys.path.append(FOLDER.name)
# One without source, one whose source is gone, one that is too deep to be read, one that is not imported yet.
compiled = written(FOLDER.name, "sourceless", RAISES)
py_compile.compile(str(compiled), cfile=str(compiled.with_suffix(".pyc")))
compiled.unlink()
sourceless = importlib.import_module("sourceless")
guard = sourceless.Guard()
gone = written(FOLDER.name, "around_gone", RAISES.replace("dep", "gone"))
around_gone = importlib.import_module("around_gone")
gone.unlink()
deep = written(FOLDER.name, "around_deep", RAISES.replace("dep", "deep"))
around_deep = importlib.import_module("around_deep")
deep.write_text(RAISES + "x = " + "-" * 100_000 + "1")
written(FOLDER.name, "around_later", RAISES.replace("dep", "later"))
# A sum that is too long to be followed.
LONG = f"""
async def too_long(request, call_next):
    sum = {"1 + " * 600}1
    return await call_next(request)
"""
written(FOLDER.name, "around_long", LONG)
http(importlib.import_module("around_long").too_long)


@http
async def query_emptied(request: Request, call_next):
    request.query_params._list.clear()
    return await call_next(request)


@dependency
def d_sourceless():
    return sourceless.dep()


below("d_sourceless_itself", deps=[sourceless.dep])


@dependency
def d_sourceless_object():
    guard.check_it()


@dependency
def d_sourceless_method(checks=[sourceless.Guard()]):
    checks[0].check_it()


@dependency
def d_source_gone():
    return around_gone.gone()


@dependency
def d_source_too_deep():
    return around_deep.deep()


@dependency
def d_imported_later():
    from around_later import later

    later()


@dependency
def d_name_made():
    raise getattr(__import__("fastapi"), "HTTP" + "Exception")(303)


@dependency
def d_attribute_made():
    raise getattr(fastapi, "HTTP" + "Exception")(303)


@dependency
def d_attribute():
    raise getattr(fastapi, "HTTPException")(303)


@dependency
def d_of_modules():
    raise sys.modules["fastapi"].HTTPException(303)


@dependency
def d_imported_by_name():
    module = importlib.import_module("fastapi")
    raise module.HTTPException(303)


@dependency
def d_variables():
    raise vars(fastapi)["HTTPException"](303)


class Detailed(HTTPException):
    STATUS = 404

    def __init__(self):
        super().__init__(status_code=self.STATUS)


class Elsewhere(Detailed):
    STATUS = 303


@dependency
def d_status_of_a_subclass():
    raise Elsewhere()


class Sets:
    def __init__(self):
        self.status_code = 303
        self.detail = self.headers = None


class Mixed(Sets, HTTPException):
    pass


@dependency
def d_mixed_in():
    raise Mixed()


# A known middleware, of a later version than the one that was read.
PACKAGES = pathlib.Path(FOLDER.name, "site-packages")
for name, file, text in [
    ("brotli_asgi", "__init__.py", """
class BrotliMiddleware:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        scope["query_string"] = b""
        await self.app(scope, receive, send)
"""),
    ("brotli_asgi-2.0.0.dist-info", "METADATA", "Metadata-Version: 2.1\nName: brotli-asgi\nVersion: 2.0.0\n"),
]:
    PACKAGES.joinpath(name).mkdir(parents=True)
    PACKAGES.joinpath(name, file).write_text(text)
sys.path.insert(0, str(PACKAGES))
asgi(importlib.import_module("brotli_asgi").BrotliMiddleware)
