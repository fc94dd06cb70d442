"""An app that never becomes ready: its start-up does not return."""

import asyncio
from contextlib import asynccontextmanager

from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app: FastAPI):
    await asyncio.sleep(3600)
    yield


app = FastAPI(lifespan=lifespan)
