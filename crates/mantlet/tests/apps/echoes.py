"""An app that answers with names that its clients make up."""

from fastapi import FastAPI, Form, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    name: str


@app.get("/q")
def q(page: int = 1):
    return page


@app.post("/items")
def add(item: Item):
    return item


@app.post("/form")
def form(name: str = Form()):
    return name


@app.get("/echo", response_model=Item)
def echo(request: Request):
    return JSONResponse({"name": "x", **dict(request.query_params)})


@app.get("/secrets")
def secrets(request: Request):
    return {**dict(request.query_params), "password": "x"}
