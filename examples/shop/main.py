"""A shop for archers: an ordinary FastAPI app, written with the usual carelessness.

It knows nothing of Mantlet. Every mistake is on purpose and marked `Careless:`.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse

import admin
import database
import orders
import partners
import passwords
import products
import users
from database import Database


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    database.prepare()
    yield


# Careless: debug mode answers every error with its traceback.
app = FastAPI(title="Archers' shop", version="1.0.0", debug=True, lifespan=lifespan)
app.include_router(users.router)
app.include_router(products.router)
app.include_router(orders.router)
app.include_router(admin.router)
app.include_router(partners.router)
app.include_router(partners.tills)


# Careless: the page writes the names of products and the words of the chat as HTML.
@app.get("/", response_class=HTMLResponse, include_in_schema=False)
def landing_page() -> str:
    return Path(__file__).with_name("landing.html").read_text(encoding="utf-8")


@app.post("/voucher")
def welcome_voucher(request: Request, db: Database) -> dict[str, str]:
    """One voucher for each address."""
    # Careless: the first address in X-Forwarded-For is whatever the client wrote there.
    claimed = request.headers.get("x-forwarded-for", request.client.host if request.client else "unknown")
    client_ip = claimed.split(",")[0].strip()
    if db.execute("SELECT 1 FROM vouchers WHERE client_ip = ?", [client_ip]).fetchone():
        raise HTTPException(403, f"{client_ip} has had its voucher")
    code = secrets.token_hex(4)
    db.execute("INSERT INTO vouchers (client_ip, code) VALUES (?, ?)", [client_ip, code])
    return {"client_ip": client_ip, "code": code}


# Careless: not in the documents is not the same as not reachable.
@app.get("/internal/debug", include_in_schema=False)
def debug() -> dict[str, str]:
    return {"database": str(database.PATH), "signing_key": passwords.SIGNING_KEY.decode()}


chatters: set[WebSocket] = set()


@app.websocket("/chat")
async def chat(socket: WebSocket) -> None:
    # Careless: any origin, no login, and no limit to what is repeated to everybody.
    await socket.accept()
    chatters.add(socket)
    try:
        while True:
            text = await socket.receive_text()
            for chatter in list(chatters):
                await chatter.send_text(text)
    except WebSocketDisconnect:
        pass
    finally:
        chatters.discard(socket)
