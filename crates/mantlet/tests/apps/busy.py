"""An app that does one thing at a time, or waits for many at once."""

import asyncio
import time

from fastapi import FastAPI

app = FastAPI()
inside = most = 0


@app.get("/work")
async def work() -> str:
    time.sleep(0.01)  # noqa: ASYNC251: the whole app stands still meanwhile
    return "done"


@app.get("/news")
async def news() -> str:
    global inside, most
    inside += 1
    most = max(most, inside)
    await asyncio.sleep(0.2)
    inside -= 1
    return "none"


@app.get("/asleep")
async def asleep() -> str:
    await asyncio.sleep(0.05)
    return "done"


@app.get("/most")
async def most_at_once() -> int:
    return most
