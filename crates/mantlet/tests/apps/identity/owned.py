"""Rows that belong to somebody. The app asks for a login, and seldom for whose."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse, StreamingResponse
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from jwt.exceptions import InvalidTokenError
from pydantic import BaseModel, ConfigDict, Field

SECRET_KEY = "the-owl-of-the-keep-counts-all-the-mice"
USERS: dict[str, dict[str, Any]] = {
    "ann": {"id": 1, "is_admin": False, "orgs": [10], "name": "Ann"},
    "bob": {"id": 2, "is_admin": False, "orgs": [20, 30], "name": "Bob"},
    "eve": {"id": 3, "is_admin": True, "orgs": [], "name": "Eve"},
}
ORDERS: dict[int, dict[str, Any]] = {
    1: {"id": 1, "user_id": 1, "org": 10, "text": "moss of ann"},
    2: {"id": 2, "user_id": 2, "org": 20, "text": "fern of bob"},
    3: {"id": 3, "user_id": None, "org": None, "text": "ivy of nobody"},
}
LINES: dict[int, dict[str, Any]] = {5: {"id": 5, "order_id": 1}, 6: {"id": 6, "order_id": 2}}
ASKED = {"me": 0}

app = FastAPI()
scheme = OAuth2PasswordBearer(tokenUrl="token")


def caller(token: Annotated[str, Depends(scheme)]) -> dict[str, Any]:
    try:
        return USERS[jwt.decode(token, SECRET_KEY, algorithms=["HS256"])["sub"]]
    except (InvalidTokenError, KeyError):
        raise HTTPException(401, "Invalid token", {"WWW-Authenticate": "Bearer"}) from None


Caller = Annotated[dict[str, Any], Depends(caller)]


class User(BaseModel):
    id: int
    is_admin: bool
    orgs: list[int]
    name: str


class Order(BaseModel):
    id: int
    user_id: int | None
    org: int | None
    text: str


class NewOrder(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    text: str
    user_id: int | None = Field(None, alias="userId")


class Page(BaseModel):
    data: list[Order]
    count: int


@app.middleware("http")
async def timed(request: Request, call_next: Any) -> Response:
    answer = await call_next(request)
    answer.headers["X-Process-Time"] = "0.001"
    answer.headers["X-Served-By"] = "mouse"
    return answer


def found(order_id: int) -> dict[str, Any]:
    if order_id not in ORDERS:
        raise HTTPException(404, f"No order {order_id}")
    return ORDERS[order_id]


@app.post("/token")
def log_in(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> dict[str, str]:
    if form.username not in USERS or form.password != "lantern":
        raise HTTPException(400, "Incorrect username or password")
    claims = {"sub": form.username, "exp": datetime.now(UTC) + timedelta(hours=1)}
    return {"access_token": jwt.encode(claims, SECRET_KEY, "HS256"), "token_type": "bearer"}


@app.get("/users/me", response_model=User)
def me(user: Caller) -> dict[str, Any]:
    ASKED["me"] += 1
    return user


@app.get("/asked")
def asked() -> dict[str, int]:
    return ASKED


@app.patch("/users/me")
def rename(user: Caller, orgs: list[int]) -> str:
    user["orgs"] = orgs
    return "done"


@app.get("/orders/{order_id}", response_model=Order)
def order(
    order_id: int, user: Caller, response: Response, if_none_match: Annotated[str | None, Header()] = None
) -> Any:
    row = found(order_id)
    if if_none_match == f'"{order_id}"':
        return Response(status_code=304, headers={"ETag": f'"{order_id}"'})
    response.headers["ETag"] = f'"{order_id}"'
    response.set_cookie("seen", str(order_id))
    return row


@app.head("/orders/{order_id}")
def order_head(order_id: int, user: Caller) -> Response:
    return Response(headers={"X-Text-Length": str(len(found(order_id)["text"]))})


@app.put("/orders/{order_id}", response_model=Order)
def replace(order_id: int, new: NewOrder, user: Caller) -> Any:
    row = found(order_id)
    row["text"] = new.text
    return row


@app.delete("/orders/{order_id}", status_code=204)
def remove(order_id: int, user: Caller) -> None:
    found(order_id)
    del ORDERS[order_id]


@app.post("/orders/{order_id}/cancel")
def cancel(order_id: int, user: Caller) -> str:
    return found(order_id)["text"] + " is cancelled"


@app.get("/orders/{order_id}/label")
def label(order_id: int, user: Caller) -> Response:
    return Response(found(order_id)["text"], media_type="text/plain")


@app.get("/lines/{line_id}")
def line(line_id: int, user: Caller) -> dict[str, Any]:
    if line_id not in LINES:
        raise HTTPException(404, "No such line")
    return LINES[line_id]


@app.patch("/lines/{line_id}")
def change_line(line_id: int, user: Caller) -> dict[str, Any]:
    return LINES[line_id]


@app.get("/orders", response_model=Page)
def orders(user: Caller) -> Any:
    return {"data": list(ORDERS.values()), "count": len(ORDERS)}


@app.post("/orders", status_code=201, response_model=Order)
def create(new: NewOrder, user: Caller) -> Any:
    return {"id": 9, "org": None, "user_id": new.user_id or user["id"], "text": new.text}


@app.get("/batch")
def batch(user: Caller, ids: Annotated[list[int], Query()]) -> list[str]:
    return [found(number)["text"] for number in ids]


@app.post("/batch/remove")
def batch_remove(user: Caller, ids: list[int]) -> list[str]:
    return [found(number)["text"] for number in ids]


@app.get("/orgs/{order_id}", response_model=Order)
def by_org(order_id: int, user: Caller) -> Any:
    return found(order_id)


@app.post("/search/{order_id}", response_model=Order)
def search(order_id: int, user: Caller) -> Any:
    return found(order_id)


@app.get("/forms/{order_id}/{form}")
def forms(order_id: int, form: str, user: Caller) -> Response:
    """The same row in forms of an answer in which it is not seen at once."""
    row = found(order_id)
    text = json.dumps(row).encode()
    if form == "gzip":
        return Response(gzip.compress(text), headers={"Content-Encoding": "gzip"}, media_type="application/json")
    if form == "stream":
        return StreamingResponse(iter([text[:10], text[10:]]), media_type="application/json")
    if form == "csv":
        return Response(f"id,text\n{order_id},{row['text']}\n", media_type="text/csv")
    if form == "lines":
        return StreamingResponse(iter([text, b"\n"]), media_type="application/x-ndjson")
    if form == "fields":
        return JSONResponse({"text": row["text"]})
    if form == "double":
        double = f'{{"user_id": 1, "user_id": {json.dumps(row["user_id"])}, "text": "{row["text"]}"}}'
        return Response(double, media_type="application/json")
    if form == "large":
        return JSONResponse({"text": row["text"], "padding": "x" * (3 << 20), "user_id": row["user_id"]})
    if form == "text":
        return JSONResponse({**row, "user_id": str(row["user_id"])})
    if form == "elsewhere":
        return RedirectResponse(f"https://files.example.com/{row['text']}")
    if form == "here":
        return RedirectResponse(f"/orders/{order_id}")
    raise HTTPException(404, "No such form")


@app.delete("/{kind}/{number}")
def remove_any(kind: str, number: int, user: Caller) -> str:
    return f"{LINES[number]} is gone"
