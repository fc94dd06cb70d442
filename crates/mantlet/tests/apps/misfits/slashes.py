"""Paths with and without a slash at the end."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/slash/")
@app.post("/slash/")
async def slash() -> dict:
    return {"slash": True}


@app.get("/no-slash")
async def no_slash() -> dict:
    return {"slash": False}
