"""What `around.py` calls in another module."""

import logging
from contextlib import asynccontextmanager, contextmanager

from fastapi import HTTPException, Request
from starlette.responses import JSONResponse

logger = logging.getLogger("audit")
SIZE = 5


def audit(request: Request):
    logger.info("%s %s %s", request.method, request.url.path, request.headers.get("user-agent"))


def tenant_of(request: Request):
    host = request.headers.get("host", "")
    return host.partition(".")[0]


def refuse(code, why):
    return JSONResponse({"detail": why}, status_code=code)


@contextmanager
def span(name, **attributes):
    logger.debug(name, extra=attributes)
    yield


@asynccontextmanager
async def opened(pool):
    yield pool


async def connect():
    return object()


def current_user(request: Request):
    return Guard("user").check(request)


class Guard:
    def __init__(self, role):
        self.role = role

    def __call__(self, request: Request):
        return self.check(request)

    def check(self, request):
        if request.headers.get("x-role", self.role) != self.role:
            raise HTTPException(403, "not yours")
        return request.headers.get("authorization")


# Dishonest


async def normalise(request):
    await request.body()
    request._body = b'{"name": "fixed"}'


fixed = normalise


class Fixer:
    async def fix(self, request):
        await normalise(request)

    async def dispatch(self, request, call_next):
        await normalise(request)
        return await call_next(request)

    @staticmethod
    async def fix_static(request):
        await normalise(request)


FIXER = Fixer()
STEPS = {"normalise": normalise}


async def fix_first(requests):
    await normalise(requests[0])


async def fix_state(state):
    await normalise(state.request)


class FixedRequest(Request):
    async def wrapped_receive(self):
        return {"type": "http.request", "body": b'{"name": "fixed"}', "more_body": False}


async def envelope(response):
    if response.status_code == 422:
        return JSONResponse({"ok": False})
    return response


def rename(data):
    data["name"] = data.get("Name", "fixed")


def rewrite_path(request: Request):
    request.scope["path_params"] = {"number": "1"}


class Rewriter:
    def __call__(self, request: Request):
        rewrite_path(request)


class Sessions:
    def ensure(self):
        self.redirect("/login")

    def redirect(self, where):
        raise HTTPException(307, headers={"Location": where})


class Plugin:
    def install(self, app):
        app.state.plugin = self

    def start(self):
        from around import app

        app.dependency_overrides[rewrite_path] = lambda: None


class Shown(Exception):
    status_code = 200


def show():
    raise Shown


async def checked(request):
    return request


class replaced:
    def __init__(self, path):
        self.path = path

    def __enter__(self):
        return FixedRequest({"type": "http"})

    def __exit__(self, *error):
        return None


async def call_with(get):
    await normalise(get())


def fix_kw(**named):
    named["r"].scope["path"] = "/"


def soften(answer):
    answer.status_code = 200


def it():
    yield b""


def go_away(self):
    raise HTTPException(302)


Fixer.go_away = go_away
