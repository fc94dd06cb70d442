"""A pattern that Rust's engine does not know: only Python's can say whether it fits."""

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

app = FastAPI()


class Item(BaseModel):
    model_config = ConfigDict(regex_engine="python-re")
    code: str = Field(pattern=r"^(?=a)\w+$")


@app.post("/items")
def add(items: list[Item]) -> Item:
    return items[0]
