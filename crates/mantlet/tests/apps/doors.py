"""Operations behind doors of every kind: what may refuse a request before FastAPI says that its input is invalid."""

from contextlib import asynccontextmanager
from functools import lru_cache, partial
from typing import Annotated, Optional

from fastapi import APIRouter, Cookie, Depends, FastAPI, File, Form, Header, HTTPException, Path, Query, Request, UploadFile
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyCookie, APIKeyHeader, APIKeyQuery, HTTPBasic, HTTPBearer, OAuth2PasswordBearer, OAuth2PasswordRequestForm
from pydantic import BaseModel, Field
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware


class Pay(BaseModel):
    amount: int = Field(gt=0)
    to: str = Field(min_length=1)


class Login(BaseModel):
    name: str = Field(min_length=2)
    age: Optional[int] = None


class NotLoggedIn(Exception):
    pass


class Failed(Exception):
    pass


class Settings(BaseModel):
    key: str = "good"

    def checked(self):
        if not self.key:
            raise ValueError("no key")
        return self


@lru_cache
def settings():
    return Settings().checked()


class Session:
    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def get(self, key):
        return {"good": "ann"}.get(key)


def database():
    with Session() as session:
        try:
            yield session
        except Exception:
            raise


class Users:
    def __init__(self, session: Annotated[Session, Depends(database)]):
        self.session = session

    def get(self, key):
        user = self.session.get(key)
        if user is None:
            raise HTTPException(404, "no such user")
        return user


bearer = OAuth2PasswordBearer("token")
soft = HTTPBearer(auto_error=False)
key_header = APIKeyHeader(name="x-key")
key_cookie = APIKeyCookie(name="sid", auto_error=False)
key_query = APIKeyQuery(name="key")


def decode(token):
    if token != "good":
        raise HTTPException(401, "wrong token")
    return token


def user(token: Annotated[str, Depends(bearer)], session: Annotated[Session, Depends(database)]):
    return session.get(decode(token))


def softly(token=Depends(soft)):
    return token


def cookie_user(request: Request):
    if request.cookies.get("sid") != "good":
        raise NotLoggedIn


def declared_cookie(sid: Annotated[Optional[str], Cookie()] = None):
    error = HTTPException(403, "log in")
    if sid != "good":
        raise error


def scheme_cookie(sid=Depends(key_cookie)):
    if sid is None:
        return None
    return decode(sid)


def key(given: Annotated[str, Depends(key_header)], held: Annotated[Settings, Depends(settings)]):
    if given != held.key:
        raise HTTPException(403, "wrong key")


def tenant(x_tenant: Annotated[int, Header()]):
    if x_tenant != 1:
        raise HTTPException(403, "not yours")


def inside_tenant(tenant: Annotated[None, Depends(tenant)], x_level: Annotated[int, Header(ge=1)] = 1):
    if x_level > 5:
        raise HTTPException(404, "no such level")


def quota(request: Request):
    if request.headers.get("x-quota") == "used":
        raise HTTPException(429, "too much", headers={"Retry-After": "1"})


def page(first: Annotated[int, Query(ge=1)] = 1, size: Annotated[int, Query(le=100)] = 10):
    return {"first": first, "size": size}


def fails(request: Request):
    if request.headers.get("x-quota") == "used":
        raise Failed("an error of the app's")


class Role:
    def __init__(self, role):
        self.role = role

    def __call__(self, user: Annotated[Optional[str], Depends(user)]):
        if self.role not in (user or ""):
            raise HTTPException(403, "not for you")


def found(users: Annotated[Users, Depends(Users)], x_user: Annotated[str, Header()] = "good"):
    return users.get(x_user)


def unannotated(users=Depends(Users), x_user: str = Header("good")):
    return users.get(x_user)


def with_body(pay: Pay):
    if pay.to == "evil":
        raise HTTPException(403, "not to that one")


