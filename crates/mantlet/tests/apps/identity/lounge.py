"""A chat for pages and for programs: a session cookie for the one, a token for the other."""

import asyncio
import base64
import time
from typing import Annotated

import jwt
from fastapi import (
    Depends,
    FastAPI,
    Form,
    HTTPException,
    WebSocket,
    WebSocketDisconnect,
    WebSocketException,
)
from fastapi.requests import HTTPConnection
from fastapi.responses import StreamingResponse
from starlette.middleware.sessions import SessionMiddleware

SECRET_KEY = b"a-drawbridge-is-raised-at-nightfall"
KUBERNETES = "base64url.bearer.authorization.k8s.io."

app = FastAPI()
app.add_middleware(SessionMiddleware, secret_key="portcullis-and-murder-holes")
users = {"ann": "battlement", "bob": "drawbridge"}
closed: list[str] = []


def user_of(token: str) -> str | None:
    try:
        return jwt.decode(token, SECRET_KEY, algorithms=["HS256"], leeway=60).get("sub")
    except jwt.InvalidTokenError:
        return None


def in_protocols(offered: list[str]) -> str:
    for protocol, following in zip(offered, [*offered[1:], ""], strict=False):
        if protocol.startswith(KUBERNETES):
            encoded = protocol.removeprefix(KUBERNETES)
            return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        if protocol in ("bearer", "access_token"):
            return following
    return ""


def caller(connection: HTTPConnection, token: str = "") -> str:
    """The token of the header, of a subprotocol or of the URL, else the session."""
    token = connection.headers.get("authorization", "").removeprefix("Bearer ") or token
    token = token or in_protocols(connection.scope.get("subprotocols", []))
    user = user_of(token) if token else connection.session.get("user")
    if user is None and connection.scope["type"] == "websocket":
        raise WebSocketException(1008)
    if user is None:
        raise HTTPException(401, "Who are you?")
    return user


Caller = Annotated[str, Depends(caller)]


@app.post("/login")
def log_in(
    connection: HTTPConnection, username: Annotated[str, Form()], password: Annotated[str, Form()]
):
    if users.get(username) != password:
        raise HTTPException(401, "Wrong password")
    connection.session["user"] = username
    claims = {"sub": username, "exp": int(time.time()) + 3600}
    return {"access_token": jwt.encode(claims, SECRET_KEY, "HS256"), "token_type": "bearer"}


@app.post("/logout")
def log_out(connection: HTTPConnection):
    connection.session.clear()
    return "Goodbye"


@app.get("/me")
def me(user: Caller):
    return {"user": user}


@app.get("/closed")
def codes():
    return closed


@app.get("/feed")
async def feed(user: Caller):
    async def told():
        yield f"data: hello {user}\n\n"
        await asyncio.sleep(3600)

    return StreamingResponse(told(), media_type="text/event-stream")


@app.websocket("/ws")
async def chat(socket: WebSocket, user: Caller):
    protocols = socket.scope["subprotocols"]
    await socket.accept(subprotocol=protocols[0] if protocols else None)
    try:
        while True:
            text = await socket.receive_text()
            await socket.send_text(f"{user} {socket.headers.get('x-mantlet-principal')}: {text}")
    except WebSocketDisconnect as end:
        closed.append(f"{user} {end.code} {end.reason}")
