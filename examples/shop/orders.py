"""Orders, and the feed that shows them as they come in."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

import database
from database import Database
from users import CurrentUser

router = APIRouter(tags=["orders"])


class NewOrder(BaseModel):
    product_id: int
    quantity: int = Field(ge=1, le=100)
    address: str


@router.get("/orders")
def my_orders(user: CurrentUser, db: Database) -> list[dict]:
    rows = db.execute("SELECT * FROM orders WHERE user_id = ? ORDER BY id", [user["id"]])
    return [dict(row) for row in rows]


@router.post("/orders", status_code=201)
def place_order(new: NewOrder, user: CurrentUser, db: Database) -> dict[str, int | None]:
    # Careless: a product that does not exist breaks a foreign key: a 500 with the traceback in it.
    cursor = db.execute(
        "INSERT INTO orders (user_id, product_id, quantity, address) VALUES (?, ?, ?, ?)",
        [user["id"], new.product_id, new.quantity, new.address],
    )
    return {"id": cursor.lastrowid}


# Careless: no login, so anybody can watch who buys what.
@router.get("/orders/feed", response_class=EventSourceResponse)
async def order_feed(last_event_id: Annotated[int, Header()] = 0) -> AsyncIterator[ServerSentEvent]:
    db = database.connect()
    try:
        while True:
            rows = db.execute(
                "SELECT orders.id, username, name AS product, quantity FROM orders"
                " JOIN users ON users.id = user_id JOIN products ON products.id = product_id"
                " WHERE orders.id > ? ORDER BY orders.id",
                [last_event_id],
            ).fetchall()
            for row in rows:
                last_event_id = row["id"]
                yield ServerSentEvent(data=dict(row), event="order", id=str(last_event_id))
            await asyncio.sleep(0.5)
    finally:
        db.close()


@router.get("/orders/{order_id}")
def order(order_id: int, user: CurrentUser, db: Database) -> dict:
    # Careless: nobody asks whose order it is.
    row = db.execute("SELECT * FROM orders WHERE id = ?", [order_id]).fetchone()
    if row is None:
        raise HTTPException(404, "No such order")
    return dict(row)
