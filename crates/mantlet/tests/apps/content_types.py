"""JSON with and without a Content-Type: as FastAPI has it since 0.132, and as it was before."""

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel


class Item(BaseModel):
    name: str


app = FastAPI()
lenient = APIRouter(prefix="/lenient", strict_content_type=False)


@app.post("/items")
def items(item: Item) -> Item:
    return item


@lenient.post("/items")
def lenient_items(item: Item) -> Item:
    return item


@lenient.post("/webhook")
def webhook(item: Item) -> Item:
    return item


app.include_router(lenient)
