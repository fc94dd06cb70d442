"""What the shop's staff uses."""

from fastapi import APIRouter, HTTPException

from database import Database
from users import CurrentUser

# Careless: the routes ask for a login, but never whether it is an administrator's.
router = APIRouter(prefix="/admin", tags=["admin"])


@router.get("/users")
def all_users(user: CurrentUser, db: Database) -> list[dict]:
    return [dict(row) for row in db.execute("SELECT id, username, email, is_admin FROM users ORDER BY id")]


@router.get("/orders")
def all_orders(user: CurrentUser, db: Database) -> list[dict]:
    return [dict(row) for row in db.execute("SELECT * FROM orders ORDER BY id")]


@router.delete("/products/{product_id}", status_code=204)
def delete_product(product_id: int, user: CurrentUser, db: Database) -> None:
    if db.execute("DELETE FROM products WHERE id = ?", [product_id]).rowcount == 0:
        raise HTTPException(404, "No such product")
