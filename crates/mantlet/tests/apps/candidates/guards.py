"""Dependencies, and functions that deal with tokens."""

import functools

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


def speak():
    return "what has nothing to do with it"
