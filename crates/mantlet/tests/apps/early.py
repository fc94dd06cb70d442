"""Answers before it has read what it was sent, and closes."""

from fastapi import FastAPI
from fastapi.responses import JSONResponse

app = FastAPI()


@app.post("/no")
async def no() -> JSONResponse:
    return JSONResponse({"detail": "too large"}, 413, headers={"Connection": "close"})
