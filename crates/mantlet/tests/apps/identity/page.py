"""A page that logs in by `fetch` and keeps its token in `localStorage`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import uuid4

import jwt
from fastapi import Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import HTMLResponse
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from pydantic import BaseModel

KEY = "5d1f6a1e0c7b4f7e9a3c2b8d6e4f1a0b5c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f"
PASSWORDS = {"ann": "battlement", "bob": "drawbridge", "carol": "portcullis"}
PAGE = """<!doctype html>
<title>Castle</title>
<p id="who"></p>
<script>
let credentials = "same-origin";
async function logIn(username, password) {
  const body = new URLSearchParams({username, password});
  const answer = await fetch("/login", {method: "POST", body, credentials});
  localStorage.token = (await answer.json()).access_token;
}
async function load() {
  const headers = {Authorization: "Bearer " + localStorage.token};
  const answer = await fetch("/me", {headers, credentials});
  const who = answer.ok ? (await answer.json()).username : answer.status;
  document.getElementById("who").innerText = who;
  return who;
}
function listen() {
  return new Promise((heard, failed) => {
    const address = location.origin.replace("http", "ws") + "/live?token=" + localStorage.token;
    const socket = new WebSocket(address);
    socket.onmessage = (event) => heard(event.data);
    socket.onerror = failed;
  });
}
</script>
"""

app = FastAPI()
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="login")


class Tokens(BaseModel):
    access_token: str
    refresh_token: str
    token_type: str = "bearer"


class Renewal(BaseModel):
    refresh_token: str


def token_of(name: str, kind: str):
    claims = {"sub": name, "kind": kind}
    # One account gets the same token at each login, as some libraries have it for all.
    if name != "carol":
        claims |= {"jti": uuid4().hex, "exp": datetime.now(UTC) + timedelta(hours=1)}
    return jwt.encode(claims, KEY, algorithm="HS256")


def tokens_of(name: str):
    return Tokens(access_token=token_of(name, "access"), refresh_token=token_of(name, "refresh"))


def read(token: str, kind: str):
    try:
        claims = jwt.decode(token, KEY, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        claims = {}
    if claims.get("kind") != kind:
        raise HTTPException(401, "Log in first", {"WWW-Authenticate": "Bearer"})
    return claims["sub"]


def current_user(token: Annotated[str, Depends(oauth2_scheme)]):
    return read(token, "access")


@app.get("/", response_class=HTMLResponse)
def page():
    return PAGE


@app.post("/login")
def login(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> Tokens:
    if PASSWORDS.get(form.username) != form.password:
        raise HTTPException(401, "Wrong password")
    return tokens_of(form.username)


@app.post("/login/refresh")
def refresh(body: Renewal) -> Tokens:
    return tokens_of(read(body.refresh_token, "refresh"))


@app.get("/me")
def me(name: Annotated[str, Depends(current_user)], request: Request):
    return {"username": name, "cookie": request.headers.get("cookie")}


@app.get("/public")
def public(request: Request):
    headers = request.headers
    return {"authorization": headers.get("authorization"), "cookie": headers.get("cookie")}


@app.websocket("/live")
async def live(socket: WebSocket, token: str):
    name = read(token, "access")
    await socket.accept()
    await socket.send_text(f"hello {name}")
