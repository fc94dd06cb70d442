"""An app that takes files, and tells what reached it and when."""

import gzip
import os
from typing import Annotated

from fastapi import FastAPI, File, Form, Request, UploadFile
from starlette.responses import HTMLResponse

app = FastAPI()
seen: dict[str, dict] = {}


def told(file: UploadFile) -> dict:
    size = file.file.seek(0, os.SEEK_END)
    return {"name": file.filename, "type": file.content_type, "size": size}


@app.post("/picture")
def picture(picture: UploadFile, note: Annotated[str, Form(max_length=10)] = "") -> dict:
    return {"picture": told(picture), "note": note}


@app.post("/many")
def many(files: Annotated[list[UploadFile], File()] = [], tags: Annotated[list[str], Form()] = []) -> dict:
    return {"files": [told(file) for file in files], "tags": tags}


@app.post("/raw/{name}")
async def raw(name: str, request: Request) -> dict:
    """Takes the body piece by piece."""
    mine = seen[name] = {"bytes": 0, "ended": False}
    async for piece in request.stream():
        mine["bytes"] += len(piece)
    mine["ended"] = True
    return mine


@app.get("/seen/{name}")
async def told_of(name: str) -> dict:
    return seen.get(name, {"bytes": 0, "ended": False})


@app.post("/inflated")
async def inflated(request: Request) -> dict:
    """As a middleware for compressed requests would."""
    return {"bytes": len(gzip.decompress(await request.body()))}


@app.get("/page", response_class=HTMLResponse)
def page() -> str:
    return "<!DOCTYPE html><title>uploads</title>"
