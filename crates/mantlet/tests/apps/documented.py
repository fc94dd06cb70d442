"""Apps whose document is elsewhere, empty, one of two, or not there at all."""

import itertools

from fastapi import FastAPI
from fastapi.middleware.httpsredirect import HTTPSRedirectMiddleware
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from pydantic import BaseModel


class Item(BaseModel):
    name: str


def with_items(app: FastAPI) -> FastAPI:
    @app.post("/items/{number}")
    def add(number: int, item: Item) -> Item:
        return item

    return app


none = with_items(FastAPI(openapi_url=None))
empty = FastAPI(title="Empty")
elsewhere = with_items(FastAPI(openapi_url="/api/v1/openapi.json"))
at_api = with_items(FastAPI(openapi_url="/api"))
prefixed = with_items(FastAPI(servers=[{"url": "/api"}], root_path_in_servers=False))
picky = with_items(FastAPI())
picky.add_middleware(TrustedHostMiddleware, allowed_hosts=["shop.example"])

endless = with_items(FastAPI(openapi_url=None))


@endless.get("/openapi.json")
def away() -> Response:
    return Response(status_code=503)


@endless.get("/api/openapi.json")
def document() -> dict:
    return picky.openapi()


@endless.get("/v1/openapi.json")
def events() -> StreamingResponse:
    return StreamingResponse(itertools.repeat(b"x" * 65536))


encrypted = with_items(FastAPI())
encrypted.add_middleware(HTTPSRedirectMiddleware)

two = FastAPI(title="Outer")
inner = with_items(FastAPI(title="Inner"))


@inner.get("/more")
def more() -> int:
    return 1


@two.get("/health")
def health() -> int:
    return 1


two.mount("/api", inner)

page = with_items(FastAPI(openapi_url=None))


@page.get("/{path:path}")
def front_end(path: str) -> HTMLResponse:
    return HTMLResponse("<!doctype html><title>Front end</title>")
