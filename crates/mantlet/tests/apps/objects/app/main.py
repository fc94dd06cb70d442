"""A workspace: notes, boards, projects and invoices of people and their organisations."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware

from app import initial_data
from app.routers import admin, boards, comments, invoices, login, notes, organizations, projects, trash, users


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    initial_data.create()
    yield


app = FastAPI(title="Workspace", lifespan=lifespan)
app.add_middleware(GZipMiddleware, minimum_size=500)
for module in (login, users, organizations, projects, notes, trash, comments, invoices, boards, admin):
    app.include_router(module.router)