def named(which, request: Request):
    if request.headers.get("x-key") != which:
        raise HTTPException(401, "which")


named_good = partial(named, "good")


def guarded_by(name):
    def guard(request: Request):
        if not request.headers.get(name):
            raise HTTPException(401, "nothing there")

    return guard


def stepped(request: Request):
    from doors import decode as later

    token = request.headers.get("x-key")
    return later(token) if token else None


def waved(request: Request):
    return request.headers.get("x-quota", "").split(",")


async def closed_after():
    yield 1


DOORS = {
    "open": [],
    "soft": [softly],
    "page": [page],
    "database": [database],
    "settings": [settings],
    "waved": [waved],
    "closed-after": [closed_after],
    "fails": [fails],
    "bearer": [bearer],
    "user": [user],
    "cookie": [cookie_user],
    "declared-cookie": [declared_cookie],
    "scheme-cookie": [scheme_cookie],
    "key": [key],
    "key-query": [key_query],
    "basic": [HTTPBasic()],
    "basic-soft": [HTTPBasic(auto_error=False)],
    "tenant": [tenant],
    "inside-tenant": [inside_tenant],
    "quota": [quota],
    "role": [Role("ann")],
    "found": [found],
    "unannotated": [unannotated],
    "with-body": [with_body],
    "named": [named_good],
    "guard": [guarded_by("x-key")],
    "stepped": [stepped],
    "page-and-quota": [page, quota],
    "tenant-and-user": [tenant, user],
    "quota-and-tenant": [quota, inside_tenant],
}


def pay(pay: Pay, n: int = 1):
    return pay


def numbered(number: Annotated[int, Path(ge=1)], pay: Pay):
    return {"number": number}


def asked(q: Annotated[str, Query(min_length=2)], n: int = 1):
    return {"n": n}


def form(name: Annotated[str, Form(min_length=2)], age: Annotated[int, Form()] = 1):
    return {"name": name}


def form_model(login: Annotated[Login, Form()]):
    return login


def upload(file: Annotated[UploadFile, File()], note: Annotated[str, Form(max_length=5)] = ""):
    return {"note": note}


def token(given: Annotated[OAuth2PasswordRequestForm, Depends()]):
    return {"user": given.username}


FEW = ("open", "page", "bearer", "quota", "tenant", "fails")


def put_up(app, names=FEW):
    for name, doors in [(name, DOORS[name]) for name in names]:
        needed = [Depends(one) for one in doors]
        app.post(f"/{name}/pay", dependencies=needed)(pay)
        app.put(f"/{name}/pay/{{number}}", dependencies=needed)(numbered)
        app.get(f"/{name}/asked", dependencies=needed)(asked)
        if name != "with-body":
            app.post(f"/{name}/form", dependencies=needed)(form)
            app.post(f"/{name}/login", dependencies=needed)(form_model)
            app.post(f"/{name}/upload", dependencies=needed)(upload)
            app.post(f"/{name}/token", dependencies=needed)(token)
    return app


@asynccontextmanager
async def lifespan(app):
    yield


app = FastAPI(lifespan=lifespan)


@app.exception_handler(NotLoggedIn)
def not_logged_in(request, error):
    return JSONResponse({"detail": "log in"}, status_code=401)


put_up(app, DOORS)


def mounted(name, **options):
    inner = FastAPI(**options)
    put_up(inner)
    app.mount(f"/in/{name}", inner)
    return inner


asks = mounted("asks")


@asks.middleware("http")
async def asks_for_a_key(request: Request, call_next):
    if request.headers.get("x-key") != "good":
        return JSONResponse({"detail": "no key"}, status_code=401)
    return await call_next(request)


helped = mounted("helped")


def denial(status: int):
    return JSONResponse({"detail": "denied"}, status_code=403)


@helped.middleware("http")
async def denies(request: Request, call_next):
    try:
        decode(request.headers.get("x-key"))
    except HTTPException:
        return JSONResponse({"detail": "denied"}, status_code=403)
    return await call_next(request)


