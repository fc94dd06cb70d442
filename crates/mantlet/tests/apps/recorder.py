"""An app that writes down what reaches it, and misbehaves on demand.

Every HTTP request and WebSocket handshake becomes one JSON line in the file named by RECORDER_FILE. Paths
and methods without a handler below answer 200 with that same record. The one thing that is answered and not
recorded is the router's own redirect from `/items` to `/items/`.
"""

import asyncio
import hashlib
import json
import os
import time

from fastapi import APIRouter, Depends, FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from starlette.requests import HTTPConnection

PIECE = b"x" * 65536


def write_down(connection: HTTPConnection, **rest) -> dict:
    scope = connection.scope
    record = {
        "type": scope["type"],
        "method": scope.get("method"),
        "path": scope["path"],
        "raw_path": scope["raw_path"].decode("latin-1"),
        "query_string": scope["query_string"].decode("latin-1"),
        "http_version": scope["http_version"],
        "scheme": scope["scheme"],
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        "client": scope["client"],
        **rest,
    }
    if "RECORDER_FILE" in os.environ:
        line = json.dumps(record) + "\n"
        # One write of one line: several workers may append to the file.
        file = os.open(os.environ["RECORDER_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, line.encode())
        os.close(file)
    return record


async def record(request: Request, handler: str) -> dict:
    """Reads the whole body, keeping none of it, and then writes the request down."""
    length, digest, head = 0, hashlib.sha256(), b""
    async for chunk in request.stream():
        length += len(chunk)
        digest.update(chunk)
        head = (head + chunk)[:200]
    return write_down(
        request,
        handler=handler,
        body_length=length,
        body_sha256=digest.hexdigest(),
        body=head.decode("latin-1"),
    )


async def record_first(request: Request) -> None:
    request.state.record = await record(request, request.scope["endpoint"].__name__)


async def any_request(request: Request, _: Exception | None = None) -> Response:
    return JSONResponse(await record(request, "any"))


async def not_matched(scope, receive, send) -> None:
    if scope["type"] == "websocket":
        return await app.router.not_found(scope, receive, send)
    response = await any_request(Request(scope, receive))
    await response(scope, receive, send)


# Without a document of its own the app has no routes but these.
app = FastAPI(openapi_url=None)
app.router.default = not_matched
app.add_exception_handler(405, any_request)  # a path below with another method
handlers = APIRouter(dependencies=[Depends(record_first)])


@handlers.get("/admin")
async def admin(request: Request) -> dict:
    return request.state.record


@handlers.get("/private")
async def private() -> dict:
    return {"secret": "for your eyes only"}


@handlers.get("/items/")
async def items() -> list[str]:
    return ["one", "two"]


@handlers.get("/sse")
async def sse(n: int = 3, interval: float = 0.1) -> StreamingResponse:
    async def events():
        for number in range(n):
            yield f"id: {number}\ndata: {json.dumps({'n': number, 'time': time.time()})}\n\n"
            await asyncio.sleep(interval)

    return StreamingResponse(events(), media_type="text/event-stream")


async def pieces(n: int):
    for _ in range(n // len(PIECE)):
        yield PIECE
    yield PIECE[: n % len(PIECE)]


@handlers.get("/bytes/{n}")
async def chunked(n: int) -> StreamingResponse:
    return StreamingResponse(pieces(n), media_type="application/octet-stream")


@handlers.get("/file/{n}")
async def sized(n: int) -> StreamingResponse:
    return StreamingResponse(pieces(n), headers={"content-length": str(n)}, media_type="application/octet-stream")


@handlers.post("/count")
async def count(request: Request) -> dict:
    return {"bytes": request.state.record["body_length"], "sha256": request.state.record["body_sha256"]}


@handlers.get("/hang")
async def hang() -> None:
    await asyncio.sleep(3600)


@handlers.get("/slow")
async def slow(seconds: float = 1) -> dict:
    await asyncio.sleep(seconds)
    return {"slept": seconds}


@handlers.get("/html")
async def html() -> HTMLResponse:
    return HTMLResponse("<!doctype html><title>Page</title><style>p { color: teal }</style><p>Hello</p>")


@handlers.get("/headers")
async def headers(name: str | None = None, value: str = "") -> Response:
    response = JSONResponse({"headers": "set by the app"})
    response.headers["Server"] = "recorder/1.0"
    response.headers["X-Powered-By"] = "recorder"
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    if name:
        response.headers[name] = value
    return response


@handlers.get("/status/{code}")
async def status(code: int) -> Response:
    return Response(status_code=code) if code in (204, 304) else JSONResponse({"status": code}, code)


@handlers.get("/boom")
async def boom() -> None:
    raise RuntimeError("boom")


@handlers.get("/die")
async def die() -> None:
    os._exit(7)


@handlers.post("/die-mid-body")
async def die_mid_body() -> StreamingResponse:
    async def body():
        yield b"0123456789"
        await asyncio.sleep(0.2)  # until the ten bytes have left
        os._exit(7)

    return StreamingResponse(body(), media_type="text/plain")


@app.websocket("/ws")
async def echo(socket: WebSocket) -> None:
    write_down(socket, handler="echo")
    await socket.accept()
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        if message.get("text") is not None:
            await socket.send_text(message["text"])
        else:
            await socket.send_bytes(message["bytes"])


chatters: set[WebSocket] = set()


@app.websocket("/ws/chat")
async def chat(socket: WebSocket) -> None:
    write_down(socket, handler="chat")
    await socket.accept()
    chatters.add(socket)
    try:
        while True:
            text = await socket.receive_text()
            for chatter in list(chatters):
                await chatter.send_text(text)
    except WebSocketDisconnect:
        chatters.discard(socket)


app.include_router(handlers)
