"""A chat. Browsers cannot add headers to WebSockets and event streams: tokens are in URLs."""

import asyncio
import time

import jwt
from fastapi import Depends, FastAPI, HTTPException, Query, WebSocket, WebSocketDisconnect, status
from fastapi.responses import StreamingResponse
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm

SECRET_KEY = b"between-the-towers-stands-a-gate"
ALGORITHM = "HS256"

app = FastAPI()
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="token")
users = {"ann": "battlement", "bob": "drawbridge"}


def user_of(token: str) -> str | None:
    try:
        return jwt.decode(token, SECRET_KEY, algorithms=[ALGORITHM]).get("sub")
    except jwt.InvalidTokenError:
        return None


def from_header(token: str = Depends(oauth2_scheme)) -> str:
    if (user := user_of(token)) is None:
        raise HTTPException(401, "Invalid token", {"WWW-Authenticate": "Bearer"})
    return user


def from_query(token: str = Query()) -> str:
    if (user := user_of(token)) is None:
        raise HTTPException(401, "Invalid token")
    return user


@app.post("/token")
def log_in(form: OAuth2PasswordRequestForm = Depends()):
    if users.get(form.username) != form.password:
        raise HTTPException(401, "Wrong password")
    claims = {"sub": form.username, "exp": int(time.time()) + 3600}
    return {"access_token": jwt.encode(claims, SECRET_KEY, ALGORITHM), "token_type": "bearer"}


@app.get("/rooms")
def rooms(user: str = Depends(from_header)):
    return {"user": user, "rooms": ["hall", "yard"]}


@app.get("/events")
async def events(user: str = Depends(from_query)):
    async def told():
        for number in range(3):
            yield f"id: {number}\ndata: hello {user}\n\n"
            await asyncio.sleep(0.02)

    return StreamingResponse(told(), media_type="text/event-stream")


@app.websocket("/ws")
async def chat(socket: WebSocket, token: str | None = None):
    user = user_of(token) if token else None
    if user is None:
        await socket.close(code=status.WS_1008_POLICY_VIOLATION)
        return
    await socket.accept()
    try:
        while True:
            text = await socket.receive_text()
            await socket.send_text(f"{user}: {text}")
    except WebSocketDisconnect:
        pass
