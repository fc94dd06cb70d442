"""What an app on Python 3.9 and FastAPI 0.100 may have: code around the routes, which is read, and models."""

from contextlib import asynccontextmanager
from typing import Optional

from fastapi import Depends, FastAPI, Form, Header, HTTPException, Request
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field, field_validator


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.ready = True
    yield


app = FastAPI(lifespan=lifespan)


class Order(BaseModel):
    quantity: int = Field(gt=0)
    note: Optional[str] = None

    @field_validator("note")
    @classmethod
    def short(cls, value):
        if value and len(value) > 80:
            raise ValueError("too long")
        return value


@app.middleware("http")
async def timed(request: Request, call_next):
    response = await call_next(request)
    response.headers["X-Timed"] = "yes"
    return response


def known(x_key: str = Header()):
    try:
        if x_key != "open":
            raise HTTPException(403)
    finally:
        pass
    return x_key


@app.post("/orders", dependencies=[Depends(HTTPBearer())])
def place(order: Order, key: str = Depends(known)) -> Order:
    return order


@app.get("/orders/{number}")
def order(number: int, verbose: bool = False):
    return {"number": number}


@app.post("/login")
def login(name: str = Form(), word: str = Form()):
    return {"name": name}
