"""The same small app twice: bare, and with the stack that a careful team puts into the process."""

import asyncio
import time
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.middleware.cors import CORSMiddleware
from slowapi import Limiter
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIMiddleware
from slowapi.util import get_remote_address
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse, Response
from starlette_csrf import CSRFMiddleware

KEY = "a key for benchmarks, long enough for HS256"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}

answered: dict[str, int] = {}


async def work(request: Request) -> dict[str, str]:
    """A millisecond of waiting for a database, and a little to do."""
    address = request.headers.get("x-forwarded-for") or (request.client.host if request.client else "")
    answered[address] = answered.get(address, 0) + 1
    await asyncio.sleep(0.001)
    return {"name": "Pavise", "category": "shields"}


pool = asyncio.Semaphore(10)


async def ten_at_once(request: Request) -> str:
    """Twenty milliseconds with one of ten connections to a database."""
    await request.body()
    async with pool:
        answered["ten"] = answered.get("ten", 0) + 1
        await asyncio.sleep(0.02)
    return "done"


async def one_at_once(request: Request) -> str:
    """Five milliseconds of work; all others wait."""
    await request.body()
    answered["one"] = answered.get("one", 0) + 1
    time.sleep(0.005)  # noqa: ASYNC251
    return "done"


async def large() -> Response:
    return Response(bytes(5 << 20))


async def counts() -> dict[str, int]:
    return answered


bare = FastAPI()
bare.get("/work")(work)
bare.get("/counts")(counts)
bare.api_route("/ten-at-once", methods=["GET", "POST"])(ten_at_once)
bare.api_route("/one-at-once", methods=["GET", "POST"])(one_at_once)
bare.get("/large")(large)


def user(authorization: Annotated[str | None, Header()] = None) -> str:
    try:
        return jwt.decode((authorization or "").removeprefix("Bearer "), KEY, algorithms=["HS256"])["sub"]
    except jwt.InvalidTokenError:
        raise HTTPException(401, "Not authenticated") from None


limiter = Limiter(key_func=get_remote_address, default_limits=["100/second"])
stack = FastAPI()
stack.state.limiter = limiter
stack.get("/work", dependencies=[Depends(user)])(work)
stack.get("/counts")(limiter.exempt(counts))


@stack.exception_handler(RateLimitExceeded)
def too_many(request: Request, error: RateLimitExceeded) -> JSONResponse:
    return JSONResponse({"detail": "Too many requests"}, 429, {"Retry-After": "1"})


class SecurityHeaders(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        response.headers.update(HEADERS)
        return response


stack.add_middleware(SlowAPIMiddleware)
stack.add_middleware(CSRFMiddleware, secret=KEY)
stack.add_middleware(CORSMiddleware, allow_origins=["https://shop.example"], allow_credentials=True)
stack.add_middleware(SecurityHeaders)

if __name__ == "__main__":
    print(jwt.encode({"sub": "alice"}, KEY, algorithm="HS256"))
