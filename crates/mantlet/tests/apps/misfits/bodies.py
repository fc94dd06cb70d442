"""Bodies and parameters of which the document tells nothing, or not the truth. The app takes them all."""

import hashlib
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, Form, Query, Request
from pydantic import BaseModel, BeforeValidator

app = FastAPI()


async def received(request: Request) -> dict:
    body = await request.body()
    return {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}


# None is declared, and none is read.
@app.delete("/things/{thing}")
@app.post("/things/{thing}")
@app.get("/things/{thing}")
async def thing(thing: str) -> dict:
    return {"thing": thing}


# None is declared, and it is read.
@app.delete("/raw/{thing}")
@app.put("/raw/{thing}")
@app.post("/raw/{thing}")
async def raw(thing: str, request: Request) -> dict:
    return {"thing": thing, **await received(request)}


TAGS = {"type": "object", "required": ["tags"], "properties": {"tags": {"type": "array", "items": {"type": "string"}}}}


# The document says an array; the handler is content with a text.
@app.post("/by-hand", openapi_extra={"requestBody": {"content": {"application/json": {"schema": TAGS}}}})
async def by_hand(request: Request) -> dict:
    tags = (await request.json())["tags"]
    return {"tags": tags.split(",") if isinstance(tags, str) else tags}


# The document says an object.
@app.post("/object", openapi_extra={"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}})
async def an_object(body: Annotated[Any, Body()]) -> dict:
    return {"body": body}


class Note(BaseModel):
    text: Annotated[str, BeforeValidator(lambda value: value or "")]


@app.post("/notes")
async def note(note: Note) -> Note:
    return note


class Timer(BaseModel):
    name: str = "timer"
    length: timedelta


@app.post("/timers")
async def timer(timer: Timer) -> dict:
    return {"name": timer.name, "seconds": timer.length.total_seconds()}


@app.post("/forms")
async def form(name: Annotated[str, Form()]) -> dict:
    return {"name": name}


@app.get("/search")
async def search(q: str = "", tag: Annotated[list[str], Query()] = []) -> dict:
    return {"q": q, "tags": tag}


lenient = APIRouter(prefix="/lenient", strict_content_type=False)


# As FastAPI before 0.132 does everywhere: what has no Content-Type is JSON.
@lenient.post("/timers")
async def lenient_timer(timer: Timer) -> dict:
    return {"name": timer.name, "seconds": timer.length.total_seconds()}


app.include_router(lenient)


class Rows(BaseModel):
    rows: list[str]


@app.post("/rows")
async def rows(rows: Rows) -> dict:
    return {"rows": len(rows.rows)}
