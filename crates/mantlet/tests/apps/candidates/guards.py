"""Dependencies, and functions that deal with tokens."""

import functools

import config
import jwt
from called import note
from fastapi import Depends
from fastapi.security import OAuth2PasswordBearer

scheme = OAuth2PasswordBearer("token")


def get_current_user(token: str = Depends(scheme), key="of a default"):
    note("get_current_user")
    return jwt.decode(token, "of a literal", algorithms=["HS256"])


def closed_over(secret):
    def check(token: str = ""):
        note("check")
        return secret

    return check


def with_argument(token: str = "", *, secret: str = ""):
    note("with_argument")


partial = functools.partial(with_argument, secret="of a partial")


class Guard:
    def __init__(self, secret):
        self.secret = secret

    def __call__(self):
        note("Guard.__call__")

    def method(self):
        note("Guard.method")


class Strategy:
    def __init__(self, secret):
        note("Strategy")


def get_jwt_strategy():
    """As in fastapi-users: it is called for a request."""
    return Strategy(secret="of a strategy")


class Service:
    def encode(self, claims):
        return jwt.encode(claims, "of a method")


def read(token, options=config.HOSTILE_DICT):
    """Keys that would run code if they were asked."""
    note("read")
    yield jwt.decode(token, config.HOSTILE.secret, algorithms=["HS256"], options=options)
    yield jwt.decode(token, config.HOSTILE.token, algorithms=["HS256"])
    yield jwt.decode(token, config.HOSTILE_DICT["key"], algorithms=["HS256"])
    yield jwt.decode(token, config.HOSTILE_TEXT.encode(), algorithms=["HS256"])
    yield jwt.decode(token, str(config.HOSTILE_TEXT), algorithms=["HS256"])
    yield jwt.decode(token, config.HOSTILE_OBJECT.KEY, algorithms=["HS256"])
    yield jwt.decode(token, config.HostileClass().KEY, algorithms=["HS256"])
    yield jwt.decode(token, config.HOSTILE, algorithms=["HS256"])
    yield jwt.decode(token, config.SLOTTED.secret or config.HOSTILE(), algorithms=["HS256"])
    for key in config.HOSTILE_DICT.values():
        yield jwt.decode(token, key, algorithms=["HS256"])


def speak():
    return "what has nothing to do with it"
