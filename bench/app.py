"""What the contract of the benchmarks is read from, and the peer that refuses by itself: an ordinary FastAPI app."""

import os
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from fastapi import FastAPI
from pydantic import BaseModel, Field, create_model

app = FastAPI()


class Address(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=100)]
    street: Annotated[str, Field(max_length=200)]
    city: str
    postcode: Annotated[str, Field(pattern=r"^[0-9]{5}$")]
    country: Literal["DE", "FR", "NL", "PL"] = "DE"


class Item(BaseModel):
    product_id: Annotated[int, Field(gt=0)]
    quantity: Annotated[int, Field(ge=1, le=100)] = 1
    price: Annotated[Decimal, Field(max_digits=10, decimal_places=2)]
    note: str | None = None


class Order(BaseModel):
    id: UUID
    placed_at: datetime
    express: bool = False
    address: Address
    items: Annotated[list[Item], Field(min_length=1, max_length=50)]
    tags: list[str] = []


class Product(BaseModel):
    id: int
    name: str
    description: str
    category: str
    price_cents: int
    stock: int
    in_stock: bool
    picture: str | None


@app.post("/orders")
def place_order(order: Order) -> dict[str, int]:
    return {"id": 8}


@app.get("/products")
def products() -> list[Product]:
    return []


# As many operations as a large app has, each with a model of its own.
for number in range(int(os.environ.get("OPERATIONS", "0"))):
    model = create_model(f"Thing{number}", id=(int, Field(ge=0)), name=(str, Field(max_length=64)), tags=(list[str], []))

    def handler(thing_id: int, body: model, verbose: bool = False) -> dict[str, int]:  # type: ignore[valid-type]
        return {"id": thing_id}

    app.add_api_route(f"/things{number}/{{thing_id}}", handler, methods=["PUT"], operation_id=f"thing{number}")
