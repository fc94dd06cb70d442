"""Fails after it has answered; counts what reaches it.

The traceback takes its time, as it does where it is coloured or sent to a service, so that the next
request comes before the connection ends.
"""

import logging
import time

from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse

app = FastAPI()
seen = []


class Slow(logging.Handler):
    def emit(self, record):
        time.sleep(0.02)


logging.getLogger("uvicorn.error").addHandler(Slow())


@app.exception_handler(Exception)
async def handled(request, error):
    return JSONResponse({"detail": "try again"}, status_code=int(request.query_params["status"]))


async def fail():
    raise RuntimeError("after the response")


@app.post("/fails")
async def fails(status: int):
    await fail()


@app.post("/fails-in-the-background")
async def in_the_background(tasks: BackgroundTasks):
    tasks.add_task(fail)
    return "done"


@app.post("/fails-at-its-end")
async def at_its_end():
    async def pieces():
        yield b"done"

    class Failing(StreamingResponse):
        async def __call__(self, *asgi):
            await super().__call__(*asgi)
            await fail()

    return Failing(pieces())


@app.api_route("/order/{number}", methods=["POST", "PUT", "PATCH", "DELETE"])
async def order(request: Request, number: str):
    seen.append(number)
    return len(await request.body())


@app.get("/seen")
async def told():
    return seen
