"""The catalogue: list, search, detail, pictures."""

import shutil
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, UploadFile
from fastapi.responses import FileResponse
from pydantic import BaseModel, BeforeValidator, Field

from database import PICTURES, Database
from users import CurrentUser

router = APIRouter(tags=["products"])

Category = Literal["bows", "arrows", "shields"]


class NewProduct(BaseModel):
    name: str = Field(min_length=1, max_length=80)
    description: str = ""
    category: Category
    price_cents: int = Field(gt=0)
    stock: int = Field(default=0, ge=0)


class Product(NewProduct):
    id: int
    picture: str | None = None


class Filters(BaseModel):
    q: str = Field("", description="words in the name or the description")
    category: Category | None = None
    min_price: float = Field(0, ge=0)
    max_price: float | None = Field(None, gt=0)
    in_stock: bool = False
    sort: Literal["name", "price_cents", "stock"] = "name"
    # Careless: no upper bound, so one request can ask for everything there is.
    limit: int = Field(20, ge=1)
    offset: int = Field(0, ge=0)


@router.get("/products", response_model=list[Product])
def list_products(db: Database):
    return [dict(row) for row in db.execute("SELECT * FROM products ORDER BY id")]


@router.get("/search", response_model=list[Product])
def search(filters: Annotated[Filters, Query()], db: Database):
    rows = db.execute(
        "SELECT * FROM products WHERE (name LIKE :like OR description LIKE :like)"
        " AND (:category IS NULL OR category = :category) AND price_cents >= :min_price * 100"
        " AND (:max_price IS NULL OR price_cents <= :max_price * 100) AND (NOT :in_stock OR stock > 0)"
        f" ORDER BY {filters.sort} LIMIT :limit OFFSET :offset",
        filters.model_dump() | {"like": f"%{filters.q}%"},
    )
    return [dict(row) for row in rows]


# Careless: no response model, so what the shop pays its supplier is shown to everybody.
@router.get("/products/{product_id}")
def product(product_id: int, db: Database):
    row = db.execute("SELECT * FROM products WHERE id = ?", [product_id]).fetchone()
    if row is None:
        raise HTTPException(404, "No such product")
    return dict(row)


@router.post("/products", status_code=201)
def create_product(new: NewProduct, user: CurrentUser, db: Database) -> dict[str, int | None]:
    columns = new.model_dump()
    cursor = db.execute(
        "INSERT INTO products (name, description, category, price_cents, stock)"
        " VALUES (:name, :description, :category, :price_cents, :stock)",
        columns,
    )
    return {"id": cursor.lastrowid}


class NewReview(BaseModel):
    stars: int = Field(ge=1, le=5)
    # Careless: of any length. `null` is what the app on the phone sends for no text.
    text: Annotated[str, BeforeValidator(lambda text: "" if text is None else text)] = ""


@router.post("/products/{product_id}/reviews", status_code=201)
def review(product_id: int, new: NewReview, user: CurrentUser, db: Database) -> dict[str, int | None]:
    values = [product_id, new.stars, new.text]
    cursor = db.execute("INSERT INTO reviews (product_id, stars, text) VALUES (?, ?, ?)", values)
    return {"id": cursor.lastrowid}


@router.get("/products/{product_id}/reviews")
def reviews(product_id: int, db: Database) -> list[dict]:
    return [dict(row) for row in db.execute("SELECT stars, text FROM reviews WHERE product_id = ?", [product_id])]


@router.post("/products/{product_id}/picture", status_code=201)
def upload_picture(product_id: int, picture: UploadFile, user: CurrentUser, db: Database) -> dict[str, str]:
    # Careless: any size and any type. A picture that is an .html file becomes a page of this shop.
    name = f"{product_id}-{Path(picture.filename or 'picture').name}"
    with (PICTURES / name).open("wb") as file:
        shutil.copyfileobj(picture.file, file)
    if db.execute("UPDATE products SET picture = ? WHERE id = ?", [name, product_id]).rowcount == 0:
        raise HTTPException(404, "No such product")
    return {"picture": name}


@router.get("/pictures/{name}", response_class=FileResponse)
def picture(name: str):
    path = PICTURES / Path(name).name
    if not path.is_file():
        raise HTTPException(404, "No such picture")
    return path