timed = mounted("timed")


@timed.middleware("http")
async def times(request: Request, call_next):
    try:
        response = await call_next(request)
    except Exception:
        return JSONResponse({"detail": "failed"}, status_code=500)
    response.headers["x-timed"] = "yes"
    return response


class Plain:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and (b"x-quota", b"used") in scope["headers"]:
            await send({"type": "http.response.start", "status": 429, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await self.app(scope, receive, send)


mounted("plain").add_middleware(Plain)
mounted("hosts").add_middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1"])
mounted("redirected").add_middleware(HTTPSRedirectMiddleware)


class Raises(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        if request.headers.get("x-quota") == "used":
            raise NotLoggedIn
        return await call_next(request)


mounted("raises").add_middleware(Raises)

class Odd:
    """Changes nothing, but who could tell."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(dict(scope), receive, send)


class Mends:
    """Adds a header that is missing."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and b"x-tenant" not in dict(scope["headers"]):
            scope = {**scope, "headers": [*scope["headers"], (b"x-tenant", b"1")]}
        await self.app(scope, receive, send)


mounted("odd").add_middleware(Odd)
mounted("mends").add_middleware(Mends)

outer = FastAPI()


@outer.middleware("http")
async def asks_for_a_cookie(request: Request, call_next):
    if not request.cookies.get("sid"):
        return JSONResponse({"detail": "no cookie"}, status_code=401)
    return await call_next(request)


outer.mount("/deep", put_up(FastAPI()))
app.mount("/in/outer", outer)

looked_up = mounted("looked-up")


@looked_up.exception_handler(KeyError)
def no_such_key(request, error):
    return JSONResponse({"detail": "no such key"}, status_code=404)


def picked(request: Request):
    return {"good": 1}[request.headers.get("x-key")]


looked_up.post("/picked/pay", dependencies=[Depends(picked)])(pay)

builtins = mounted("builtins")


@builtins.exception_handler(AssertionError)
def on_assertionerror(request, error):
    return JSONResponse({"detail": "AssertionError"}, status_code=401)


@builtins.exception_handler(AttributeError)
def on_attributeerror(request, error):
    return JSONResponse({"detail": "AttributeError"}, status_code=403)


@builtins.exception_handler(TypeError)
def on_typeerror(request, error):
    return JSONResponse({"detail": "TypeError"}, status_code=404)


@builtins.exception_handler(ValueError)
def on_valueerror(request, error):
    return JSONResponse({"detail": "ValueError"}, status_code=429)


def by_user(request: Request):
    return request.user


def by_session(request: Request):
    with request.session:
        pass


def by_assertion(x_key: Annotated[Optional[str], Header()] = None):
    assert x_key == "good"


def by_attribute(x_key: Annotated[Optional[str], Header()] = None):
    return x_key.real


def by_operator(x_key: Annotated[Optional[str], Header()] = None):
    return x_key + "good"


def by_loop(x_key: Annotated[Optional[str], Header()] = None):
    for _ in x_key:
        pass


def by_unpacking(x_key: Annotated[Optional[str], Header()] = None):
    a, b, c, d = x_key
    return a


def by_format(x_key: Annotated[Optional[str], Header()] = None):
    return f"{x_key:>4d}"


for by in (by_user, by_session, by_assertion, by_attribute, by_operator, by_loop, by_unpacking, by_format):
    builtins.post(f"/{by.__name__}/pay", dependencies=[Depends(by)])(pay)

routed = APIRouter(prefix="/routed", dependencies=[Depends(quota)])
routed.post("/pay")(pay)
nested = APIRouter(prefix="/nested")
nested.include_router(routed, dependencies=[Depends(key)])
app.include_router(nested)

overridden = mounted("overridden")
overridden.dependency_overrides[page] = quota
overridden.dependency_overrides[user] = lambda: "ann"
