"""A thousand operations: a document of 2 MB."""

from fastapi import FastAPI
from pydantic import Field, create_model

app = FastAPI()


def add(number: int) -> None:
    model = create_model(f"Model{number}", name=(str, Field(max_length=number + 1)), note=(str | None, None))

    @app.put(f"/resources/{number}/{{key}}", description="What it is for, in many words. " * 60)
    async def put(key: int, body: model) -> dict:
        return {"number": number, "key": key, "fields": sorted(body.model_fields_set)}


for number in range(1000):
    add(number)
