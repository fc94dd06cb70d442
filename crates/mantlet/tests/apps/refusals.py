"""Ways in which code that runs before FastAPI validates may come to a refusal, and code that comes to none."""

import asyncio
import functools
import logging
import operator
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import Enum
from types import SimpleNamespace
from typing import Annotated, Optional

import fastapi
import starlette.exceptions
from fastapi import Body, Depends, FastAPI, Header, Query, Request, Response
from fastapi import HTTPException as Refusal
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field, field_validator, model_validator

logger = logging.getLogger(__name__)
app = FastAPI()


class Pay(BaseModel):
    amount: int


class Denied(Exception):
    pass


class Deeply(Denied):
    pass


class Bug(Exception):
    pass


@app.exception_handler(Denied)
def denied(request, error):
    return JSONResponse({}, status_code=403)


@app.exception_handler(500)
def broken(request, error):
    return JSONResponse({"detail": "broken"}, status_code=500)


def stands(path):
    """A dependency of an operation at this path."""

    def put(dependency):
        @app.post(path, dependencies=[Depends(dependency)])
        def pay(pay: Pay):
            return pay

        return dependency

    return put


def no(status=401):
    raise Refusal(status)


NO = Refusal(401)


def made():
    return Refusal(403)


@stands("/refuses/by-another-name")
def by_another_name():
    raise Refusal(401)


@stands("/refuses/by-its-module")
def by_its_module():
    raise fastapi.exceptions.HTTPException(401)


@stands("/refuses/starlettes")
async def starlettes():
    raise starlette.exceptions.HTTPException(404)


@stands("/refuses/a-helper")
def a_helper(request: Request):
    return request.headers.get("x") or no()


@stands("/refuses/one-that-is-made")
def one_that_is_made():
    raise NO


@stands("/refuses/one-that-is-returned")
def one_that_is_returned():
    raise made()


@stands("/refuses/a-class-that-is-handled")
def a_class_that_is_handled():
    raise Deeply


@stands("/refuses/a-variable")
def a_variable(x: Annotated[Optional[str], Header()] = None):
    error = Refusal(401)
    if not x:
        raise error


@stands("/refuses/imported-when-asked")
def imported_when_asked():
    from refusals_late import check

    check()


@stands("/refuses/a-partial")
def a_partial_of(request: Request):
    return functools.partial(no, 404)()


class Users:
    def __init__(self, key="x"):
        self.key = key

    def get(self, name):
        return no(404) if name == self.key else name

    @property
    def current(self):
        return no()

    def __contains__(self, name):
        return no()

    @classmethod
    def first(cls):
        return cls().get("x")

    @staticmethod
    def last():
        return no()


USERS = Users()
KEPT = {"users": USERS, "check": no}


def users():
    return Users()


@stands("/refuses/an-object-of-the-module")
def an_object():
    return USERS.get("x")


@stands("/refuses/a-property")
def a_property():
    return USERS.current


@stands("/refuses/an-operator")
def an_operator():
    return "x" in USERS


@stands("/refuses/a-class-method")
def a_class_method():
    return Users.first()


@stands("/refuses/a-static-method")
def a_static_method():
    return Users().last()


@stands("/refuses/what-another-brings")
def what_another_brings(found=Depends(users)):
    return found.get("x")


@stands("/refuses/what-another-brings-typed")
def what_another_brings_typed(found: Annotated[Users, Depends(users)]):
    return found.get("x")


@stands("/refuses/what-the-app-keeps")
def what_the_app_keeps(request: Request):
    return request.app.state.users.get("x")


@stands("/refuses/a-table")
def a_table():
    return KEPT["check"]()


@stands("/refuses/by-the-name-of-an-attribute")
def by_the_name_of_an_attribute():
    return getattr(USERS, "get")("x")


@stands("/refuses/by-any-name")
def by_any_name(request: Request):
    return getattr(USERS, request.method)("x")


@stands("/refuses/in-a-thread")
async def in_a_thread():
    return await asyncio.to_thread(no)


