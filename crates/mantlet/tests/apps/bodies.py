"""Bodies that FastAPI holds in memory as a whole, and bodies that come piece by piece."""

from fastapi import FastAPI, Form, Request, UploadFile
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    name: str


@app.post("/json")
def take_json(item: Item):
    return item


@app.post("/fields")
def take_fields(name: str = Form()):
    return name


@app.post("/file")
def take_file(file: UploadFile):
    return file.size


@app.put("/raw")
async def take_raw(request: Request):
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return size
