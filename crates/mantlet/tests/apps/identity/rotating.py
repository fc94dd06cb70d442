"""Refresh tokens that rotate: one that comes twice ends all that have followed it.

Programs send theirs in the body, and pages have it in a cookie.
"""

import asyncio
import secrets
import time
from typing import Annotated

import jwt
from fastapi import Cookie, Depends, FastAPI, Form, HTTPException, Request, Response
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel

SECRET_KEY = "the-postern-gate-is-barred-at-dusk"

app = FastAPI()
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="login")
users = {"ann": "battlement", "bob": "drawbridge"}
# Every token that was ever made, with its user and the login that it goes back to.
made: dict[str, tuple[str, int]] = {}
used: set[str] = set()
ended: set[int] = set()
# How often a token came twice, and how often the app was asked with one that it does not know.
trouble = {"twice": 0, "unknown": 0}
# Requests that wait for their client to leave, and those whose client has left.
waits = {"watching": 0, "left": 0}


class Tokens(BaseModel):
    access_token: str
    refresh_token: str
    token_type: str = "bearer"


class Access(BaseModel):
    access_token: str
    token_type: str = "bearer"


class RefreshToken(BaseModel):
    refresh_token: str


def access_token(user: str) -> str:
    claims = {"sub": user, "exp": int(time.time()) + 900, "jti": secrets.token_hex(8)}
    return jwt.encode(claims, SECRET_KEY, "HS256")


def new_token(user: str, login: int) -> str:
    token = secrets.token_urlsafe(32)
    made[token] = (user, login)
    return token


def log_in_as(username: str, password: str) -> str:
    if users.get(username) != password:
        raise HTTPException(401, "Wrong password")
    return new_token(username, len(made))


def rotate(token: str) -> tuple[str, str]:
    if token not in made:
        trouble["unknown"] += 1
        raise HTTPException(401, "Unknown token")
    user, login = made[token]
    if token in used:
        trouble["twice"] += 1
        ended.add(login)
    if login in ended:
        raise HTTPException(401, "Log in again")
    used.add(token)
    return user, new_token(user, login)


def caller(token: Annotated[str, Depends(oauth2_scheme)]) -> str:
    try:
        return jwt.decode(token, SECRET_KEY, algorithms=["HS256"])["sub"]
    except jwt.InvalidTokenError:
        raise HTTPException(
            401, "Could not validate credentials", {"WWW-Authenticate": "Bearer"}
        ) from None


Password = Annotated[str, Form()]


@app.post("/login")
def log_in(username: Annotated[str, Form()], password: Password) -> Tokens:
    token = log_in_as(username, password)
    return Tokens(access_token=access_token(username), refresh_token=token)


@app.post("/refresh")
async def refresh(body: RefreshToken, wait: float = 0) -> Tokens:
    user, token = rotate(body.refresh_token)
    await asyncio.sleep(wait)
    return Tokens(access_token=access_token(user), refresh_token=token)


@app.post("/logout")
def log_out(body: RefreshToken) -> str:
    if body.refresh_token not in made:
        trouble["unknown"] += 1
        raise HTTPException(401, "Unknown token")
    ended.add(made[body.refresh_token][1])
    return "Goodbye"


@app.post("/web/login")
def log_in_page(
    username: Annotated[str, Form()], password: Password, response: Response
) -> Access:
    token = log_in_as(username, password)
    response.set_cookie("refresh_token", token, httponly=True, path="/web", max_age=86_400)
    return Access(access_token=access_token(username))


@app.post("/web/refresh")
def refresh_page(refresh_token: Annotated[str, Cookie()], response: Response) -> Access:
    user, token = rotate(refresh_token)
    response.set_cookie("refresh_token", token, httponly=True, path="/web", max_age=86_400)
    return Access(access_token=access_token(user))


@app.get("/me")
def me(user: Annotated[str, Depends(caller)]):
    return {"user": user}


@app.post("/watch")
async def watch(request: Request) -> None:
    waits["watching"] += 1
    while not await request.is_disconnected():
        await asyncio.sleep(0.05)
    waits["left"] += 1


@app.get("/book")
def book():
    return {"made": list(made), "used": len(used), **trouble, **waits}
