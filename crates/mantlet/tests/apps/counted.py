"""An API that asks for a login, and not whose an object is."""

import secrets
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Response
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm

app = FastAPI()
tokens: dict[str, str] = {}
scheme = OAuth2PasswordBearer(tokenUrl="/token")


def user(token: Annotated[str, Depends(scheme)]) -> str:
    if token not in tokens:
        raise HTTPException(401, "Unknown token")
    return tokens[token]


User = Annotated[str, Depends(user)]


@app.post("/token")
def log_in(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> dict[str, str]:
    token = secrets.token_urlsafe(32)
    tokens[token] = form.username.strip().lower()
    return {"access_token": token, "token_type": "bearer"}


@app.get("/orders/{order_id}")
def order(order_id: int, user: User) -> dict[str, int]:
    return {"id": order_id}


@app.get("/orders")
def orders(user: User, n: int) -> list[dict[str, int]]:
    return [{"id": number} for number in range(1, n + 1)]


@app.post("/orders/status")
def status(user: User, body: dict[str, list[int]]) -> list[dict[str, int]]:
    return [{"id": number} for number in body["ids"]]


@app.get("/orders-of")
def batch(user: User, ids: str) -> list[dict[str, int]]:
    return [{"id": int(number)} for number in ids.split(",")]


@app.get("/products")
def products(n: int) -> list[dict[str, int]]:
    return [{"id": number} for number in range(1, n + 1)]


@app.patch("/users/me")
def change(user: User, body: dict[str, str]) -> dict[str, str]:
    return {"bio": body["bio"]}


@app.post("/orders", status_code=201)
def new_order(user: User, response: Response) -> None:
    response.headers["location"] = f"/orders/{secrets.randbelow(10**9) + 10**6}"


@app.put("/notes/{note_id}", status_code=201)
def put_note(note_id: int, user: User) -> dict[str, bool]:
    return {"ok": True}


@app.get("/calendar/{year}/{month}/{day}")
def calendar(year: int, month: int, day: int, user: User) -> dict[str, list[str]]:
    return {"events": []}


def other(number: int) -> Any:
    def view(thing_id: int, user: User) -> dict[str, int]:
        return {"other": number}

    return view


for number in range(18):
    app.get(f"/other{number}/{{thing_id}}")(other(number))
