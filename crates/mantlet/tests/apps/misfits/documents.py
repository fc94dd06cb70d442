"""Apps whose document is missing, elsewhere, or tells of another address."""

from pathlib import Path

from fastapi import FastAPI
from pydantic import BaseModel, Field

SITE = Path(__file__).with_name("site")


class Item(BaseModel):
    name: str = Field(max_length=20)


def with_items(app: FastAPI) -> FastAPI:
    @app.get("/items/{number}")
    async def item(number: int) -> dict:
        return {"number": number}

    @app.post("/items")
    async def create(item: Item) -> Item:
        return item

    return app


none = with_items(FastAPI(openapi_url=None))
elsewhere = with_items(FastAPI(openapi_url="/api/v1/openapi.json"))
prefixed = with_items(FastAPI(root_path="/api", servers=[{"url": "/api"}]))
front = with_items(FastAPI())
front.frontend("/", directory=SITE)
