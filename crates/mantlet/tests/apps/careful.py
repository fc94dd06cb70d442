"""An app whose models say what they accept, and which tells what reached it."""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, FastAPI, Form, Header, Query, Request, Security
from fastapi.security import APIKeyHeader
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

app = FastAPI()


class Line(BaseModel):
    sku: str = Field(pattern=r"^[A-Z]{3}-\d+$")
    quantity: Annotated[int, Field(gt=0)]


class Order(BaseModel):
    customer: str = Field(min_length=1, max_length=40)
    lines: list[Line] = Field(min_length=1, max_length=100)
    due: date | None = None
    note: Annotated[str, BeforeValidator(lambda value: value or "")] = ""


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


async def received(request: Request) -> str:
    return (await request.body()).decode()


@app.post("/orders")
async def order(order: Order, content_length: Annotated[int, Header()]) -> dict:
    return {"order": order.model_dump(mode="json"), "length": content_length}


@app.post("/closed")
async def closed(closed: Closed) -> dict:
    return {}


@app.post("/open")
async def open_(body: Open, request: Request) -> dict:
    return {"received": await received(request)}


@app.post("/raw")
async def raw(request: Request) -> dict:
    return {"received": await received(request)}


@app.get("/search")
async def search(
    page: Annotated[int, Query(ge=1)] = 1,
    order: Literal["name", "price"] = "name",
    tag: Annotated[list[str], Query(max_length=3)] = [],
    x_tenant: Annotated[str | None, Header(max_length=8)] = None,
) -> dict:
    return {"page": page, "order": order, "tag": tag, "tenant": x_tenant}


@app.post("/contact")
async def contact(subject: Annotated[str, Form(max_length=20)], age: Annotated[int, Form()] = 0) -> dict:
    return {"subject": subject, "age": age}


key = APIKeyHeader(name="X-API-Key")


@app.post("/keyed")
async def keyed(body: Closed, key: Annotated[str, Security(key)]) -> dict:
    return {"key": key}


hidden = APIRouter(include_in_schema=False)


@hidden.get("/internal/{number}")
async def internal(number: int) -> dict:
    return {"number": number}


app.include_router(hidden)
