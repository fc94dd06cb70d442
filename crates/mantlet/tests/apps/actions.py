"""Accounts, sessions and orders, with events of the app's own."""

import asyncio
import logging
import os
import uuid
from typing import Annotated

import jwt
import mantlet
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Response
from fastapi.responses import HTMLResponse
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from pydantic import BaseModel

SECRET_KEY = "a-portcullis-falls-faster-than-it-is-raised"
app = FastAPI()
if "WITHOUT_MIDDLEWARE" not in os.environ:
    app.add_middleware(mantlet.AuditMiddleware)

passwords = {"ann": "drawbridge", "bob": "barbican"}
codes = {"the-code-of-ann": "ann"}
ended: set[str] = set()
waiting: list[str] = []
go_on = asyncio.Event()

logging.getLogger("shop").setLevel(logging.INFO)
logging.getLogger("shop").addHandler(mantlet.AuditHandler())

Token = Annotated[str, Depends(OAuth2PasswordBearer("login"))]


class Account(BaseModel):
    username: str
    password: str


class Invitation(BaseModel):
    email: str


class Change(BaseModel):
    current_password: str
    new_password: str


class Forgotten(BaseModel):
    username: str


class Reset(BaseModel):
    username: str
    code: str
    new_password: str


class Renewal(BaseModel):
    refresh_token: str


def tokens_of(user: str) -> dict[str, str]:
    def token(use: str) -> str:
        claims = {"sub": f"id-of-{user}", "use": use, "jti": str(uuid.uuid4()), "exp": 4_000_000_000}
        return jwt.encode(claims, SECRET_KEY, algorithm="HS256")

    return {"access_token": token("access"), "refresh_token": token("refresh"), "token_type": "bearer"}


def current_user(token: Token) -> str:
    try:
        claims = jwt.decode(token, SECRET_KEY, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        raise HTTPException(401, "Could not validate credentials") from None
    if token in ended:
        raise HTTPException(401, "Logged out")
    return claims["sub"].removeprefix("id-of-")


User = Annotated[str, Depends(current_user)]


@app.post("/register", status_code=201)
def register(account: Account) -> dict[str, str]:
    if account.username in passwords:
        raise HTTPException(409, "This name is taken")
    passwords[account.username] = account.password
    return {"username": account.username}


@app.post("/invitations/accept")
def invite(invitation: Invitation) -> dict[str, str]:
    return {"invited": invitation.email}


@app.post("/login")
def login(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> dict[str, str]:
    if passwords.get(form.username) != form.password:
        raise HTTPException(401, "Incorrect username or password")
    return tokens_of(form.username)


@app.post("/page/login", response_class=HTMLResponse)
def login_by_page(account: Account, response: Response) -> str:
    """As many apps do: a wrong password shows the page again, with 200."""
    if passwords.get(account.username) != account.password:
        return "<p>Wrong name or password</p>"
    response.set_cookie("session", uuid.uuid4().hex, httponly=True)
    return "<p>Welcome</p>"


@app.post("/token/refresh")
def refresh(renewal: Renewal) -> dict[str, str]:
    claims = jwt.decode(renewal.refresh_token, SECRET_KEY, algorithms=["HS256"])
    return tokens_of(claims["sub"].removeprefix("id-of-"))


@app.post("/change-password")
def change_password(change: Change, user: User) -> dict[str, str]:
    if passwords[user] != change.current_password:
        raise HTTPException(403, "Wrong password")
    passwords[user] = change.new_password
    return {"detail": "changed"}


@app.post("/forgot-password", status_code=202)
def forgot(forgotten: Forgotten) -> dict[str, str]:
    return {"detail": "a mail was sent, if the account exists"}


@app.post("/reset-password")
def reset(reset: Reset) -> dict[str, str]:
    if codes.get(reset.code) != reset.username:
        raise HTTPException(400, "Wrong code")
    passwords[reset.username] = reset.new_password
    return {"detail": "reset"}


@app.post("/logout")
def logout(token: Token, user: User) -> dict[str, str]:
    ended.add(token)
    return {"detail": "logged out"}


@app.get("/me")
def me(user: User) -> str:
    return user


@app.get("/orders/{order_id}")
def order(order_id: int, user: User) -> dict[str, int]:
    if order_id > 99:
        raise HTTPException(404)
    return {"id": order_id}


@app.delete("/orders/{order_id}", status_code=204)
def cancel(order_id: int, user: User) -> None:
    if order_id > 99:
        raise HTTPException(404)
    if order_id == 66:
        raise HTTPException(403)


@app.get("/export")
def export() -> list[int]:
    return [1, 2, 3]


@app.get("/slow")
async def slow() -> str:
    waiting.append("/slow")
    await go_on.wait()
    return "at last"


@app.get("/waiting")
async def count() -> int:
    return len(waiting)


@app.post("/events/{name}")
async def event(name: str) -> str:
    mantlet.audit(name, user_id=7, new_password="hunter2", client_ip="192.0.2.1", request_id="forged")
    return name


@app.get("/logged")
def logged() -> str:
    extra = {"security_event": "role.changed", "role": "admin"}
    logging.getLogger("shop").info("bob is an administrator", extra=extra)
    logging.getLogger("shop").info("nothing of interest")
    return "logged"


@app.get("/burst")
async def burst(count: int) -> int:
    for number in range(count):
        mantlet.audit("burst", number=number)
    return count


@app.get("/later")
async def later(tasks: BackgroundTasks) -> str:
    async def end() -> None:
        await go_on.wait()
        mantlet.audit("later")

    tasks.add_task(end)
    return "later"


@app.get("/go-on")
async def let_go_on() -> str:
    go_on.set()
    return "gone on"


@app.get("/crash")
def crash() -> None:
    os._exit(3)
