"""Routes that no document tells of, or not in their order."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from a2wsgi import WSGIMiddleware
from fastapi import APIRouter, FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from fastapi.staticfiles import StaticFiles
from flask import Flask
from flask import request as flask_request

app = FastAPI()


@app.get("/files/{path:path}")
async def file(path: str) -> dict:
    return {"path": path}


# The first of two that match takes it, not the one that says more.
@app.get("/users/{name}")
async def user(name: str) -> dict:
    return {"name": name}


@app.get("/users/me")
async def me() -> dict:
    return {"me": True}


@app.get("/reports/{year}/{name}")
async def report(year: str, name: str) -> dict:
    return {"year": year, "name": name}


@app.get("/reports/latest/{number}")
async def latest(number: int) -> dict:
    return {"number": number}


hidden = APIRouter(prefix="/hidden", include_in_schema=False)


def hide(number: int) -> None:
    @hidden.api_route(f"/{number}", methods=["GET", "POST"])
    async def answer(request: Request) -> dict:
        return {"number": number, "length": len(await request.body())}


for number in range(101):
    hide(number)
app.include_router(hidden)


@app.websocket("/ws/{room}")
async def echo(socket: WebSocket, room: str) -> None:
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(f"{room}: {text}")


listeners = 0


@app.get("/events")
async def events() -> StreamingResponse:
    async def stream() -> AsyncIterator[str]:
        global listeners
        listeners += 1
        try:
            while True:
                yield "data: tick\n\n"
                await asyncio.sleep(0.05)
        finally:
            listeners -= 1

    return StreamingResponse(stream(), media_type="text/event-stream")


@app.get("/listeners")
async def listening() -> dict:
    return {"listeners": listeners}


@app.get("/number/{number}")
async def number_(number: int) -> dict:
    return {"number": number, "pid": os.getpid()}


@app.post("/die")
async def die() -> None:
    os._exit(3)


pages = Flask(__name__)


@pages.route("/<path:path>", methods=["GET", "POST", "DELETE"])
def page(path: str) -> dict:
    return {"flask": path, "method": flask_request.method, "length": len(flask_request.get_data())}


app.mount("/flask", WSGIMiddleware(pages))
# It takes every path that nobody else takes.
app.mount("/", StaticFiles(directory=Path(__file__).with_name("site"), html=True))
