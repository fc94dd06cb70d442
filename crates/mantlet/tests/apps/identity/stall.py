"""A stall with a page, on which customers log in with a cookie or with a token.

It keeps no list of sessions: what it has handed out is good until it expires.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from fastapi import (
    Depends,
    FastAPI,
    Form,
    HTTPException,
    Response,
    WebSocket,
    WebSocketDisconnect,
    WebSocketException,
)
from fastapi.requests import HTTPConnection
from fastapi.responses import HTMLResponse

KEY = "8f1d3c5b7a9e0f2d4c6b8a0e1f3d5c7b9a0e2f4d6c8b0a1e"
PASSWORDS = {"ann": "battlement", "bob": "drawbridge"}
PAGE = """<!doctype html>
<title>Stall</title>
<form id="login">
  <input name="username"> <input name="password" type="password">
  <button value="login">Log in</button> <button value="token">Log in with a token</button>
</form>
<button id="look">Basket</button> <button id="logout">Log out</button>
<p id="basket"></p>
<p id="news"></p>
<script>
const element = (id) => document.getElementById(id);
// Each tab has it in a variable, too.
let token = localStorage.token;
let socket;
let looks = 0;

const ask = (method, path, body) =>
  fetch(path, {method, body, headers: token ? {Authorization: "Bearer " + token} : {}});

async function look() {
  const answer = await ask("GET", "/basket");
  if (answer.ok) {
    looks += 1;
    element("basket").innerText = "of " + (await answer.json()).owner + " (" + looks + ")";
  } else {
    looks = 0;
    element("basket").innerText = "refused: " + answer.status;
  }
  return answer.ok;
}

function listen() {
  const query = token ? "?token=" + token : "";
  socket = new WebSocket(location.origin.replace("http", "ws") + "/news" + query);
  socket.onmessage = (event) => { element("news").innerText = event.data; };
  socket.onclose = (event) => {
    element("news").innerText = "closed: " + event.code + " " + event.reason;
  };
}

element("login").onsubmit = async (event) => {
  event.preventDefault();
  const way = event.submitter.value;
  const answer = await ask("POST", "/" + way, new URLSearchParams(new FormData(event.target)));
  if (way === "token") token = localStorage.token = (await answer.json()).access_token;
  if (await look()) listen();
};
element("look").onclick = look;
element("logout").onclick = async () => {
  const answer = await ask("POST", "/logout");
  delete localStorage.token;
  token = undefined;
  element("basket").innerText = "logged out: " + answer.status;
};
look().then((isIn) => isIn && listen());
</script>
"""

app = FastAPI()


def customer(connection: HTTPConnection, token: str = "") -> str:
    shown = connection.headers.get("authorization", "").removeprefix("Bearer ") or token
    try:
        claims = jwt.decode(shown or connection.cookies.get("session", ""), KEY, ["HS256"])
    except jwt.InvalidTokenError:
        if connection.scope["type"] == "websocket":
            raise WebSocketException(1008) from None
        raise HTTPException(401, "Log in first", {"WWW-Authenticate": "Bearer"}) from None
    return claims["sub"]


Customer = Annotated[str, Depends(customer)]


def log_in(username: Annotated[str, Form()], password: Annotated[str, Form()]) -> str:
    if PASSWORDS.get(username) != password:
        raise HTTPException(401, "Wrong password")
    now = datetime.now(UTC)
    claims = {"sub": username, "iat": now, "exp": now + timedelta(hours=1)}
    return jwt.encode(claims, KEY, "HS256")


@app.get("/", response_class=HTMLResponse)
def page():
    return PAGE


@app.post("/login")
def log_in_with_a_cookie(response: Response, token: Annotated[str, Depends(log_in)]):
    response.set_cookie("session", token, httponly=True, samesite="lax")
    return {"message": "Welcome"}


@app.post("/token")
def log_in_with_a_token(token: Annotated[str, Depends(log_in)]):
    return {"access_token": token, "token_type": "bearer"}


@app.post("/logout")
def log_out(name: Customer, response: Response):
    response.delete_cookie("session")
    return {"message": f"Goodbye, {name}"}


@app.get("/basket")
def basket(name: Customer):
    return {"owner": name, "items": ["bread", "candles"]}


@app.websocket("/news")
async def news(socket: WebSocket, name: Customer):
    await socket.accept()
    await socket.send_text(f"news for {name}")
    try:
        while True:
            await socket.send_text(f"{name}: {await socket.receive_text()}")
    except WebSocketDisconnect:
        pass