@stands("/refuses/after-a-step")
async def after_a_step():
    with suppressed():
        pass


@contextmanager
def suppressed():
    no()
    yield


@stands("/refuses/what-fails-inside")
def what_fails_inside():
    try:
        int("x")
    except ValueError as error:
        raise Refusal(400) from error


def decorated(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        no()
        return function(*args, **kwargs)

    return wrapper


@stands("/refuses/decorated")
@decorated
def is_decorated():
    return 1


@stands("/refuses/with-yield")
def with_yield():
    no()
    yield


@stands("/refuses/a-method")
def a_method_of():
    return Gate(3)()


class Gate:
    def __init__(self, level):
        self.level = level

    def __call__(self):
        return self.checked()

    def checked(self):
        raise Refusal(403)


stands("/refuses/an-object-that-is-called")(Gate(1))
stands("/refuses/a-bound-method")(Gate(1).checked)


class Class:
    def __init__(self, x: str = "x"):
        if x == "x":
            raise Refusal(401)


stands("/refuses/a-class")(Class)


@dataclass
class Data:
    x: str = "x"

    def __post_init__(self):
        no()


stands("/refuses/a-dataclass")(Data)


class Checked(BaseModel):
    x: int = 1

    @model_validator(mode="after")
    def check(self):
        raise Refusal(401)


@stands("/refuses/a-validator-of-its-own")
def a_validator_of_its_own():
    return Checked(x=1)


class Kind(Enum):
    ONE = 1

    @classmethod
    def _missing_(cls, value):
        raise Refusal(404)


@stands("/refuses/an-enum")
def an_enum():
    return Kind(5)


@stands("/refuses/a-subclass-of-a-scheme")
def a_scheme(token=Depends(HTTPBearer())):
    return token


class Body_(BaseModel):
    name: str
    price: int = 1

    @field_validator("name")
    @classmethod
    def check(cls, value):
        if value == "x":
            raise Refusal(409)
        return value


@app.post("/refuses/a-validator-of-the-body")
def a_validator_of_the_body(body: Body_):
    return body


@stands("/refuses/a-nested-function")
def a_nested_function():
    def inside():
        raise Refusal(401)

    return inside()


@stands("/refuses/a-lambda")
def a_lambda():
    return (lambda: no())()


@stands("/refuses/map")
def by_map():
    return list(map(no, [1]))


@stands("/refuses/a-default")
def a_default(check=Depends(lambda: no)):
    return check()


# Free of refusals


@stands("/free/nothing")
def nothing():
    return None


@stands("/free/parameters")
def parameters(q: Optional[str] = None, limit: Annotated[int, Query(ge=1, le=100)] = 10):
    return {"q": q, "limit": min(limit, 50)}


@stands("/free/the-request")
def the_request(request: Request):
    return request.headers.get("x-forwarded-for", "").split(",")[0].strip()


class Session:
    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def execute(self, statement):
        return []


@stands("/free/a-session")
def a_session():
    session = Session()
    try:
        yield session
    except Exception:
        logger.exception("rolled back")
        raise
    finally:
        session.execute("commit")


class Settings(BaseModel):
    name: str = "x"
    level: int = Field(1, ge=0)

    def checked(self):
        if not self.name:
            raise ValueError("no name")
        return self


@functools.lru_cache
def settings():
    return Settings().checked()


stands("/free/settings")(settings)


@stands("/free/a-bug")
def a_bug():
    if time.time() < 0:
        raise Bug("cannot be")


@stands("/free/logs")
async def logs(request: Request, response: Response):
    logger.info("%s %s", request.method, request.url.path)
    response.headers["x-seen"] = str(time.monotonic())


class Page:
    def __init__(self, number: int = 1, size: int = 10):
        self.number, self.size = number, size

    @property
    def offset(self):
        return self.number * self.size


stands("/free/a-page")(Page)


@stands("/free/keeps")
def keeps(request: Request):
    request.state.started = time.time()
    request.state.extra = SimpleNamespace(x=1)


stands("/free/a-soft-scheme")(HTTPBearer(auto_error=False))
