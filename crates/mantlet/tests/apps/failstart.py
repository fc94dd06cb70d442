"""An app that imports well and fails to start: uvicorn ends with code 3."""

from contextlib import asynccontextmanager

from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app: FastAPI):
    raise RuntimeError("the database is not there")
    yield


app = FastAPI(lifespan=lifespan)
