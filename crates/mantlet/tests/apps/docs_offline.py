"""FastAPI's own documentation pages, with the scripts and styles that they fetch served from here.

A browser on a machine without a network can render them. The pages come from the functions that FastAPI itself
uses, so their HTML, inline script and all, is what every FastAPI app has; only the addresses differ.
"""

from pathlib import Path

import fastapi_offline
from fastapi import FastAPI, HTTPException
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html, get_swagger_ui_oauth2_redirect_html
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel

app = FastAPI(title="Documented", docs_url=None, redoc_url=None)
app.mount("/static", StaticFiles(directory=Path(fastapi_offline.__file__).parent / "static"))


class Item(BaseModel):
    name: str
    price: float = 0


@app.get("/docs", include_in_schema=False)
async def swagger_ui():
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title=f"{app.title} - Swagger UI",
        oauth2_redirect_url="/docs/oauth2-redirect",
        swagger_js_url="/static/swagger-ui-bundle.js",
        swagger_css_url="/static/swagger-ui.css",
        swagger_favicon_url="/static/favicon.png",
    )


@app.get("/docs/oauth2-redirect", include_in_schema=False)
async def oauth2_redirect():
    return get_swagger_ui_oauth2_redirect_html()


@app.get("/redoc", include_in_schema=False)
async def redoc():
    return get_redoc_html(
        openapi_url="/openapi.json",
        title=f"{app.title} - ReDoc",
        redoc_js_url="/static/redoc.standalone.js",
        redoc_favicon_url="/static/favicon.png",
        with_google_fonts=False,
    )


@app.get("/items/{item_id}", tags=["items"])
async def read_item(item_id: int, q: str | None = None) -> Item:
    """One item."""
    if item_id == 0:
        raise HTTPException(404, "No such item")
    return Item(name=q or f"item {item_id}")


@app.post("/items", tags=["items"], status_code=201)
async def create_item(item: Item) -> Item:
    """A new item."""
    return item
