"""Vans for rent: an app written in a hurry."""

from fastapi import APIRouter, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse

from fleet import cars, money, outside, people, yard


def create() -> FastAPI:
    made = FastAPI(title="Fleet")
    made.add_middleware(
        CORSMiddleware, allow_origin_regex=".*", allow_credentials=True, allow_methods=["*"], allow_headers=["*"]
    )
    everything = APIRouter(prefix="/api")
    inner = APIRouter()
    for router in (people.gate, people.people, people.companies, cars.vans, cars.trips, yard.yard):
        inner.include_router(router)
    everything.include_router(inner)
    for router in (money.expenses, money.papers, outside.hooks, outside.inbound, outside.back_office):
        everything.include_router(router)
    for router in (outside.old, outside.new):
        everything.include_router(router)
    made.include_router(everything)

    @made.exception_handler(Exception)
    async def failed(request: Request, failure: Exception) -> JSONResponse:
        return JSONResponse({"error": repr(failure)}, status_code=400)

    return made


app = create()
