"""What other programs call: the payment provider, the suppliers, the tills in the shops."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

from database import Database
from users import CurrentUser

router = APIRouter(prefix="/partners", tags=["partners"])
# Careless: what comes without a Content-Type counts as JSON, and any page can send that without asking first.
tills = APIRouter(prefix="/tills", tags=["partners"], strict_content_type=False)

PRICES = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}}


@router.post("/payments", status_code=204)
async def payment(request: Request, db: Database) -> None:
    # Careless: nobody asks whether it is the provider who calls, or looks at what the body holds.
    told = await request.json()
    db.execute("UPDATE orders SET status = ? WHERE id = ?", [told["status"], told["order"]])


# Careless: the documents show what the body must be, and nobody holds it against that.
@router.put(
    "/prices", status_code=204, openapi_extra={"requestBody": {"content": {"application/json": {"schema": PRICES}}}}
)
async def prices(request: Request, user: CurrentUser, db: Database) -> None:
    for product_id, cents in (await request.json()).items():
        db.execute("UPDATE products SET supplier_price_cents = ? WHERE id = ?", [cents, product_id])


class Sale(BaseModel):
    product_id: int
    quantity: int = Field(ge=1, le=100)


@tills.post("/sales")
def sale(sale: Sale, db: Database) -> dict[str, int]:
    sold = db.execute(
        "UPDATE products SET stock = stock - :quantity WHERE id = :product_id AND stock >= :quantity",
        sale.model_dump(),
    )
    if sold.rowcount == 0:
        raise HTTPException(409, "Not in stock")
    return {"sold": sale.quantity}


class Subscription(BaseModel):
    # Careless: one wrong address keeps Python's own engine busy for longer than anyone lives.
    model_config = ConfigDict(regex_engine="python-re")
    email: str = Field(pattern=r"^([a-z0-9]+[._-]?)+@[a-z0-9.-]+$")


@router.post("/newsletter", status_code=204)
def subscribe(subscription: Subscription, db: Database) -> None:
    db.execute("INSERT OR IGNORE INTO subscribers (email) VALUES (?)", [subscription.email])
